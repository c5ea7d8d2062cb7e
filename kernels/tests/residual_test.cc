// SPDX-License-Identifier: Apache-2.0
// Residual sum with drop-connect: against float64 with the reference's random numbers, in place, rates, errors.
#include <cmath>

#include "device_fixture.h"
#include "philox_reference.h"

namespace fusewire::test {
namespace {

constexpr uint64_t kSeed = 0x123456789abcdef0u;
constexpr uint32_t kStep = 17;
constexpr uint32_t kLayer = 5;

class ResidualTest : public DeviceTest {
 protected:
  fw_residual problem(int32_t dtype, int64_t batch, int64_t elements, float drop_rate) const {
    return {dtype, kLayer, batch, elements, drop_rate, 0};
  }
  Bytes step() const {
    const fw_step s = {kSeed, kStep, 0.1f, 0.9f, 0.99f, 1, 1};
    return Bytes(stream(), &s, sizeof(s));
  }
  static double factor(const fw_residual& p, int64_t image) {
    const bool kept = reference_uniform(kSeed, image, 0, kStep, p.layer) >= p.drop_rate;
    return kept ? 1 / (1 - double(p.drop_rate)) : 0;
  }
};
FUSEWIRE_ON_EVERY_DEVICE(ResidualTest);

TEST_P(ResidualTest, ForwardAndBackwardAgainstFloat64) {
  for (const int32_t dtype : kAllDtypes) {
    for (const int64_t elements : {1, 7, 16, 48, 1000, slow() ? 5000 : 40000}) {
      for (const float rate : {0.0f, 0.2f, 0.5f}) {
        const fw_residual p = problem(dtype, 9, elements, rate);
        SCOPED_TRACE(testing::Message() << dtype_name(dtype) << " " << elements << " elements, rate " << rate);
        const std::vector<float> branch = random_reals(1, p.batch * elements, dtype);
        const std::vector<float> skip = random_reals(2, p.batch * elements, dtype);
        std::vector<double> sum;
        std::vector<double> gradient;
        for (size_t i = 0; i < branch.size(); i++) {
          const double f = factor(p, int64_t(i) / elements);
          sum.push_back(branch[i] * f + skip[i]);
          gradient.push_back(branch[i] * f);
        }
        const Bytes s = step();
        for (const int into : {0, 1, 2}) {
          Buffer a = buffer(dtype, branch);
          Buffer b = buffer(dtype, skip);
          Buffer c = buffer(dtype, p.batch * elements);
          const Buffer& dst = into == 0 ? c : into == 1 ? a : b;
          ASSERT_FW_OK(
              fw_residual_forward(stream(), &p, rate == 0 ? 0 : s.address(), a.address(), b.address(), dst.address()));
          EXPECT_TRUE(rule_of_two(dtype, sum, dst.download())) << "into " << into;
        }
        for (const bool in_place : {false, true}) {
          Buffer a = buffer(dtype, branch);
          Buffer c = buffer(dtype, p.batch * elements);
          const Buffer& dst = in_place ? a : c;
          ASSERT_FW_OK(fw_residual_backward(stream(), &p, s.address(), a.address(), dst.address()));
          EXPECT_TRUE(rule_of_two(dtype, gradient, dst.download()));
        }
      }
    }
  }
}

TEST_P(ResidualTest, ExactOnIntegersAtRateOneHalf) {
  const fw_residual p = problem(FW_F32, 33, 70, 0.5f);
  const std::vector<float> branch = random_integers(1, 33 * 70);
  const std::vector<float> skip = random_integers(2, 33 * 70, 9);
  std::vector<double> expected;
  for (size_t i = 0; i < branch.size(); i++) {
    expected.push_back(branch[i] * factor(p, int64_t(i) / 70) + skip[i]);
  }
  const Bytes s = step();
  Buffer a = buffer(FW_F32, branch);
  Buffer b = buffer(FW_F32, skip);
  Buffer c(stream(), FW_F32, 33 * 70, 1);
  ASSERT_FW_OK(fw_residual_forward(stream(), &p, s.address(), a.address(), b.address(), c.address()));
  EXPECT_TRUE(exactly_equal(expected, c.download()));
}

TEST_P(ResidualTest, KeepsAboutTheRightShare) {
  const int64_t batch = slow() ? 600 : 20000;
  const fw_residual p = problem(FW_F32, batch, 1, 0.2f);
  const Bytes s = step();
  Buffer a = buffer(FW_F32, std::vector<float>(size_t(batch), 1));
  Buffer b = buffer(FW_F32, batch);
  ASSERT_FW_OK(fw_residual_backward(stream(), &p, s.address(), a.address(), b.address()));
  double kept = 0;
  for (const float v : b.download()) {
    ASSERT_TRUE(v == 0.0f || v == 1.0f / (1.0f - 0.2f));
    kept += v != 0 ? 1 : 0;
  }
  EXPECT_NEAR(0.8, kept / double(batch), 5 * 0.4 / std::sqrt(double(batch)));
}

TEST_P(ResidualTest, NaNStaysNaN) {
  const fw_residual p = problem(FW_BF16, 1, 3, 0);
  Buffer a = buffer(FW_BF16, {1, NAN, 2});
  Buffer b = buffer(FW_BF16, {NAN, 1, 2});
  Buffer c = buffer(FW_BF16, {0, 0, 0});
  ASSERT_FW_OK(fw_residual_forward(stream(), &p, 0, a.address(), b.address(), c.address()));
  const std::vector<float> got = c.download();
  EXPECT_TRUE(std::isnan(got[0]) && std::isnan(got[1]) && got[2] == 4);
}

TEST_P(ResidualTest, Deterministic) {
  const fw_residual p = problem(FW_F16, 5, 3000, 0.3f);
  const Bytes s = step();
  expect_deterministic([&] {
    Buffer a = buffer(FW_F16, random_reals(1, 15000, FW_F16));
    Buffer c = buffer(FW_F16, 15000);
    EXPECT_FW_OK(fw_residual_forward(stream(), &p, s.address(), a.address(), a.address(), c.address()));
    return c.download();
  });
}

TEST_P(ResidualTest, RefusesWhatDoesNotFit) {
  Buffer a = buffer(FW_F32, 80);
  const Bytes s = step();
  const fw_address x = a.address();
  const fw_residual good = problem(FW_F32, 2, 40, 0.5f);
  fw_residual p = good;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_residual_forward(stream(), nullptr, s.address(), x, x, x), "problem is null");
  p.dtype = 5;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_residual_forward(stream(), &p, s.address(), x, x, x), "dtype is 5");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_residual_backward(stream(), &p, s.address(), x, x), "dtype is 5");
  p = good;
  p.drop_rate = 1;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_residual_forward(stream(), &p, s.address(), x, x, x), "drop_rate is 1");
  p.drop_rate = NAN;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_residual_backward(stream(), &p, s.address(), x, x), "drop_rate is nan");
  p = good;
  p.batch = -1;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_residual_forward(stream(), &p, s.address(), x, x, x), "batch is -1");
  p = good;
  p.elements = INT64_MAX;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_residual_forward(stream(), &p, s.address(), x, x, x), "2^62 bytes");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_residual_forward(stream(), &good, 0, x, x, x), "address of step is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_residual_backward(stream(), &good, 0, x, x), "address of step is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_residual_forward(stream(), &good, s.address(), 0, x, x), "of branch is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_residual_forward(stream(), &good, s.address(), x, 0, x), "of skip is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_residual_forward(stream(), &good, s.address(), x, x, x + 2), "multiple");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_residual_backward(stream(), &good, s.address(), x, 0), "diff_branch is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_residual_backward(stream() + 1000, &good, s.address(), x, x), "stream");
  p = good;
  p.batch = 0;
  EXPECT_FW_OK(fw_residual_forward(stream(), &p, s.address(), 0, 0, 0));
  EXPECT_FW_OK(fw_residual_backward(stream(), &p, s.address(), 0, 0));
}

}  // namespace
}  // namespace fusewire::test
