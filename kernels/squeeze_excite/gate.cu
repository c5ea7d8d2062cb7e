// SPDX-License-Identifier: Apache-2.0
// Squeeze-and-excite's two layers, from an activation's sums over pixels, one block per image: the mean, hidden =
// reduce_weights*mean + reduce_bias, gate = g(expand_weights*act(hidden) + expand_bias). Everything is (batch,
// channels) or (batch, squeezed); the weights come from the cache after the first image.
#include "core/exec.h"
#include "squeeze_excite/layers.h"
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
    excite_hidden<N>(block, pooled, p.reduce_weights, p.reduce_bias, p.channels, 0, p.squeezed,
                     [&](int64_t s, float x) { hidden[s] = x; });
    block.sync();
    for (int64_t s = int64_t(block.thread) * L; s < p.squeezed; s += int64_t(block.threads) * L) {
      const int lanes = vector_lanes<L>(p.squeezed, s);
      store<L>(activated + s, activate(p.activation, load_part<L>(hidden + s, lanes)));
    }
  }

  FW_DEVICE static void expand(const Params& p, const Block& block, const float* activated, float* gate) {
    excite_gates<L>(block, activated, p.expand_weights, p.expand_bias, p.squeezed, 0, p.channels,
                    [&](int64_t c, float x) { gate[c] = x; });
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
