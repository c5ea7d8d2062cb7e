// SPDX-License-Identifier: Apache-2.0
// Dense convolution between two BatchNorms (fused.h), as conv.cu's implicit products: the source's norm and activation
// on load, the moments of the result in the epilogue; backward, the result's BatchNorm on load. Bytes that must move,
// in elements: forward in+out, backward data in+2*out, backward weights in+2*out, and the weights once; a GPU's L2
// cache has a pixel for its taps.
#include "conv/data_gradient.h"
#include "conv/shape.h"
#include "core/exec.h"
#include "core/operations.h"
#include "product/normed_rows.h"
#include "product/statistics.h"
#include "product/weights_gradient.h"

namespace fusewire::FW_EXEC {

void add_fused_conv(Operations& table);

namespace {

// Packed weights or partial gradients come first in the workspace, then the moments.
int64_t moments_offset(const fw_conv& c, const Sizes& sizes) {
  return most_of_product_types(c.dtype, [&](auto t) {
    return product_workspace<decltype(t)>(
        sizes.out_rows, c.out_channels, sizes.forward_depth,
        {{sizes.forward_depth, c.out_channels}, {sizes.backward_depth, c.in_channels}});
  });
}

int64_t workspace_bytes(const fw_conv& c) {
  const Sizes sizes(c);
  return moments_offset(c, sizes) + most_of_product_types(c.dtype, [&](auto t) {
           return Moments::bytes(StatisticsChunks(sizes.out_rows, c.out_channels, product_type<decltype(t)>).chunks,
                                 c.out_channels);
         });
}

template <class T>
auto normed_patches(const fw_conv& c, const Sizes& sizes, fw_address src, fw_address in_norm) {
  const NormedPixels<T> source{reinterpret_cast<const T*>(src),
                               {reinterpret_cast<const float*>(in_norm), c.in_channels, c.activation}};
  return source_patches<T>(c, sizes, source, src | in_norm);
}

fw_status forward(const Launcher& launcher, const fw_conv& c, float epsilon, float momentum, fw_address src,
                  fw_address in_norm, fw_address weights, fw_address gamma, fw_address beta, fw_address running_mean,
                  fw_address running_var, fw_address dst, fw_address out_norm, fw_address workspace) {
  const Sizes sizes(c);
  const WeightsLayout layout = forward_layout(sizes, weights);
  return with_product_type(launcher, c.dtype, [&](auto t) {
    using T = decltype(t);
    FW_TRY(pack_weights<T>(launcher, layout, sizes.forward_depth, c.out_channels, workspace));
    return product_with_statistics<T>(launcher, normed_patches<T>(c, sizes, src, in_norm), layout, workspace,
                                      sizes.out_rows, sizes.forward_depth, c.out_channels, dst,
                                      {gamma, beta, running_mean, running_var, epsilon, momentum}, out_norm,
                                      workspace + fw_address(moments_offset(c, sizes)));
  });
}

fw_status backward_data(const Launcher& launcher, const fw_conv& c, fw_address diff_out, fw_address image_scale,
                        fw_address dst, fw_address out_norm, fw_address out_gradient, fw_address weights,
                        fw_address addend, fw_address diff_src, fw_address workspace) {
  return with_product_type(launcher, c.dtype, [&](auto t) {
    using T = decltype(t);
    const NormGradientPixels<T> d{reinterpret_cast<const T*>(diff_out),
                                  reinterpret_cast<const T*>(dst),
                                  {reinterpret_cast<const float*>(out_norm), c.out_channels, FW_IDENTITY},
                                  reinterpret_cast<const float*>(out_gradient),
                                  reinterpret_cast<const float*>(image_scale)};
    return data_gradient<T>(launcher, c, d, diff_out | dst | out_norm | out_gradient, weights, addend, diff_src,
                            workspace);
  });
}

fw_status backward_weights(const Launcher& launcher, const fw_conv& c, fw_address src, fw_address in_norm,
                           fw_address diff_out, fw_address image_scale, fw_address dst, fw_address out_norm,
                           fw_address out_gradient, fw_address diff_weights, fw_address workspace) {
  const Sizes sizes(c);
  return with_product_type(launcher, c.dtype, [&](auto t) {
    using T = decltype(t);
    const NormGradientRows<T> left{reinterpret_cast<const T*>(diff_out),
                                   reinterpret_cast<const T*>(dst),
                                   {reinterpret_cast<const float*>(out_norm), c.out_channels, FW_IDENTITY},
                                   reinterpret_cast<const float*>(out_gradient),
                                   reinterpret_cast<const float*>(image_scale),
                                   sizes.out_height * sizes.out_width,
                                   c.out_channels,
                                   rows_aligned<T>(c.out_channels, diff_out | dst | out_norm | out_gradient)};
    return weights_gradient<T>(launcher, left, normed_patches<T>(c, sizes, src, in_norm), sizes.out_rows,
                               c.out_channels, sizes.forward_depth, diff_weights, 0, workspace);
  });
}

}  // namespace

void add_fused_conv(Operations& table) {
  table.fused_conv_workspace = workspace_bytes;
  table.fused_conv_forward = forward;
  table.fused_conv_backward_data = backward_data;
  table.fused_conv_backward_weights = backward_weights;
}

}  // namespace fusewire::FW_EXEC
