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

int64_t filter_elements(const DepthwiseShape& s) { return int64_t(s.kernel_height) * s.kernel_width * s.channels; }

// Bytes of backward's partial sums of diff_src, which lie before those of the filter.
int64_t sum_bytes(int64_t chunks, const DepthwiseShape& s) { return shared_bytes<float>(chunks * 2 * s.channels); }

int64_t workspace(const fw_fused_depthwise& problem) {
  const DepthwiseShape s = depthwise_shape(problem.conv);
  const int32_t dtype = problem.conv.dtype;
  const FusedBackwardChunks chunks = fused_backward_chunks(s, dtype);
  int64_t filter = 0;
  if (__builtin_mul_overflow(chunks.filter * 4, filter_elements(s), &filter)) {
    return INT64_MAX;  // more than any device has: the caller's allocation will say so
  }
  const int64_t forward = Moments::bytes(fused_forward_chunks(s, dtype), s.channels);
  return std::max(forward, sum_bytes(chunks.sums, s) + filter);
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

fw_status backward(const Launcher& launcher, const fw_fused_depthwise& problem, fw_address src, fw_address in_norm,
                   fw_address weights, fw_address dst, fw_address out_norm, fw_address out_gradient, fw_address diff,
                   fw_address gate, fw_address pool_gradient, fw_address diff_src, fw_address diff_weights,
                   fw_address diff_gamma, fw_address diff_beta, fw_address in_gradient, fw_address workspace) {
  const int32_t dtype = problem.conv.dtype;
  FusedBackward b;
  b.shape = depthwise_shape(problem.conv);
  const DepthwiseShape& s = b.shape;
  b.in = {pointer<const float>(in_norm), s.channels, problem.conv.activation};
  b.out = {pointer<const float>(out_norm), s.channels, problem.out_activation};
  b.out_gradient = pointer<const float>(out_gradient);
  b.src = pointer<const void>(src);
  b.weights = pointer<const float>(weights);
  b.dst = pointer<const void>(dst);
  b.diff = pointer<const void>(diff);
  b.gate = pointer<const float>(gate);
  b.pool_gradient = pointer<const float>(pool_gradient);
  b.diff_src = pointer<void>(diff_src);
  b.sum_partials = pointer<float>(workspace);
  b.filter_partials = pointer<float>(workspace + uint64_t(sum_bytes(fused_backward_chunks(s, dtype).sums, s)));
  FW_TRY(fused_backward(launcher, dtype, &b));
  FW_TRY(depthwise_add_chunks(launcher, s, b.filter_partials, b.filter_chunks, pointer<float>(diff_weights), nullptr,
                              false));
  if (in_norm == 0) {
    return FW_OK;
  }
  return merge_norm_gradient(launcher, b.sum_partials, b.sum_chunks, s.channels,
                             int64_t(s.batch) * s.in_height * s.in_width, in_norm, diff_gamma, diff_beta, in_gradient);
}

}  // namespace

void add_fused_depthwise(Operations& table) {
  table.fused_depthwise_workspace = workspace;
  table.fused_depthwise_forward = forward;
  table.fused_depthwise_backward = backward;
}

}  // namespace fusewire::FW_EXEC
