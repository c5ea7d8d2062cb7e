// SPDX-License-Identifier: Apache-2.0
// Entry points of the inference operations of an inverted residual block: depthwise convolution with the squeeze in its
// epilogue, with or without the expansion before it in the same kernel; the gate from the squeeze's sums; the
// projection with the gate on load and the residual in its epilogue.
#include "mbconv/mbconv.h"

#include "core/operations.h"
#include "product/normed_rows.h"
#include "product/packed_weights.h"
#include "product/product.h"
#include "squeeze_excite/squeeze_excite.h"

namespace fusewire::FW_EXEC {
namespace {

int64_t chunks(const fw_squeezed_depthwise& p) {
  const DepthwiseShape shape = depthwise_shape(p.conv);
  return p.expand_from > 0 ? expanded_depthwise_chunks(shape) : correlation_chunks(shape, p.conv.dtype);
}

fw_status depthwise(const Launcher& launcher, const fw_squeezed_depthwise& p, fw_address src, fw_address expand_weights,
                    fw_address expand_bias, fw_address weights, fw_address bias, fw_address dst, fw_address sums) {
  const DepthwiseShape shape = depthwise_shape(p.conv);
  if (p.expand_from > 0) {
    return expanded_depthwise(launcher, p.conv.dtype,
                              {shape, p.expand_from, p.expand_activation, p.conv.activation, src, expand_weights,
                               expand_bias, weights, bias, dst, sums});
  }
  Correlation problem;
  problem.shape = shape;
  problem.activation = p.conv.activation;
  problem.flipped = false;
  problem.src = reinterpret_cast<const void*>(src);
  problem.weights = reinterpret_cast<const float*>(weights);
  problem.bias = reinterpret_cast<const float*>(bias);
  problem.dst = reinterpret_cast<void*>(dst);
  problem.sums = reinterpret_cast<float*>(sums);
  return depthwise_correlate(launcher, p.conv.dtype, problem);
}

fw_status gate_from_sums(const Launcher& launcher, const fw_squeeze_excite& p, fw_address sums, int64_t chunks,
                         fw_address reduce_weights, fw_address reduce_bias, fw_address expand_weights,
                         fw_address expand_bias, fw_address pooled, fw_address hidden, fw_address gate) {
  return excite_gate_forward(launcher, p, {reinterpret_cast<const float*>(sums), chunks, p.channels},
                             {reduce_weights, reduce_bias, expand_weights, expand_bias, pooled, hidden, gate});
}

fw_status project(const Launcher& launcher, const fw_gated_pointwise& p, fw_address src, fw_address gate,
                  fw_address packed, fw_address bias, fw_address residual, fw_address dst) {
  const int64_t rows = p.batch * p.pixels;
  return with_product_type(launcher, p.dtype, [&](auto t) {
    using T = decltype(t);
    const NormedRows<T> left{reinterpret_cast<const T*>(src),
                             {nullptr, p.in_channels, FW_IDENTITY},
                             reinterpret_cast<const float*>(gate),
                             p.pixels,
                             p.in_channels,
                             rows_aligned<T>(p.in_channels, src | gate)};
    const Epilogue<T> epilogue{reinterpret_cast<T*>(dst),
                               nullptr,
                               reinterpret_cast<const T*>(residual),
                               reinterpret_cast<const float*>(bias),
                               p.out_channels,
                               p.activation,
                               rows_aligned<T>(p.out_channels, bias | residual | dst)};
    return product<T>(launcher, left, {reinterpret_cast<const float*>(packed), p.in_channels, 1},
                      packed_for<T>(packed, p.in_channels, p.out_channels), epilogue, rows, p.in_channels,
                      p.out_channels);
  });
}

}  // namespace

void add_mbconv(Operations& table) {
  table.squeezed_depthwise_chunks = chunks;
  table.squeezed_depthwise_forward = depthwise;
  table.squeezed_gate_forward = gate_from_sums;
  table.gated_pointwise_forward = project;
}

}  // namespace fusewire::FW_EXEC
