// SPDX-License-Identifier: Apache-2.0
// Pointwise convolution between two BatchNorms (fused.h): the source's norm, activation and gate on load, the moments
// of the result in the epilogue; backward, the result's BatchNorm on load. Bytes that must move: forward
// rows*(in+out), backward data and backward weights rows*(in+2*out) elements each, and the weights once.
#include "core/exec.h"
#include "core/operations.h"
#include "product/gradients.h"
#include "product/normed_rows.h"
#include "product/product.h"
#include "product/statistics.h"
#include "product/weights_gradient.h"

namespace fusewire::FW_EXEC {

void add_fused_pointwise(Operations& table);

namespace {

int64_t rows_of(const fw_fused_pointwise& p) { return p.batch * p.pixels; }

// Packed weights or partial gradients come first in the workspace, then the moments.
int64_t moments_offset(const fw_fused_pointwise& p) {
  const int64_t bytes = most_of_product_types(p.dtype, [&](auto t) {
    return product_workspace<decltype(t)>(rows_of(p), p.out_channels, p.in_channels,
                                          {{p.in_channels, p.out_channels}, {p.out_channels, p.in_channels}});
  });
  if (!kGradientsInOnePass) {
    return bytes;
  }
  const int64_t both = GradientsCut(rows_of(p), p.in_channels).workspace_bytes(p.out_channels, p.in_channels);
  return std::max(bytes, (both + 255) / 256 * 256);
}

int64_t workspace_bytes(const fw_fused_pointwise& p) {
  return moments_offset(p) + most_of_product_types(p.dtype, [&](auto t) {
           return Moments::bytes(StatisticsChunks(rows_of(p), p.out_channels, product_type<decltype(t)>).chunks,
                                 p.out_channels);
         });
}

template <class T>
NormedRows<T> source(const fw_fused_pointwise& p, fw_address src, fw_address in_norm, fw_address gate) {
  return {reinterpret_cast<const T*>(src),
          {reinterpret_cast<const float*>(in_norm), p.in_channels, p.in_activation},
          reinterpret_cast<const float*>(gate),
          p.pixels,
          p.in_channels,
          rows_aligned<T>(p.in_channels, src | in_norm | gate)};
}

// The gradient of the raw result.
template <class T>
NormGradientRows<T> result_gradient(const fw_fused_pointwise& p, fw_address diff_out, fw_address image_scale,
                                    fw_address dst, fw_address out_norm, fw_address out_gradient) {
  return {reinterpret_cast<const T*>(diff_out),
          reinterpret_cast<const T*>(dst),
          {reinterpret_cast<const float*>(out_norm), p.out_channels, FW_IDENTITY},
          reinterpret_cast<const float*>(out_gradient),
          reinterpret_cast<const float*>(image_scale),
          p.pixels,
          p.out_channels,
          rows_aligned<T>(p.out_channels, diff_out | dst | out_norm | out_gradient)};
}

// What is done with the gradient of the source.
template <class T>
Epilogue<T> source_gradient(const fw_fused_pointwise& p, fw_address addend, fw_address diff_src) {
  return {reinterpret_cast<T*>(diff_src),
          nullptr,
          reinterpret_cast<const T*>(addend),
          nullptr,
          p.in_channels,
          FW_IDENTITY,
          rows_aligned<T>(p.in_channels, diff_src | addend)};
}

fw_status forward(const Launcher& launcher, const fw_fused_pointwise& p, fw_address src, fw_address in_norm,
                  fw_address gate, fw_address weights, fw_address gamma, fw_address beta, fw_address running_mean,
                  fw_address running_var, fw_address dst, fw_address out_norm, fw_address workspace) {
  const WeightsLayout layout{reinterpret_cast<const float*>(weights), p.in_channels, 1};
  return with_product_type(launcher, p.dtype, [&](auto t) {
    using T = decltype(t);
    FW_TRY(pack_weights<T>(launcher, layout, p.in_channels, p.out_channels, workspace));
    return product_with_statistics<T>(launcher, source<T>(p, src, in_norm, gate), layout, workspace, rows_of(p),
                                      p.in_channels, p.out_channels, dst,
                                      {gamma, beta, running_mean, running_var, p.epsilon, p.momentum}, out_norm,
                                      workspace + fw_address(moments_offset(p)));
  });
}

fw_status backward_data(const Launcher& launcher, const fw_fused_pointwise& p, fw_address diff_out,
                        fw_address image_scale, fw_address dst, fw_address out_norm, fw_address out_gradient,
                        fw_address weights, fw_address addend, fw_address diff_src, fw_address workspace) {
  const WeightsLayout layout{reinterpret_cast<const float*>(weights), 1, p.in_channels};
  return with_product_type(launcher, p.dtype, [&](auto t) {
    using T = decltype(t);
    FW_TRY(pack_weights<T>(launcher, layout, p.out_channels, p.in_channels, workspace));
    return product<T>(launcher, result_gradient<T>(p, diff_out, image_scale, dst, out_norm, out_gradient), layout,
                      workspace, source_gradient<T>(p, addend, diff_src), rows_of(p), p.out_channels, p.in_channels);
  });
}

fw_status backward_weights(const Launcher& launcher, const fw_fused_pointwise& p, fw_address src, fw_address in_norm,
                           fw_address gate, fw_address diff_out, fw_address image_scale, fw_address dst,
                           fw_address out_norm, fw_address out_gradient, fw_address diff_weights,
                           fw_address workspace) {
  return with_product_type(launcher, p.dtype, [&](auto t) {
    using T = decltype(t);
    return weights_gradient<T>(launcher, result_gradient<T>(p, diff_out, image_scale, dst, out_norm, out_gradient),
                               source<T>(p, src, in_norm, gate), rows_of(p), p.out_channels, p.in_channels,
                               diff_weights, 0, workspace);
  });
}

fw_status backward(const Launcher& launcher, const fw_fused_pointwise& p, fw_address src, fw_address in_norm,
                   fw_address gate, fw_address diff_out, fw_address image_scale, fw_address dst, fw_address out_norm,
                   fw_address out_gradient, fw_address weights, fw_address addend, fw_address diff_src,
                   fw_address diff_weights, fw_address workspace) {
  return with_product_type(launcher, p.dtype, [&](auto t) {
    using T = decltype(t);
    if constexpr (kGradientsInOnePass) {
      return product_gradients<T>(launcher, result_gradient<T>(p, diff_out, image_scale, dst, out_norm, out_gradient),
                                  source<T>(p, src, in_norm, gate), rows_of(p), p.out_channels, p.in_channels, weights,
                                  source_gradient<T>(p, addend, diff_src), diff_weights, workspace);
    } else {
      FW_TRY(backward_weights(launcher, p, src, in_norm, gate, diff_out, image_scale, dst, out_norm, out_gradient,
                              diff_weights, workspace));
      return backward_data(launcher, p, diff_out, image_scale, dst, out_norm, out_gradient, weights, addend, diff_src,
                           workspace);
    }
  });
}

}  // namespace

void add_fused_pointwise(Operations& table) {
  table.fused_pointwise_workspace = workspace_bytes;
  table.fused_pointwise_forward = forward;
  table.fused_pointwise_backward_data = backward_data;
  table.fused_pointwise_backward_weights = backward_weights;
  table.fused_pointwise_backward = backward;
}

}  // namespace fusewire::FW_EXEC
