// SPDX-License-Identifier: Apache-2.0
// Residual sum of tensors that are normalised on load, and drop-connect's factors: against float64, every combination
// of what may be absent, in place, equal to the unfused residual's draws, errors.
#include <cmath>

#include "device_fixture.h"
#include "fusewire/fused.h"
#include "norm_reference.h"
#include "philox_reference.h"

namespace fusewire::test {
namespace {

class FusedResidualTest : public DeviceTest {
 protected:
  static std::vector<float> image_scales(int64_t batch) {
    std::vector<float> scales;
    for (int64_t n = 0; n < batch; n++) {
      scales.push_back(n % 3 == 1 ? 0 : 1 + float(n) / 4);
    }
    return scales;
  }

  // with_...: bits of what is there
  static constexpr int kNorm = 1, kScale = 2, kSkipNorm = 4;

  void check(const fw_fused_residual& problem, int with, int into, uint64_t seed) {
    const fw_normed& p = problem.branch;
    SCOPED_TRACE(testing::Message() << dtype_name(p.dtype) << " " << p.batch << "x" << p.pixels << "x" << p.channels
                                    << " activations " << p.activation << " " << problem.skip_activation << " "
                                    << problem.out_activation << " with " << with << " into " << into);
    const int64_t count = p.batch * p.pixels * p.channels;
    const std::vector<float> branch = random_reals(seed, count, p.dtype, 1, 2);
    const std::vector<float> skip = random_reals(seed + 1, count, p.dtype, -1, 3);
    const NormReference norm = norm_reference(branch, p.channels, p.activation, seed + 2);
    const NormReference skip_norm = norm_reference(skip, p.channels, problem.skip_activation, seed + 4);
    const std::vector<float> scales = image_scales(p.batch);
    std::vector<double> expected(branch.size());
    for (size_t i = 0; i < expected.size(); i++) {
      const double y = (with & kNorm) != 0 ? norm.value(branch, i) : activate(p.activation, branch[i]);
      const double factor = (with & kScale) != 0 ? scales[i / size_t(p.pixels * p.channels)] : 1;
      const double added =
          (with & kSkipNorm) != 0 ? skip_norm.value(skip, i) : activate(problem.skip_activation, skip[i]);
      expected[i] = activate(problem.out_activation, y * factor + added);
    }
    const auto misalignment = int64_t(seed % 2);
    Buffer a(stream(), p.dtype, branch, misalignment);
    Buffer b(stream(), p.dtype, skip, misalignment);
    Buffer c(stream(), p.dtype, count, misalignment);
    Buffer table = buffer(FW_F32, norm.table);
    Buffer skip_table = buffer(FW_F32, skip_norm.table);
    Buffer factors = buffer(FW_F32, scales);
    const Buffer& dst = into == 0 ? c : into == 1 ? a : b;
    ASSERT_FW_OK(fw_fused_residual_forward(stream(), &problem, a.address(), (with & kNorm) != 0 ? table.address() : 0,
                                           (with & kScale) != 0 ? factors.address() : 0, b.address(),
                                           (with & kSkipNorm) != 0 ? skip_table.address() : 0, dst.address()));
    EXPECT_TRUE(rule_of_two(p.dtype, expected, dst.download()));
  }
};
FUSEWIRE_ON_EVERY_DEVICE(FusedResidualTest);

TEST_P(FusedResidualTest, AgainstFloat64) {
  struct Shape {
    int64_t batch, pixels, channels;
  };
  std::vector<Shape> shapes = {{1, 1, 1}, {2, 1, 7}, {5, 49, 24}, {1, 100, 33}, {2, 65, 96}};
  if (!slow()) {
    shapes.insert(shapes.end(), {{8, 49, 192}, {3, 3137, 24}, {40, 9, 65}});
  }
  uint64_t seed = 1;
  for (const Shape& s : shapes) {
    for (const int32_t dtype : kAllDtypes) {
      for (int with = 0; with < 8; with++) {
        const int32_t activation = seed % 5 == 0 ? FW_SILU : FW_IDENTITY;
        const int32_t behind[] = {FW_IDENTITY, FW_RELU, FW_RELU6, FW_IDENTITY};
        check({{dtype, activation, s.batch, s.pixels, s.channels}, behind[seed / 3 % 4], behind[seed / 2 % 3]}, with,
              int(seed % 3), seed);
        seed += 7;
      }
    }
  }
}

TEST_P(FusedResidualTest, ExactWhereNothingIsNormalised) {
  const fw_fused_residual p = {{FW_F32, FW_IDENTITY, 3, 20, 21}, FW_IDENTITY, FW_IDENTITY};
  const std::vector<float> branch = random_integers(1, 1260);
  const std::vector<float> skip = random_integers(2, 1260, 9);
  const std::vector<float> scales = {2, 0, 4};
  std::vector<double> expected;
  for (size_t i = 0; i < branch.size(); i++) {
    expected.push_back(branch[i] * scales[i / 420] + skip[i]);
  }
  Buffer a = buffer(FW_F32, branch);
  Buffer b = buffer(FW_F32, skip);
  Buffer s = buffer(FW_F32, scales);
  Buffer c = buffer(FW_F32, 1260);
  ASSERT_FW_OK(fw_fused_residual_forward(stream(), &p, a.address(), 0, s.address(), b.address(), 0, c.address()));
  EXPECT_TRUE(exactly_equal(expected, c.download()));
}

TEST_P(FusedResidualTest, GradientOfTheSumFromTheResult) {
  for (const int32_t dtype : kAllDtypes) {
    for (const int32_t activation : {FW_IDENTITY, FW_RELU, FW_RELU6}) {
      for (const int64_t channels : {1, 7, 24, slow() ? 40 : 1000}) {
        SCOPED_TRACE(testing::Message() << dtype_name(dtype) << " " << activation << " " << channels);
        const int64_t count = 2 * 9 * channels;
        const fw_fused_residual p = {{dtype, FW_IDENTITY, 2, 9, channels}, FW_IDENTITY, activation};
        std::vector<float> result = random_reals(1, count, dtype, 3, 4);
        std::vector<float> diff = random_reals(2, count, dtype);
        diff[0] =
            INFINITY;  // as a loss scale that is too large leaves it; where the derivative is 0 so is the gradient
        result[0] = activation == FW_IDENTITY ? 1.0f : 0.0f;
        std::vector<float> expected(diff.size());
        for (size_t i = 0; i < diff.size(); i++) {
          result[i] = rounded_to(dtype, activate(activation, result[i]));
          expected[i] = activate_gradient(activation, result[i]) == 0 ? 0 : diff[i];
        }
        for (const int into : {0, 1, 2}) {
          Buffer a = buffer(dtype, result);
          Buffer b = buffer(dtype, diff);
          Buffer c = buffer(dtype, count);
          const Buffer& to = into == 0 ? c : into == 1 ? a : b;
          ASSERT_FW_OK(fw_fused_residual_backward(stream(), &p, a.address(), b.address(), to.address()));
          EXPECT_TRUE(same_bits(expected, to.download())) << "into " << into;
        }
      }
    }
  }
}

TEST_P(FusedResidualTest, ScalesAreThoseOfTheUnfusedResidual) {
  constexpr uint64_t kSeed = 0x123456789abcdef0u;
  const fw_step step = {kSeed, 17, 0.1f, 0.9f, 0.99f, 1, 1};
  Bytes s(stream(), &step, sizeof(step));
  for (const int64_t batch : {1, 33, slow() ? 300 : 3000}) {
    for (const float rate : {0.0f, 0.2f, 0.7f}) {
      const fw_residual p = {FW_BF16, 5, batch, 1, rate, 0};
      Buffer scales = buffer(FW_F32, batch);
      ASSERT_FW_OK(fw_drop_connect_scales(stream(), &p, rate == 0 ? 0 : s.address(), scales.address()));
      std::vector<double> expected;
      for (int64_t n = 0; n < batch; n++) {
        const bool kept = reference_uniform(kSeed, n, 0, 17, 5) >= rate;
        expected.push_back(kept ? double(1.0f / (1.0f - rate)) : 0);
      }
      EXPECT_TRUE(exactly_equal(expected, scales.download(), batch == 1)) << batch << " at " << rate;
      const fw_residual unfused = {FW_F32, 5, batch, 1, rate, 0};
      Buffer ones = buffer(FW_F32, std::vector<float>(size_t(batch), 1));
      Buffer dropped = buffer(FW_F32, batch);
      ASSERT_FW_OK(fw_residual_backward(stream(), &unfused, s.address(), ones.address(), dropped.address()));
      EXPECT_TRUE(same_bits(dropped.download(), scales.download()));
    }
  }
}

TEST_P(FusedResidualTest, Deterministic) {
  const fw_fused_residual p = {{FW_F16, FW_SILU, 3, 500, 24}, FW_IDENTITY, FW_RELU};
  const std::vector<float> branch = random_reals(1, 36000, FW_F16);
  const NormReference norm = norm_reference(branch, 24, FW_SILU, 2);
  expect_deterministic([&] {
    Buffer a = buffer(FW_F16, branch);
    Buffer table = buffer(FW_F32, norm.table);
    Buffer c = buffer(FW_F16, 36000);
    EXPECT_FW_OK(fw_fused_residual_forward(stream(), &p, a.address(), table.address(), 0, a.address(), table.address(),
                                           c.address()));
    return c.download();
  });
}

TEST_P(FusedResidualTest, RefusesWhatDoesNotFit) {
  const fw_fused_residual good = {{FW_F32, FW_IDENTITY, 2, 2, 8}, FW_IDENTITY, FW_IDENTITY};
  Buffer a = buffer(FW_F32, 64);
  const fw_address x = a.address();
  const auto run = [&](const fw_fused_residual* p, fw_address branch, fw_address norm, fw_address scale,
                       fw_address skip, fw_address skip_norm, fw_address dst) {
    return fw_fused_residual_forward(stream(), p, branch, norm, scale, skip, skip_norm, dst);
  };
  const auto with = [&](const fw_normed& p, int32_t skip_activation = 0, int32_t out_activation = 0) {
    const fw_fused_residual sum = {p, skip_activation, out_activation};
    return run(&sum, x, x, x, x, x, x);
  };
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, run(nullptr, x, x, x, x, x, x), "problem is null");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, run(&good, 0, x, x, x, x, x), "address of branch is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, run(&good, x, x + 1, x, x, x, x), "address of norm");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, run(&good, x, x, x + 2, x, x, x), "address of image_scale");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, run(&good, x, x, x, 0, x, x), "address of skip is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, run(&good, x, x, x, x, x + 3, x), "address of skip_norm");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, run(&good, x, x, x, x, x, 0), "address of dst is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, with({5, 0, 2, 2, 8}), "dtype is 5");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, with({FW_F32, 4, 2, 2, 8}), "activation is 4");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, with({FW_F32, 0, -2, 2, 8}), "batch is -2");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, with({FW_F32, 0, 2, 0, 8}), "pixels is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, with(good.branch, 4), "activation is 4");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, with(good.branch, 0, -1), "activation is -1");
  EXPECT_FW_OK(run(&good, x, 0, 0, x, 0, x));
  const fw_fused_residual empty = {{FW_F32, FW_IDENTITY, 0, 2, 8}, FW_IDENTITY, FW_RELU};
  EXPECT_FW_OK(run(&empty, 0, 0, 0, 0, 0, 0));
  EXPECT_FW_OK(fw_fused_residual_backward(stream(), &empty, 0, 0, 0));
  const auto back = [&](int32_t activation, fw_address dst, fw_address diff_dst, fw_address diff_sum) {
    const fw_fused_residual sum = {good.branch, FW_IDENTITY, activation};
    return fw_fused_residual_backward(stream(), &sum, dst, diff_dst, diff_sum);
  };
  EXPECT_FW_ERROR(FW_UNSUPPORTED, back(FW_SILU, x, x, x), "out_activation is SiLU");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, back(FW_RELU, 0, x, x), "address of dst is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, back(FW_RELU, x, x + 2, x), "address of diff_dst");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, back(FW_RELU, x, x, 0), "address of diff_sum is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_fused_residual_forward(stream() + 1000, &good, x, 0, 0, x, 0, x), "stream");

  const fw_step step = {1, 2, 0.1f, 0.9f, 0.99f, 1, 1};
  Bytes s(stream(), &step, sizeof(step));
  const auto scales = [&](const fw_residual* p, fw_address at, fw_address to) {
    return fw_drop_connect_scales(stream(), p, at, to);
  };
  const fw_residual half = {FW_F32, 5, 2, 1, 0.5f, 0};
  fw_residual p = half;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, scales(nullptr, s.address(), x), "problem is null");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, scales(&half, 0, x), "address of step is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, scales(&half, s.address(), 0), "address of scales is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, scales(&half, s.address(), x + 1), "address of scales");
  p.drop_rate = 1;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, scales(&p, s.address(), x), "drop_rate is 1");
  p = half;
  p.batch = -1;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, scales(&p, s.address(), x), "batch is -1");
  p.batch = 0;
  EXPECT_FW_OK(scales(&p, s.address(), 0));
}

}  // namespace
}  // namespace fusewire::test
