// SPDX-License-Identifier: Apache-2.0
// Squeeze-and-excite backward, four launches:
//   (1) chunk sums over pixels of diff_dst*src, the gate's gradient;
//   (2) one block per image, back through both layers: e = gradient before the gate's function,
//       h[s] = act'(hidden[s]) * sum_c e[c]*expand_weights[c,s], diff_pooled[c] = sum_s h[s]*reduce_weights[s,c];
//   (3) the parameters' gradients, sums over the batch of outer products;
//   (4) diff_src = diff_dst*gate + diff_pooled/pixels.
// Reads src once and diff_dst twice, writes diff_src once.
#include "core/exec.h"
#include "core/operations.h"
#include "squeeze_excite/squeeze_excite.h"

namespace fusewire::FW_EXEC {
namespace {

// N: lanes of channels, L: lanes of the squeezed width.
template <int N, int L>
struct ExciteGateBackwardKernel {
  struct Params {
    ColumnGrid grid;  // of the sum over channels: rows are channels, columns squeezed units; tiles are looped over
    int64_t chunks, pixels, channels, squeezed;
    int activation, gate_kind;
    const float* chunk_sums;
    const float* gate;
    const float* hidden;
    const float* expand_weights;
    const float* reduce_weights;
    float* diff_expand;
    float* activated;
    float* diff_hidden;
    float* diff_pooled;
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
    const float* sums = p.chunk_sums + block.x * p.chunks * p.channels;
    for (int64_t c = int64_t(block.thread) * N; c < p.channels; c += int64_t(block.threads) * N) {
      const int lanes = p.channels - c < N ? int(p.channels - c) : N;
      Vec<N> sum(0.0f);
#pragma unroll 4
      for (int64_t chunk = 0; chunk < p.chunks; chunk++) {
        sum += load_part<N>(sums + chunk * p.channels + c, lanes);
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
      }
    }
  }
};

// dst[i,j] = sum_n a[n,i]*b[n,j] and bias[i] = sum_n a[n,i]: four rows i and one vector of j per thread.
struct OuterSum {
  const float* a;
  const float* b;
  float* dst;
  float* bias;
  int64_t rows, columns;

  static constexpr int kRows = 4;

  template <int N>
  FW_HOST_DEVICE int64_t items() const {
    return (rows + kRows - 1) / kRows * ((columns + N - 1) / N);
  }

  template <int N>
  FW_DEVICE void add(int64_t batch, int64_t item) const {
    const int64_t vectors = (columns + N - 1) / N;
    const int64_t i = item / vectors * kRows;
    const int64_t j = item % vectors * N;
    const int lanes = columns - j < N ? int(columns - j) : N;
    Vec<N> sums[kRows];
    float totals[kRows];
    int64_t at[kRows];  // rows past the end repeat the last
#pragma unroll
    for (int r = 0; r < kRows; r++) {
      sums[r] = Vec<N>(0.0f);
      totals[r] = 0;
      at[r] = i + r < rows ? i + r : rows - 1;
    }
    for (int64_t n = 0; n < batch; n++) {
      const Vec<N> x = load_part<N>(b + n * columns + j, lanes);
#pragma unroll
      for (int r = 0; r < kRows; r++) {
        const float y = a[n * rows + at[r]];
        sums[r] = fma(x, Vec<N>(y), sums[r]);
        totals[r] += y;
      }
    }
#pragma unroll
    for (int r = 0; r < kRows; r++) {
      if (i + r < rows) {
        store_part<N>(dst + (i + r) * columns + j, sums[r], lanes);
        if (j == 0) {
          bias[i + r] = totals[r];
        }
      }
    }
  }
};

template <int N, int L>
struct ExciteWeightsKernel {
  struct Params {
    OuterSum reduce, expand;
    int64_t batch;
  };
  static constexpr int kThreads = 128;
  static constexpr int64_t kItems = kOneThread ? 64 : kThreads;  // of a block

  FW_DEVICE static void run(const Params& p, Block& block) {
    const int64_t reduce_items = p.reduce.template items<N>();
    const int64_t all_items = reduce_items + p.expand.template items<L>();
    for (int64_t i = block.x * kItems + block.thread; i < (block.x + 1) * kItems && i < all_items; i += block.threads) {
      if (i < reduce_items) {
        p.reduce.template add<N>(p.batch, i);
      } else {
        p.expand.template add<L>(p.batch, i - reduce_items);
      }
    }
  }
};

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
  const auto in = [](fw_address address) { return reinterpret_cast<const float*>(address); };
  const auto out = [](fw_address address) { return reinterpret_cast<float*>(address); };
  return with_dtype(problem.dtype, [&](auto t) {
    using T = decltype(t);
    const ExciteWorkspace parts = excite_workspace<T>(problem);
    float* w = out(workspace);
    return with_excite_lanes<T>(
        problem, src | diff_dst | reduce_weights | pooled | gate | diff_src | diff_reduce_weights,
        expand_weights | hidden | diff_expand_weights, [&](auto lanes, auto channel_lanes, auto squeezed_lanes) {
          constexpr int N = decltype(lanes)::value;
          constexpr int M = decltype(channel_lanes)::value;
          constexpr int L = decltype(squeezed_lanes)::value;
          const ColumnGrid grid = column_grid<N>(problem.batch, problem.pixels, problem.channels);
          if (problem.batch > 0) {
            FW_TRY((launch<PixelSumsKernel<T, N>>(launcher, grid.grid(), sum_columns_shared<N, 1>(grid),
                                                  {grid, reinterpret_cast<const T*>(src),
                                                   reinterpret_cast<const T*>(diff_dst), w + parts.chunk_sums, 1.0f})));
            const ColumnGrid sum = column_grid_second_stage<L>(problem.batch, problem.channels, problem.squeezed);
            FW_TRY((launch<ExciteGateBackwardKernel<M, L>>(
                launcher, {problem.batch}, sum_columns_shared<L, 1>(sum),
                {sum, grid.chunks, problem.pixels, problem.channels, problem.squeezed, problem.activation, problem.gate,
                 w + parts.chunk_sums, in(gate), in(hidden), in(expand_weights), in(reduce_weights),
                 w + parts.diff_expand, w + parts.activated, w + parts.diff_hidden, w + parts.diff_pooled})));
          }
          using Weights = ExciteWeightsKernel<M, L>;
          const OuterSum reduce = {w + parts.diff_hidden, in(pooled),       out(diff_reduce_weights),
                                   out(diff_reduce_bias), problem.squeezed, problem.channels};
          const OuterSum expand = {w + parts.diff_expand, w + parts.activated, out(diff_expand_weights),
                                   out(diff_expand_bias), problem.channels,    problem.squeezed};
          const int64_t items = reduce.items<M>() + expand.items<L>();
          FW_TRY(launch<Weights>(launcher, {ceil_div(items, Weights::kItems)}, 0, {reduce, expand, problem.batch}));
          return launch<ExciteBackwardApplyKernel<T, N>>(launcher, grid.grid(), 0,
                                                         {grid, reinterpret_cast<const T*>(diff_dst), in(gate),
                                                          w + parts.diff_pooled, reinterpret_cast<T*>(diff_src)});
        });
  });
}

}  // namespace

void add_squeeze_excite_backward(Operations& table) { table.squeeze_excite_backward = backward; }

}  // namespace fusewire::FW_EXEC
