// SPDX-License-Identifier: Apache-2.0
// Mean over pixels: dst[n,c] = sum_i src[n,i,c] / pixels, in f32; backward spreads diff_dst[n,c]/pixels over the
// pixels. Reads (writes) the activation once. Large images are summed in chunks, then the chunks in order; where one
// block has all of an image's pixels there is no second stage.
#include "core/exec.h"
#include "core/operations.h"
#include "core/pixel_sums.h"
#include "head/head.h"

namespace fusewire::FW_EXEC {
namespace {

template <class T, int N>
struct MeanPoolBackwardKernel {
  struct Params {
    ColumnGrid grid;
    const float* diff_dst;
    T* diff_src;

    FW_DEVICE void map(const RowChunk& chunk, const RowRun& run, int lanes) const {
      const float* gradient = diff_dst + chunk.image * grid.channels + run.channel;
      const Vec<N> value = load_part<N>(gradient, lanes) * (1.0f / float(grid.rows));
      T* p = diff_src + (chunk.image * grid.rows + run.row) * grid.channels + run.channel;
      for (int64_t row = run.row; row < run.end; row += run.step, p += run.step * grid.channels) {
        store_part<N>(p, value, lanes);
      }
    }
  };
  static constexpr int kThreads = kColumnThreads;

  FW_DEVICE static void run(const Params& p, Block& block) { map_columns<N>(p.grid, block, p); }
};

int64_t workspace(const fw_mean_pool& problem) {
  int64_t chunks = 0;
  with_dtype(problem.dtype, [&](auto t) {
    chunks = pixel_chunks<decltype(t)>(problem.batch, problem.pixels, problem.channels);
    return FW_OK;
  });
  return chunks > 1 ? problem.batch * chunks * problem.channels * int64_t(sizeof(float)) : 0;
}

fw_status forward(const Launcher& launcher, const fw_mean_pool& problem, fw_address src, fw_address dst,
                  fw_address workspace) {
  return with_dtype(problem.dtype, [&](auto t) {
    using T = decltype(t);
    return with_lanes<T>(problem.channels, src | dst, [&](auto lanes) {
      constexpr int N = decltype(lanes)::value;
      constexpr int M = kOneThread ? N : N == 1 ? 1 : kLanes<float>;
      const ColumnGrid grid = column_grid<N>(problem.batch, problem.pixels, problem.channels);
      const float scale = 1.0f / float(problem.pixels);
      const bool one_stage = grid.chunks == 1;
      using Sums = PixelSumsKernel<T, N>;
      FW_TRY(launch<Sums>(launcher, grid.grid(), sum_columns_shared<N, 1>(grid),
                          {grid, reinterpret_cast<const T*>(src), nullptr,
                           reinterpret_cast<float*>(one_stage ? dst : workspace), one_stage ? scale : 1.0f}));
      if (one_stage) {
        return FW_OK;
      }
      const ColumnGrid total = column_grid_second_stage<M>(problem.batch, grid.chunks, problem.channels);
      return launch<RowSumsKernel<M>>(
          launcher, total.grid(), sum_columns_shared<M, 1>(total),
          {total, reinterpret_cast<const float*>(workspace), reinterpret_cast<float*>(dst), nullptr, scale});
    });
  });
}

fw_status backward(const Launcher& launcher, const fw_mean_pool& problem, fw_address diff_dst, fw_address diff_src) {
  return with_dtype(problem.dtype, [&](auto t) {
    using T = decltype(t);
    return with_lanes<T>(problem.channels, diff_dst | diff_src, [&](auto lanes) {
      constexpr int N = decltype(lanes)::value;
      const ColumnGrid grid = column_grid<N>(problem.batch, problem.pixels, problem.channels);
      using Kernel = MeanPoolBackwardKernel<T, N>;
      return launch<Kernel>(launcher, grid.grid(), 0,
                            {grid, reinterpret_cast<const float*>(diff_dst), reinterpret_cast<T*>(diff_src)});
    });
  });
}

}  // namespace

void add_mean_pool(Operations& table) {
  table.mean_pool_workspace = workspace;
  table.mean_pool_forward = forward;
  table.mean_pool_backward = backward;
}

}  // namespace fusewire::FW_EXEC
