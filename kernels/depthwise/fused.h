// SPDX-License-Identifier: Apache-2.0
// The fused training operations of the depthwise convolution as their kernels see them. Each has a tuned kernel for
// 3x3, 5x5 and 7x7 with stride 1 or 2, which stages rows in shared memory (walk.h), and one for any shape.
#pragma once

#include "depthwise/shape.h"
#include "norm/norm.h"

namespace fusewire::FW_EXEC {

// dst = correlation of activation(norm(src)) with weights; partial moments of dst. fused_forward.cu.
struct FusedForward {
  DepthwiseShape shape;
  Norm in;
  const void* src;
  const float* weights;
  void* dst;
  Moments moments;  // chunks: filled in by the operation
};
// Most chunks that it leaves, for workspaces.
int64_t fused_forward_chunks(const DepthwiseShape& shape, int32_t dtype);
fw_status fused_forward(const Launcher& launcher, int32_t dtype, FusedForward* problem);
int64_t fused_forward_any_chunks(const DepthwiseShape& shape, int32_t dtype);
fw_status fused_forward_any(const Launcher& launcher, int32_t dtype, FusedForward* problem);

// With d the gradient of dst, made on load: diff_src = (transposed correlation of d) * activation'(norm(src)), partial
// filter gradients, and partial sums of diff_src and diff_src*h for norm/norm.h's gradient. fused_backward.cu.
struct FusedBackward {
  DepthwiseShape shape;
  Norm in;
  Norm out;
  const float* out_gradient;
  const void* src;
  const float* weights;
  const void* dst;
  const void* diff;
  const float* gate;           // or nullptr, as pool_gradient
  const float* pool_gradient;  // (batch, channels) both
  void* diff_src;
  float* filter_partials;             // (filter_chunks, taps, channels)
  float* sum_partials;                // (sum_chunks, 2, channels)
  int64_t filter_chunks, sum_chunks;  // filled in by the operation
};
// Most chunks that it leaves, for workspaces.
struct FusedBackwardChunks {
  int64_t filter, sums;
};
FusedBackwardChunks fused_backward_chunks(const DepthwiseShape& shape, int32_t dtype);
fw_status fused_backward(const Launcher& launcher, int32_t dtype, FusedBackward* problem);
FusedBackwardChunks fused_backward_any_chunks(const DepthwiseShape& shape, int32_t dtype);
fw_status fused_backward_any(const Launcher& launcher, int32_t dtype, FusedBackward* problem);

// d of N channels of one image: constants that stay, and the gradient of a value.
template <int N>
struct OutputGradient {
  Vec<N> gate, pool;
  NormVector<N> norm;
  Vec<N> slope, offset;
  int activation;

  FW_DEVICE OutputGradient(const Norm& out, const float* gradient, const float* gates, const float* pool_gradient,
                           int64_t image, int64_t channel, int lanes)
      : gate(1.0f), pool(0.0f), norm(out.template vector<N>(channel, lanes)), activation(out.activation) {
    const NormGradientVector<N> g = out.template gradient_vector<N>(gradient, channel, lanes);
    slope = g.slope;
    offset = g.offset;
    if (gates != nullptr) {
      gate = load_part<N>(gates + image * out.channels + channel, lanes);
      pool = load_part<N>(pool_gradient + image * out.channels + channel, lanes);
    }
  }
  FW_DEVICE Vec<N> apply(Vec<N> diff, Vec<N> x) const {
    const Vec<N> g = fma(diff, gate, pool) * activate_gradient(activation, norm.apply(x));
    return fma(norm.scale, g, fma(slope, x - norm.mean, offset));
  }
};

// Calls f(K, S) with the kernel size and stride as LanesTag for a problem that tuned kernels take, else other().
template <class F, class G>
auto with_tuned(const DepthwiseShape& s, F f, G other) {
  const bool one = s.stride_height == 1;
  switch (tuned_kernel(s)) {
    case 3:
      return one ? f(LanesTag<3>(), LanesTag<1>()) : f(LanesTag<3>(), LanesTag<2>());
    case 5:
      return one ? f(LanesTag<5>(), LanesTag<1>()) : f(LanesTag<5>(), LanesTag<2>());
    case 7:
      return one ? f(LanesTag<7>(), LanesTag<1>()) : f(LanesTag<7>(), LanesTag<2>());
    default:
      return other();
  }
}

// mean 0, scale 1, shift 0 where there is no norm.
template <int N>
FW_DEVICE NormVector<N> norm_or_identity(const Norm& norm, int64_t channel, int lanes) {
  if (norm.present()) {
    return norm.template vector<N>(channel, lanes);
  }
  return {Vec<N>(0.0f), Vec<N>(1.0f), Vec<N>(0.0f)};
}

}  // namespace fusewire::FW_EXEC
