// SPDX-License-Identifier: Apache-2.0
#include "api/call.h"

using namespace fusewire;

namespace {

fw_status check_problem(const char* operation, const fw_residual* problem, fw_address step) {
  FW_TRY(check_not_null(operation, "problem", problem));
  FW_TRY(check_dtype(operation, "dtype", problem->dtype));
  FW_TRY(check_sizes(operation, 0, {{"batch", problem->batch}, {"elements", problem->elements}}));
  FW_TRY(check_fraction(operation, "drop_rate", problem->drop_rate, 0.0f, 1.0f));
  return check_addresses(operation, {{"step", step, 8, problem->drop_rate == 0.0f}});
}

bool empty(const fw_residual& problem) { return problem.batch == 0 || problem.elements == 0; }

}  // namespace

fw_status fw_residual_forward(fw_stream stream, const fw_residual* problem, fw_address step, fw_address branch,
                              fw_address skip, fw_address dst) {
  constexpr const char* kOperation = "residual forward";
  FW_TRY(check_problem(kOperation, problem, step));
  if (!empty(*problem)) {
    const int size = dtype_bytes(problem->dtype);
    FW_TRY(check_addresses(kOperation, {{"branch", branch, size}, {"skip", skip, size}, {"dst", dst, size}}));
  }
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    return empty(*problem) ? FW_OK : operations.residual_forward(launcher, *problem, step, branch, skip, dst);
  });
}

fw_status fw_residual_backward(fw_stream stream, const fw_residual* problem, fw_address step, fw_address diff_dst,
                               fw_address diff_branch) {
  constexpr const char* kOperation = "residual backward";
  FW_TRY(check_problem(kOperation, problem, step));
  if (!empty(*problem)) {
    const int size = dtype_bytes(problem->dtype);
    FW_TRY(check_addresses(kOperation, {{"diff_dst", diff_dst, size}, {"diff_branch", diff_branch, size}}));
  }
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    return empty(*problem) ? FW_OK : operations.residual_backward(launcher, *problem, step, diff_dst, diff_branch);
  });
}
