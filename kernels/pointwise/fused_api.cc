// SPDX-License-Identifier: Apache-2.0
#include "api/call.h"

using namespace fusewire;

namespace {

fw_status check(const char* operation, const fw_fused_pointwise* p) {
  FW_TRY(check_not_null(operation, "problem", p));
  FW_TRY(check_dtype(operation, "dtype", p->dtype));
  FW_TRY(check_activation(operation, p->in_activation));
  FW_TRY(check_range(operation, "in_channels", p->in_channels, 1, 1 << 24));
  FW_TRY(check_range(operation, "out_channels", p->out_channels, 1, 1 << 24));
  FW_TRY(check_norm(operation, p->epsilon, p->momentum));
  FW_TRY(check_sizes(operation, 0, {{"batch", p->batch}, {"pixels", p->pixels}, {"in_channels", p->in_channels}}));
  FW_TRY(check_sizes(operation, 0, {{"batch", p->batch}, {"pixels", p->pixels}, {"out_channels", p->out_channels}}));
  FW_TRY(check_sizes(operation, 1, {{"in_channels", p->in_channels}, {"out_channels", p->out_channels}}));
  return check_norm_rows(operation, p->batch, p->pixels);
}

}  // namespace

fw_status fw_fused_pointwise_workspace(fw_stream stream, const fw_fused_pointwise* problem, int64_t* bytes) {
  constexpr const char* kOperation = "fused pointwise workspace";
  FW_TRY(check(kOperation, problem));
  return query(stream, kOperation, bytes,
               [&](const Operations& operations) { return operations.fused_pointwise_workspace(*problem); });
}

fw_status fw_fused_pointwise_forward(fw_stream stream, const fw_fused_pointwise* problem, fw_address src,
                                     fw_address in_norm, fw_address gate, fw_address weights, fw_address gamma,
                                     fw_address beta, fw_address running_mean, fw_address running_var, fw_address dst,
                                     fw_address out_norm, fw_address workspace, int64_t workspace_bytes) {
  constexpr const char* kOperation = "fused pointwise forward";
  FW_TRY(check(kOperation, problem));
  const int bytes = dtype_bytes(problem->dtype);
  FW_TRY(check_addresses(kOperation, {{"src", src, bytes},
                                      {"in_norm", in_norm, 4, true},
                                      {"gate", gate, 4, true},
                                      {"weights", weights, 4},
                                      {"gamma", gamma, 4},
                                      {"beta", beta, 4},
                                      {"dst", dst, bytes},
                                      {"out_norm", out_norm, 4}}));
  FW_TRY(check_running(kOperation, running_mean, running_var));
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    FW_TRY(check_workspace(kOperation, workspace, workspace_bytes, operations.fused_pointwise_workspace(*problem)));
    return operations.fused_pointwise_forward(launcher, *problem, src, in_norm, gate, weights, gamma, beta,
                                              running_mean, running_var, dst, out_norm, workspace);
  });
}

fw_status fw_fused_pointwise_backward_data(fw_stream stream, const fw_fused_pointwise* problem, fw_address diff_out,
                                           fw_address image_scale, fw_address dst, fw_address out_norm,
                                           fw_address out_gradient, fw_address weights, fw_address addend,
                                           fw_address diff_src, fw_address workspace, int64_t workspace_bytes) {
  constexpr const char* kOperation = "fused pointwise backward data";
  FW_TRY(check(kOperation, problem));
  const int bytes = dtype_bytes(problem->dtype);
  FW_TRY(check_addresses(kOperation, {{"diff_out", diff_out, bytes},
                                      {"image_scale", image_scale, 4, true},
                                      {"dst", dst, bytes},
                                      {"out_norm", out_norm, 4},
                                      {"out_gradient", out_gradient, 4},
                                      {"weights", weights, 4},
                                      {"addend", addend, bytes, true},
                                      {"diff_src", diff_src, bytes}}));
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    FW_TRY(check_workspace(kOperation, workspace, workspace_bytes, operations.fused_pointwise_workspace(*problem)));
    return operations.fused_pointwise_backward_data(launcher, *problem, diff_out, image_scale, dst, out_norm,
                                                    out_gradient, weights, addend, diff_src, workspace);
  });
}

fw_status fw_fused_pointwise_backward_weights(fw_stream stream, const fw_fused_pointwise* problem, fw_address src,
                                              fw_address in_norm, fw_address gate, fw_address diff_out,
                                              fw_address image_scale, fw_address dst, fw_address out_norm,
                                              fw_address out_gradient, fw_address diff_weights, fw_address workspace,
                                              int64_t workspace_bytes) {
  constexpr const char* kOperation = "fused pointwise backward weights";
  FW_TRY(check(kOperation, problem));
  const int bytes = dtype_bytes(problem->dtype);
  FW_TRY(check_addresses(kOperation, {{"src", src, bytes},
                                      {"in_norm", in_norm, 4, true},
                                      {"gate", gate, 4, true},
                                      {"diff_out", diff_out, bytes},
                                      {"image_scale", image_scale, 4, true},
                                      {"dst", dst, bytes},
                                      {"out_norm", out_norm, 4},
                                      {"out_gradient", out_gradient, 4},
                                      {"diff_weights", diff_weights, 4}}));
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    FW_TRY(check_workspace(kOperation, workspace, workspace_bytes, operations.fused_pointwise_workspace(*problem)));
    return operations.fused_pointwise_backward_weights(launcher, *problem, src, in_norm, gate, diff_out, image_scale,
                                                       dst, out_norm, out_gradient, diff_weights, workspace);
  });
}

fw_status fw_fused_pointwise_backward(fw_stream stream, const fw_fused_pointwise* problem, fw_address src,
                                      fw_address in_norm, fw_address gate, fw_address diff_out, fw_address image_scale,
                                      fw_address dst, fw_address out_norm, fw_address out_gradient, fw_address weights,
                                      fw_address addend, fw_address diff_src, fw_address diff_weights,
                                      fw_address workspace, int64_t workspace_bytes) {
  constexpr const char* kOperation = "fused pointwise backward";
  FW_TRY(check(kOperation, problem));
  const int bytes = dtype_bytes(problem->dtype);
  FW_TRY(check_addresses(kOperation, {{"src", src, bytes},
                                      {"in_norm", in_norm, 4, true},
                                      {"gate", gate, 4, true},
                                      {"diff_out", diff_out, bytes},
                                      {"image_scale", image_scale, 4, true},
                                      {"dst", dst, bytes},
                                      {"out_norm", out_norm, 4},
                                      {"out_gradient", out_gradient, 4},
                                      {"weights", weights, 4},
                                      {"addend", addend, bytes, true},
                                      {"diff_src", diff_src, bytes},
                                      {"diff_weights", diff_weights, 4}}));
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    FW_TRY(check_workspace(kOperation, workspace, workspace_bytes, operations.fused_pointwise_workspace(*problem)));
    return operations.fused_pointwise_backward(launcher, *problem, src, in_norm, gate, diff_out, image_scale, dst,
                                               out_norm, out_gradient, weights, addend, diff_src, diff_weights,
                                               workspace);
  });
}
