// SPDX-License-Identifier: Apache-2.0
// Mean over pixels of a tensor that is normalised on load, and its way back to the BatchNorm's gradient: against
// float64, edges, determinism, errors.
#include <cmath>

#include "device_fixture.h"
#include "fusewire/fused.h"
#include "norm_reference.h"

namespace fusewire::test {
namespace {

class FusedMeanPoolTest : public DeviceTest {
 protected:
  struct Backward {
    std::vector<float> diff_src;
    NormGradientResult norm;
  };

  int64_t workspace_bytes(const fw_normed& p) const {
    int64_t bytes = 0;
    EXPECT_FW_OK(fw_normed_workspace(stream(), &p, &bytes));
    return bytes;
  }
  // No table: the address is 0.
  std::vector<float> forward(const fw_normed& p, const std::vector<float>& src, const std::vector<float>& norm,
                             int64_t misalignment = 0) {
    Buffer x(stream(), p.dtype, src, misalignment);
    Buffer t = buffer(FW_F32, norm);
    Buffer y = buffer(FW_F32, p.batch * p.channels);
    Bytes workspace(stream(), workspace_bytes(p));
    EXPECT_FW_OK(fw_fused_mean_pool_forward(stream(), &p, x.address(), norm.empty() ? 0 : t.address(), y.address(),
                                            workspace.address(), workspace.bytes()));
    return y.download();
  }
  Backward backward(const fw_normed& p, const std::vector<float>& src, const std::vector<float>& norm,
                    const std::vector<float>& diff, int64_t misalignment = 0) {
    Buffer x(stream(), p.dtype, src, misalignment);
    Buffer t = buffer(FW_F32, norm);
    Buffer dy = buffer(FW_F32, diff);
    Buffer dx(stream(), p.dtype, int64_t(src.size()), misalignment);
    Buffer gamma = buffer(FW_F32, p.channels);
    Buffer beta = buffer(FW_F32, p.channels);
    Buffer gradient = buffer(FW_F32, 2 * p.channels);
    Bytes workspace(stream(), workspace_bytes(p));
    EXPECT_FW_OK(fw_fused_mean_pool_backward(stream(), &p, x.address(), t.address(), dy.address(), dx.address(),
                                             gamma.address(), beta.address(), gradient.address(), workspace.address(),
                                             workspace.bytes()));
    return {dx.download(), {gamma.download(), beta.download(), gradient.download()}};
  }
  static std::vector<double> mean(const fw_normed& p, const std::vector<double>& y) {
    std::vector<double> pooled(size_t(p.batch * p.channels));
    for (size_t i = 0; i < y.size(); i++) {
      const size_t image = i / size_t(p.pixels * p.channels);
      pooled[image * size_t(p.channels) + i % size_t(p.channels)] += y[i] / double(p.pixels);
    }
    return pooled;
  }

  void check(const fw_normed& p, uint64_t seed) {
    SCOPED_TRACE(testing::Message() << dtype_name(p.dtype) << " " << p.batch << "x" << p.pixels << "x" << p.channels
                                    << " activation " << p.activation);
    const std::vector<float> src = random_reals(seed, p.batch * p.pixels * p.channels, p.dtype, 1, 2);
    const NormReference norm = norm_reference(src, p.channels, p.activation, seed + 1);
    const auto misalignment = int64_t(seed % 2);
    EXPECT_TRUE(rule_of_two(FW_F32, mean(p, norm.values(src)), forward(p, src, norm.table, misalignment)));
    const std::vector<float> diff = random_reals(seed + 3, p.batch * p.channels);
    std::vector<double> g(src.size());
    for (size_t i = 0; i < g.size(); i++) {
      const size_t image = i / size_t(p.pixels * p.channels);
      g[i] = diff[image * norm.channels + i % norm.channels] / double(p.pixels) * norm.slope(src, i);
    }
    const Backward got = backward(p, src, norm.table, diff, misalignment);
    EXPECT_TRUE(rule_of_two(p.dtype, g, got.diff_src, 3));
    // The sums are of the gradient as stored. Where a' is constant all terms are equal, and so are their roundings.
    const std::vector<double> stored(got.diff_src.begin(), got.diff_src.end());
    check_norm_gradient(norm, src, stored, got.norm, 1e-5);
  }
};
FUSEWIRE_ON_EVERY_DEVICE(FusedMeanPoolTest);

TEST_P(FusedMeanPoolTest, AgainstFloat64) {
  struct Shape {
    int64_t batch, pixels, channels;
  };
  std::vector<Shape> shapes = {{1, 1, 1}, {2, 1, 7}, {3, 49, 24}, {1, 100, 33}, {2, 65, 96}, {40, 3, 17}};
  if (!slow()) {
    shapes.insert(shapes.end(), {{8, 49, 1280}, {4, 144, 1792}, {2, 12545, 16}, {300, 7, 65}});
  }
  uint64_t seed = 1;
  for (const Shape& s : shapes) {
    for (const int32_t dtype : kAllDtypes) {
      check({dtype, int32_t(seed / 5 % 4), s.batch, s.pixels, s.channels}, seed);
      seed += 5;
    }
  }
}

TEST_P(FusedMeanPoolTest, WithoutNormTheValuesAsTheyAre) {
  for (const int64_t pixels : {4, 16, slow() ? 128 : 1024}) {
    const fw_normed p = {FW_BF16, FW_RELU, 2, pixels, 19};
    const std::vector<float> src = random_integers(1, p.batch * pixels * p.channels, 40);
    std::vector<double> y(src.size());
    for (size_t i = 0; i < y.size(); i++) {
      y[i] = src[i] > 0 ? src[i] : 0;
    }
    EXPECT_TRUE(exactly_equal(mean(p, y), forward(p, src, {}))) << pixels;
  }
}

TEST_P(FusedMeanPoolTest, EmptyBatch) {
  const fw_normed p = {FW_F32, FW_SILU, 0, 9, 12};
  EXPECT_TRUE(forward(p, {}, {}).empty());
  const Backward got = backward(p, {}, std::vector<float>(48, 1), {});
  EXPECT_EQ(std::vector<float>(12, 0), got.norm.diff_gamma);
  EXPECT_EQ(std::vector<float>(24, 0), got.norm.gradient);
}

TEST_P(FusedMeanPoolTest, Deterministic) {
  const fw_normed p = {FW_BF16, FW_SILU, 3, slow() ? 150 : 3000, 40};
  const std::vector<float> src = random_reals(1, p.batch * p.pixels * p.channels, FW_BF16);
  const std::vector<float> diff = random_reals(2, p.batch * p.channels);
  const NormReference norm = norm_reference(src, 40, FW_SILU, 3);
  expect_deterministic([&] {
    std::vector<float> all = forward(p, src, norm.table);
    const Backward b = backward(p, src, norm.table, diff);
    for (const std::vector<float>* part : {&b.diff_src, &b.norm.diff_gamma, &b.norm.gradient}) {
      all.insert(all.end(), part->begin(), part->end());
    }
    return all;
  });
}

TEST_P(FusedMeanPoolTest, RefusesWhatDoesNotFit) {
  const fw_normed good = {FW_F32, FW_SILU, 1, 2, 8};
  Buffer a = buffer(FW_F32, 64);
  Bytes workspace(stream(), workspace_bytes(good));
  const fw_address x = a.address();
  const int64_t w = workspace.bytes();
  const auto forward = [&](const fw_normed* p, fw_address src, fw_address norm, fw_address pooled, int64_t bytes) {
    return fw_fused_mean_pool_forward(stream(), p, src, norm, pooled, workspace.address(), bytes);
  };
  const auto backward = [&](const fw_normed* p, fw_address src, fw_address norm, fw_address diff, fw_address diff_src,
                            fw_address gamma, fw_address beta, fw_address gradient, int64_t bytes) {
    return fw_fused_mean_pool_backward(stream(), p, src, norm, diff, diff_src, gamma, beta, gradient,
                                       workspace.address(), bytes);
  };
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(nullptr, x, x, x, w), "problem is null");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(&good, 0, x, x, w), "address of src is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(&good, x, x + 1, x, w), "address of norm");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(&good, x, x, 0, w), "address of pooled is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(&good, x, x, x, w - 1), "workspace has");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, backward(nullptr, x, x, x, x, x, x, x, w), "problem is null");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, backward(&good, 0, x, x, x, x, x, x, w), "address of src is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, backward(&good, x, 0, x, x, x, x, x, w), "address of norm is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, backward(&good, x, x, 0, x, x, x, x, w), "address of diff_pooled is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, backward(&good, x, x, x, x + 2, x, x, x, w), "address of diff_src");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, backward(&good, x, x, x, x, 0, x, x, w), "address of diff_gamma is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, backward(&good, x, x, x, x, x, 0, x, w), "address of diff_beta is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, backward(&good, x, x, x, x, x, x, 0, w), "address of gradient is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, backward(&good, x, x, x, x, x, x, x, 0), "workspace has 0 bytes");
  for (const auto& call :
       {std::function<fw_status(const fw_normed&)>([&](const fw_normed& p) { return forward(&p, x, x, x, w); }),
        std::function<fw_status(const fw_normed&)>(
            [&](const fw_normed& p) { return backward(&p, x, x, x, x, x, x, x, w); })}) {
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, call({3, FW_SILU, 1, 2, 8}), "dtype is 3");
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, call({FW_F32, -1, 1, 2, 8}), "activation is -1");
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, call({FW_F32, FW_SILU, -1, 2, 8}), "batch is -1");
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, call({FW_F32, FW_SILU, 1, 0, 8}), "pixels is 0");
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, call({FW_F32, FW_SILU, 1, 2, INT64_MAX}), "2^62 bytes");
  }
}

}  // namespace
}  // namespace fusewire::test
