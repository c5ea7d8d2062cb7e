// SPDX-License-Identifier: Apache-2.0
#include "api/call.h"

using namespace fusewire;

namespace {

fw_status check(const char* operation, const fw_pointwise* p) {
  FW_TRY(check_not_null(operation, "problem", p));
  FW_TRY(check_dtype(operation, "dtype", p->dtype));
  FW_TRY(check_activation(operation, p->activation));
  FW_TRY(check_range(operation, "in_channels", p->in_channels, 1, 1 << 24));
  FW_TRY(check_range(operation, "out_channels", p->out_channels, 1, 1 << 24));
  FW_TRY(check_range(operation, "packed", p->packed, 0, 1));
  FW_TRY(check_range(operation, "residual_first", p->residual_first, 0, 1));
  FW_TRY(check_sizes(operation, 0, {{"rows", p->rows}, {"in_channels", p->in_channels}}));
  FW_TRY(check_sizes(operation, 0, {{"rows", p->rows}, {"out_channels", p->out_channels}}));
  return check_sizes(operation, 1, {{"in_channels", p->in_channels}, {"out_channels", p->out_channels}});
}

}  // namespace

fw_status fw_pointwise_workspace(fw_stream stream, const fw_pointwise* problem, int64_t* bytes) {
  constexpr const char* kOperation = "pointwise workspace";
  FW_TRY(check(kOperation, problem));
  return query(stream, kOperation, bytes,
               [&](const Operations& operations) { return operations.pointwise_workspace(*problem); });
}

fw_status fw_pointwise_packed_bytes(fw_stream stream, const fw_pointwise* problem, int64_t* bytes) {
  constexpr const char* kOperation = "pointwise packed bytes";
  FW_TRY(check(kOperation, problem));
  return query(stream, kOperation, bytes,
               [&](const Operations& operations) { return operations.pointwise_packed_bytes(*problem); });
}

fw_status fw_pointwise_pack(fw_stream stream, const fw_pointwise* problem, fw_address weights, fw_address packed) {
  constexpr const char* kOperation = "pointwise pack";
  FW_TRY(check(kOperation, problem));
  FW_TRY(check_addresses(kOperation, {{"weights", weights, 4}, {"packed", packed, 16}}));
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    return operations.pointwise_pack(launcher, *problem, weights, packed);
  });
}

fw_status fw_pointwise_forward(fw_stream stream, const fw_pointwise* problem, fw_address src, fw_address weights,
                               fw_address bias, fw_address residual, fw_address dst, fw_address raw,
                               fw_address workspace, int64_t workspace_bytes) {
  constexpr const char* kOperation = "pointwise forward";
  FW_TRY(check(kOperation, problem));
  if (problem->rows == 0) {
    return FW_OK;
  }
  const int bytes = dtype_bytes(problem->dtype);
  FW_TRY(check_addresses(kOperation, {{"src", src, bytes},
                                      {"weights", weights, problem->packed != 0 ? 16 : 4},
                                      {"bias", bias, 4, true},
                                      {"residual", residual, bytes, true},
                                      {"dst", dst, bytes},
                                      {"raw", raw, bytes, true}}));
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    if (problem->packed == 0) {
      FW_TRY(check_workspace(kOperation, workspace, workspace_bytes, operations.pointwise_workspace(*problem)));
    }
    return operations.pointwise_forward(launcher, *problem, src, weights, bias, residual, dst, raw, workspace);
  });
}

fw_status fw_pointwise_backward_data(fw_stream stream, const fw_pointwise* problem, fw_address diff_dst,
                                     fw_address weights, fw_address raw, fw_address addend, fw_address diff_src,
                                     fw_address workspace, int64_t workspace_bytes) {
  constexpr const char* kOperation = "pointwise backward data";
  FW_TRY(check(kOperation, problem));
  if (problem->rows == 0) {
    return FW_OK;
  }
  const int bytes = dtype_bytes(problem->dtype);
  FW_TRY(check_addresses(kOperation, {{"diff_dst", diff_dst, bytes},
                                      {"weights", weights, 4},
                                      {"raw", raw, bytes, true},
                                      {"addend", addend, bytes, true},
                                      {"diff_src", diff_src, bytes}}));
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    FW_TRY(check_workspace(kOperation, workspace, workspace_bytes, operations.pointwise_workspace(*problem)));
    return operations.pointwise_backward_data(launcher, *problem, diff_dst, weights, raw, addend, diff_src, workspace);
  });
}

fw_status fw_pointwise_backward_weights(fw_stream stream, const fw_pointwise* problem, fw_address src,
                                        fw_address diff_dst, fw_address raw, fw_address diff_weights,
                                        fw_address diff_bias, fw_address workspace, int64_t workspace_bytes) {
  constexpr const char* kOperation = "pointwise backward weights";
  FW_TRY(check(kOperation, problem));
  const int bytes = dtype_bytes(problem->dtype);
  const bool empty = problem->rows == 0;  // then the gradients are 0 and the activations may be absent
  FW_TRY(check_addresses(kOperation, {{"src", src, bytes, empty},
                                      {"diff_dst", diff_dst, bytes, empty},
                                      {"raw", raw, bytes, true},
                                      {"diff_weights", diff_weights, 4},
                                      {"diff_bias", diff_bias, 4, true}}));
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    FW_TRY(check_workspace(kOperation, workspace, workspace_bytes, operations.pointwise_workspace(*problem)));
    return operations.pointwise_backward_weights(launcher, *problem, src, diff_dst, raw, diff_weights, diff_bias,
                                                 workspace);
  });
}
