// SPDX-License-Identifier: Apache-2.0
// The two layers of squeeze-and-excite for one image, a range of their outputs at a time.
#pragma once

#include "core/exec.h"

namespace fusewire::FW_EXEC {

// emit(s, value) by one thread for every unit s of [begin, end): value = reduce_weights[s]*pooled + reduce_bias[s]. A
// warp works on kUnits units at once. N: lanes of channels.
template <int N, class Emit>
FW_DEVICE void excite_hidden(const Block& block, const float* pooled, const float* reduce_weights,
                             const float* reduce_bias, int64_t channels, int64_t begin, int64_t end, Emit emit) {
  constexpr int kUnits = 4;
  const int warp = block.thread / block.warp_threads;
  const int lane = block.thread % block.warp_threads;
  const int64_t stride = int64_t(block.threads / block.warp_threads) * kUnits;
  for (int64_t s = begin + int64_t(warp) * kUnits; s < end; s += stride) {
    const float* w[kUnits];  // units past the end repeat the last
    Vec<N> sums[kUnits];
#pragma unroll
    for (int u = 0; u < kUnits; u++) {
      w[u] = reduce_weights + (s + u < end ? s + u : end - 1) * channels;
      sums[u] = Vec<N>(0.0f);
    }
#pragma unroll 1  // the units are loads enough in flight
    for (int64_t c = int64_t(lane) * N; c < channels; c += int64_t(block.warp_threads) * N) {
      const int lanes = vector_lanes<N>(channels, c);
      const Vec<N> x = load_part<N>(pooled + c, lanes);
#pragma unroll
      for (int u = 0; u < kUnits; u++) {
        sums[u] = fma(load_part<N>(w[u] + c, lanes), x, sums[u]);
      }
    }
#pragma unroll
    for (int u = 0; u < kUnits; u++) {
      const float sum = block.warp_sum(lane_sum(sums[u]));
      if (lane == 0 && s + u < end) {
        emit(s + u, sum + reduce_bias[s + u]);
      }
    }
  }
}

// emit(c, value) by one thread for every channel c of [begin, end): value = expand_weights[c]*activated +
// expand_bias[c], before the gate's function. activated: squeezed floats of shared memory, whole vectors of L.
template <int L, class Emit>
FW_DEVICE void excite_gates(const Block& block, const float* activated, const float* expand_weights,
                            const float* expand_bias, int64_t squeezed, int64_t begin, int64_t end, Emit emit) {
  for (int64_t c = begin + block.thread; c < end; c += block.threads) {
    const float* w = expand_weights + c * squeezed;
    Vec<L> sum(0.0f);
#pragma unroll 2
    for (int64_t s = 0; s < squeezed; s += L) {
      const int lanes = vector_lanes<L>(squeezed, s);
      sum = fma(load_part<L>(w + s, lanes), load<L>(activated + s), sum);
    }
    emit(c, lane_sum(sum) + expand_bias[c]);
  }
}

}  // namespace fusewire::FW_EXEC
