// SPDX-License-Identifier: Apache-2.0
// A raw tensor's norm in double: its table from the batch's own statistics, what a reader makes of it on load, and the
// gradient of its BatchNorm.
#pragma once

#include <cmath>
#include <vector>

#include "activation_reference.h"
#include "compare.h"
#include "random_data.h"

namespace fusewire::test {

// Statistics of the columns of (rows, channels) as they are stored, with random gamma and beta. `table` (4, channels)
// is what the device gets; the reference goes on with its values.
struct NormReference {
  size_t channels;
  int32_t activation;
  std::vector<float> table;

  double mean(size_t c) const { return table[c]; }
  double inverse(size_t c) const { return table[channels + c]; }
  double scale(size_t c) const { return table[2 * channels + c]; }
  double shift(size_t c) const { return table[3 * channels + c]; }

  // Of element i of the tensor:
  double z(const std::vector<float>& x, size_t i) const {
    return (x[i] - mean(i % channels)) * scale(i % channels) + shift(i % channels);
  }
  double h(const std::vector<float>& x, size_t i) const { return (x[i] - mean(i % channels)) * inverse(i % channels); }
  double value(const std::vector<float>& x, size_t i) const { return activate(activation, z(x, i)); }
  double slope(const std::vector<float>& x, size_t i) const { return activate_gradient(activation, z(x, i)); }

  std::vector<double> values(const std::vector<float>& x) const {
    std::vector<double> y(x.size());
    for (size_t i = 0; i < x.size(); i++) {
      y[i] = value(x, i);
    }
    return y;
  }
};

inline NormReference norm_reference(const std::vector<float>& x, int64_t channels, int32_t activation, uint64_t seed) {
  const auto count = size_t(channels);
  const std::vector<float> gamma = random_reals(seed, channels, FW_F32, 1, 0.3f);
  const std::vector<float> beta = random_reals(seed + 1, channels, FW_F32, 0, 0.5f);
  const double rows = double(x.size()) / double(count);
  std::vector<double> mean(count);
  std::vector<double> variance(count);
  for (size_t i = 0; i < x.size(); i++) {
    mean[i % count] += x[i] / rows;
  }
  for (size_t i = 0; i < x.size(); i++) {
    variance[i % count] += (x[i] - mean[i % count]) * (x[i] - mean[i % count]) / rows;
  }
  NormReference norm = {count, activation, std::vector<float>(4 * count)};
  for (size_t c = 0; c < count; c++) {
    const double inverse = 1 / std::sqrt(variance[c] + 1e-3);
    norm.table[c] = float(mean[c]);
    norm.table[count + c] = float(inverse);
    norm.table[2 * count + c] = float(gamma[c] * inverse);
    norm.table[3 * count + c] = beta[c];
  }
  return norm;
}

struct NormGradientResult {
  std::vector<float> diff_gamma, diff_beta, gradient;  // (channels), (channels), (2, channels)
};

// diff_beta, diff_gamma, and the gradient table by what it does: with it the gradient of x is BatchNorm's as it is
// usually written. `g` is the gradient of norm(x). A sum over many rows is allowed the rounding of each: errors are
// relative to the sums of absolute values.
inline void check_norm_gradient(const NormReference& norm, const std::vector<float>& x, const std::vector<double>& g,
                                const NormGradientResult& got, double limit = 3e-6) {
  const size_t channels = norm.channels;
  const double rows = double(x.size()) / double(channels);
  ASSERT_EQ(channels, got.diff_gamma.size());
  ASSERT_EQ(channels, got.diff_beta.size());
  ASSERT_EQ(2 * channels, got.gradient.size());
  std::vector<double> beta(channels);
  std::vector<double> gamma(channels);
  std::vector<double> absolute_beta(channels);
  std::vector<double> absolute_gamma(channels);
  for (size_t i = 0; i < x.size(); i++) {
    const size_t c = i % channels;
    beta[c] += g[i];
    gamma[c] += g[i] * norm.h(x, i);
    absolute_beta[c] += std::fabs(g[i]);
    absolute_gamma[c] += std::fabs(g[i] * norm.h(x, i));
  }
  for (size_t c = 0; c < channels; c++) {
    ASSERT_NEAR(beta[c], got.diff_beta[c], limit * absolute_beta[c]) << "diff_beta of channel " << c;
    ASSERT_NEAR(gamma[c], got.diff_gamma[c], limit * absolute_gamma[c]) << "diff_gamma of channel " << c;
  }
  std::vector<double> expected(x.size());
  std::vector<float> applied(x.size());
  for (size_t i = 0; i < x.size(); i++) {
    const size_t c = i % channels;
    expected[i] = norm.scale(c) * (g[i] - beta[c] / rows - norm.h(x, i) * gamma[c] / rows);
    applied[i] = float(norm.scale(c) * g[i] + double(got.gradient[c]) * (x[i] - norm.mean(c)) +
                       double(got.gradient[channels + c]));
  }
  double difference = 0;
  double size = 0;  // of g, as the gradient of x may vanish
  for (size_t i = 0; i < x.size(); i++) {
    difference += (applied[i] - expected[i]) * (applied[i] - expected[i]);
    size += norm.scale(i % channels) * g[i] * norm.scale(i % channels) * g[i];
  }
  ASSERT_LE(std::sqrt(difference), limit * std::sqrt(size)) << "the gradient of x by the table";
}

}  // namespace fusewire::test
