// SPDX-License-Identifier: Apache-2.0
// BatchNorm's gradient table from a gradient and a raw tensor: against float64, image scales, edges, determinism,
// errors.
#include <cmath>

#include "device_fixture.h"
#include "fusewire/fused.h"
#include "norm_reference.h"

namespace fusewire::test {
namespace {

class NormGradientTest : public DeviceTest {
 protected:
  int64_t workspace_bytes(const fw_normed& p) const {
    int64_t bytes = 0;
    EXPECT_FW_OK(fw_normed_workspace(stream(), &p, &bytes));
    return bytes;
  }
  // No scales: the address is 0.
  NormGradientResult run(const fw_normed& p, const std::vector<float>& src, const std::vector<float>& norm,
                         const std::vector<float>& diff, const std::vector<float>& scales, int64_t misalignment = 0) {
    Buffer x(stream(), p.dtype, src, misalignment);
    Buffer d(stream(), p.dtype, diff, misalignment);
    Buffer t = buffer(FW_F32, norm);
    Buffer s = buffer(FW_F32, scales);
    Buffer gamma = buffer(FW_F32, p.channels);
    Buffer beta = buffer(FW_F32, p.channels);
    Buffer gradient = buffer(FW_F32, 2 * p.channels);
    Bytes workspace(stream(), workspace_bytes(p));
    const auto run_to = [&](fw_address diff_norm) {
      EXPECT_FW_OK(fw_norm_gradient(stream(), &p, x.address(), t.address(), d.address(),
                                    scales.empty() ? 0 : s.address(), diff_norm, gamma.address(), beta.address(),
                                    gradient.address(), workspace.address(), workspace.bytes()));
    };
    // g goes nowhere, to a tensor of its own, and to that of diff, and the rest is the same.
    run_to(0);
    const std::vector<float> alone = gradient.download();
    Buffer g(stream(), p.dtype, diff, misalignment);
    run_to(g.address());
    EXPECT_TRUE(same_bits(gradient.download(), alone));
    diff_norm = g.download();
    run_to(d.address());
    EXPECT_TRUE(same_bits(d.download(), diff_norm));
    return {gamma.download(), beta.download(), gradient.download()};
  }
  void check(const fw_normed& p, bool scaled, uint64_t seed) {
    SCOPED_TRACE(testing::Message() << dtype_name(p.dtype) << " " << p.batch << "x" << p.pixels << "x" << p.channels
                                    << " activation " << p.activation << (scaled ? ", scaled" : ""));
    const int64_t count = p.batch * p.pixels * p.channels;
    const std::vector<float> src = random_reals(seed, count, p.dtype, 3, 2);
    const std::vector<float> diff = random_reals(seed + 1, count, p.dtype, 0.1f);
    std::vector<float> scales;
    for (int64_t n = 0; scaled && n < p.batch; n++) {
      scales.push_back(n % 3 == 1 ? 0 : 1 + float(n) / 4);
    }
    const NormReference norm = norm_reference(src, p.channels, p.activation, seed + 2);
    std::vector<double> g(src.size());
    for (size_t i = 0; i < g.size(); i++) {
      g[i] = diff[i] * norm.slope(src, i) * (scaled ? scales[i / size_t(p.pixels * p.channels)] : 1);
    }
    check_norm_gradient(norm, src, g, run(p, src, norm.table, diff, scales, int64_t(seed % 2)));
    const double tolerance = p.dtype == FW_F32 ? 1e-5 : p.dtype == FW_F16 ? 1e-3 : 8e-3;
    for (size_t i = 0; i < g.size(); i++) {
      ASSERT_NEAR(diff_norm[i], g[i], tolerance * (std::abs(g[i]) + 0.01)) << i;
    }
  }
  std::vector<float> diff_norm;  // what the last run wrote
};
FUSEWIRE_ON_EVERY_DEVICE(NormGradientTest);

TEST_P(NormGradientTest, AgainstFloat64) {
  struct Shape {
    int64_t batch, pixels, channels;
  };
  std::vector<Shape> shapes = {{1, 1, 1}, {1, 2, 3}, {5, 1, 7}, {3, 49, 24}, {1, 100, 33}, {2, 65, 96}, {33, 4, 17}};
  if (!slow()) {
    shapes.insert(shapes.end(), {{8, 49, 320}, {4, 3136, 24}, {2, 12545, 16}, {300, 7, 65}, {3, 333, 1280}});
  }
  uint64_t seed = 1;
  for (const Shape& s : shapes) {
    for (const int32_t dtype : kAllDtypes) {
      for (const bool scaled : {false, true}) {
        const auto activation = int32_t(seed % 4);
        check({dtype, activation, s.batch, s.pixels, s.channels}, scaled, seed);
        seed += 3;
      }
    }
  }
}

// The mean is far from 0: what is summed is x - mean.
TEST_P(NormGradientTest, MeanFarFromZero) {
  const int64_t pixels = slow() ? 200 : 5000;
  const std::vector<float> src = random_reals(1, pixels * 8, FW_F32, 1000, 1);
  const std::vector<float> diff = random_reals(2, pixels * 8);
  const NormReference norm = norm_reference(src, 8, FW_IDENTITY, 3);
  const std::vector<double> g(diff.begin(), diff.end());
  check_norm_gradient(norm, src, g, run({FW_F32, FW_IDENTITY, 1, pixels, 8}, src, norm.table, diff, {}));
}

TEST_P(NormGradientTest, ExactOnIntegers) {
  const fw_normed p = {FW_F32, FW_RELU, 4, 32, 20};
  const std::vector<float> src = random_integers(1, 4 * 32 * 20);
  const std::vector<float> diff = random_integers(2, 4 * 32 * 20);
  NormReference norm = {20, FW_RELU, std::vector<float>(80, 1)};  // 1/std and scale are 1
  std::vector<double> gamma(20);
  std::vector<double> beta(20);
  std::vector<double> table(40);
  for (size_t i = 0; i < src.size(); i++) {
    const double g = diff[i] * norm.slope(src, i) * 2;
    beta[i % 20] += g;
    gamma[i % 20] += g * norm.h(src, i);
  }
  for (size_t c = 0; c < 20; c++) {
    table[c] = -gamma[c] / 128;
    table[20 + c] = -beta[c] / 128;
  }
  const NormGradientResult got = run(p, src, norm.table, diff, {2, 2, 2, 2});
  EXPECT_TRUE(exactly_equal(gamma, got.diff_gamma));
  EXPECT_TRUE(exactly_equal(beta, got.diff_beta));
  EXPECT_TRUE(exactly_equal(table, got.gradient));
}

TEST_P(NormGradientTest, EmptyBatchHasZeroGradients) {
  const fw_normed p = {FW_BF16, FW_SILU, 0, 9, 12};
  const NormGradientResult got = run(p, {}, std::vector<float>(48, 1), {}, {});
  EXPECT_EQ(std::vector<float>(12, 0), got.diff_gamma);
  EXPECT_EQ(std::vector<float>(12, 0), got.diff_beta);
  EXPECT_EQ(std::vector<float>(24, 0), got.gradient);
}

TEST_P(NormGradientTest, NaNStaysInItsChannel) {
  const fw_normed p = {FW_F32, FW_SILU, 2, 30, 6};
  std::vector<float> src = random_reals(1, 360);
  const NormReference norm = norm_reference(src, 6, FW_SILU, 2);
  src[6 * 37 + 2] = NAN;
  const NormGradientResult got = run(p, src, norm.table, random_reals(3, 360), {});
  for (size_t c = 0; c < 6; c++) {
    EXPECT_EQ(c == 2, std::isnan(got.diff_gamma[c])) << c;
    EXPECT_EQ(c == 2, std::isnan(got.gradient[c])) << c;
  }
}

TEST_P(NormGradientTest, Deterministic) {
  const fw_normed p = {FW_F16, FW_SILU, 3, slow() ? 150 : 5000, 40};
  const std::vector<float> src = random_reals(1, p.batch * p.pixels * p.channels, FW_F16);
  const std::vector<float> diff = random_reals(2, p.batch * p.pixels * p.channels, FW_F16);
  const NormReference norm = norm_reference(src, 40, FW_SILU, 3);
  expect_deterministic([&] {
    NormGradientResult got = run(p, src, norm.table, diff, {1, 0, 2});
    got.gradient.insert(got.gradient.end(), got.diff_gamma.begin(), got.diff_gamma.end());
    return got.gradient;
  });
}

TEST_P(NormGradientTest, RefusesWhatDoesNotFit) {
  const fw_normed good = {FW_F32, FW_SILU, 1, 2, 8};
  Buffer a = buffer(FW_F32, 64);
  Bytes workspace(stream(), workspace_bytes(good));
  const fw_address x = a.address();
  const int64_t w = workspace.bytes();
  const auto run = [&](const fw_normed* p, fw_address src, fw_address norm, fw_address diff, fw_address scale,
                       fw_address gamma, fw_address beta, fw_address gradient, int64_t bytes) {
    return fw_norm_gradient(stream(), p, src, norm, diff, scale, 0, gamma, beta, gradient, workspace.address(), bytes);
  };
  const auto with = [&](const fw_normed& p) { return run(&p, x, x, x, 0, x, x, x, w); };
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, run(nullptr, x, x, x, 0, x, x, x, w), "problem is null");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, run(&good, 0, x, x, 0, x, x, x, w), "address of src is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, run(&good, x, 0, x, 0, x, x, x, w), "address of norm is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, run(&good, x, x, 0, 0, x, x, x, w), "address of diff is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, run(&good, x, x, x, x + 1, x, x, x, w), "address of image_scale");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, run(&good, x, x, x, 0, 0, x, x, w), "address of diff_gamma is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, run(&good, x, x, x, 0, x, 0, x, w), "address of diff_beta is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, run(&good, x, x, x, 0, x, x, x + 2, w), "address of gradient");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, run(&good, x, x, x, 0, x, x, x, w - 1), "workspace has");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, with({9, FW_SILU, 1, 2, 8}), "dtype is 9");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, with({FW_F32, 9, 1, 2, 8}), "activation is 9");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, with({FW_F32, FW_SILU, -1, 2, 8}), "batch is -1");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, with({FW_F32, FW_SILU, 1, 0, 8}), "pixels is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, with({FW_F32, FW_SILU, 1, 2, 0}), "channels is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, with({FW_F32, FW_SILU, INT64_MAX, 2, 8}), "2^62 bytes");
  int64_t bytes = 0;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_normed_workspace(stream(), nullptr, &bytes), "problem is null");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_normed_workspace(stream(), &good, nullptr), "bytes is null");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_normed_workspace(stream() + 1000, &good, &bytes), "stream");
}

}  // namespace
}  // namespace fusewire::test
