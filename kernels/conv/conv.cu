// SPDX-License-Identifier: Apache-2.0
// Dense k x k convolution, NHWC, as implicit products (conv/patches.h gathers the left operand on load):
//   forward          dst (n*p*q, k)          = patches(src) * weights^T,      depth r*s*c
//   data gradient    diff_src (n*h*w, c)     = patches(diff_dst) * weights,   depth r*s*k
//   weight gradient  diff_weights (k, r*s*c) = diff_dst^T * patches(src),     summed over n*p*q
// With a stride the data gradient goes phase by phase: the pixels whose position is the same modulo the stride meet the
// same taps, and each phase is a product over those taps alone, with nothing multiplied by the zeros between pixels.
#include "conv/shape.h"
#include "core/exec.h"
#include "core/operations.h"
#include "product/product.h"
#include "product/rows.h"
#include "product/weights_gradient.h"

namespace fusewire::FW_EXEC {

void add_fused_conv(Operations& table);

namespace {

// Depth (r,s,k), column c of weights (k,r,s,c).
WeightsLayout backward_layout(const fw_conv& c, const Sizes& sizes, fw_address weights) {
  return {reinterpret_cast<const float*>(weights), 1, sizes.forward_depth, c.out_channels, c.in_channels};
}

template <class T>
Patches<T> gradient_patches(const fw_conv& c, const Sizes& sizes, fw_address diff_dst) {
  return {reinterpret_cast<const T*>(diff_dst),
          {int(sizes.out_height), int(c.stride_height), int(c.dilation_height), int(c.pad_top), true},
          {int(sizes.out_width), int(c.stride_width), int(c.dilation_width), int(c.pad_left), true},
          int(c.in_height),
          int(c.in_width),
          int(c.kernel_height),
          int(c.kernel_width),
          int(c.out_channels),
          rows_aligned<T>(c.out_channels, diff_dst)};
}

int64_t conv_workspace(const fw_conv& c) {
  const Sizes sizes(c);
  return product_workspace(GradientChunks(sizes.out_rows, c.out_channels, sizes.forward_depth, c.dtype), c.out_channels,
                           sizes.forward_depth, c.dtype,
                           {{sizes.forward_depth, c.out_channels}, {sizes.backward_depth, c.in_channels}});
}

template <class T>
fw_status patches_product(const Launcher& launcher, const Patches<T>& left, const WeightsLayout& layout,
                          fw_address workspace, int64_t rows, int64_t depth, int64_t columns, int activation,
                          fw_address bias, fw_address dst, const RowPlaces& places = {}) {
  FW_TRY(pack_weights<T>(launcher, layout, depth, columns, workspace));
  const Epilogue<T> epilogue{reinterpret_cast<T*>(dst),
                             nullptr,
                             nullptr,
                             reinterpret_cast<const float*>(bias),
                             columns,
                             activation,
                             rows_aligned<T>(columns, bias | dst),
                             places};
  return product<T>(launcher, left, layout, workspace, epilogue, rows, depth, columns);
}

fw_status conv_forward(const Launcher& launcher, const fw_conv& c, fw_address src, fw_address weights, fw_address bias,
                       fw_address dst, fw_address workspace) {
  const Sizes sizes(c);
  return with_dtype(c.dtype, [&](auto t) {
    using T = decltype(t);
    return patches_product<T>(launcher, source_patches<T>(c, sizes, src), forward_layout(sizes, weights), workspace,
                              sizes.out_rows, sizes.forward_depth, c.out_channels, c.activation, bias, dst);
  });
}

// One axis of one phase of a strided data gradient: positions at = first, first + stride, ... meet the taps phase,
// phase + stride, ..., and position first + j*stride reads pixel base + j - i for its i-th tap.
struct Phase {
  int first, positions, taps, base;

  Phase(int64_t size, int64_t kernel, int64_t stride, int64_t pad, int64_t phase)
      : first(int(((phase - pad) % stride + stride) % stride)),
        positions(first < size ? int(ceil_div(size - first, stride)) : 0),
        taps(phase < kernel ? int(ceil_div(kernel - phase, stride)) : 0),
        base(int((first + pad - phase) / stride)) {}
};

template <class T>
fw_status backward_data_phase(const Launcher& launcher, const fw_conv& c, const Sizes& sizes, const Phase& y,
                              const Phase& x, int64_t phase_y, int64_t phase_x, fw_address diff_dst, fw_address weights,
                              fw_address diff_src, fw_address workspace) {
  const Patches<T> left{reinterpret_cast<const T*>(diff_dst),
                        {int(sizes.out_height), 1, 1, y.base, true},
                        {int(sizes.out_width), 1, 1, x.base, true},
                        y.positions,
                        x.positions,
                        y.taps,
                        x.taps,
                        int(c.out_channels),
                        rows_aligned<T>(c.out_channels, diff_dst)};
  WeightsLayout layout = backward_layout(c, sizes, weights);
  layout.weights += (phase_y * c.kernel_width + phase_x) * c.in_channels;
  layout.group_stride = c.stride_width * c.in_channels;
  layout.groups = x.taps;
  layout.outer_stride = c.stride_height * c.kernel_width * c.in_channels;
  const RowPlaces places{y.positions, x.positions, int(c.in_height),     int(c.in_width),
                         y.first,     x.first,     int(c.stride_height), int(c.stride_width)};
  return patches_product<T>(launcher, left, layout, workspace, c.batch * y.positions * x.positions,
                            int64_t(y.taps) * x.taps * c.out_channels, c.in_channels, FW_IDENTITY, 0, diff_src, places);
}

fw_status conv_backward_data(const Launcher& launcher, const fw_conv& c, fw_address diff_dst, fw_address weights,
                             fw_address diff_src, fw_address workspace) {
  const Sizes sizes(c);
  const bool strided = c.stride_height > 1 || c.stride_width > 1;
  const bool dilated = c.dilation_height > 1 || c.dilation_width > 1;
  constexpr int64_t kMostPhases = 64;  // beyond, launches would cost more than zeros
  return with_dtype(c.dtype, [&](auto t) -> fw_status {
    using T = decltype(t);
    if (!strided || dilated || c.stride_height * c.stride_width > kMostPhases) {
      return patches_product<T>(launcher, gradient_patches<T>(c, sizes, diff_dst), backward_layout(c, sizes, weights),
                                workspace, sizes.in_rows, sizes.backward_depth, c.in_channels, FW_IDENTITY, 0,
                                diff_src);
    }
    for (int64_t phase_y = 0; phase_y < c.stride_height; phase_y++) {
      const Phase y(c.in_height, c.kernel_height, c.stride_height, c.pad_top, phase_y);
      for (int64_t phase_x = 0; phase_x < c.stride_width; phase_x++) {
        const Phase x(c.in_width, c.kernel_width, c.stride_width, c.pad_left, phase_x);
        if (y.positions > 0 && x.positions > 0) {
          FW_TRY(backward_data_phase<T>(launcher, c, sizes, y, x, phase_y, phase_x, diff_dst, weights, diff_src,
                                        workspace));
        }
      }
    }
    return FW_OK;
  });
}

fw_status conv_backward_weights(const Launcher& launcher, const fw_conv& c, fw_address src, fw_address diff_dst,
                                fw_address diff_weights, fw_address diff_bias, fw_address workspace) {
  const Sizes sizes(c);
  return with_dtype(c.dtype, [&](auto t) {
    using T = decltype(t);
    const Rows<T> left{reinterpret_cast<const T*>(diff_dst), nullptr, c.out_channels, FW_IDENTITY,
                       rows_aligned<T>(c.out_channels, diff_dst)};
    return weights_gradient<T>(launcher, left, source_patches<T>(c, sizes, src), sizes.out_rows, c.out_channels,
                               sizes.forward_depth, diff_weights, diff_bias, workspace);
  });
}

}  // namespace

void add_conv(Operations& table) {
  table.conv_workspace = conv_workspace;
  table.conv_forward = conv_forward;
  table.conv_backward_data = conv_backward_data;
  table.conv_backward_weights = conv_backward_weights;
  add_fused_conv(table);
}

}  // namespace fusewire::FW_EXEC
