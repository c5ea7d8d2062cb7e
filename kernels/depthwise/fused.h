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

// mean 0, scale 1, shift 0 where there is no norm.
template <int N>
FW_DEVICE NormVector<N> norm_or_identity(const Norm& norm, int64_t channel, int lanes) {
  if (norm.present()) {
    return norm.template vector<N>(channel, lanes);
  }
  return {Vec<N>(0.0f), Vec<N>(1.0f), Vec<N>(0.0f)};
}

}  // namespace fusewire::FW_EXEC
