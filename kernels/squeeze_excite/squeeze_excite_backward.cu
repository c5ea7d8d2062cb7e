// SPDX-License-Identifier: Apache-2.0
// Squeeze-and-excite backward: (1) chunk sums over pixels of diff_dst*src, the gate's gradient; (2) back through both
// layers to diff_pooled, see gate_backward.cu; (3) diff_src = diff_dst*gate + diff_pooled/pixels, and beside it the
// parameters' gradients.
// Reads src once and diff_dst twice, writes diff_src once.
#include "core/exec.h"
#include "core/operations.h"
#include "squeeze_excite/squeeze_excite.h"
#include "squeeze_excite/weights_gradient.h"

namespace fusewire::FW_EXEC {
namespace {

template <class T, int N>
struct ExciteBackwardApplyKernel {
  struct Params {
    ColumnGrid grid;
    const T* diff_dst;
    const float* gate;
    const float* diff_pooled;  // divided by the pixels
    T* diff_src;

    FW_DEVICE void map(const RowChunk& chunk, const RowRun& run, int lanes) const {
      const int64_t column = chunk.image * grid.channels + run.channel;
      const Vec<N> g = load_part<N>(gate + column, lanes);
      const Vec<N> d = load_part<N>(diff_pooled + column, lanes);
      int64_t at = (chunk.image * grid.rows + run.row) * grid.channels + run.channel;
#pragma unroll 4
      for (int64_t row = run.row; row < run.end; row += run.step, at += run.step * grid.channels) {
        store_part<N>(diff_src + at, fma(load_part<N>(diff_dst + at, lanes), g, d), lanes);
      }
    }
  };
  static constexpr int kThreads = kColumnThreads;

  FW_DEVICE static void run(const Params& p, Block& block) { map_columns<N>(p.grid, block, p); }
};

fw_status backward(const Launcher& launcher, const fw_squeeze_excite& problem, fw_address src, fw_address diff_dst,
                   fw_address reduce_weights, fw_address expand_weights, fw_address pooled, fw_address hidden,
                   fw_address gate, fw_address diff_src, fw_address diff_reduce_weights, fw_address diff_reduce_bias,
                   fw_address diff_expand_weights, fw_address diff_expand_bias, fw_address workspace) {
  return with_dtype(problem.dtype, [&](auto t) {
    using T = decltype(t);
    const ExciteOperationWorkspace parts = excite_operation_workspace<T>(problem);
    float* w = reinterpret_cast<float*>(workspace);
    const ExciteBackward excite = {reduce_weights,
                                   expand_weights,
                                   pooled,
                                   hidden,
                                   gate,
                                   address_of(w + parts.diff_pooled),
                                   diff_reduce_weights,
                                   diff_reduce_bias,
                                   diff_expand_weights,
                                   diff_expand_bias,
                                   w + parts.gate,
                                   nullptr};
    const fw_address channel_addresses = src | diff_dst | diff_src | excite.channel_addresses();
    return with_lanes<T>(problem.channels, channel_addresses, [&](auto lanes) {
      constexpr int N = decltype(lanes)::value;
      constexpr int F = N == 1 ? 1 : kLanes<float>;
      const ColumnGrid grid = column_grid<N>(problem.batch, problem.pixels, problem.channels);
      FW_TRY((launch<PixelSumsKernel<T, N>>(
          launcher, grid.grid(), sum_columns_shared<N, 1>(grid),
          {grid, reinterpret_cast<const T*>(src), reinterpret_cast<const T*>(diff_dst), w + parts.chunk_sums, 1.0f})));
      FW_TRY(excite_gate_backward(launcher, problem, {w + parts.chunk_sums, grid.chunks, problem.channels}, excite));
      const LaunchPart<ExciteBackwardApplyKernel<T, N>> apply = {
          grid.grid(),
          0,
          {grid, reinterpret_cast<const T*>(diff_dst), reinterpret_cast<const float*>(gate), w + parts.diff_pooled,
           reinterpret_cast<T*>(diff_src)}};
      return with_lanes<float>(problem.squeezed, excite.squeezed_addresses(), [&](auto squeezed) {
        return launch_beside(launcher, excite_weights_part<F, decltype(squeezed)::value>(problem, excite), apply);
      });
    });
  });
}

}  // namespace

void add_squeeze_excite_backward(Operations& table) { table.squeeze_excite_backward = backward; }

}  // namespace fusewire::FW_EXEC
