// SPDX-License-Identifier: Apache-2.0
#include "api/call.h"
#include "api/conv_size.h"
#include "fusewire/inference.h"

using namespace fusewire;

namespace {

// A pointwise convolution, whose operand is dense rows.
bool pointwise(const fw_conv& c) {
  return c.kernel_height * c.kernel_width == 1 && c.stride_height * c.stride_width == 1 &&
         c.pad_top + c.pad_bottom + c.pad_left + c.pad_right == 0;
}

}  // namespace

fw_status fw_conv_workspace(fw_stream stream, const fw_conv* conv, int64_t* bytes) {
  constexpr const char* kOperation = "conv workspace";
  FW_TRY(check_dense_conv(kOperation, conv));
  return query(stream, kOperation, bytes,
               [&](const Operations& operations) { return operations.conv_workspace(*conv); });
}

fw_status fw_conv_forward(fw_stream stream, const fw_conv* conv, fw_address src, fw_address weights, fw_address bias,
                          fw_address dst, fw_address workspace, int64_t workspace_bytes) {
  constexpr const char* kOperation = "conv forward";
  FW_TRY(check_dense_conv(kOperation, conv));
  if (conv->batch == 0) {
    return FW_OK;
  }
  const int bytes = dtype_bytes(conv->dtype);
  FW_TRY(check_addresses(kOperation,
                         {{"src", src, bytes}, {"weights", weights, 4}, {"bias", bias, 4, true}, {"dst", dst, bytes}}));
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    FW_TRY(check_workspace(kOperation, workspace, workspace_bytes, operations.conv_workspace(*conv)));
    return operations.conv_forward(launcher, *conv, src, weights, bias, dst, workspace);
  });
}

fw_status fw_conv_backward_data(fw_stream stream, const fw_conv* conv, fw_address diff_dst, fw_address weights,
                                fw_address diff_src, fw_address workspace, int64_t workspace_bytes) {
  constexpr const char* kOperation = "conv backward data";
  FW_TRY(check_dense_conv(kOperation, conv));
  if (conv->batch == 0) {
    return FW_OK;
  }
  const int bytes = dtype_bytes(conv->dtype);
  FW_TRY(check_addresses(kOperation,
                         {{"diff_dst", diff_dst, bytes}, {"weights", weights, 4}, {"diff_src", diff_src, bytes}}));
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    FW_TRY(check_workspace(kOperation, workspace, workspace_bytes, operations.conv_workspace(*conv)));
    return operations.conv_backward_data(launcher, *conv, diff_dst, weights, diff_src, workspace);
  });
}

fw_status fw_conv_backward_weights(fw_stream stream, const fw_conv* conv, fw_address src, fw_address diff_dst,
                                   fw_address diff_weights, fw_address diff_bias, fw_address workspace,
                                   int64_t workspace_bytes) {
  constexpr const char* kOperation = "conv backward weights";
  FW_TRY(check_dense_conv(kOperation, conv));
  const int bytes = dtype_bytes(conv->dtype);
  const bool empty = conv->batch == 0;  // then the gradients are 0 and the activations may be absent
  FW_TRY(check_addresses(kOperation, {{"src", src, bytes, empty},
                                      {"diff_dst", diff_dst, bytes, empty},
                                      {"diff_weights", diff_weights, 4},
                                      {"diff_bias", diff_bias, 4, true}}));
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    FW_TRY(check_workspace(kOperation, workspace, workspace_bytes, operations.conv_workspace(*conv)));
    return operations.conv_backward_weights(launcher, *conv, src, diff_dst, diff_weights, diff_bias, workspace);
  });
}

fw_status fw_conv_packed_bytes(fw_stream stream, const fw_conv* conv, int64_t* bytes) {
  constexpr const char* kOperation = "conv packed bytes";
  FW_TRY(check_dense_conv(kOperation, conv));
  return query(stream, kOperation, bytes,
               [&](const Operations& operations) { return operations.conv_packed_bytes(*conv); });
}

fw_status fw_conv_pack(fw_stream stream, const fw_conv* conv, fw_address weights, fw_address packed) {
  constexpr const char* kOperation = "conv pack";
  FW_TRY(check_dense_conv(kOperation, conv));
  FW_TRY(check_addresses(kOperation, {{"weights", weights, 4}, {"packed", packed, 16}}));
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    return operations.conv_pack(launcher, *conv, weights, packed);
  });
}

fw_status fw_conv_forward_packed(fw_stream stream, const fw_conv* conv, fw_address src, fw_address packed,
                                 fw_address bias, fw_address residual, int32_t residual_first, fw_address dst) {
  constexpr const char* kOperation = "conv forward packed";
  FW_TRY(check_dense_conv(kOperation, conv));
  FW_TRY(check_range(kOperation, "residual_first", residual_first, 0, 1));
  if (conv->batch == 0) {
    return FW_OK;
  }
  const int bytes = dtype_bytes(conv->dtype);
  FW_TRY(check_addresses(kOperation, {{"src", src, bytes},
                                      {"packed", packed, 16},
                                      {"bias", bias, 4, true},
                                      {"residual", residual, bytes, true},
                                      {"dst", dst, bytes}}));
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    if (pointwise(*conv)) {
      const fw_pointwise rows = {conv->dtype,       conv->activation,   conv->batch * conv->in_height * conv->in_width,
                                 conv->in_channels, conv->out_channels, 1,
                                 residual_first};
      return operations.pointwise_forward(launcher, rows, src, packed, bias, residual, dst, 0, 0);
    }
    return operations.conv_forward_packed(launcher, *conv, src, packed, bias, residual, residual_first != 0, dst);
  });
}
