// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution by its definition, in float64: the reference of depthwise_test.cc.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fusewire/fusewire.h"

namespace fusewire::test {

// A problem of the tests: sizes of fw_conv, with a one-line form for messages.
struct DepthwiseCase {
  int64_t batch, height, width, channels;
  int64_t kernel_height, kernel_width;
  int64_t stride_height = 1, stride_width = 1;
  int64_t dilation_height = 1, dilation_width = 1;
  int64_t top = 0, bottom = 0, left = 0, right = 0;

  fw_conv conv(int32_t dtype, int32_t activation = FW_IDENTITY) const {
    fw_conv c = {};
    c.dtype = dtype;
    c.activation = activation;
    c.batch = batch;
    c.in_height = height;
    c.in_width = width;
    c.in_channels = c.out_channels = channels;
    c.kernel_height = kernel_height;
    c.kernel_width = kernel_width;
    c.stride_height = stride_height;
    c.stride_width = stride_width;
    c.dilation_height = dilation_height;
    c.dilation_width = dilation_width;
    c.pad_top = top;
    c.pad_bottom = bottom;
    c.pad_left = left;
    c.pad_right = right;
    return c;
  }
  int64_t out_height() const {
    return (height + top + bottom - dilation_height * (kernel_height - 1) - 1) / stride_height + 1;
  }
  int64_t out_width() const {
    return (width + left + right - dilation_width * (kernel_width - 1) - 1) / stride_width + 1;
  }
  int64_t src_count() const { return batch * height * width * channels; }
  int64_t dst_count() const { return batch * out_height() * out_width() * channels; }
  int64_t weights_count() const { return kernel_height * kernel_width * channels; }

  std::string text() const;
};

// Square kernel with TensorFlow's SAME padding: out = ceil(in / stride), what is odd goes to the end.
DepthwiseCase same_padded(int64_t batch, int64_t height, int64_t width, int64_t channels, int64_t kernel,
                          int64_t stride);

struct DepthwiseReference {
  std::vector<double> dst;           // before the activation
  std::vector<double> diff_src;      // of diff_dst
  std::vector<double> diff_weights;  // of src and diff_dst
  std::vector<double> diff_bias;
};

// bias may be empty.
DepthwiseReference depthwise_reference(const DepthwiseCase& c, const std::vector<float>& src,
                                       const std::vector<float>& weights, const std::vector<float>& bias,
                                       const std::vector<float>& diff_dst);

double activated(int32_t activation, double x);

}  // namespace fusewire::test
