// SPDX-License-Identifier: Apache-2.0
#include "squeeze_excite/squeeze_excite_check.h"

using namespace fusewire;

fw_status fusewire::check_squeeze_excite(const char* operation, const fw_squeeze_excite* problem) {
  FW_TRY(check_not_null(operation, "problem", problem));
  FW_TRY(check_dtype(operation, "dtype", problem->dtype));
  FW_TRY(check_activation(operation, problem->activation));
  FW_TRY(check_range(operation, "gate", problem->gate, FW_SIGMOID, FW_HARD_SIGMOID));
  FW_TRY(check_sizes(operation, 1, {{"pixels", problem->pixels}}));
  FW_TRY(check_sizes(operation, 1, {{"channels", problem->channels}, {"squeezed", problem->squeezed}}));
  constexpr int64_t kMostSqueezed = 8192;  // a block keeps them in shared memory
  FW_TRY(check_range(operation, "squeezed", problem->squeezed, 1, kMostSqueezed));
  return check_sizes(operation, 0,
                     {{"batch", problem->batch}, {"pixels", problem->pixels}, {"channels", problem->channels}});
}

fw_status fw_squeeze_excite_workspace(fw_stream stream, const fw_squeeze_excite* problem, int64_t* bytes) {
  constexpr const char* kOperation = "squeeze-excite workspace";
  FW_TRY(check_squeeze_excite(kOperation, problem));
  return query(stream, kOperation, bytes,
               [&](const Operations& operations) { return operations.squeeze_excite_workspace(*problem); });
}

fw_status fw_squeeze_excite_forward(fw_stream stream, const fw_squeeze_excite* problem, fw_address src,
                                    fw_address reduce_weights, fw_address reduce_bias, fw_address expand_weights,
                                    fw_address expand_bias, fw_address pooled, fw_address hidden, fw_address gate,
                                    fw_address dst, fw_address workspace, int64_t workspace_bytes) {
  constexpr const char* kOperation = "squeeze-excite forward";
  FW_TRY(check_squeeze_excite(kOperation, problem));
  if (problem->batch > 0) {
    const int size = dtype_bytes(problem->dtype);
    FW_TRY(check_addresses(kOperation, {{"src", src, size},
                                        {"reduce_weights", reduce_weights, 4},
                                        {"reduce_bias", reduce_bias, 4},
                                        {"expand_weights", expand_weights, 4},
                                        {"expand_bias", expand_bias, 4},
                                        {"pooled", pooled, 4},
                                        {"hidden", hidden, 4},
                                        {"gate", gate, 4},
                                        {"dst", dst, size}}));
  }
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    if (problem->batch == 0) {
      return FW_OK;
    }
    FW_TRY(check_workspace(kOperation, workspace, workspace_bytes, operations.squeeze_excite_workspace(*problem)));
    return operations.squeeze_excite_forward(launcher, *problem, src, reduce_weights, reduce_bias, expand_weights,
                                             expand_bias, pooled, hidden, gate, dst, workspace);
  });
}

fw_status fw_squeeze_excite_backward(fw_stream stream, const fw_squeeze_excite* problem, fw_address src,
                                     fw_address diff_dst, fw_address reduce_weights, fw_address expand_weights,
                                     fw_address pooled, fw_address hidden, fw_address gate, fw_address diff_src,
                                     fw_address diff_reduce_weights, fw_address diff_reduce_bias,
                                     fw_address diff_expand_weights, fw_address diff_expand_bias, fw_address workspace,
                                     int64_t workspace_bytes) {
  constexpr const char* kOperation = "squeeze-excite backward";
  FW_TRY(check_squeeze_excite(kOperation, problem));
  const int size = dtype_bytes(problem->dtype);
  const bool empty = problem->batch == 0;
  FW_TRY(check_addresses(kOperation, {{"src", src, size, empty},
                                      {"diff_dst", diff_dst, size, empty},
                                      {"reduce_weights", reduce_weights, 4, empty},
                                      {"expand_weights", expand_weights, 4, empty},
                                      {"pooled", pooled, 4, empty},
                                      {"hidden", hidden, 4, empty},
                                      {"gate", gate, 4, empty},
                                      {"diff_src", diff_src, size, empty},
                                      {"diff_reduce_weights", diff_reduce_weights, 4},
                                      {"diff_reduce_bias", diff_reduce_bias, 4},
                                      {"diff_expand_weights", diff_expand_weights, 4},
                                      {"diff_expand_bias", diff_expand_bias, 4}}));
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    FW_TRY(check_workspace(kOperation, workspace, workspace_bytes, operations.squeeze_excite_workspace(*problem)));
    return operations.squeeze_excite_backward(launcher, *problem, src, diff_dst, reduce_weights, expand_weights, pooled,
                                              hidden, gate, diff_src, diff_reduce_weights, diff_reduce_bias,
                                              diff_expand_weights, diff_expand_bias, workspace);
  });
}
