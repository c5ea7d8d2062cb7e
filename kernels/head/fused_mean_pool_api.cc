// SPDX-License-Identifier: Apache-2.0
#include "norm/normed_check.h"

using namespace fusewire;

fw_status fw_fused_mean_pool_forward(fw_stream stream, const fw_normed* problem, fw_address src, fw_address norm,
                                     fw_address pooled, fw_address workspace, int64_t workspace_bytes) {
  constexpr const char* kOperation = "fused mean pool forward";
  FW_TRY(check_normed(kOperation, problem));
  const bool empty = problem->batch == 0;
  FW_TRY(check_addresses(
      kOperation,
      {{"src", src, dtype_bytes(problem->dtype), empty}, {"norm", norm, 4, true}, {"pooled", pooled, 4, empty}}));
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    if (empty) {
      return FW_OK;
    }
    FW_TRY(check_workspace(kOperation, workspace, workspace_bytes, operations.normed_workspace(*problem)));
    return operations.fused_mean_pool_forward(launcher, *problem, src, norm, pooled, workspace);
  });
}

fw_status fw_fused_mean_pool_backward(fw_stream stream, const fw_normed* problem, fw_address src, fw_address norm,
                                      fw_address diff_pooled, fw_address diff_src, fw_address diff_gamma,
                                      fw_address diff_beta, fw_address gradient, fw_address workspace,
                                      int64_t workspace_bytes) {
  constexpr const char* kOperation = "fused mean pool backward";
  FW_TRY(check_normed(kOperation, problem));
  const int size = dtype_bytes(problem->dtype);
  const bool empty = problem->batch == 0;
  FW_TRY(check_addresses(kOperation, {{"src", src, size, empty},
                                      {"norm", norm, 4},
                                      {"diff_pooled", diff_pooled, 4, empty},
                                      {"diff_src", diff_src, size, empty},
                                      {"diff_gamma", diff_gamma, 4},
                                      {"diff_beta", diff_beta, 4},
                                      {"gradient", gradient, 4}}));
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    FW_TRY(check_workspace(kOperation, workspace, workspace_bytes, operations.normed_workspace(*problem)));
    return operations.fused_mean_pool_backward(launcher, *problem, src, norm, diff_pooled, diff_src, diff_gamma,
                                               diff_beta, gradient, workspace);
  });
}
