// SPDX-License-Identifier: Apache-2.0
#include "fusewire/fused.h"
#include "squeeze_excite/squeeze_excite_check.h"

using namespace fusewire;

namespace {

fw_status check_problem(const char* operation, const fw_fused_squeeze_excite* problem) {
  FW_TRY(check_not_null(operation, "problem", problem));
  FW_TRY(check_squeeze_excite(operation, &problem->block));
  return check_range(operation, "in_activation", problem->in_activation, FW_IDENTITY, FW_RELU6);
}

}  // namespace

fw_status fw_fused_squeeze_excite_workspace(fw_stream stream, const fw_fused_squeeze_excite* problem, int64_t* bytes) {
  constexpr const char* kOperation = "fused squeeze-excite workspace";
  FW_TRY(check_problem(kOperation, problem));
  return query(stream, kOperation, bytes,
               [&](const Operations& operations) { return operations.fused_squeeze_excite_workspace(*problem); });
}

fw_status fw_fused_squeeze_excite_forward(fw_stream stream, const fw_fused_squeeze_excite* problem, fw_address src,
                                          fw_address in_norm, fw_address reduce_weights, fw_address reduce_bias,
                                          fw_address expand_weights, fw_address expand_bias, fw_address pooled,
                                          fw_address hidden, fw_address gate, fw_address workspace,
                                          int64_t workspace_bytes) {
  constexpr const char* kOperation = "fused squeeze-excite forward";
  FW_TRY(check_problem(kOperation, problem));
  const bool empty = problem->block.batch == 0;
  FW_TRY(check_addresses(kOperation, {{"src", src, dtype_bytes(problem->block.dtype), empty},
                                      {"in_norm", in_norm, 4, true},
                                      {"reduce_weights", reduce_weights, 4, empty},
                                      {"reduce_bias", reduce_bias, 4, empty},
                                      {"expand_weights", expand_weights, 4, empty},
                                      {"expand_bias", expand_bias, 4, empty},
                                      {"pooled", pooled, 4, empty},
                                      {"hidden", hidden, 4, empty},
                                      {"gate", gate, 4, empty}}));
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    if (empty) {
      return FW_OK;
    }
    FW_TRY(
        check_workspace(kOperation, workspace, workspace_bytes, operations.fused_squeeze_excite_workspace(*problem)));
    return operations.fused_squeeze_excite_forward(launcher, *problem, src, in_norm, reduce_weights, reduce_bias,
                                                   expand_weights, expand_bias, pooled, hidden, gate, workspace);
  });
}

fw_status fw_fused_squeeze_excite_backward(fw_stream stream, const fw_fused_squeeze_excite* problem, fw_address src,
                                           fw_address in_norm, fw_address diff, fw_address reduce_weights,
                                           fw_address expand_weights, fw_address pooled, fw_address hidden,
                                           fw_address gate, fw_address pool_gradient, fw_address diff_reduce_weights,
                                           fw_address diff_reduce_bias, fw_address diff_expand_weights,
                                           fw_address diff_expand_bias, fw_address diff_gamma, fw_address diff_beta,
                                           fw_address in_gradient, fw_address workspace, int64_t workspace_bytes) {
  constexpr const char* kOperation = "fused squeeze-excite backward";
  FW_TRY(check_problem(kOperation, problem));
  const int size = dtype_bytes(problem->block.dtype);
  const bool empty = problem->block.batch == 0;
  FW_TRY(check_addresses(kOperation, {{"src", src, size, empty},
                                      {"in_norm", in_norm, 4},
                                      {"diff", diff, size, empty},
                                      {"reduce_weights", reduce_weights, 4, empty},
                                      {"expand_weights", expand_weights, 4, empty},
                                      {"pooled", pooled, 4, empty},
                                      {"hidden", hidden, 4, empty},
                                      {"gate", gate, 4, empty},
                                      {"pool_gradient", pool_gradient, 4, empty},
                                      {"diff_reduce_weights", diff_reduce_weights, 4},
                                      {"diff_reduce_bias", diff_reduce_bias, 4},
                                      {"diff_expand_weights", diff_expand_weights, 4},
                                      {"diff_expand_bias", diff_expand_bias, 4},
                                      {"diff_gamma", diff_gamma, 4},
                                      {"diff_beta", diff_beta, 4},
                                      {"in_gradient", in_gradient, 4}}));
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    FW_TRY(
        check_workspace(kOperation, workspace, workspace_bytes, operations.fused_squeeze_excite_workspace(*problem)));
    return operations.fused_squeeze_excite_backward(launcher, *problem, src, in_norm, diff, reduce_weights,
                                                    expand_weights, pooled, hidden, gate, pool_gradient,
                                                    diff_reduce_weights, diff_reduce_bias, diff_expand_weights,
                                                    diff_expand_bias, diff_gamma, diff_beta, in_gradient, workspace);
  });
}
