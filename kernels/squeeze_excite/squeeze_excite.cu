// SPDX-License-Identifier: Apache-2.0
// Squeeze-and-excite forward, three launches: (1) chunk sums of src over pixels, in f32; (2) one block per image: the
// mean, hidden = reduce_weights*mean + reduce_bias, gate = g(expand_weights*act(hidden) + expand_bias); (3) dst =
// src*gate. Reads src twice and writes dst once; everything between is (batch, channels).
#include "core/exec.h"
#include "core/operations.h"
#include "squeeze_excite/squeeze_excite.h"

namespace fusewire::FW_EXEC {
namespace {

// N: lanes of channels, L: lanes of the squeezed width.
template <int N, int L>
struct ExciteGateKernel {
  struct Params {
    int64_t chunks, pixels, channels, squeezed;
    int activation, gate_kind;
    const float* chunk_sums;
    const float* reduce_weights;
    const float* reduce_bias;
    const float* expand_weights;
    const float* expand_bias;
    float* pooled;
    float* hidden;
    float* gate;
  };
  static constexpr int kThreads = 256;
  static constexpr int kUnits = 4;  // outputs that a warp (reduce) or thread (expand) works on at once

  static int64_t shared_memory_bytes(int64_t squeezed) { return shared_bytes<float>(ceil_div(squeezed, L) * L); }

  FW_DEVICE static void run(const Params& p, Block& block) {
    float* activated = block.template shared<float>((p.squeezed + L - 1) / L * L);
    float* pooled = p.pooled + block.x * p.channels;
    mean(p, block, pooled);
    block.sync();
    reduce(p, block, pooled, p.hidden + block.x * p.squeezed, activated);
    block.sync();
    expand(p, block, activated, p.gate + block.x * p.channels);
  }

  FW_DEVICE static void mean(const Params& p, const Block& block, float* pooled) {
    const float* sums = p.chunk_sums + block.x * p.chunks * p.channels;
    for (int64_t c = int64_t(block.thread) * N; c < p.channels; c += int64_t(block.threads) * N) {
      const int lanes = p.channels - c < N ? int(p.channels - c) : N;
      Vec<N> sum(0.0f);
#pragma unroll 4
      for (int64_t chunk = 0; chunk < p.chunks; chunk++) {
        sum += load_part<N>(sums + chunk * p.channels + c, lanes);
      }
      store_part<N>(pooled + c, sum / float(p.pixels), lanes);
    }
  }

  FW_DEVICE static void reduce(const Params& p, const Block& block, const float* pooled, float* hidden,
                               float* activated) {
    const int warp = block.thread / block.warp_threads;
    const int lane = block.thread % block.warp_threads;
    const int64_t stride = int64_t(block.threads / block.warp_threads) * kUnits;
    for (int64_t s = int64_t(warp) * kUnits; s < p.squeezed; s += stride) {
      const float* w[kUnits];  // units past the end repeat the last
      Vec<N> sums[kUnits];
#pragma unroll
      for (int u = 0; u < kUnits; u++) {
        w[u] = p.reduce_weights + (s + u < p.squeezed ? s + u : p.squeezed - 1) * p.channels;
        sums[u] = Vec<N>(0.0f);
      }
      for (int64_t c = int64_t(lane) * N; c < p.channels; c += int64_t(block.warp_threads) * N) {
        const int lanes = p.channels - c < N ? int(p.channels - c) : N;
        const Vec<N> x = load_part<N>(pooled + c, lanes);
#pragma unroll
        for (int u = 0; u < kUnits; u++) {
          sums[u] = fma(load_part<N>(w[u] + c, lanes), x, sums[u]);
        }
      }
#pragma unroll
      for (int u = 0; u < kUnits; u++) {
        const float sum = block.warp_sum(lane_sum(sums[u]));
        if (lane == 0 && s + u < p.squeezed) {
          hidden[s + u] = sum + p.reduce_bias[s + u];
        }
      }
    }
    block.sync();
    for (int64_t s = int64_t(block.thread) * L; s < p.squeezed; s += int64_t(block.threads) * L) {
      const int lanes = p.squeezed - s < L ? int(p.squeezed - s) : L;
      store<L>(activated + s, activate(p.activation, load_part<L>(hidden + s, lanes)));
    }
  }

  FW_DEVICE static void expand(const Params& p, const Block& block, const float* activated, float* gate) {
    for (int64_t c = block.thread; c < p.channels; c += block.threads) {
      const float* w = p.expand_weights + c * p.squeezed;
      Vec<L> sum(0.0f);
      for (int64_t s = 0; s < p.squeezed; s += L) {
        const int lanes = p.squeezed - s < L ? int(p.squeezed - s) : L;
        sum = fma(load_part<L>(w + s, lanes), load<L>(activated + s), sum);
      }
      gate[c] = lane_sum(sum) + p.expand_bias[c];
    }
    block.sync();
    for (int64_t c = int64_t(block.thread) * N; c < p.channels; c += int64_t(block.threads) * N) {
      const int lanes = p.channels - c < N ? int(p.channels - c) : N;
      store_part<N>(gate + c, excite_gate(p.gate_kind, load_part<N>(gate + c, lanes)), lanes);
    }
  }
};

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
    floats = excite_workspace<decltype(t)>(problem).end;
    return FW_OK;
  });
  return floats * int64_t(sizeof(float));
}

fw_status forward(const Launcher& launcher, const fw_squeeze_excite& problem, fw_address src, fw_address reduce_weights,
                  fw_address reduce_bias, fw_address expand_weights, fw_address expand_bias, fw_address pooled,
                  fw_address hidden, fw_address gate, fw_address dst, fw_address workspace) {
  return with_dtype(problem.dtype, [&](auto t) {
    using T = decltype(t);
    return with_excite_lanes<T>(
        problem, src | reduce_weights | pooled | gate | dst, expand_weights | hidden,
        [&](auto lanes, auto channel_lanes, auto squeezed_lanes) {
          constexpr int N = decltype(lanes)::value;
          const ColumnGrid grid = column_grid<N>(problem.batch, problem.pixels, problem.channels);
          using Sums = PixelSumsKernel<T, N>;
          FW_TRY(launch<Sums>(
              launcher, grid.grid(), sum_columns_shared<N, 1>(grid),
              {grid, reinterpret_cast<const T*>(src), nullptr, reinterpret_cast<float*>(workspace), 1.0f}));
          using Gate = ExciteGateKernel<decltype(channel_lanes)::value, decltype(squeezed_lanes)::value>;
          FW_TRY(launch<Gate>(
              launcher, {problem.batch}, Gate::shared_memory_bytes(problem.squeezed),
              {grid.chunks, problem.pixels, problem.channels, problem.squeezed, problem.activation, problem.gate,
               reinterpret_cast<const float*>(workspace), reinterpret_cast<const float*>(reduce_weights),
               reinterpret_cast<const float*>(reduce_bias), reinterpret_cast<const float*>(expand_weights),
               reinterpret_cast<const float*>(expand_bias), reinterpret_cast<float*>(pooled),
               reinterpret_cast<float*>(hidden), reinterpret_cast<float*>(gate)}));
          using Scale = ExciteScaleKernel<T, N>;
          return launch<Scale>(
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
}

}  // namespace fusewire::FW_EXEC
