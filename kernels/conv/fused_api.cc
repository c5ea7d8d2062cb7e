// SPDX-License-Identifier: Apache-2.0
#include "api/call.h"
#include "api/conv_size.h"

using namespace fusewire;

namespace {

fw_status check(const char* operation, const fw_conv* conv) {
  FW_TRY(check_dense_conv(operation, conv));
  return check_norm_rows(operation, conv->batch, conv_out_height(*conv) * conv_out_width(*conv));
}

}  // namespace

fw_status fw_fused_conv_workspace(fw_stream stream, const fw_conv* conv, int64_t* bytes) {
  constexpr const char* kOperation = "fused conv workspace";
  FW_TRY(check(kOperation, conv));
  return query(stream, kOperation, bytes,
               [&](const Operations& operations) { return operations.fused_conv_workspace(*conv); });
}

fw_status fw_fused_conv_forward(fw_stream stream, const fw_conv* conv, float epsilon, float momentum, fw_address src,
                                fw_address in_norm, fw_address weights, fw_address gamma, fw_address beta,
                                fw_address running_mean, fw_address running_var, fw_address dst, fw_address out_norm,
                                fw_address workspace, int64_t workspace_bytes) {
  constexpr const char* kOperation = "fused conv forward";
  FW_TRY(check(kOperation, conv));
  FW_TRY(check_norm(kOperation, epsilon, momentum));
  const int bytes = dtype_bytes(conv->dtype);
  FW_TRY(check_addresses(kOperation, {{"src", src, bytes},
                                      {"in_norm", in_norm, 4, true},
                                      {"weights", weights, 4},
                                      {"gamma", gamma, 4},
                                      {"beta", beta, 4},
                                      {"dst", dst, bytes},
                                      {"out_norm", out_norm, 4}}));
  FW_TRY(check_running(kOperation, running_mean, running_var));
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    FW_TRY(check_workspace(kOperation, workspace, workspace_bytes, operations.fused_conv_workspace(*conv)));
    return operations.fused_conv_forward(launcher, *conv, epsilon, momentum, src, in_norm, weights, gamma, beta,
                                         running_mean, running_var, dst, out_norm, workspace);
  });
}

fw_status fw_fused_conv_backward_data(fw_stream stream, const fw_conv* conv, fw_address diff_out,
                                      fw_address image_scale, fw_address dst, fw_address out_norm,
                                      fw_address out_gradient, fw_address weights, fw_address addend,
                                      fw_address diff_src, fw_address workspace, int64_t workspace_bytes) {
  constexpr const char* kOperation = "fused conv backward data";
  FW_TRY(check(kOperation, conv));
  const int bytes = dtype_bytes(conv->dtype);
  FW_TRY(check_addresses(kOperation, {{"diff_out", diff_out, bytes},
                                      {"image_scale", image_scale, 4, true},
                                      {"dst", dst, bytes},
                                      {"out_norm", out_norm, 4},
                                      {"out_gradient", out_gradient, 4},
                                      {"weights", weights, 4},
                                      {"addend", addend, bytes, true},
                                      {"diff_src", diff_src, bytes}}));
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    FW_TRY(check_workspace(kOperation, workspace, workspace_bytes, operations.fused_conv_workspace(*conv)));
    return operations.fused_conv_backward_data(launcher, *conv, diff_out, image_scale, dst, out_norm, out_gradient,
                                               weights, addend, diff_src, workspace);
  });
}

fw_status fw_fused_conv_backward_weights(fw_stream stream, const fw_conv* conv, fw_address src, fw_address in_norm,
                                         fw_address diff_out, fw_address image_scale, fw_address dst,
                                         fw_address out_norm, fw_address out_gradient, fw_address diff_weights,
                                         fw_address workspace, int64_t workspace_bytes) {
  constexpr const char* kOperation = "fused conv backward weights";
  FW_TRY(check(kOperation, conv));
  const int bytes = dtype_bytes(conv->dtype);
  FW_TRY(check_addresses(kOperation, {{"src", src, bytes},
                                      {"in_norm", in_norm, 4, true},
                                      {"diff_out", diff_out, bytes},
                                      {"image_scale", image_scale, 4, true},
                                      {"dst", dst, bytes},
                                      {"out_norm", out_norm, 4},
                                      {"out_gradient", out_gradient, 4},
                                      {"diff_weights", diff_weights, 4}}));
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    FW_TRY(check_workspace(kOperation, workspace, workspace_bytes, operations.fused_conv_workspace(*conv)));
    return operations.fused_conv_backward_weights(launcher, *conv, src, in_norm, diff_out, image_scale, dst, out_norm,
                                                  out_gradient, diff_weights, workspace);
  });
}
