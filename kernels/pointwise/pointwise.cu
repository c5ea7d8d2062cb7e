// SPDX-License-Identifier: Apache-2.0
// Pointwise (1x1) convolution as a product, NHWC: dst (rows, out) = act(src (rows, in) * weights (out, in)^T + bias)
// + residual, and its gradients. The kernels are product/product.h and product/weights_gradient.h; here their operands
// are named. Bytes that must move: forward rows*(in+out), backward data rows*(in+out), backward weights rows*(in+out)
// elements, and the weights once.
#include "core/exec.h"
#include "core/operations.h"
#include "product/packed_weights.h"
#include "product/product.h"
#include "product/rows.h"
#include "product/weights_gradient.h"

namespace fusewire::FW_EXEC {

void add_fused_pointwise(Operations& table);

namespace {

// weights (out, in) seen as b (depth = in, columns = out) of the forward product.
WeightsLayout forward_layout(const fw_pointwise& p, fw_address weights) {
  return {reinterpret_cast<const float*>(weights), p.in_channels, 1};
}
// weights seen as b (depth = out, columns = in) of backward data.
WeightsLayout backward_layout(const fw_pointwise& p, fw_address weights) {
  return {reinterpret_cast<const float*>(weights), 1, p.in_channels};
}

int64_t pointwise_packed_bytes(const fw_pointwise& p) {
  return packed_weights_bytes(p.dtype, p.in_channels, p.out_channels);
}

int64_t pointwise_workspace(const fw_pointwise& p) {
  return most_of_product_types(p.dtype, [&](auto t) {
    return product_workspace<decltype(t)>(p.rows, p.out_channels, p.in_channels,
                                          {{p.in_channels, p.out_channels}, {p.out_channels, p.in_channels}});
  });
}

fw_status pointwise_pack(const Launcher& launcher, const fw_pointwise& p, fw_address weights, fw_address packed) {
  return pack_for_ever(launcher, p.dtype, forward_layout(p, weights), p.in_channels, p.out_channels, packed);
}

// The product with everything but the weights' packing.
template <class T>
fw_status rows_product(const Launcher& launcher, const Rows<T>& left, const WeightsLayout& layout, fw_address packed,
                       int64_t rows, int64_t depth, int64_t columns, int activation, fw_address bias,
                       fw_address residual, fw_address dst, fw_address raw, bool residual_first = false) {
  const bool aligned = rows_aligned<T>(columns, bias | residual | dst | raw);
  const Epilogue<T> epilogue{reinterpret_cast<T*>(dst),
                             reinterpret_cast<T*>(raw),
                             reinterpret_cast<const T*>(residual),
                             reinterpret_cast<const float*>(bias),
                             columns,
                             activation,
                             aligned,
                             {},
                             residual_first};
  return product<T>(launcher, left, layout, packed, epilogue, rows, depth, columns);
}

template <class T>
Rows<T> rows_of(fw_address src, fw_address raw, int64_t columns, int activation) {
  return {reinterpret_cast<const T*>(src), reinterpret_cast<const T*>(raw), columns, activation,
          rows_aligned<T>(columns, src | raw)};
}

fw_status pointwise_forward(const Launcher& launcher, const fw_pointwise& p, fw_address src, fw_address weights,
                            fw_address bias, fw_address residual, fw_address dst, fw_address raw,
                            fw_address workspace) {
  return with_product_type(launcher, p.dtype, [&](auto t) {
    using T = decltype(t);
    const WeightsLayout layout = forward_layout(p, weights);
    if (p.packed == 0) {
      FW_TRY(pack_weights<T>(launcher, layout, p.in_channels, p.out_channels, workspace));
    }
    return rows_product<T>(launcher, rows_of<T>(src, 0, p.in_channels, FW_IDENTITY), layout,
                           p.packed == 0 ? workspace : packed_for<T>(weights, p.in_channels, p.out_channels), p.rows,
                           p.in_channels, p.out_channels, p.activation, bias, residual, dst, raw,
                           p.residual_first != 0);
  });
}

fw_status pointwise_backward_data(const Launcher& launcher, const fw_pointwise& p, fw_address diff_dst,
                                  fw_address weights, fw_address raw, fw_address addend, fw_address diff_src,
                                  fw_address workspace) {
  return with_product_type(launcher, p.dtype, [&](auto t) {
    using T = decltype(t);
    const WeightsLayout layout = backward_layout(p, weights);
    FW_TRY(pack_weights<T>(launcher, layout, p.out_channels, p.in_channels, workspace));
    return rows_product<T>(launcher, rows_of<T>(diff_dst, raw, p.out_channels, p.activation), layout, workspace, p.rows,
                           p.out_channels, p.in_channels, FW_IDENTITY, 0, addend, diff_src, 0);
  });
}

fw_status pointwise_backward_weights(const Launcher& launcher, const fw_pointwise& p, fw_address src,
                                     fw_address diff_dst, fw_address raw, fw_address diff_weights, fw_address diff_bias,
                                     fw_address workspace) {
  return with_product_type(launcher, p.dtype, [&](auto t) {
    using T = decltype(t);
    return weights_gradient<T>(launcher, rows_of<T>(diff_dst, raw, p.out_channels, p.activation),
                               rows_of<T>(src, 0, p.in_channels, FW_IDENTITY), p.rows, p.out_channels, p.in_channels,
                               diff_weights, diff_bias, workspace);
  });
}

}  // namespace

void add_pointwise(Operations& table) {
  table.pointwise_workspace = pointwise_workspace;
  table.pointwise_packed_bytes = pointwise_packed_bytes;
  table.pointwise_pack = pointwise_pack;
  table.pointwise_forward = pointwise_forward;
  table.pointwise_backward_data = pointwise_backward_data;
  table.pointwise_backward_weights = pointwise_backward_weights;
  add_fused_pointwise(table);
}

}  // namespace fusewire::FW_EXEC
