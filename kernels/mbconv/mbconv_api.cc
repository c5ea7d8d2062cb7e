// SPDX-License-Identifier: Apache-2.0
#include "depthwise/depthwise_api.h"
#include "squeeze_excite/squeeze_excite_check.h"

using namespace fusewire;

namespace {

fw_status check(const char* operation, const fw_squeezed_depthwise* p) {
  FW_TRY(check_not_null(operation, "problem", p));
  FW_TRY(check_depthwise(operation, &p->conv));
  FW_TRY(check_activation(operation, p->expand_activation));
  FW_TRY(check_range(operation, "expand_from", p->expand_from, 0, 1 << 24));
  if (p->expand_from == 0) {
    return FW_OK;
  }
  const fw_conv& c = p->conv;
  FW_TRY(check_range(operation, "channels", c.in_channels, 1, 1 << 24));
  FW_TRY(check_sizes(operation, 1, {{"channels", c.in_channels}, {"expand_from", p->expand_from}}));
  FW_TRY(check_sizes(
      operation, 0,
      {{"batch", c.batch}, {"in_height", c.in_height}, {"in_width", c.in_width}, {"expand_from", p->expand_from}}));
  const bool square = c.kernel_height == c.kernel_width && c.stride_height == c.stride_width;
  const bool kernel = c.kernel_height == 3 || c.kernel_height == 5 || c.kernel_height == 7;
  if (!square || !kernel || c.stride_height > 2 || c.dilation_height != 1 || c.dilation_width != 1) {
    return fail(FW_UNSUPPORTED,
                "%s: a %lldx%lld kernel, stride %lldx%lld, dilation %lldx%lld; an expansion is made on chip for 3x3, "
                "5x5 and 7x7, stride 1 or 2 and no dilation",
                operation, (long long)c.kernel_height, (long long)c.kernel_width, (long long)c.stride_height,
                (long long)c.stride_width, (long long)c.dilation_height, (long long)c.dilation_width);
  }
  return FW_OK;
}

fw_status check(const char* operation, const fw_gated_pointwise* p) {
  FW_TRY(check_not_null(operation, "problem", p));
  FW_TRY(check_dtype(operation, "dtype", p->dtype));
  FW_TRY(check_activation(operation, p->activation));
  FW_TRY(check_range(operation, "in_channels", p->in_channels, 1, 1 << 24));
  FW_TRY(check_range(operation, "out_channels", p->out_channels, 1, 1 << 24));
  FW_TRY(check_sizes(operation, 0, {{"batch", p->batch}, {"pixels", p->pixels}, {"in_channels", p->in_channels}}));
  FW_TRY(check_sizes(operation, 0, {{"batch", p->batch}, {"pixels", p->pixels}, {"out_channels", p->out_channels}}));
  return check_sizes(operation, 1, {{"in_channels", p->in_channels}, {"out_channels", p->out_channels}});
}

}  // namespace

fw_status fw_squeezed_depthwise_chunks(fw_stream stream, const fw_squeezed_depthwise* problem, int64_t* chunks) {
  constexpr const char* kOperation = "squeezed depthwise chunks";
  FW_TRY(check(kOperation, problem));
  return query(stream, kOperation, chunks,
               [&](const Operations& operations) { return operations.squeezed_depthwise_chunks(*problem); });
}

fw_status fw_squeezed_depthwise_forward(fw_stream stream, const fw_squeezed_depthwise* problem, fw_address src,
                                        fw_address expand_weights, fw_address expand_bias, fw_address weights,
                                        fw_address bias, fw_address dst, fw_address sums) {
  constexpr const char* kOperation = "squeezed depthwise forward";
  FW_TRY(check(kOperation, problem));
  if (problem->conv.batch == 0) {
    return FW_OK;
  }
  const bool plain = problem->expand_from == 0;
  if (plain && (expand_weights != 0 || expand_bias != 0)) {
    return fail(FW_INVALID_ARGUMENT, "%s: expand_from is 0, so expand_weights and expand_bias have to be 0 as well",
                kOperation);
  }
  const int bytes = dtype_bytes(problem->conv.dtype);
  FW_TRY(check_addresses(kOperation, {{"src", src, bytes},
                                      {"expand_weights", expand_weights, 16, plain},
                                      {"expand_bias", expand_bias, 4, plain},
                                      {"weights", weights, 4},
                                      {"bias", bias, 4},
                                      {"dst", dst, bytes},
                                      {"sums", sums, 4}}));
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    return operations.squeezed_depthwise_forward(launcher, *problem, src, expand_weights, expand_bias, weights, bias,
                                                 dst, sums);
  });
}

fw_status fw_squeezed_gate_forward(fw_stream stream, const fw_squeeze_excite* problem, fw_address sums, int64_t chunks,
                                   fw_address reduce_weights, fw_address reduce_bias, fw_address expand_weights,
                                   fw_address expand_bias, fw_address pooled, fw_address hidden, fw_address gate) {
  constexpr const char* kOperation = "squeezed gate forward";
  FW_TRY(check_squeeze_excite(kOperation, problem));
  FW_TRY(check_sizes(kOperation, 1, {{"chunks", chunks}, {"channels", problem->channels}}));
  if (problem->batch == 0) {
    return FW_OK;
  }
  FW_TRY(check_addresses(kOperation, {{"sums", sums, 4},
                                      {"reduce_weights", reduce_weights, 4},
                                      {"reduce_bias", reduce_bias, 4},
                                      {"expand_weights", expand_weights, 4},
                                      {"expand_bias", expand_bias, 4},
                                      {"pooled", pooled, 4},
                                      {"hidden", hidden, 4},
                                      {"gate", gate, 4}}));
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    return operations.squeezed_gate_forward(launcher, *problem, sums, chunks, reduce_weights, reduce_bias,
                                            expand_weights, expand_bias, pooled, hidden, gate);
  });
}

fw_status fw_gated_pointwise_forward(fw_stream stream, const fw_gated_pointwise* problem, fw_address src,
                                     fw_address gate, fw_address packed, fw_address bias, fw_address residual,
                                     fw_address dst) {
  constexpr const char* kOperation = "gated pointwise forward";
  FW_TRY(check(kOperation, problem));
  if (problem->batch == 0 || problem->pixels == 0) {
    return FW_OK;
  }
  const int bytes = dtype_bytes(problem->dtype);
  FW_TRY(check_addresses(kOperation, {{"src", src, bytes},
                                      {"gate", gate, 4, true},
                                      {"packed", packed, 16},
                                      {"bias", bias, 4, true},
                                      {"residual", residual, bytes, true},
                                      {"dst", dst, bytes}}));
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    return operations.gated_pointwise_forward(launcher, *problem, src, gate, packed, bias, residual, dst);
  });
}
