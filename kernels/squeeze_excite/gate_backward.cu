// SPDX-License-Identifier: Apache-2.0
// Back through squeeze-and-excite's two layers, one block per image: e = gradient before the gate's function, from sums
// over pixels of the gate's gradient, h[s] = act'(hidden[s]) * sum_c e[c]*expand_weights[c,s], diff_pooled[c] = sum_s
// h[s]*reduce_weights[s,c]/pixels. The parameters' gradients come from e and h, see weights_gradient.h.
#include "core/columns.h"
#include "core/exec.h"
#include "squeeze_excite/squeeze_excite.h"

namespace fusewire::FW_EXEC {
namespace {

// N: lanes of channels, L: lanes of the squeezed width.
template <int N, int L>
struct ExciteGateBackwardKernel {
  struct Params {
    ColumnGrid grid;  // of the sum over channels: rows are channels, columns squeezed units; tiles are looped over
    int64_t pixels, channels, squeezed;
    int activation, gate_kind;
    ExciteSums chunk_sums;  // the gate's gradient and, for norm_sums, the four sums after it
    const float* gate;
    const float* hidden;
    const float* expand_weights;
    const float* reduce_weights;
    float* diff_expand;
    float* activated;
    float* diff_hidden;
    float* diff_pooled;
    float* norm_sums;  // (batch, 2, channels), or nullptr
  };
  static constexpr int kThreads = kColumnThreads;

  struct HiddenSum {
    const Params& p;
    FW_DEVICE void add(const RowChunk& chunk, const RowRun& run, int lanes, Vec<L>* sums) const {
      const float* e = p.diff_expand + chunk.image * p.channels;
#pragma unroll 4
      for (int64_t c = run.row; c < run.end; c += run.step) {
        const Vec<L> w = load_part<L>(p.expand_weights + c * p.squeezed + run.channel, lanes);
        sums[0] = fma(w, Vec<L>(e[c]), sums[0]);
      }
    }
    FW_DEVICE void finish(const RowChunk& chunk, int64_t s, int lanes, const Vec<L>* sums) const {
      const int64_t at = chunk.image * p.squeezed + s;
      const Vec<L> hidden = load_part<L>(p.hidden + at, lanes);
      store_part<L>(p.activated + at, activate(p.activation, hidden), lanes);
      store_part<L>(p.diff_hidden + at, sums[0] * activate_gradient(p.activation, hidden), lanes);
    }
  };

  FW_DEVICE static void run(const Params& p, Block& block) {
    gate_gradient(p, block);
    block.sync();
    for (int64_t tile = 0; tile < p.grid.tiles; tile++) {
      Block place = block;  // every tile uses the same shared memory
      place.y = tile;
      sum_columns<L, 1>(p.grid, place, HiddenSum{p});
      block.sync();
    }
    pooled_gradient(p, block);
  }

  FW_DEVICE static void gate_gradient(const Params& p, const Block& block) {
    const float* sums = p.chunk_sums.image(block.x);
    for (int64_t c = int64_t(block.thread) * N; c < p.channels; c += int64_t(block.threads) * N) {
      const int lanes = vector_lanes<N>(p.channels, c);
      Vec<N> sum(0.0f);
#pragma unroll 4
      for (int64_t chunk = 0; chunk < p.chunk_sums.chunks; chunk++) {
        sum += load_part<N>(sums + chunk * p.chunk_sums.stride + c, lanes);
      }
      const int64_t at = block.x * p.channels + c;
      const Vec<N> gate = load_part<N>(p.gate + at, lanes);
      store_part<N>(p.diff_expand + at, sum * excite_gate_gradient(p.gate_kind, gate), lanes);
    }
  }

  FW_DEVICE static void pooled_gradient(const Params& p, const Block& block) {
    constexpr int kVectors = kOneThread ? 4 : 1;
    const float* h = p.diff_hidden + block.x * p.squeezed;
    const float scale = 1.0f / float(p.pixels);
    for (int64_t c = int64_t(block.thread) * kVectors * N; c < p.channels; c += int64_t(block.threads) * kVectors * N) {
      Vec<N> sums[kVectors];
      int lanes[kVectors];
#pragma unroll
      for (int v = 0; v < kVectors; v++) {
        const int64_t left = p.channels - c - v * N;
        sums[v] = Vec<N>(0.0f);
        lanes[v] = left < 0 ? 0 : left < N ? int(left) : N;
      }
      for (int64_t s = 0; s < p.squeezed; s++) {
        const Vec<N> d(h[s]);
#pragma unroll
        for (int v = 0; v < kVectors; v++) {
          sums[v] = fma(load_part<N>(p.reduce_weights + s * p.channels + c + v * N, lanes[v]), d, sums[v]);
        }
      }
#pragma unroll
      for (int v = 0; v < kVectors; v++) {
        store_part<N>(p.diff_pooled + block.x * p.channels + c + v * N, sums[v] * scale, lanes[v]);
        if (p.norm_sums != nullptr && lanes[v] > 0) {
          norm_sums(p, block, c + v * N, lanes[v], sums[v] * scale);
        }
      }
    }
  }

  // An image's share of the BatchNorm's sums of g and g*h, see fw_fused_squeeze_excite_backward().
  FW_DEVICE static void norm_sums(const Params& p, const Block& block, int64_t c, int lanes, Vec<N> diff_pooled) {
    Vec<N> s[4];
#pragma unroll
    for (int k = 0; k < 4; k++) {
      s[k] = Vec<N>(0.0f);
    }
    const float* sums = p.chunk_sums.image(block.x) + c;
    for (int64_t chunk = 0; chunk < p.chunk_sums.chunks; chunk++, sums += p.chunk_sums.stride) {
#pragma unroll
      for (int k = 0; k < 4; k++) {
        s[k] += load_part<N>(sums + (k + 1) * p.channels, lanes);
      }
    }
    const Vec<N> gate = load_part<N>(p.gate + block.x * p.channels + c, lanes);
    float* out = p.norm_sums + block.x * 2 * p.channels + c;
    store_part<N>(out, fma(gate, s[0], diff_pooled * s[1]), lanes);
    store_part<N>(out + p.channels, fma(gate, s[2], diff_pooled * s[3]), lanes);
  }
};

}  // namespace

fw_status excite_gate_backward(const Launcher& launcher, const fw_squeeze_excite& problem, const ExciteSums& sums,
                               const ExciteBackward& a) {
  if (problem.batch == 0) {
    return FW_OK;
  }
  const auto in = [](fw_address address) { return reinterpret_cast<const float*>(address); };
  const ExciteWorkspace parts = excite_workspace(problem);
  float* w = a.workspace;
  return with_excite_lanes(
      problem, a.channel_addresses() | address_of(sums.values), a.squeezed_addresses(), [&](auto lanes, auto squeezed) {
        constexpr int N = decltype(lanes)::value;
        constexpr int L = decltype(squeezed)::value;
        const ColumnGrid sum = column_grid_second_stage<L>(problem.batch, problem.channels, problem.squeezed);
        return launch<ExciteGateBackwardKernel<N, L>>(
            launcher, {problem.batch}, sum_columns_shared<L, 1>(sum),
            {sum, problem.pixels, problem.channels, problem.squeezed, problem.activation, problem.gate, sums,
             in(a.gate), in(a.hidden), in(a.expand_weights), in(a.reduce_weights), w + parts.diff_expand,
             w + parts.activated, w + parts.diff_hidden, reinterpret_cast<float*>(a.diff_pooled), a.norm_sums});
      });
}

}  // namespace fusewire::FW_EXEC
