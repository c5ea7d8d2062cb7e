// SPDX-License-Identifier: Apache-2.0
// Mean over pixels and its gradient: exact integers, float64, large sums in f16, edges, errors.
#include <cmath>

#include "device_fixture.h"

namespace fusewire::test {
namespace {

class MeanPoolTest : public DeviceTest {
 protected:
  std::vector<float> forward(const fw_mean_pool& p, const std::vector<float>& src, int64_t misalignment = 0) {
    int64_t bytes = 0;
    EXPECT_FW_OK(fw_mean_pool_workspace(stream(), &p, &bytes));
    Bytes workspace(stream(), bytes);
    Buffer x(stream(), p.dtype, src, misalignment);
    Buffer y = buffer(FW_F32, p.batch * p.channels);
    EXPECT_FW_OK(fw_mean_pool_forward(stream(), &p, x.address(), y.address(), workspace.address(), bytes));
    return y.download();
  }
  static std::vector<double> reference(const fw_mean_pool& p, const std::vector<float>& src) {
    std::vector<double> mean(size_t(p.batch * p.channels));
    for (size_t i = 0; i < src.size(); i++) {
      const size_t image = i / size_t(p.pixels * p.channels);
      mean[image * size_t(p.channels) + i % size_t(p.channels)] += double(src[i]) / double(p.pixels);
    }
    return mean;
  }
};
FUSEWIRE_ON_EVERY_DEVICE(MeanPoolTest);

TEST_P(MeanPoolTest, ExactOnIntegers) {
  for (const int64_t pixels : {1, 2, 16, 64, 1024}) {
    for (const int64_t channels : {1, 5, 16, 40, slow() ? 48 : 1280}) {
      const fw_mean_pool p = {FW_F32, 0, 2, pixels, channels};
      const std::vector<float> src = random_integers(1, p.batch * pixels * channels, 40);
      EXPECT_TRUE(exactly_equal(reference(p, src), forward(p, src, pixels % 3))) << pixels << "x" << channels;
    }
  }
}

TEST_P(MeanPoolTest, AgainstFloat64) {
  for (const int32_t dtype : kAllDtypes) {
    for (const int64_t pixels : {7, 49, slow() ? 300 : 12544}) {
      for (const int64_t channels : {3, 32}) {
        const fw_mean_pool p = {dtype, 0, 3, pixels, channels};
        const std::vector<float> src = random_reals(1, p.batch * pixels * channels, dtype, 1);
        EXPECT_TRUE(rule_of_two(FW_F32, reference(p, src), forward(p, src))) << dtype_name(dtype) << " " << pixels;
      }
    }
  }
}

TEST_P(MeanPoolTest, SumsBeyondF16) {
  const fw_mean_pool p = {FW_F16, 0, 1, 4096, 9};
  const std::vector<float> src(size_t(4096 * 9), 60000);
  EXPECT_TRUE(exactly_equal(std::vector<double>(9, 60000), forward(p, src)));
}

TEST_P(MeanPoolTest, Backward) {
  for (const int32_t dtype : kAllDtypes) {
    for (const int64_t channels : {1, 16, 35}) {
      const fw_mean_pool p = {dtype, 0, 3, 50, channels};
      const std::vector<float> diff = random_reals(1, p.batch * channels);
      std::vector<double> expected;
      for (int64_t i = 0; i < p.batch * p.pixels * channels; i++) {
        expected.push_back(diff[size_t(i / (p.pixels * channels) * channels + i % channels)] / 50.0);
      }
      Buffer dy = buffer(FW_F32, diff);
      Buffer dx = buffer(dtype, int64_t(expected.size()));
      ASSERT_FW_OK(fw_mean_pool_backward(stream(), &p, dy.address(), dx.address()));
      EXPECT_TRUE(rule_of_two(dtype, expected, dx.download()));
    }
  }
}

TEST_P(MeanPoolTest, NaNStaysInItsChannel) {
  const fw_mean_pool p = {FW_F32, 0, 2, 30, 6};
  std::vector<float> src = random_reals(1, 360);
  src[6 * 17 + 2] = NAN;
  const std::vector<float> got = forward(p, src);
  for (size_t i = 0; i < got.size(); i++) {
    EXPECT_EQ(i == 2, std::isnan(got[i]));
  }
}

TEST_P(MeanPoolTest, Deterministic) {
  const fw_mean_pool p = {FW_F32, 0, 2, slow() ? 500 : 9000, 24};
  const std::vector<float> src = random_reals(1, p.batch * p.pixels * p.channels);
  expect_deterministic([&] { return forward(p, src); });
}

TEST_P(MeanPoolTest, RefusesWhatDoesNotFit) {
  Buffer a = buffer(FW_F32, 64);
  const fw_address x = a.address();
  const fw_mean_pool good = {FW_F32, 0, 2, 4, 8};
  int64_t bytes = 0;
  fw_mean_pool p = good;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_mean_pool_forward(stream(), nullptr, x, x, 0, 0), "problem is null");
  p.dtype = 3;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_mean_pool_forward(stream(), &p, x, x, 0, 0), "dtype is 3");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_mean_pool_backward(stream(), &p, x, x), "dtype is 3");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_mean_pool_workspace(stream(), &p, &bytes), "dtype is 3");
  p = good;
  p.pixels = 0;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_mean_pool_forward(stream(), &p, x, x, 0, 0), "pixels is 0");
  p = good;
  p.batch = -2;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_mean_pool_forward(stream(), &p, x, x, 0, 0), "batch is -2");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_mean_pool_forward(stream(), &good, 0, x, 0, 0), "address of src is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_mean_pool_backward(stream(), &good, x, x + 1), "multiple");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_mean_pool_backward(stream() + 1000, &good, x, x), "stream");
  p = good;
  p.pixels = 1 << 20;  // needs two stages
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_mean_pool_forward(stream(), &p, x, x, x, 4), "workspace has 4 bytes");
  p = good;
  p.batch = 0;
  EXPECT_FW_OK(fw_mean_pool_forward(stream(), &p, 0, 0, 0, 0));
  EXPECT_FW_OK(fw_mean_pool_backward(stream(), &p, 0, 0));
}

}  // namespace
}  // namespace fusewire::test
