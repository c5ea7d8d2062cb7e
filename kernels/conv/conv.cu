// SPDX-License-Identifier: Apache-2.0
// Dense k x k convolution, NHWC, as implicit products (conv/patches.h gathers the left operand on load):
//   forward          dst (n*p*q, k)          = patches(src) * weights^T,      depth r*s*c
//   data gradient    diff_src (n*h*w, c)     = patches(diff_dst) * weights,   depth r*s*k
//   weight gradient  diff_weights (k, r*s*c) = diff_dst^T * patches(src),     summed over n*p*q
// EfficientNet needs it for the stem. With stride 2 the data gradient multiplies with the zeros between pixels.
#include "api/conv_size.h"
#include "conv/patches.h"
#include "core/exec.h"
#include "core/operations.h"
#include "product/product.h"
#include "product/rows.h"
#include "product/weights_gradient.h"

namespace fusewire::FW_EXEC {
namespace {

struct Sizes {
  int64_t out_height, out_width, in_rows, out_rows, taps, forward_depth, backward_depth;

  explicit Sizes(const fw_conv& c)
      : out_height(conv_out_height(c)),
        out_width(conv_out_width(c)),
        in_rows(c.batch * c.in_height * c.in_width),
        out_rows(c.batch * out_height * out_width),
        taps(c.kernel_height * c.kernel_width),
        forward_depth(taps * c.in_channels),
        backward_depth(taps * c.out_channels) {}
};

WeightsLayout forward_layout(const fw_conv& c, const Sizes& sizes, fw_address weights) {
  (void)c;
  return {reinterpret_cast<const float*>(weights), sizes.forward_depth, 1, 0, 0};
}

// Depth (r,s,k), column c of weights (k,r,s,c).
WeightsLayout backward_layout(const fw_conv& c, const Sizes& sizes, fw_address weights) {
  return {reinterpret_cast<const float*>(weights), 1, sizes.forward_depth, c.out_channels, c.in_channels};
}

template <class T>
Patches<T> source_patches(const fw_conv& c, const Sizes& sizes, fw_address src) {
  return {reinterpret_cast<const T*>(src),
          {int(c.in_height), int(c.stride_height), int(c.dilation_height), int(c.pad_top), false},
          {int(c.in_width), int(c.stride_width), int(c.dilation_width), int(c.pad_left), false},
          int(sizes.out_height),
          int(sizes.out_width),
          int(c.kernel_height),
          int(c.kernel_width),
          int(c.in_channels)};
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
          int(c.out_channels)};
}

int64_t conv_workspace(const fw_conv& c) {
  const Sizes sizes(c);
  const int64_t gradient = GradientChunks(sizes.out_rows, c.out_channels, sizes.forward_depth)
                               .workspace_bytes(c.out_channels, sizes.forward_depth);
  int64_t packed = 0;
  if (kOneThread) {
    const int64_t forward = packed_elements(sizes.forward_depth, c.out_channels);
    const int64_t backward = packed_elements(sizes.backward_depth, c.in_channels);
    packed = (forward > backward ? forward : backward) * int64_t(sizeof(float));
  }
  return ((gradient > packed ? gradient : packed) + 255) / 256 * 256;
}

template <class T>
fw_status product(const Launcher& launcher, const Patches<T>& left, const WeightsLayout& layout, fw_address workspace,
                  int64_t rows, int64_t depth, int64_t columns, int activation, fw_address bias, fw_address dst) {
  if (kOneThread) {
    FW_TRY(pack(launcher, layout, depth, columns, workspace));
  }
  const Epilogue<T> epilogue{reinterpret_cast<T*>(dst),
                             nullptr,
                             nullptr,
                             reinterpret_cast<const float*>(bias),
                             columns,
                             activation,
                             columns % 4 == 0 && (bias | dst) % 16 == 0};
  return ProductKernel<T, Patches<T>>::run_all(
      launcher, {left, layout, reinterpret_cast<const float*>(workspace), epilogue, rows, columns, depth, 1});
}

fw_status conv_forward(const Launcher& launcher, const fw_conv& c, fw_address src, fw_address weights, fw_address bias,
                       fw_address dst, fw_address workspace) {
  const Sizes sizes(c);
  return with_dtype(c.dtype, [&](auto t) {
    using T = decltype(t);
    return product<T>(launcher, source_patches<T>(c, sizes, src), forward_layout(c, sizes, weights), workspace,
                      sizes.out_rows, sizes.forward_depth, c.out_channels, c.activation, bias, dst);
  });
}

fw_status conv_backward_data(const Launcher& launcher, const fw_conv& c, fw_address diff_dst, fw_address weights,
                             fw_address diff_src, fw_address workspace) {
  const Sizes sizes(c);
  return with_dtype(c.dtype, [&](auto t) {
    using T = decltype(t);
    return product<T>(launcher, gradient_patches<T>(c, sizes, diff_dst), backward_layout(c, sizes, weights), workspace,
                      sizes.in_rows, sizes.backward_depth, c.in_channels, FW_IDENTITY, 0, diff_src);
  });
}

fw_status conv_backward_weights(const Launcher& launcher, const fw_conv& c, fw_address src, fw_address diff_dst,
                                fw_address diff_weights, fw_address diff_bias, fw_address workspace) {
  const Sizes sizes(c);
  return with_dtype(c.dtype, [&](auto t) {
    using T = decltype(t);
    const Rows<T> left{reinterpret_cast<const T*>(diff_dst), nullptr, c.out_channels, FW_IDENTITY,
                       c.out_channels % 4 == 0 && diff_dst % 16 == 0};
    return weights_gradient(launcher, left, source_patches<T>(c, sizes, src), sizes.out_rows, c.out_channels,
                            sizes.forward_depth, diff_weights, diff_bias, workspace);
  });
}

}  // namespace

void add_conv(Operations& table) {
  table.conv_workspace = conv_workspace;
  table.conv_forward = conv_forward;
  table.conv_backward_data = conv_backward_data;
  table.conv_backward_weights = conv_backward_weights;
}

}  // namespace fusewire::FW_EXEC
