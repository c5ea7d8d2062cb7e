// SPDX-License-Identifier: Apache-2.0
// Inference of an inverted residual block (MBConv): what its kernels take.
#pragma once

#include "core/exec.h"
#include "depthwise/shape.h"
#include "norm/norm.h"

namespace fusewire::FW_EXEC {

// Expansion and depthwise convolution in one kernel. expanded_depthwise.cu.
struct ExpandedDepthwise {
  DepthwiseShape shape;  // of the depthwise convolution
  int64_t in_channels;   // of src
  int expand_activation, activation;
  fw_address src;             // (batch, h, w, in_channels)
  fw_address expand_weights;  // as fw_pointwise_pack writes them
  fw_address expand_bias;     // (channels)
  fw_address weights, bias;   // (k, k, channels), (channels)
  fw_address dst;             // (batch, p, q, channels)
  fw_address sums;            // (batch, chunks, channels): of dst over the pixels of each chunk of an image
};
// Whether it takes the shape; depends on kernel, stride and dilation only.
bool expanded_depthwise_fits(const DepthwiseShape& shape);
int64_t expanded_depthwise_chunks(const DepthwiseShape& shape);
fw_status expanded_depthwise(const Launcher& launcher, int32_t dtype, const ExpandedDepthwise& problem);

}  // namespace fusewire::FW_EXEC
