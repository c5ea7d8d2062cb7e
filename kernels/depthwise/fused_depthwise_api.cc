// SPDX-License-Identifier: Apache-2.0
#include "depthwise/depthwise_api.h"
#include "fusewire/fused.h"

using namespace fusewire;

namespace {

fw_status check_problem(const char* operation, const fw_fused_depthwise* problem) {
  FW_TRY(check_not_null(operation, "problem", problem));
  const fw_conv& conv = problem->conv;
  FW_TRY(check_depthwise(operation, &conv));
  FW_TRY(check_activation(operation, problem->out_activation));
  FW_TRY(check_fraction(operation, "epsilon", problem->epsilon, 0.0f, 1.0f));
  if (!(problem->momentum >= 0.0f && problem->momentum <= 1.0f)) {
    return fail(FW_INVALID_ARGUMENT, "%s: momentum is %g; 0 to 1 fits", operation, double(problem->momentum));
  }
  int64_t out_height = 0;
  int64_t out_width = 0;
  FW_TRY(check_conv(operation, &conv, &out_height, &out_width));
  const int64_t rows = conv.batch * out_height * out_width;
  if (rows < 2) {
    return fail(FW_INVALID_ARGUMENT,
                "%s: the result has %lld pixels per channel; at least 2 fit, since one value has no variance",
                operation, static_cast<long long>(rows));
  }
  return FW_OK;
}

}  // namespace

fw_status fw_fused_depthwise_workspace(fw_stream stream, const fw_fused_depthwise* problem, int64_t* bytes) {
  constexpr const char* kOperation = "fused depthwise workspace";
  FW_TRY(check_problem(kOperation, problem));
  return query(stream, kOperation, bytes,
               [&](const Operations& operations) { return operations.fused_depthwise_workspace(*problem); });
}

fw_status fw_fused_depthwise_forward(fw_stream stream, const fw_fused_depthwise* problem, fw_address src,
                                     fw_address in_norm, fw_address weights, fw_address gamma, fw_address beta,
                                     fw_address running_mean, fw_address running_var, fw_address dst,
                                     fw_address out_norm, fw_address workspace, int64_t workspace_bytes) {
  constexpr const char* kOperation = "fused depthwise forward";
  FW_TRY(check_problem(kOperation, problem));
  const int size = dtype_bytes(problem->conv.dtype);
  FW_TRY(check_addresses(kOperation, {{"src", src, size},
                                      {"in_norm", in_norm, 4, true},
                                      {"weights", weights, 4},
                                      {"gamma", gamma, 4},
                                      {"beta", beta, 4},
                                      {"running_mean", running_mean, 4, true},
                                      {"running_var", running_var, 4, true},
                                      {"dst", dst, size},
                                      {"out_norm", out_norm, 4}}));
  if ((running_mean == 0) != (running_var == 0)) {
    return fail(FW_INVALID_ARGUMENT, "%s: of running_mean and running_var only one is given; both or none fits",
                kOperation);
  }
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    FW_TRY(check_workspace(kOperation, workspace, workspace_bytes, operations.fused_depthwise_workspace(*problem)));
    return operations.fused_depthwise_forward(launcher, *problem, src, in_norm, weights, gamma, beta, running_mean,
                                              running_var, dst, out_norm, workspace);
  });
}

fw_status fw_fused_depthwise_backward(fw_stream stream, const fw_fused_depthwise* problem, fw_address src,
                                      fw_address in_norm, fw_address weights, fw_address dst, fw_address out_norm,
                                      fw_address out_gradient, fw_address diff, fw_address gate,
                                      fw_address pool_gradient, fw_address diff_src, fw_address diff_weights,
                                      fw_address diff_gamma, fw_address diff_beta, fw_address in_gradient,
                                      fw_address workspace, int64_t workspace_bytes) {
  constexpr const char* kOperation = "fused depthwise backward";
  FW_TRY(check_problem(kOperation, problem));
  const int size = dtype_bytes(problem->conv.dtype);
  const bool normed = in_norm != 0;
  FW_TRY(check_addresses(kOperation, {{"src", src, size},
                                      {"in_norm", in_norm, 4, true},
                                      {"weights", weights, 4},
                                      {"dst", dst, size},
                                      {"out_norm", out_norm, 4},
                                      {"out_gradient", out_gradient, 4},
                                      {"diff", diff, size},
                                      {"gate", gate, 4, true},
                                      {"pool_gradient", pool_gradient, 4, true},
                                      {"diff_src", diff_src, size},
                                      {"diff_weights", diff_weights, 4},
                                      {"diff_gamma", diff_gamma, 4, !normed},
                                      {"diff_beta", diff_beta, 4, !normed},
                                      {"in_gradient", in_gradient, 4, !normed}}));
  if ((gate == 0) != (pool_gradient == 0)) {
    return fail(FW_INVALID_ARGUMENT, "%s: of gate and pool_gradient only one is given; both or none fits", kOperation);
  }
  if (!normed && problem->conv.activation != FW_IDENTITY) {
    return fail(FW_INVALID_ARGUMENT, "%s: conv.activation is %d; without in_norm only the identity (%d) fits",
                kOperation, int(problem->conv.activation), int(FW_IDENTITY));
  }
  if (!normed && (diff_gamma != 0 || diff_beta != 0 || in_gradient != 0)) {
    return fail(FW_INVALID_ARGUMENT, "%s: without in_norm there is no diff_gamma, diff_beta or in_gradient; 0 fits",
                kOperation);
  }
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    FW_TRY(check_workspace(kOperation, workspace, workspace_bytes, operations.fused_depthwise_workspace(*problem)));
    return operations.fused_depthwise_backward(launcher, *problem, src, in_norm, weights, dst, out_norm, out_gradient,
                                               diff, gate, pool_gradient, diff_src, diff_weights, diff_gamma, diff_beta,
                                               in_gradient, workspace);
  });
}
