// SPDX-License-Identifier: Apache-2.0
// A dense convolution's sizes and the operands that its forward pass and its weights' gradient have in common.
#pragma once

#include "api/conv_size.h"
#include "conv/patches.h"
#include "product/weights.h"

namespace fusewire::FW_EXEC {

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

inline WeightsLayout forward_layout(const Sizes& sizes, fw_address weights) {
  return {reinterpret_cast<const float*>(weights), sizes.forward_depth, 1};
}

// Patches of the convolution's source, for the forward pass and the weights' gradient. addresses: the bitwise or of
// those that `source` reads.
template <class T, class Source>
Patches<T, Source> source_patches(const fw_conv& c, const Sizes& sizes, const Source& source, fw_address addresses) {
  return {source,
          {int(c.in_height), int(c.stride_height), int(c.dilation_height), int(c.pad_top), false},
          {int(c.in_width), int(c.stride_width), int(c.dilation_width), int(c.pad_left), false},
          int(sizes.out_height),
          int(sizes.out_width),
          int(c.kernel_height),
          int(c.kernel_width),
          int(c.in_channels),
          rows_aligned<T>(c.in_channels, addresses)};
}

}  // namespace fusewire::FW_EXEC
