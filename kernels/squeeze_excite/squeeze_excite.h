// SPDX-License-Identifier: Apache-2.0
// What squeeze-and-excite's forward and backward share: the gate and the workspace.
#pragma once

#include "core/exec.h"
#include "core/operations.h"
#include "core/pixel_sums.h"

namespace fusewire::FW_EXEC {

template <int N>
FW_DEVICE Vec<N> excite_gate(int gate, Vec<N> x) {
  if (gate == FW_SIGMOID) {
    return sigmoid(x);
  }
  const Vec<N> y = fma(x, Vec<N>(1.0f / 6), Vec<N>(0.5f));
  return min(Vec<N>(1.0f), max(Vec<N>(0.0f), y));
}

// The gate's derivative, from its value.
template <int N>
FW_DEVICE Vec<N> excite_gate_gradient(int gate, Vec<N> value) {
  const Vec<N> one(1.0f);
  if (gate == FW_SIGMOID) {
    return value * (one - value);
  }
  const Vec<N> zero(0.0f);
  const Vec<N> inside = select_greater(one, value, Vec<N>(1.0f / 6), zero);
  return select_greater(value, zero, inside, zero);
}

// Parts of the workspace, as offsets in floats. Forward needs the sums only.
struct ExciteWorkspace {
  int64_t chunk_sums;   // (batch, chunks, channels)
  int64_t diff_expand;  // (batch, channels): gradient before the gate's function
  int64_t diff_pooled;  // (batch, channels): gradient of the mean, divided by the pixels
  int64_t activated;    // (batch, squeezed): act(hidden)
  int64_t diff_hidden;  // (batch, squeezed)
  int64_t end;
};

template <class T>
ExciteWorkspace excite_workspace(const fw_squeeze_excite& problem) {
  const int64_t chunks = pixel_chunks<T>(problem.batch, problem.pixels, problem.channels);
  const auto rounded = [](int64_t count) { return ceil_div(count, 16) * 16; };
  ExciteWorkspace w;
  w.chunk_sums = 0;
  w.diff_expand = rounded(problem.batch * chunks * problem.channels);
  w.diff_pooled = w.diff_expand + rounded(problem.batch * problem.channels);
  w.activated = w.diff_pooled + rounded(problem.batch * problem.channels);
  w.diff_hidden = w.activated + rounded(problem.batch * problem.squeezed);
  w.end = w.diff_hidden + rounded(problem.batch * problem.squeezed);
  return w;
}

// Calls f(lanes of the activation, lanes of f32 channels, lanes of the squeezed width).
template <class T, class F>
fw_status with_excite_lanes(const fw_squeeze_excite& problem, fw_address channel_addresses,
                            fw_address squeezed_addresses, F f) {
  return with_lanes<T>(problem.channels, channel_addresses, [&](auto lanes) {
    constexpr int N = decltype(lanes)::value;
    return with_lanes<float>(problem.squeezed, squeezed_addresses, [&](auto squeezed) {
      return f(lanes, LanesTag<(kOneThread ? N : N == 1 ? 1 : kLanes<float>)>(), squeezed);
    });
  });
}

void add_squeeze_excite_backward(Operations& table);

}  // namespace fusewire::FW_EXEC
