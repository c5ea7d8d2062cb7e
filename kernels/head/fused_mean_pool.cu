// SPDX-License-Identifier: Apache-2.0
// Mean over pixels of a raw tensor's act(norm(src)), and back: diff_src = diff_pooled/pixels * act'(norm(src)) together
// with the sums of g = diff_src and g*h that its BatchNorm's gradient needs. Forward reads src once; backward reads src
// and writes diff_src once. The sums are of diff_src as it is stored, which is what the BatchNorm's gradient is then
// applied to.
#include "head/head.h"
#include "norm/normed.h"

namespace fusewire::FW_EXEC {
namespace {

template <class T, int N>
struct FusedMeanPoolBackwardKernel {
  struct Params {
    ColumnGrid grid;  // rows: the pixels of all images
    int64_t pixels;   // of an image
    const T* src;
    Norm norm;
    const float* diff_pooled;
    T* diff_src;
    float* partial;  // (chunks, 2, channels)

    FW_DEVICE void add(const RowChunk&, const RowRun& run, int lanes, Vec<N>* sums) const {
      const NormVector<N> z = norm.template vector<N>(run.channel, lanes);
      int64_t row = run.row;
      while (row < run.end) {
        const int64_t image = row / pixels;
        const int64_t stop = (image + 1) * pixels < run.end ? (image + 1) * pixels : run.end;
        const Vec<N> diff = load_part<N>(diff_pooled + image * grid.channels + run.channel, lanes) / float(pixels);
        int64_t at = row * grid.channels + run.channel;
#pragma unroll 2
        for (; row < stop; row += run.step, at += run.step * grid.channels) {
          const Vec<N> x = load_part<N>(src + at, lanes);
          const Vec<N> g = as_stored<T>(diff * activate_gradient(norm.activation, z.apply(x)));
          store_part<N>(diff_src + at, g, lanes);
          sums[0] += g;
          sums[1] = fma(g, x - z.mean, sums[1]);
        }
      }
    }
    FW_DEVICE void finish(const RowChunk& chunk, int64_t channel, int lanes, const Vec<N>* sums) const {
      float* out = partial + chunk.chunk * 2 * grid.channels + channel;
      store_part<N>(out, sums[0], lanes);
      store_part<N>(out + grid.channels, sums[1] * norm.template inverse_deviation<N>(channel, lanes), lanes);
    }
  };
  static constexpr int kThreads = kColumnThreads;

  FW_DEVICE static void run(const Params& p, Block& block) { sum_columns<N, 2>(p.grid, block, p); }
};

fw_status forward(const Launcher& launcher, const fw_normed& problem, fw_address src, fw_address norm,
                  fw_address pooled, fw_address workspace) {
  return with_dtype(problem.dtype, [&](auto t) {
    using T = decltype(t);
    return with_lanes<T>(problem.channels, src | norm | pooled | workspace, [&](auto lanes) {
      constexpr int N = decltype(lanes)::value;
      constexpr int M = kOneThread ? N : N == 1 ? 1 : kLanes<float>;
      const ColumnGrid grid = column_grid<N>(problem.batch, problem.pixels, problem.channels);
      const float scale = 1.0f / float(problem.pixels);
      const bool one_stage = grid.chunks == 1;
      float* mean = reinterpret_cast<float*>(pooled);
      float* sums = one_stage ? mean : reinterpret_cast<float*>(workspace);
      FW_TRY((launch<NormedSumsKernel<T, N>>(
          launcher, grid.grid(), sum_columns_shared<N, 1>(grid),
          {grid, reinterpret_cast<const T*>(src), norm_of(problem, norm), sums, one_stage ? scale : 1.0f})));
      if (one_stage) {
        return FW_OK;
      }
      const ColumnGrid total = column_grid_second_stage<M>(problem.batch, grid.chunks, problem.channels);
      return launch<RowSumsKernel<M>>(launcher, total.grid(), sum_columns_shared<M, 1>(total),
                                      {total, sums, mean, nullptr, scale});
    });
  });
}

fw_status backward(const Launcher& launcher, const fw_normed& problem, fw_address src, fw_address norm,
                   fw_address diff_pooled, fw_address diff_src, fw_address diff_gamma, fw_address diff_beta,
                   fw_address gradient, fw_address workspace) {
  const int64_t rows = problem.batch * problem.pixels;
  return with_dtype(problem.dtype, [&](auto t) {
    using T = decltype(t);
    return with_lanes<T>(problem.channels, src | norm | diff_pooled | diff_src | workspace, [&](auto lanes) {
      constexpr int N = decltype(lanes)::value;
      const ColumnGrid grid = column_grid<N>(1, rows, problem.channels);
      float* partial = reinterpret_cast<float*>(workspace);
      FW_TRY((launch<FusedMeanPoolBackwardKernel<T, N>>(
          launcher, grid.grid(), sum_columns_shared<N, 2>(grid),
          {grid, problem.pixels, reinterpret_cast<const T*>(src), norm_of(problem, norm),
           reinterpret_cast<const float*>(diff_pooled), reinterpret_cast<T*>(diff_src), partial})));
      return merge_norm_gradient(launcher, partial, grid.chunks, problem.channels, rows, norm, diff_gamma, diff_beta,
                                 gradient);
    });
  });
}

}  // namespace

void add_fused_mean_pool(Operations& table) {
  table.fused_mean_pool_forward = forward;
  table.fused_mean_pool_backward = backward;
}

}  // namespace fusewire::FW_EXEC
