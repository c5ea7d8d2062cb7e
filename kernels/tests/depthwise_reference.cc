// SPDX-License-Identifier: Apache-2.0
#include "depthwise_reference.h"

#include <algorithm>
#include <cmath>
#include <sstream>

namespace fusewire::test {

std::string DepthwiseCase::text() const {
  std::ostringstream out;
  out << "DepthwiseCase{" << batch << ", " << height << ", " << width << ", " << channels << ", " << kernel_height
      << ", " << kernel_width << ", " << stride_height << ", " << stride_width << ", " << dilation_height << ", "
      << dilation_width << ", " << top << ", " << bottom << ", " << left << ", " << right << "}";
  return out.str();
}

DepthwiseCase same_padded(int64_t batch, int64_t height, int64_t width, int64_t channels, int64_t kernel,
                          int64_t stride) {
  const auto padding = [&](int64_t in) {
    const int64_t out = (in + stride - 1) / stride;
    return std::max<int64_t>(0, (out - 1) * stride + kernel - in);
  };
  const int64_t rows = padding(height);
  const int64_t columns = padding(width);
  return {batch,  height, width, channels, kernel,          kernel,      stride,
          stride, 1,      1,     rows / 2, rows - rows / 2, columns / 2, columns - columns / 2};
}

DepthwiseReference depthwise_reference(const DepthwiseCase& c, const std::vector<float>& src,
                                       const std::vector<float>& weights, const std::vector<float>& bias,
                                       const std::vector<float>& diff_dst) {
  DepthwiseReference ref;
  ref.dst.assign(size_t(c.dst_count()), 0.0);
  ref.diff_src.assign(size_t(c.src_count()), 0.0);
  ref.diff_weights.assign(size_t(c.weights_count()), 0.0);
  ref.diff_bias.assign(size_t(c.channels), 0.0);
  for (int64_t n = 0; n < c.batch; n++) {
    for (int64_t p = 0; p < c.out_height(); p++) {
      for (int64_t q = 0; q < c.out_width(); q++) {
        const size_t out = size_t(((n * c.out_height() + p) * c.out_width() + q) * c.channels);
        for (int64_t k = 0; k < c.channels; k++) {
          ref.dst[out + size_t(k)] = bias.empty() ? 0.0 : double(bias[size_t(k)]);
          ref.diff_bias[size_t(k)] += double(diff_dst[out + size_t(k)]);
        }
        for (int64_t r = 0; r < c.kernel_height; r++) {
          for (int64_t s = 0; s < c.kernel_width; s++) {
            const int64_t h = p * c.stride_height - c.top + r * c.dilation_height;
            const int64_t w = q * c.stride_width - c.left + s * c.dilation_width;
            if (h < 0 || h >= c.height || w < 0 || w >= c.width) {
              continue;
            }
            const size_t in = size_t(((n * c.height + h) * c.width + w) * c.channels);
            const size_t tap = size_t((r * c.kernel_width + s) * c.channels);
            for (size_t k = 0; k < size_t(c.channels); k++) {
              ref.dst[out + k] += double(src[in + k]) * double(weights[tap + k]);
              ref.diff_src[in + k] += double(diff_dst[out + k]) * double(weights[tap + k]);
              ref.diff_weights[tap + k] += double(src[in + k]) * double(diff_dst[out + k]);
            }
          }
        }
      }
    }
  }
  return ref;
}

double activated(int32_t activation, double x) {
  switch (activation) {
    case FW_SILU:
      return x / (1.0 + std::exp(-x));
    case FW_RELU:
      return std::max(x, 0.0);
    case FW_RELU6:
      return std::min(std::max(x, 0.0), 6.0);
    default:
      return x;
  }
}

}  // namespace fusewire::test
