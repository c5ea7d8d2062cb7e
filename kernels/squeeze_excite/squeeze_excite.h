// SPDX-License-Identifier: Apache-2.0
// The gate of squeeze-and-excite, from sums over pixels, which the operation and the fused one share: its function, its
// two layers (layers.h, gate.cu), and the way back through them (gate_backward.cu, weights_gradient.h).
#pragma once

#include "core/exec.h"
#include "core/operations.h"
#include "core/pixel_sums.h"
#include "norm/norm.h"

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

inline fw_address address_of(const void* pointer) { return fw_address(reinterpret_cast<uintptr_t>(pointer)); }

// Sums over an image's pixels as the chunks left them: chunk `chunk` of image n has its first sum of channel c at
// values[(n*chunks + chunk)*stride + c].
struct ExciteSums {
  const float* values;
  int64_t chunks;
  int64_t stride;  // in floats

  FW_DEVICE const float* image(int64_t n) const { return values + n * chunks * stride; }
};

struct ExciteForward {
  fw_address reduce_weights, reduce_bias, expand_weights, expand_bias;
  fw_address pooled, hidden, gate;  // written
};

// The mean of `sums`, both layers and the gate's function.
fw_status excite_gate_forward(const Launcher& launcher, const fw_squeeze_excite& problem, const ExciteSums& sums,
                              const ExciteForward& a);

// The whole forward pass from src in one launch, see one_launch.cu: activation(norm(src)) is pooled, and scaled to dst
// unless that is 0. `addresses`: the bitwise or of all that are accessed in vectors of channels.
bool excite_fits_one_launch(const fw_squeeze_excite& problem, fw_address addresses);
fw_status excite_one_launch(const Launcher& launcher, const fw_squeeze_excite& problem, const Norm& norm,
                            fw_address src, const ExciteForward& a, fw_address dst);

struct ExciteBackward {
  fw_address reduce_weights, expand_weights, pooled, hidden, gate;
  fw_address diff_pooled;  // (batch, channels): gradient of the mean, divided by the pixels
  fw_address diff_reduce_weights, diff_reduce_bias, diff_expand_weights, diff_expand_bias;
  float* workspace;  // excite_workspace().end floats
  // (batch, 2, channels), or nullptr: receives gate*S1 + diff_pooled*S2 and gate*S3 + diff_pooled*S4 of every image,
  // where `sums` has S1 to S4 behind the gate's gradient, a row of channels each
  float* norm_sums;

  // What is accessed in vectors of channels, and of the squeezed width.
  fw_address channel_addresses() const {
    return address_of(workspace) | reduce_weights | pooled | gate | diff_pooled | diff_reduce_weights;
  }
  fw_address squeezed_addresses() const { return expand_weights | hidden | diff_expand_weights; }
};

// From `sums` of the gate's gradient to that of the mean, and to the workspace that the parameters' gradients come from
// (weights_gradient.h).
fw_status excite_gate_backward(const Launcher& launcher, const fw_squeeze_excite& problem, const ExciteSums& sums,
                               const ExciteBackward& a);

// Parts of excite_gate_backward()'s workspace, as offsets in floats.
struct ExciteWorkspace {
  int64_t diff_expand;  // (batch, channels): gradient before the gate's function
  int64_t activated;    // (batch, squeezed): act(hidden)
  int64_t diff_hidden;  // (batch, squeezed)
  int64_t end;
};

// Floats of a part of a workspace, so that the next one starts on a boundary of 64 bytes.
inline int64_t excite_part(int64_t count) { return ceil_div(count, 16) * 16; }

inline ExciteWorkspace excite_workspace(const fw_squeeze_excite& problem) {
  ExciteWorkspace w;
  w.diff_expand = 0;
  w.activated = excite_part(problem.batch * problem.channels);
  w.diff_hidden = w.activated + excite_part(problem.batch * problem.squeezed);
  w.end = w.diff_hidden + excite_part(problem.batch * problem.squeezed);
  return w;
}

// Parts of the unfused operation's workspace, as offsets in floats. Forward needs the sums only.
struct ExciteOperationWorkspace {
  int64_t chunk_sums;   // (batch, chunks, channels)
  int64_t diff_pooled;  // (batch, channels)
  int64_t gate;         // excite_workspace()
  int64_t end;
};

template <class T>
ExciteOperationWorkspace excite_operation_workspace(const fw_squeeze_excite& problem) {
  const int64_t chunks = pixel_chunks<T>(problem.batch, problem.pixels, problem.channels);
  ExciteOperationWorkspace w;
  w.chunk_sums = 0;
  w.diff_pooled = excite_part(problem.batch * chunks * problem.channels);
  w.gate = w.diff_pooled + excite_part(problem.batch * problem.channels);
  w.end = w.gate + excite_workspace(problem).end;
  return w;
}

// Calls f(lanes of f32 channels, lanes of the squeezed width).
template <class F>
fw_status with_excite_lanes(const fw_squeeze_excite& problem, fw_address channel_addresses,
                            fw_address squeezed_addresses, F f) {
  return with_lanes<float>(problem.channels, channel_addresses, [&](auto lanes) {
    return with_lanes<float>(problem.squeezed, squeezed_addresses, [&](auto squeezed) { return f(lanes, squeezed); });
  });
}

void add_squeeze_excite_backward(Operations& table);
void add_fused_squeeze_excite(Operations& table);

}  // namespace fusewire::FW_EXEC
