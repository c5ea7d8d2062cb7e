// SPDX-License-Identifier: Apache-2.0
// Squeeze-and-excite's two layers, from an activation's sums over pixels, one block per image: the mean, hidden =
// reduce_weights*mean + reduce_bias, gate = g(expand_weights*act(hidden) + expand_bias). Everything is (batch,
// channels) or (batch, squeezed); the weights come from the cache after the first image.
#include "core/exec.h"
#include "squeeze_excite/squeeze_excite.h"

namespace fusewire::FW_EXEC {
namespace {

// N: lanes of channels, L: lanes of the squeezed width.
template <int N, int L>
struct ExciteGateKernel {
  struct Params {
    int64_t pixels, channels, squeezed;
    int activation, gate_kind;
    ExciteSums chunk_sums;
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
    const float* sums = p.chunk_sums.image(block.x);
    for (int64_t c = int64_t(block.thread) * N; c < p.channels; c += int64_t(block.threads) * N) {
      const int lanes = vector_lanes<N>(p.channels, c);
      Vec<N> sum(0.0f);
#pragma unroll 4
      for (int64_t chunk = 0; chunk < p.chunk_sums.chunks; chunk++) {
        sum += load_part<N>(sums + chunk * p.chunk_sums.stride + c, lanes);
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
        const int lanes = vector_lanes<N>(p.channels, c);
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
      const int lanes = vector_lanes<L>(p.squeezed, s);
      store<L>(activated + s, activate(p.activation, load_part<L>(hidden + s, lanes)));
    }
  }

  FW_DEVICE static void expand(const Params& p, const Block& block, const float* activated, float* gate) {
    for (int64_t c = block.thread; c < p.channels; c += block.threads) {
      const float* w = p.expand_weights + c * p.squeezed;
      Vec<L> sum(0.0f);
      for (int64_t s = 0; s < p.squeezed; s += L) {
        const int lanes = vector_lanes<L>(p.squeezed, s);
        sum = fma(load_part<L>(w + s, lanes), load<L>(activated + s), sum);
      }
      gate[c] = lane_sum(sum) + p.expand_bias[c];
    }
    block.sync();
    for (int64_t c = int64_t(block.thread) * N; c < p.channels; c += int64_t(block.threads) * N) {
      const int lanes = vector_lanes<N>(p.channels, c);
      store_part<N>(gate + c, excite_gate(p.gate_kind, load_part<N>(gate + c, lanes)), lanes);
    }
  }
};

}  // namespace

fw_status excite_gate_forward(const Launcher& launcher, const fw_squeeze_excite& problem, const ExciteSums& sums,
                              const ExciteForward& a) {
  const fw_address channel_addresses = address_of(sums.values) | a.reduce_weights | a.pooled | a.gate;
  return with_excite_lanes(problem, channel_addresses, a.expand_weights | a.hidden, [&](auto lanes, auto squeezed) {
    using Gate = ExciteGateKernel<decltype(lanes)::value, decltype(squeezed)::value>;
    return launch<Gate>(
        launcher, {problem.batch}, Gate::shared_memory_bytes(problem.squeezed),
        {problem.pixels, problem.channels, problem.squeezed, problem.activation, problem.gate, sums,
         reinterpret_cast<const float*>(a.reduce_weights), reinterpret_cast<const float*>(a.reduce_bias),
         reinterpret_cast<const float*>(a.expand_weights), reinterpret_cast<const float*>(a.expand_bias),
         reinterpret_cast<float*>(a.pooled), reinterpret_cast<float*>(a.hidden), reinterpret_cast<float*>(a.gate)});
  });
}

}  // namespace fusewire::FW_EXEC
