// SPDX-License-Identifier: Apache-2.0
#include "norm/normed_check.h"

using namespace fusewire;

fw_status fusewire::check_normed(const char* operation, const fw_normed* problem) {
  FW_TRY(check_not_null(operation, "problem", problem));
  FW_TRY(check_dtype(operation, "dtype", problem->dtype));
  FW_TRY(check_activation(operation, problem->activation));
  FW_TRY(check_sizes(operation, 1, {{"pixels", problem->pixels}, {"channels", problem->channels}}));
  return check_sizes(operation, 0,
                     {{"batch", problem->batch}, {"pixels", problem->pixels}, {"channels", problem->channels}});
}

fw_status fw_normed_workspace(fw_stream stream, const fw_normed* problem, int64_t* bytes) {
  constexpr const char* kOperation = "normed tensor workspace";
  FW_TRY(check_normed(kOperation, problem));
  return query(stream, kOperation, bytes,
               [&](const Operations& operations) { return operations.normed_workspace(*problem); });
}

fw_status fw_norm_gradient(fw_stream stream, const fw_normed* problem, fw_address src, fw_address norm, fw_address diff,
                           fw_address image_scale, fw_address diff_norm, fw_address diff_gamma, fw_address diff_beta,
                           fw_address gradient, fw_address workspace, int64_t workspace_bytes) {
  constexpr const char* kOperation = "norm gradient";
  FW_TRY(check_normed(kOperation, problem));
  const int size = dtype_bytes(problem->dtype);
  const bool empty = problem->batch == 0;
  FW_TRY(check_addresses(kOperation, {{"src", src, size, empty},
                                      {"norm", norm, 4},
                                      {"diff", diff, size, empty},
                                      {"image_scale", image_scale, 4, true},
                                      {"diff_norm", diff_norm, size, true},
                                      {"diff_gamma", diff_gamma, 4},
                                      {"diff_beta", diff_beta, 4},
                                      {"gradient", gradient, 4}}));
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    FW_TRY(check_workspace(kOperation, workspace, workspace_bytes, operations.normed_workspace(*problem)));
    return operations.norm_gradient(launcher, *problem, src, norm, diff, image_scale, diff_norm, diff_gamma, diff_beta,
                                    gradient, workspace);
  });
}
