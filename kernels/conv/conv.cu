// SPDX-License-Identifier: Apache-2.0
// Dense k x k convolution, NHWC, as implicit products (conv/patches.h gathers the left operand on load):
//   forward          dst (n*p*q, k)          = patches(src) * weights^T,      depth r*s*c
//   data gradient    diff_src (n*h*w, c)     = patches(diff_dst) * weights,   depth r*s*k
//   weight gradient  diff_weights (k, r*s*c) = diff_dst^T * patches(src),     summed over n*p*q
#include "conv/data_gradient.h"
#include "conv/shape.h"
#include "core/exec.h"
#include "core/operations.h"
#include "product/packed_weights.h"
#include "product/product.h"
#include "product/rows.h"
#include "product/weights_gradient.h"

namespace fusewire::FW_EXEC {

void add_fused_conv(Operations& table);

namespace {

int64_t conv_workspace(const fw_conv& c) {
  const Sizes sizes(c);
  return most_of_product_types(c.dtype, [&](auto t) {
    return product_workspace<decltype(t)>(
        sizes.out_rows, c.out_channels, sizes.forward_depth,
        {{sizes.forward_depth, c.out_channels}, {sizes.backward_depth, c.in_channels}});
  });
}

template <class T>
auto plain_patches(const fw_conv& c, const Sizes& sizes, fw_address src) {
  return source_patches<T>(c, sizes, PlainPixels<T>{reinterpret_cast<const T*>(src)}, src);
}

// The product with everything but the weights' packing.
// packed: the weights as pack_weights<T> left them; where products take them as they are, the layout finds them.
template <class T>
fw_status forward_product(const Launcher& launcher, const fw_conv& c, fw_address src, const WeightsLayout& layout,
                          fw_address packed, fw_address bias, fw_address residual, bool residual_first,
                          fw_address dst) {
  const Sizes sizes(c);
  const Epilogue<T> epilogue{reinterpret_cast<T*>(dst),
                             nullptr,
                             reinterpret_cast<const T*>(residual),
                             reinterpret_cast<const float*>(bias),
                             c.out_channels,
                             c.activation,
                             rows_aligned<T>(c.out_channels, bias | residual | dst),
                             {},
                             residual_first};
  return product<T>(launcher, plain_patches<T>(c, sizes, src), layout, packed, epilogue, sizes.out_rows,
                    sizes.forward_depth, c.out_channels);
}

fw_status conv_forward_packed(const Launcher& launcher, const fw_conv& c, fw_address src, fw_address packed,
                              fw_address bias, fw_address residual, bool residual_first, fw_address dst) {
  const Sizes sizes(c);
  return with_product_type(launcher, c.dtype, [&](auto t) {
    using T = decltype(t);
    return forward_product<T>(launcher, c, src, forward_layout(sizes, packed),
                              packed_for<T>(packed, sizes.forward_depth, c.out_channels), bias, residual,
                              residual_first, dst);
  });
}

int64_t conv_packed_bytes(const fw_conv& c) {
  return packed_weights_bytes(c.dtype, Sizes(c).forward_depth, c.out_channels);
}

fw_status conv_pack(const Launcher& launcher, const fw_conv& c, fw_address weights, fw_address packed) {
  const Sizes sizes(c);
  return pack_for_ever(launcher, c.dtype, forward_layout(sizes, weights), sizes.forward_depth, c.out_channels, packed);
}

fw_status conv_forward(const Launcher& launcher, const fw_conv& c, fw_address src, fw_address weights, fw_address bias,
                       fw_address dst, fw_address workspace) {
  const Sizes sizes(c);
  const WeightsLayout layout = forward_layout(sizes, weights);
  return with_product_type(launcher, c.dtype, [&](auto t) {
    using T = decltype(t);
    FW_TRY(pack_weights<T>(launcher, layout, sizes.forward_depth, c.out_channels, workspace));
    return forward_product<T>(launcher, c, src, layout, workspace, bias, 0, false, dst);
  });
}

fw_status conv_backward_data(const Launcher& launcher, const fw_conv& c, fw_address diff_dst, fw_address weights,
                             fw_address diff_src, fw_address workspace) {
  return with_product_type(launcher, c.dtype, [&](auto t) {
    using T = decltype(t);
    return data_gradient<T>(launcher, c, PlainPixels<T>{reinterpret_cast<const T*>(diff_dst)}, diff_dst, weights, 0,
                            diff_src, workspace);
  });
}

fw_status conv_backward_weights(const Launcher& launcher, const fw_conv& c, fw_address src, fw_address diff_dst,
                                fw_address diff_weights, fw_address diff_bias, fw_address workspace) {
  const Sizes sizes(c);
  return with_product_type(launcher, c.dtype, [&](auto t) {
    using T = decltype(t);
    const Rows<T> left{reinterpret_cast<const T*>(diff_dst), nullptr, c.out_channels, FW_IDENTITY,
                       rows_aligned<T>(c.out_channels, diff_dst)};
    return weights_gradient<T>(launcher, left, plain_patches<T>(c, sizes, src), sizes.out_rows, c.out_channels,
                               sizes.forward_depth, diff_weights, diff_bias, workspace);
  });
}

}  // namespace

void add_conv(Operations& table) {
  table.conv_workspace = conv_workspace;
  table.conv_packed_bytes = conv_packed_bytes;
  table.conv_pack = conv_pack;
  table.conv_forward_packed = conv_forward_packed;
  table.conv_forward = conv_forward;
  table.conv_backward_data = conv_backward_data;
  table.conv_backward_weights = conv_backward_weights;
  add_fused_conv(table);
}

}  // namespace fusewire::FW_EXEC
