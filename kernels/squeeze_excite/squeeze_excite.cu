// SPDX-License-Identifier: Apache-2.0
// Squeeze-and-excite forward, three launches: (1) chunk sums of src over pixels, in f32; (2) the gate of every image,
// see gate.cu; (3) dst = src*gate. One launch where clusters of blocks serve, see one_launch.cu. Reads src twice and
// writes dst once; everything between is (batch, channels).
#include "core/exec.h"
#include "core/operations.h"
#include "squeeze_excite/squeeze_excite.h"

namespace fusewire::FW_EXEC {
namespace {

template <class T, int N>
struct ExciteScaleKernel {
  struct Params {
    ColumnGrid grid;
    const T* src;
    const float* gate;
    T* dst;

    FW_DEVICE void map(const RowChunk& chunk, const RowRun& run, int lanes) const {
      const Vec<N> g = load_part<N>(gate + chunk.image * grid.channels + run.channel, lanes);
      int64_t at = (chunk.image * grid.rows + run.row) * grid.channels + run.channel;
#pragma unroll 4
      for (int64_t row = run.row; row < run.end; row += run.step, at += run.step * grid.channels) {
        store_part<N>(dst + at, load_part<N>(src + at, lanes) * g, lanes);
      }
    }
  };
  static constexpr int kThreads = kColumnThreads;

  FW_DEVICE static void run(const Params& p, Block& block) { map_columns<N>(p.grid, block, p); }
};

int64_t workspace(const fw_squeeze_excite& problem) {
  int64_t floats = 0;
  with_dtype(problem.dtype, [&](auto t) {
    floats = excite_operation_workspace<decltype(t)>(problem).end;
    return FW_OK;
  });
  return floats * int64_t(sizeof(float));
}

fw_status forward(const Launcher& launcher, const fw_squeeze_excite& problem, fw_address src, fw_address reduce_weights,
                  fw_address reduce_bias, fw_address expand_weights, fw_address expand_bias, fw_address pooled,
                  fw_address hidden, fw_address gate, fw_address dst, fw_address workspace) {
  const ExciteForward excite = {reduce_weights, reduce_bias, expand_weights, expand_bias, pooled, hidden, gate};
  if (excite_fits_one_launch(problem, src | dst | reduce_weights)) {
    return excite_one_launch(launcher, problem, {nullptr, problem.channels, FW_IDENTITY}, src, excite, dst);
  }
  return with_dtype(problem.dtype, [&](auto t) {
    using T = decltype(t);
    return with_lanes<T>(problem.channels, src | gate | dst, [&](auto lanes) {
      constexpr int N = decltype(lanes)::value;
      const ColumnGrid grid = column_grid<N>(problem.batch, problem.pixels, problem.channels);
      float* sums = reinterpret_cast<float*>(workspace);
      FW_TRY((launch<PixelSumsKernel<T, N>>(launcher, grid.grid(), sum_columns_shared<N, 1>(grid),
                                            {grid, reinterpret_cast<const T*>(src), nullptr, sums, 1.0f})));
      FW_TRY(excite_gate_forward(launcher, problem, {sums, grid.chunks, problem.channels}, excite));
      return launch<ExciteScaleKernel<T, N>>(
          launcher, grid.grid(), 0,
          {grid, reinterpret_cast<const T*>(src), reinterpret_cast<const float*>(gate), reinterpret_cast<T*>(dst)});
    });
  });
}

}  // namespace

void add_squeeze_excite(Operations& table) {
  table.squeeze_excite_workspace = workspace;
  table.squeeze_excite_forward = forward;
  add_squeeze_excite_backward(table);
  add_fused_squeeze_excite(table);
}

}  // namespace fusewire::FW_EXEC
