// SPDX-License-Identifier: Apache-2.0
// Entry points of the fused training operations of the depthwise convolution.
#include "core/operations.h"
#include "depthwise/fused.h"

namespace fusewire::FW_EXEC {
namespace {

template <class T>
T* pointer(fw_address address) {
  return reinterpret_cast<T*>(static_cast<uintptr_t>(address));
}

int64_t workspace(const fw_fused_depthwise& problem) {
  const DepthwiseShape s = depthwise_shape(problem.conv);
  return Moments::bytes(fused_forward_chunks(s, problem.conv.dtype), s.channels);
}

fw_status forward(const Launcher& launcher, const fw_fused_depthwise& problem, fw_address src, fw_address in_norm,
                  fw_address weights, fw_address gamma, fw_address beta, fw_address running_mean,
                  fw_address running_var, fw_address dst, fw_address out_norm, fw_address workspace) {
  FusedForward f;
  f.shape = depthwise_shape(problem.conv);
  f.in = {pointer<const float>(in_norm), f.shape.channels, problem.conv.activation};
  f.src = pointer<const void>(src);
  f.weights = pointer<const float>(weights);
  f.dst = pointer<void>(dst);
  f.moments = {pointer<float>(workspace), 0, f.shape.channels};
  FW_TRY(fused_forward(launcher, problem.conv.dtype, &f));
  return merge_moments(launcher, f.moments, int64_t(f.shape.batch) * f.shape.out_height * f.shape.out_width,
                       {gamma, beta, running_mean, running_var, problem.epsilon, problem.momentum}, out_norm);
}

}  // namespace

void add_fused_depthwise(Operations& table) {
  table.fused_depthwise_workspace = workspace;
  table.fused_depthwise_forward = forward;
}

}  // namespace fusewire::FW_EXEC
