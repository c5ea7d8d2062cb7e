// SPDX-License-Identifier: Apache-2.0
// The gradients of squeeze-and-excite's parameters: sums over the batch of outer products of what
// excite_gate_backward() leaves in its workspace. The last launch of a backward pass does it beside work of its own.
#pragma once

#include "core/beside.h"
#include "core/columns.h"
#include "squeeze_excite/squeeze_excite.h"

namespace fusewire::FW_EXEC {

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
    const int lanes = vector_lanes<N>(columns, j);
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
  static constexpr int kThreads = kColumnThreads;
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

// N, L: vectors that the addresses allow, see with_excite_lanes().
template <int N, int L>
LaunchPart<ExciteWeightsKernel<N, L>> excite_weights_part(const fw_squeeze_excite& problem, const ExciteBackward& a) {
  const auto out = [](fw_address address) { return reinterpret_cast<float*>(address); };
  const ExciteWorkspace parts = excite_workspace(problem);
  const float* w = a.workspace;
  const OuterSum reduce = {w + parts.diff_hidden,      reinterpret_cast<const float*>(a.pooled),
                           out(a.diff_reduce_weights), out(a.diff_reduce_bias),
                           problem.squeezed,           problem.channels};
  const OuterSum expand = {w + parts.diff_expand,   w + parts.activated, out(a.diff_expand_weights),
                           out(a.diff_expand_bias), problem.channels,    problem.squeezed};
  const int64_t items = reduce.items<N>() + expand.items<L>();
  return {{ceil_div(items, ExciteWeightsKernel<N, L>::kItems)}, 0, {reduce, expand, problem.batch}};
}

}  // namespace fusewire::FW_EXEC
