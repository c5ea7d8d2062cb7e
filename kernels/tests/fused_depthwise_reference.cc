// SPDX-License-Identifier: Apache-2.0
#include "fused_depthwise_reference.h"

#include <cmath>

#include "activation_reference.h"

namespace fusewire::test {
namespace {

// One row of a table (rows, channels).
double entry(const std::vector<float>& table, int64_t channels, int64_t row, int64_t channel) {
  return double(table[size_t(row * channels + channel)]);
}

// norm(x) of an element; x itself without a norm.
double normed(const std::vector<float>& norm, int64_t channels, int64_t channel, double x) {
  return norm.empty() ? x
                      : (x - entry(norm, channels, 0, channel)) * entry(norm, channels, 2, channel) +
                            entry(norm, channels, 3, channel);
}

// Calls f(in, out, tap) with the indices of every product of the convolution.
template <class F>
void each_product(const DepthwiseCase& c, F f) {
  for (int64_t n = 0; n < c.batch; n++) {
    for (int64_t p = 0; p < c.out_height(); p++) {
      for (int64_t q = 0; q < c.out_width(); q++) {
        for (int64_t r = 0; r < c.kernel_height; r++) {
          for (int64_t s = 0; s < c.kernel_width; s++) {
            const int64_t h = p * c.stride_height - c.top + r * c.dilation_height;
            const int64_t w = q * c.stride_width - c.left + s * c.dilation_width;
            if (h < 0 || h >= c.height || w < 0 || w >= c.width) {
              continue;
            }
            const int64_t in = ((n * c.height + h) * c.width + w) * c.channels;
            const int64_t out = ((n * c.out_height() + p) * c.out_width() + q) * c.channels;
            const int64_t tap = (r * c.kernel_width + s) * c.channels;
            for (int64_t k = 0; k < c.channels; k++) {
              f(size_t(in + k), size_t(out + k), size_t(tap + k));
            }
          }
        }
      }
    }
  }
}

Doubles activated_source(const DepthwiseCase& c, const fw_fused_depthwise& problem, const FusedDepthwiseData& data) {
  Doubles x;
  for (size_t i = 0; i < data.src.size(); i++) {
    x.push_back(activate(problem.conv.activation,
                         normed(data.in_norm, c.channels, int64_t(i) % c.channels, double(data.src[i]))));
  }
  return x;
}

}  // namespace

FusedForwardReference fused_forward_reference(const DepthwiseCase& c, const fw_fused_depthwise& problem,
                                              const FusedDepthwiseData& data, const std::vector<float>& stored) {
  FusedForwardReference ref;
  const Doubles x = activated_source(c, problem, data);
  ref.dst.assign(size_t(c.dst_count()), 0.0);
  each_product(c, [&](size_t in, size_t out, size_t tap) { ref.dst[out] += x[in] * double(data.weights[tap]); });
  const Doubles values = stored.empty() ? ref.dst : Doubles(stored.begin(), stored.end());
  const int64_t channels = c.channels;
  const int64_t rows = c.dst_count() / channels;
  ref.out_norm.resize(size_t(4 * channels));
  for (int64_t k = 0; k < channels; k++) {
    double sum = 0;
    for (int64_t i = 0; i < rows; i++) {
      sum += values[size_t(i * channels + k)];
    }
    const double mean = sum / double(rows);
    double squares = 0;
    for (int64_t i = 0; i < rows; i++) {
      squares += std::pow(values[size_t(i * channels + k)] - mean, 2);
    }
    const double inverse = 1 / std::sqrt(squares / double(rows) + double(problem.epsilon));
    ref.out_norm[size_t(k)] = mean;
    ref.out_norm[size_t(channels + k)] = inverse;
    ref.out_norm[size_t(2 * channels + k)] = double(data.gamma[size_t(k)]) * inverse;
    ref.out_norm[size_t(3 * channels + k)] = double(data.beta[size_t(k)]);
    if (!data.running_mean.empty()) {
      const double m = double(problem.momentum);
      ref.running_mean.push_back((1 - m) * double(data.running_mean[size_t(k)]) + m * mean);
      ref.running_var.push_back((1 - m) * double(data.running_var[size_t(k)]) + m * squares / double(rows - 1));
    }
  }
  return ref;
}

FusedBackwardReference fused_backward_reference(const DepthwiseCase& c, const fw_fused_depthwise& problem,
                                                const FusedDepthwiseData& data, const std::vector<float>& stored) {
  const int64_t channels = c.channels;
  const int64_t out_pixels = c.out_height() * c.out_width();
  const Doubles x = activated_source(c, problem, data);
  Doubles d;
  for (int64_t i = 0; i < c.dst_count(); i++) {
    const int64_t k = i % channels;
    const int64_t image = i / channels / out_pixels;
    const double y = double(data.dst[size_t(i)]);
    double g = double(data.diff[size_t(i)]);
    if (!data.gate.empty()) {
      g = g * entry(data.gate, channels, image, k) + entry(data.pool_gradient, channels, image, k);
    }
    g *= activate_gradient(problem.out_activation, normed(data.out_norm, channels, k, y));
    d.push_back(entry(data.out_norm, channels, 2, k) * g +
                entry(data.out_gradient, channels, 0, k) * (y - entry(data.out_norm, channels, 0, k)) +
                entry(data.out_gradient, channels, 1, k));
  }
  FusedBackwardReference ref;
  ref.diff_src.assign(size_t(c.src_count()), 0.0);
  ref.diff_weights.assign(size_t(c.weights_count()), 0.0);
  each_product(c, [&](size_t in, size_t out, size_t tap) {
    ref.diff_src[in] += d[out] * double(data.weights[tap]);
    ref.diff_weights[tap] += d[out] * x[in];
  });
  for (size_t i = 0; i < ref.diff_src.size(); i++) {
    ref.diff_src[i] *= activate_gradient(problem.conv.activation,
                                         normed(data.in_norm, channels, int64_t(i) % channels, double(data.src[i])));
  }
  if (data.in_norm.empty()) {
    return ref;
  }
  const Doubles g = stored.empty() ? ref.diff_src : Doubles(stored.begin(), stored.end());
  const int64_t rows = c.src_count() / channels;
  ref.in_gradient.resize(size_t(2 * channels));
  for (int64_t k = 0; k < channels; k++) {
    const double mean = entry(data.in_norm, channels, 0, k);
    const double inverse = entry(data.in_norm, channels, 1, k);
    const double scale = entry(data.in_norm, channels, 2, k);
    double beta = 0;
    double gamma = 0;
    for (int64_t i = 0; i < rows; i++) {
      const size_t at = size_t(i * channels + k);
      beta += g[at];
      gamma += g[at] * (double(data.src[at]) - mean) * inverse;
    }
    ref.diff_beta.push_back(beta);
    ref.diff_gamma.push_back(gamma);
    ref.in_gradient[size_t(k)] = -scale * inverse * gamma / double(rows);
    ref.in_gradient[size_t(channels + k)] = -scale * beta / double(rows);
  }
  return ref;
}

}  // namespace fusewire::test
