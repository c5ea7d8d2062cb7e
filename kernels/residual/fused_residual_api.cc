// SPDX-License-Identifier: Apache-2.0
#include "norm/normed_check.h"

using namespace fusewire;

fw_status fw_drop_connect_scales(fw_stream stream, const fw_residual* problem, fw_address step, fw_address scales) {
  constexpr const char* kOperation = "drop-connect scales";
  FW_TRY(check_not_null(kOperation, "problem", problem));
  FW_TRY(check_sizes(kOperation, 0, {{"batch", problem->batch}}));
  FW_TRY(check_fraction(kOperation, "drop_rate", problem->drop_rate, 0.0f, 1.0f));
  FW_TRY(check_addresses(kOperation,
                         {{"step", step, 8, problem->drop_rate == 0.0f}, {"scales", scales, 4, problem->batch == 0}}));
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    return problem->batch == 0 ? FW_OK : operations.drop_connect_scales(launcher, *problem, step, scales);
  });
}

namespace {

fw_status check_residual(const char* operation, const fw_fused_residual* problem) {
  FW_TRY(check_not_null(operation, "problem", problem));
  FW_TRY(check_normed(operation, &problem->branch));
  FW_TRY(check_activation(operation, problem->skip_activation));
  return check_activation(operation, problem->out_activation);
}

}  // namespace

fw_status fw_fused_residual_forward(fw_stream stream, const fw_fused_residual* problem, fw_address branch,
                                    fw_address norm, fw_address image_scale, fw_address skip, fw_address skip_norm,
                                    fw_address dst) {
  constexpr const char* kOperation = "fused residual forward";
  FW_TRY(check_residual(kOperation, problem));
  const int size = dtype_bytes(problem->branch.dtype);
  const bool empty = problem->branch.batch == 0;
  FW_TRY(check_addresses(kOperation, {{"branch", branch, size, empty},
                                      {"norm", norm, 4, true},
                                      {"image_scale", image_scale, 4, true},
                                      {"skip", skip, size, empty},
                                      {"skip_norm", skip_norm, 4, true},
                                      {"dst", dst, size, empty}}));
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    return empty
               ? FW_OK
               : operations.fused_residual_forward(launcher, *problem, branch, norm, image_scale, skip, skip_norm, dst);
  });
}

fw_status fw_fused_residual_backward(fw_stream stream, const fw_fused_residual* problem, fw_address dst,
                                     fw_address diff_dst, fw_address diff_sum) {
  constexpr const char* kOperation = "fused residual backward";
  FW_TRY(check_residual(kOperation, problem));
  if (problem->out_activation == FW_SILU) {
    return fail(FW_UNSUPPORTED,
                "%s: out_activation is SiLU, whose derivative dst does not tell; identity, ReLU and ReLU6 fit",
                kOperation);
  }
  const int size = dtype_bytes(problem->branch.dtype);
  const bool empty = problem->branch.batch == 0;
  FW_TRY(check_addresses(
      kOperation,
      {{"dst", dst, size, empty}, {"diff_dst", diff_dst, size, empty}, {"diff_sum", diff_sum, size, empty}}));
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    return empty ? FW_OK : operations.fused_residual_backward(launcher, *problem, dst, diff_dst, diff_sum);
  });
}
