// SPDX-License-Identifier: Apache-2.0
#include "api/call.h"

using namespace fusewire;

namespace {

fw_status check_problem(const char* operation, const fw_batchnorm* problem, int64_t least_rows) {
  FW_TRY(check_not_null(operation, "problem", problem));
  FW_TRY(check_dtype(operation, "dtype", problem->dtype));
  FW_TRY(check_activation(operation, problem->activation));
  if (problem->rows < least_rows) {
    return fail(FW_INVALID_ARGUMENT, "%s: rows is %lld; at least %lld fits%s", operation,
                static_cast<long long>(problem->rows), static_cast<long long>(least_rows),
                least_rows > 1 ? ", since one value has no variance" : "");
  }
  FW_TRY(check_sizes(operation, 1, {{"channels", problem->channels}}));
  FW_TRY(check_sizes(operation, 0, {{"rows", problem->rows}, {"channels", problem->channels}}));
  FW_TRY(check_fraction(operation, "epsilon", problem->epsilon, 0.0f, 1.0f));
  if (!(problem->momentum >= 0.0f && problem->momentum <= 1.0f)) {
    return fail(FW_INVALID_ARGUMENT, "%s: momentum is %g; 0 to 1 fits", operation, double(problem->momentum));
  }
  return FW_OK;
}

}  // namespace

fw_status fw_batchnorm_workspace(fw_stream stream, const fw_batchnorm* problem, int64_t* bytes) {
  constexpr const char* kOperation = "batchnorm workspace";
  FW_TRY(check_problem(kOperation, problem, 0));
  return query(stream, kOperation, bytes,
               [&](const Operations& operations) { return operations.batchnorm_workspace(*problem); });
}

fw_status fw_batchnorm_forward_training(fw_stream stream, const fw_batchnorm* problem, fw_address src, fw_address gamma,
                                        fw_address beta, fw_address running_mean, fw_address running_var,
                                        fw_address saved_mean, fw_address saved_inv_std, fw_address dst,
                                        fw_address workspace, int64_t workspace_bytes) {
  constexpr const char* kOperation = "batchnorm forward training";
  FW_TRY(check_problem(kOperation, problem, 2));
  const int size = dtype_bytes(problem->dtype);
  FW_TRY(check_addresses(kOperation, {{"src", src, size},
                                      {"gamma", gamma, 4},
                                      {"beta", beta, 4},
                                      {"running_mean", running_mean, 4, true},
                                      {"running_var", running_var, 4, true},
                                      {"saved_mean", saved_mean, 4},
                                      {"saved_inv_std", saved_inv_std, 4},
                                      {"dst", dst, size}}));
  if ((running_mean == 0) != (running_var == 0)) {
    return fail(FW_INVALID_ARGUMENT, "%s: of running_mean and running_var only one is given; both or none fits",
                kOperation);
  }
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    FW_TRY(check_workspace(kOperation, workspace, workspace_bytes, operations.batchnorm_workspace(*problem)));
    return operations.batchnorm_forward_training(launcher, *problem, src, gamma, beta, running_mean, running_var,
                                                 saved_mean, saved_inv_std, dst, workspace);
  });
}

fw_status fw_batchnorm_forward_inference(fw_stream stream, const fw_batchnorm* problem, fw_address src,
                                         fw_address gamma, fw_address beta, fw_address running_mean,
                                         fw_address running_var, fw_address dst) {
  constexpr const char* kOperation = "batchnorm forward inference";
  FW_TRY(check_problem(kOperation, problem, 0));
  if (problem->rows > 0) {
    const int size = dtype_bytes(problem->dtype);
    FW_TRY(check_addresses(kOperation, {{"src", src, size},
                                        {"gamma", gamma, 4},
                                        {"beta", beta, 4},
                                        {"running_mean", running_mean, 4},
                                        {"running_var", running_var, 4},
                                        {"dst", dst, size}}));
  }
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    return problem->rows == 0 ? FW_OK
                              : operations.batchnorm_forward_inference(launcher, *problem, src, gamma, beta,
                                                                       running_mean, running_var, dst);
  });
}

fw_status fw_batchnorm_backward(fw_stream stream, const fw_batchnorm* problem, fw_address src, fw_address diff_dst,
                                fw_address gamma, fw_address beta, fw_address saved_mean, fw_address saved_inv_std,
                                fw_address diff_src, fw_address diff_gamma, fw_address diff_beta, fw_address workspace,
                                int64_t workspace_bytes) {
  constexpr const char* kOperation = "batchnorm backward";
  FW_TRY(check_problem(kOperation, problem, 2));
  const int size = dtype_bytes(problem->dtype);
  FW_TRY(check_addresses(kOperation, {{"src", src, size},
                                      {"diff_dst", diff_dst, size},
                                      {"gamma", gamma, 4},
                                      {"beta", beta, 4},
                                      {"saved_mean", saved_mean, 4},
                                      {"saved_inv_std", saved_inv_std, 4},
                                      {"diff_src", diff_src, size},
                                      {"diff_gamma", diff_gamma, 4},
                                      {"diff_beta", diff_beta, 4}}));
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    FW_TRY(check_workspace(kOperation, workspace, workspace_bytes, operations.batchnorm_workspace(*problem)));
    return operations.batchnorm_backward(launcher, *problem, src, diff_dst, gamma, beta, saved_mean, saved_inv_std,
                                         diff_src, diff_gamma, diff_beta, workspace);
  });
}
