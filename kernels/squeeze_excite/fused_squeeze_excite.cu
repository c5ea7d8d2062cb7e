// SPDX-License-Identifier: Apache-2.0
// Squeeze-and-excite of a raw tensor whose readers apply BatchNorm, activation and gate on load; nothing of the
// activation's size is written. Forward: sums over pixels of a(z), z = norm(src), then the gate; in one launch where
// clusters of blocks serve (one_launch.cu). Backward, three steps:
//   (1) chunk sums S0 to S4 of every image and channel, see fw_fused_squeeze_excite_backward(), one exponential for
//       both a(z) and a'(z);
//   (2) back through the gate's layers with S0; behind the gradient of the mean, the image's share of the BatchNorm's
//       sums from S1 to S4;
//   (3) these added in the order of the images, and the gradient table; beside it the parameters' gradients.
// Forward reads src once, backward src and diff once.
#include "norm/normed.h"
#include "norm/merge_gradient.h"
#include "squeeze_excite/squeeze_excite.h"
#include "squeeze_excite/weights_gradient.h"

namespace fusewire::FW_EXEC {
namespace {

constexpr int kSums = 5;

// Five sums of f32 per chunk and channel are written and read again, so a chunk has more pixels than elsewhere, as long
// as there are blocks enough.
template <int N>
ColumnGrid five_sums_grid(int64_t images, int64_t rows, int64_t channels) {
  constexpr int64_t kRows = 160;
  constexpr int64_t kBlocks = kOneThread ? 64 : 512;
  ColumnGrid g = column_grid<N>(images, rows, channels);
  int64_t chunks = ceil_div(rows, kRows);
  const int64_t enough = ceil_div(kBlocks, g.tiles * (images > 0 ? images : 1));
  chunks = chunks > enough ? chunks : enough;
  if (chunks < g.chunks) {
    g.chunk_rows = ceil_div(ceil_div(rows, chunks), 8) * 8;
    g.chunks = ceil_div(rows, g.chunk_rows);
  }
  return g;
}

template <class T, int N>
struct FusedExciteSumsKernel {
  struct Params {
    ColumnGrid grid;
    const T* src;
    const T* diff;
    Norm norm;
    float* sums;  // (images, chunks, kSums, channels)

    FW_DEVICE void add(const RowChunk& chunk, const RowRun& run, int lanes, Vec<N>* s) const {
      const NormVector<N> z = norm.template vector<N>(run.channel, lanes);
      int64_t at = (chunk.image * grid.rows + run.row) * grid.channels + run.channel;
#pragma unroll 2
      for (int64_t row = run.row; row < run.end; row += run.step, at += run.step * grid.channels) {
        const Vec<N> d = load_part<N>(diff + at, lanes);
        const Vec<N> x = load_part<N>(src + at, lanes);
        const Vec<N> centred = x - z.mean;
        Vec<N> value, slope;
        activate_with_gradient(norm.activation, z.apply(x), &value, &slope);
        const Vec<N> g = d * slope;
        s[0] = fma(d, value, s[0]);
        s[1] += g;
        s[2] += slope;
        s[3] = fma(g, centred, s[3]);
        s[4] = fma(slope, centred, s[4]);
      }
    }
    FW_DEVICE void finish(const RowChunk& chunk, int64_t channel, int lanes, const Vec<N>* s) const {
      const Vec<N> inverse = norm.template inverse_deviation<N>(channel, lanes);
      float* out = sums + (chunk.image * grid.chunks + chunk.chunk) * kSums * grid.channels + channel;
#pragma unroll
      for (int k = 0; k < kSums; k++) {
        store_part<N>(out + k * grid.channels, k < 3 ? s[k] : s[k] * inverse, lanes);
      }
    }
  };
  static constexpr int kThreads = kColumnThreads;

  FW_DEVICE static void run(const Params& p, Block& block) { sum_columns<N, kSums>(p.grid, block, p); }
};

// Parts of the workspace, as offsets in floats. Forward needs the sums only.
struct Workspace {
  int64_t sums;       // (batch, chunks, 1 or kSums, channels)
  int64_t norm_sums;  // (batch, 2, channels)
  int64_t gate;       // excite_workspace()
  int64_t end;
};

template <class T>
Workspace workspace_parts(const fw_squeeze_excite& block) {
  const auto chunks = [&](auto lanes) {
    return five_sums_grid<decltype(lanes)::value>(block.batch, block.pixels, block.channels).chunks;
  };
  const int64_t vector = chunks(LanesTag<kLanes<T>>());
  const int64_t scalar = kOneThread ? vector : chunks(LanesTag < kOneThread ? kLanes<T> : 1 > ());
  const int64_t backward = kSums * (vector > scalar ? vector : scalar);
  const int64_t forward = pixel_chunks<T>(block.batch, block.pixels, block.channels);
  Workspace w;
  w.sums = 0;
  w.norm_sums = excite_part(block.batch * (backward > forward ? backward : forward) * block.channels);
  w.gate = w.norm_sums + excite_part(block.batch * 2 * block.channels);
  w.end = w.gate + excite_workspace(block).end;
  return w;
}

Norm norm_of(const fw_fused_squeeze_excite& problem, fw_address table) {
  return {reinterpret_cast<const float*>(table), problem.block.channels, problem.in_activation};
}

int64_t workspace(const fw_fused_squeeze_excite& problem) {
  int64_t floats = 0;
  with_dtype(problem.block.dtype, [&](auto t) {
    floats = workspace_parts<decltype(t)>(problem.block).end;
    return FW_OK;
  });
  return floats * int64_t(sizeof(float));
}

fw_status forward(const Launcher& launcher, const fw_fused_squeeze_excite& problem, fw_address src, fw_address in_norm,
                  fw_address reduce_weights, fw_address reduce_bias, fw_address expand_weights, fw_address expand_bias,
                  fw_address pooled, fw_address hidden, fw_address gate, fw_address workspace) {
  const fw_squeeze_excite& block = problem.block;
  const ExciteForward excite = {reduce_weights, reduce_bias, expand_weights, expand_bias, pooled, hidden, gate};
  if (excite_fits_one_launch(block, src | in_norm | reduce_weights)) {
    return excite_one_launch(launcher, block, norm_of(problem, in_norm), src, excite, 0);
  }
  return with_dtype(block.dtype, [&](auto t) {
    using T = decltype(t);
    return with_lanes<T>(block.channels, src | in_norm | workspace, [&](auto lanes) {
      constexpr int N = decltype(lanes)::value;
      const ColumnGrid grid = column_grid<N>(block.batch, block.pixels, block.channels);
      float* sums = reinterpret_cast<float*>(workspace);
      FW_TRY((launch<NormedSumsKernel<T, N>>(
          launcher, grid.grid(), sum_columns_shared<N, 1>(grid),
          {grid, reinterpret_cast<const T*>(src), norm_of(problem, in_norm), sums, 1.0f})));
      return excite_gate_forward(launcher, block, {sums, grid.chunks, block.channels}, excite);
    });
  });
}

fw_status backward(const Launcher& launcher, const fw_fused_squeeze_excite& problem, fw_address src, fw_address in_norm,
                   fw_address diff, fw_address reduce_weights, fw_address expand_weights, fw_address pooled,
                   fw_address hidden, fw_address gate, fw_address pool_gradient, fw_address diff_reduce_weights,
                   fw_address diff_reduce_bias, fw_address diff_expand_weights, fw_address diff_expand_bias,
                   fw_address diff_gamma, fw_address diff_beta, fw_address in_gradient, fw_address workspace) {
  const fw_squeeze_excite& block = problem.block;
  return with_dtype(block.dtype, [&](auto t) {
    using T = decltype(t);
    const Workspace parts = workspace_parts<T>(block);
    float* w = reinterpret_cast<float*>(workspace);
    return with_lanes<T>(block.channels, src | in_norm | diff | workspace, [&](auto lanes) {
      constexpr int N = decltype(lanes)::value;
      const ColumnGrid grid = five_sums_grid<N>(block.batch, block.pixels, block.channels);
      FW_TRY(
          (launch<FusedExciteSumsKernel<T, N>>(launcher, grid.grid(), sum_columns_shared<N, kSums>(grid),
                                               {grid, reinterpret_cast<const T*>(src), reinterpret_cast<const T*>(diff),
                                                norm_of(problem, in_norm), w + parts.sums})));
      const ExciteBackward excite = {reduce_weights,
                                     expand_weights,
                                     pooled,
                                     hidden,
                                     gate,
                                     pool_gradient,
                                     diff_reduce_weights,
                                     diff_reduce_bias,
                                     diff_expand_weights,
                                     diff_expand_bias,
                                     w + parts.gate,
                                     w + parts.norm_sums};
      FW_TRY(excite_gate_backward(launcher, block, {w + parts.sums, grid.chunks, kSums * block.channels}, excite));
      const fw_address channels = excite.channel_addresses() | in_norm | diff_gamma | diff_beta | in_gradient;
      return with_excite_lanes(block, channels, excite.squeezed_addresses(), [&](auto floats, auto squeezed) {
        constexpr int F = decltype(floats)::value;
        return launch_beside(
            launcher, excite_weights_part<F, decltype(squeezed)::value>(block, excite),
            norm_gradient_part<F>(w + parts.norm_sums, block.batch, block.channels, block.batch * block.pixels, in_norm,
                                  diff_gamma, diff_beta, in_gradient));
      });
    });
  });
}

}  // namespace

void add_fused_squeeze_excite(Operations& table) {
  table.fused_squeeze_excite_workspace = workspace;
  table.fused_squeeze_excite_forward = forward;
  table.fused_squeeze_excite_backward = backward;
}

}  // namespace fusewire::FW_EXEC
