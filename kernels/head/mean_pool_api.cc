// SPDX-License-Identifier: Apache-2.0
#include "api/call.h"

using namespace fusewire;

namespace {

fw_status check_problem(const char* operation, const fw_mean_pool* problem) {
  FW_TRY(check_not_null(operation, "problem", problem));
  FW_TRY(check_dtype(operation, "dtype", problem->dtype));
  FW_TRY(check_sizes(operation, 1, {{"pixels", problem->pixels}, {"channels", problem->channels}}));
  return check_sizes(operation, 0,
                     {{"batch", problem->batch}, {"pixels", problem->pixels}, {"channels", problem->channels}});
}

}  // namespace

fw_status fw_mean_pool_workspace(fw_stream stream, const fw_mean_pool* problem, int64_t* bytes) {
  constexpr const char* kOperation = "mean pool workspace";
  FW_TRY(check_problem(kOperation, problem));
  return query(stream, kOperation, bytes,
               [&](const Operations& operations) { return operations.mean_pool_workspace(*problem); });
}

fw_status fw_mean_pool_forward(fw_stream stream, const fw_mean_pool* problem, fw_address src, fw_address dst,
                               fw_address workspace, int64_t workspace_bytes) {
  constexpr const char* kOperation = "mean pool forward";
  FW_TRY(check_problem(kOperation, problem));
  if (problem->batch > 0) {
    FW_TRY(check_addresses(kOperation, {{"src", src, dtype_bytes(problem->dtype)}, {"dst", dst, 4}}));
  }
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    FW_TRY(check_workspace(kOperation, workspace, workspace_bytes, operations.mean_pool_workspace(*problem)));
    return problem->batch == 0 ? FW_OK : operations.mean_pool_forward(launcher, *problem, src, dst, workspace);
  });
}

fw_status fw_mean_pool_backward(fw_stream stream, const fw_mean_pool* problem, fw_address diff_dst,
                                fw_address diff_src) {
  constexpr const char* kOperation = "mean pool backward";
  FW_TRY(check_problem(kOperation, problem));
  if (problem->batch > 0) {
    FW_TRY(
        check_addresses(kOperation, {{"diff_dst", diff_dst, 4}, {"diff_src", diff_src, dtype_bytes(problem->dtype)}}));
  }
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    return problem->batch == 0 ? FW_OK : operations.mean_pool_backward(launcher, *problem, diff_dst, diff_src);
  });
}
