// SPDX-License-Identifier: Apache-2.0
// The vector functions of core/math.h on arrays, compiled for each execution as the kernels are: what math_test.cc
// calls. Arrays are padded to whole vectors.
#include "core/exec.h"

namespace fusewire::FW_EXEC {
namespace {

constexpr int N = kLanes<float>;

template <class F>
void map(const float* x, float* y, int64_t count, F f) {
  for (int64_t i = 0; i < count; i += N) {
    store<N>(y + i, f(load<N>(x + i)));
  }
}

}  // namespace

int probe_lanes() { return N; }
void probe_exp(const float* x, float* y, int64_t count) {
  map(x, y, count, [](Vec<N> v) { return exp(v); });
}
void probe_sigmoid(const float* x, float* y, int64_t count) {
  map(x, y, count, [](Vec<N> v) { return sigmoid(v); });
}
void probe_activate(int activation, const float* x, float* y, int64_t count) {
  map(x, y, count, [=](Vec<N> v) { return activate(activation, v); });
}
void probe_activate_gradient(int activation, const float* x, float* y, int64_t count) {
  map(x, y, count, [=](Vec<N> v) { return activate_gradient(activation, v); });
}
void probe_activate_with_gradient(int activation, const float* x, float* y, float* gradient, int64_t count) {
  for (int64_t i = 0; i < count; i += N) {
    Vec<N> value, slope;
    activate_with_gradient(activation, load<N>(x + i), &value, &slope);
    store<N>(y + i, value);
    store<N>(gradient + i, slope);
  }
}
// The first n elements through a partial load and store.
void probe_parts(const float* x, float* y, int n) { store_part<N>(y, load_part<N>(x, n), n); }

}  // namespace fusewire::FW_EXEC
