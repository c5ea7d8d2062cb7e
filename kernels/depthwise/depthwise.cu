// SPDX-License-Identifier: Apache-2.0
// Entry points of the depthwise convolution. Tuned kernels: forward.cu, backward_data.cu, backward_weights.cu; for
// everything else any_shape.cu.
#include "core/operations.h"
#include "depthwise/shape.h"

namespace fusewire::FW_EXEC {
namespace {

template <class T>
T* pointer(fw_address address) {
  return reinterpret_cast<T*>(static_cast<uintptr_t>(address));
}

fw_status forward(const Launcher& launcher, const fw_conv& conv, fw_address src, fw_address weights, fw_address bias,
                  fw_address dst) {
  Correlation problem;
  problem.shape = depthwise_shape(conv);
  problem.activation = conv.activation;
  problem.flipped = false;
  problem.src = pointer<const void>(src);
  problem.weights = pointer<const float>(weights);
  problem.bias = pointer<const float>(bias);
  problem.dst = pointer<void>(dst);
  return depthwise_correlate(launcher, conv.dtype, problem);
}

fw_status backward_data(const Launcher& launcher, const fw_conv& conv, fw_address diff_dst, fw_address weights,
                        fw_address diff_src) {
  return depthwise_data_gradient(
      launcher, conv.dtype,
      {depthwise_shape(conv), pointer<const void>(diff_dst), pointer<const float>(weights), pointer<void>(diff_src)});
}

int64_t workspace(const fw_conv& conv) {
  const int64_t chunks = depthwise_chunks(depthwise_shape(conv), conv.dtype).count;
  int64_t bytes = 0;
  if (__builtin_mul_overflow((conv.kernel_height * conv.kernel_width + 1) * conv.in_channels, chunks * 4, &bytes)) {
    return INT64_MAX;  // more than any device has: the caller's allocation will say so
  }
  return bytes;
}

fw_status backward_weights(const Launcher& launcher, const fw_conv& conv, fw_address src, fw_address diff_dst,
                           fw_address diff_weights, fw_address diff_bias, fw_address partials) {
  return depthwise_weights_gradient(
      launcher, conv.dtype,
      {depthwise_shape(conv), pointer<const void>(src), pointer<const void>(diff_dst), pointer<float>(diff_weights),
       pointer<float>(diff_bias), pointer<float>(partials)});
}

}  // namespace

void add_depthwise(Operations& table) {
  table.depthwise_workspace = workspace;
  table.depthwise_forward = forward;
  table.depthwise_backward_data = backward_data;
  table.depthwise_backward_weights = backward_weights;
}

}  // namespace fusewire::FW_EXEC
