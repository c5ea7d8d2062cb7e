// SPDX-License-Identifier: Apache-2.0
// BatchNorm's gradient table where no other operation's epilogue can make it: with g =
// image_scale*diff*act'(norm(src)), sums of g and g*h over all pixels, h = (src-mean)/std. Two launches: sums of chunks
// of rows, which take no heed of where an image ends, then their merging. Reads src and diff once; writes g itself
// where it is wanted, for readers that do not know the activation.
#include "norm/normed.h"

namespace fusewire::FW_EXEC {
namespace {

template <class T, int N>
struct NormGradientSumsKernel {
  struct Params {
    ColumnGrid grid;  // rows: the pixels of all images
    int64_t pixels;   // of an image
    const T* src;
    const T* diff;
    Norm norm;
    const float* image_scale;  // or nullptr
    T* diff_norm;              // g, or nullptr; may be diff
    float* partial;            // (chunks, 2, channels)

    FW_DEVICE void add(const RowChunk&, const RowRun& run, int lanes, Vec<N>* sums) const {
      const NormVector<N> z = norm.template vector<N>(run.channel, lanes);
      int64_t row = run.row;
      while (row < run.end) {
        int64_t stop = run.end;
        Vec<N> factor(1.0f);
        if (image_scale != nullptr) {
          const int64_t image = row / pixels;
          factor = Vec<N>(image_scale[image]);
          stop = (image + 1) * pixels < stop ? (image + 1) * pixels : stop;
        }
        int64_t at = row * grid.channels + run.channel;
#pragma unroll 2
        for (; row < stop; row += run.step, at += run.step * grid.channels) {
          const Vec<N> x = load_part<N>(src + at, lanes);
          Vec<N> g = load_part<N>(diff + at, lanes) * factor;
          if (norm.activation != FW_IDENTITY) {
            g *= activate_gradient(norm.activation, z.apply(x));
          }
          if (diff_norm != nullptr) {
            store_part<N>(diff_norm + at, g, lanes);
          }
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

int64_t workspace(const fw_normed& problem) {
  int64_t bytes = 0;
  with_dtype(problem.dtype, [&](auto t) {
    using T = decltype(t);
    const int64_t gradient = norm_gradient_bytes<T>(problem);
    const int64_t sums = normed_sums_bytes<T>(problem);
    bytes = gradient > sums ? gradient : sums;
    return FW_OK;
  });
  return bytes;
}

fw_status norm_gradient(const Launcher& launcher, const fw_normed& problem, fw_address src, fw_address norm,
                        fw_address diff, fw_address image_scale, fw_address diff_norm, fw_address diff_gamma,
                        fw_address diff_beta, fw_address gradient, fw_address workspace) {
  const int64_t rows = problem.batch * problem.pixels;
  return with_dtype(problem.dtype, [&](auto t) {
    using T = decltype(t);
    return with_lanes<T>(problem.channels, src | norm | diff | diff_norm | workspace, [&](auto lanes) {
      constexpr int N = decltype(lanes)::value;
      const ColumnGrid grid = column_grid<N>(1, rows, problem.channels);
      float* partial = reinterpret_cast<float*>(workspace);
      FW_TRY((launch<NormGradientSumsKernel<T, N>>(
          launcher, grid.grid(), sum_columns_shared<N, 2>(grid),
          {grid, problem.pixels, reinterpret_cast<const T*>(src), reinterpret_cast<const T*>(diff),
           norm_of(problem, norm), reinterpret_cast<const float*>(image_scale), reinterpret_cast<T*>(diff_norm),
           partial})));
      return merge_norm_gradient(launcher, partial, grid.chunks, problem.channels, rows, norm, diff_gamma, diff_beta,
                                 gradient);
    });
  });
}

}  // namespace

void add_norm(Operations& table) {
  table.normed_workspace = workspace;
  table.norm_gradient = norm_gradient;
}

}  // namespace fusewire::FW_EXEC
