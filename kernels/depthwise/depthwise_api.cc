// SPDX-License-Identifier: Apache-2.0
#include "depthwise/depthwise_api.h"

using namespace fusewire;

fw_status fusewire::check_depthwise(const char* operation, const fw_conv* conv) {
  int64_t out_height = 0;
  int64_t out_width = 0;
  FW_TRY(check_conv(operation, conv, &out_height, &out_width));
  if (conv->in_channels != conv->out_channels) {
    return fail(FW_INVALID_ARGUMENT,
                "%s: in_channels is %lld and out_channels is %lld; a depthwise convolution has equally many", operation,
                static_cast<long long>(conv->in_channels), static_cast<long long>(conv->out_channels));
  }
  constexpr int64_t kMost = int64_t(1) << 30;  // the kernels count pixels of an axis in 32 bits
  FW_TRY(check_range(operation, "batch", conv->batch, 0, kMost));
  FW_TRY(check_range(operation, "in_channels", conv->in_channels, 1, kMost));
  FW_TRY(check_range(operation, "in_height with its padding", conv->in_height + conv->pad_top + conv->pad_bottom, 1,
                     kMost));
  FW_TRY(
      check_range(operation, "in_width with its padding", conv->in_width + conv->pad_left + conv->pad_right, 1, kMost));
  return check_sizes(operation, 1,
                     {{"kernel_height", conv->kernel_height},
                      {"kernel_width", conv->kernel_width},
                      {"in_channels", conv->in_channels}});
}

fw_status fw_depthwise_workspace(fw_stream stream, const fw_conv* conv, int64_t* bytes) {
  constexpr const char* kOperation = "depthwise workspace";
  FW_TRY(check_depthwise(kOperation, conv));
  return query(stream, kOperation, bytes,
               [&](const Operations& operations) { return operations.depthwise_workspace(*conv); });
}

fw_status fw_depthwise_forward(fw_stream stream, const fw_conv* conv, fw_address src, fw_address weights,
                               fw_address bias, fw_address dst) {
  constexpr const char* kOperation = "depthwise forward";
  FW_TRY(check_depthwise(kOperation, conv));
  if (conv->batch > 0) {
    const int bytes = dtype_bytes(conv->dtype);
    FW_TRY(check_addresses(
        kOperation, {{"src", src, bytes}, {"weights", weights, 4}, {"bias", bias, 4, true}, {"dst", dst, bytes}}));
  }
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    return operations.depthwise_forward(launcher, *conv, src, weights, bias, dst);
  });
}

fw_status fw_depthwise_backward_data(fw_stream stream, const fw_conv* conv, fw_address diff_dst, fw_address weights,
                                     fw_address diff_src) {
  constexpr const char* kOperation = "depthwise backward data";
  FW_TRY(check_depthwise(kOperation, conv));
  if (conv->batch > 0) {
    const int bytes = dtype_bytes(conv->dtype);
    FW_TRY(check_addresses(kOperation,
                           {{"diff_dst", diff_dst, bytes}, {"weights", weights, 4}, {"diff_src", diff_src, bytes}}));
  }
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    return operations.depthwise_backward_data(launcher, *conv, diff_dst, weights, diff_src);
  });
}

fw_status fw_depthwise_backward_weights(fw_stream stream, const fw_conv* conv, fw_address src, fw_address diff_dst,
                                        fw_address diff_weights, fw_address diff_bias, fw_address workspace,
                                        int64_t workspace_bytes) {
  constexpr const char* kOperation = "depthwise backward weights";
  FW_TRY(check_depthwise(kOperation, conv));
  FW_TRY(check_addresses(kOperation, {{"diff_weights", diff_weights, 4}, {"diff_bias", diff_bias, 4, true}}));
  if (conv->batch > 0) {
    const int bytes = dtype_bytes(conv->dtype);
    FW_TRY(check_addresses(kOperation, {{"src", src, bytes}, {"diff_dst", diff_dst, bytes}}));
  }
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    FW_TRY(check_workspace(kOperation, workspace, workspace_bytes, operations.depthwise_workspace(*conv)));
    return operations.depthwise_backward_weights(launcher, *conv, src, diff_dst, diff_weights, diff_bias, workspace);
  });
}
