// SPDX-License-Identifier: Apache-2.0
// Dense convolution before a BatchNorm: the result is the unfused convolution's, the norm table its statistics, and the
// weights' gradient that of the unfused convolution from the gradient of the raw result in float64.
#include <cmath>

#include "device_fixture.h"
#include "fusewire/fused.h"

namespace fusewire::test {
namespace {

using Doubles = std::vector<double>;

size_t at(int64_t i) { return size_t(i); }

fw_conv problem(int32_t dtype, int64_t batch, int64_t side, int64_t in, int64_t out, int64_t kernel, int64_t stride) {
  fw_conv c = {};
  c.dtype = dtype;
  c.batch = batch;
  c.in_height = side;
  c.in_width = side + 1;
  c.in_channels = in;
  c.out_channels = out;
  c.kernel_height = c.kernel_width = kernel;
  c.stride_height = c.stride_width = stride;
  c.dilation_height = c.dilation_width = 1;
  c.pad_bottom = c.pad_right = 1;
  c.pad_top = c.pad_left = kernel / 2;
  return c;
}

class FusedConvTest : public DeviceTest {
 protected:
  void check(const fw_conv& c) {
    SCOPED_TRACE(::testing::Message() << dtype_name(c.dtype) << " " << c.batch << " " << c.in_height << " "
                                      << c.in_channels << " " << c.out_channels << " " << c.kernel_height);
    int64_t height = 0;
    int64_t width = 0;
    ASSERT_FW_OK(fw_conv_output(&c, &height, &width));
    const int64_t rows = c.batch * height * width;
    const int64_t depth = c.kernel_height * c.kernel_width * c.in_channels;
    const int64_t out = c.out_channels;
    const std::vector<float> diff_values = random_reals(3, rows * out, c.dtype);
    const std::vector<float> table = random_reals(4, 4 * out);
    const std::vector<float> slopes = random_reals(5, 2 * out);
    const Buffer src = buffer(c.dtype, random_reals(1, c.batch * c.in_height * c.in_width * c.in_channels, c.dtype)),
                 weights = buffer(FW_F32, random_reals(2, out * depth)), diff = buffer(c.dtype, diff_values),
                 norm = buffer(FW_F32, table), gradient = buffer(FW_F32, slopes),
                 gamma = buffer(FW_F32, random_reals(6, out)), beta = buffer(FW_F32, random_reals(7, out)),
                 dst = buffer(c.dtype, rows * out), plain = buffer(c.dtype, rows * out),
                 out_norm = buffer(FW_F32, 4 * out), running_mean = buffer(FW_F32, std::vector<float>(at(out), 0.0f)),
                 running_var = buffer(FW_F32, std::vector<float>(at(out), 0.0f)),
                 diff_weights = buffer(FW_F32, out * depth);
    int64_t bytes = 0;
    ASSERT_FW_OK(fw_fused_conv_workspace(stream(), &c, &bytes));
    const Bytes workspace(stream(), bytes);
    ASSERT_FW_OK(fw_fused_conv_forward(stream(), &c, 1e-3f, 0.25f, src.address(), weights.address(), gamma.address(),
                                       beta.address(), running_mean.address(), running_var.address(), dst.address(),
                                       out_norm.address(), workspace.address(), bytes));
    int64_t plain_bytes = 0;
    ASSERT_FW_OK(fw_conv_workspace(stream(), &c, &plain_bytes));
    const Bytes plain_workspace(stream(), plain_bytes);
    ASSERT_FW_OK(fw_conv_forward(stream(), &c, src.address(), weights.address(), 0, plain.address(),
                                 plain_workspace.address(), plain_bytes));
    const std::vector<float> result = dst.download();
    EXPECT_TRUE(same_bits(plain.download(), result));
    check_statistics(c, rows, result, out_norm.download(), gamma.download(), running_mean.download());

    ASSERT_FW_OK(fw_fused_conv_backward_weights(stream(), &c, src.address(), diff.address(), dst.address(),
                                                norm.address(), gradient.address(), diff_weights.address(),
                                                workspace.address(), bytes));
    // The same from a gradient made beforehand, in f32.
    std::vector<float> made(at(rows * out));
    for (int64_t i = 0; i < rows * out; i++) {
      const int64_t channel = i % out;
      made[at(i)] =
          float(double(table[at(2 * out + channel)]) * diff_values[at(i)] +
                double(slopes[at(channel)]) * (double(result[at(i)]) - table[at(channel)]) + slopes[at(out + channel)]);
    }
    fw_conv f = c;
    f.dtype = FW_F32;
    const Buffer made_diff = buffer(FW_F32, made), src_f = buffer(FW_F32, src.download()),
                 expected = buffer(FW_F32, out * depth);
    int64_t more = 0;
    ASSERT_FW_OK(fw_conv_workspace(stream(), &f, &more));
    const Bytes more_workspace(stream(), more);
    ASSERT_FW_OK(fw_conv_backward_weights(stream(), &f, src_f.address(), made_diff.address(), expected.address(), 0,
                                          more_workspace.address(), more));
    const std::vector<float> e = expected.download();
    const Doubles wanted(e.begin(), e.end());
    EXPECT_TRUE(rounds_operands(c.dtype) ? sums_of_products(c.dtype, wanted, diff_weights.download())
                                         : relative_error_below(3e-6, wanted, diff_weights.download()));
  }

  static void check_statistics(const fw_conv& c, int64_t rows, const std::vector<float>& dst,
                               const std::vector<float>& norm, const std::vector<float>& gamma,
                               const std::vector<float>& running_mean) {
    const int64_t out = c.out_channels;
    Doubles mean(at(out)), scale(at(out)), running(at(out));
    for (int64_t o = 0; o < out; o++) {
      for (int64_t r = 0; r < rows; r++) {
        mean[at(o)] += dst[at(r * out + o)] / double(rows);
      }
      double squares = 0;
      for (int64_t r = 0; r < rows; r++) {
        const double d = dst[at(r * out + o)] - mean[at(o)];
        squares += d * d;
      }
      scale[at(o)] = gamma[at(o)] / std::sqrt(squares / double(rows) + double(1e-3f));
      running[at(o)] = 0.25 * mean[at(o)];
    }
    EXPECT_TRUE(close_to(mean, {norm.begin(), norm.begin() + out}, 3e-6, 1e-5));
    EXPECT_TRUE(close_to(scale, {norm.begin() + 2 * out, norm.begin() + 3 * out}, 3e-6, 1e-6));
    EXPECT_TRUE(close_to(running, running_mean, 3e-6, 1e-5));
  }
};

FUSEWIRE_ON_EVERY_DEVICE(FusedConvTest);

TEST_P(FusedConvTest, AgreesWithTheUnfusedConvolution) {
  for (const int32_t dtype : kAllDtypes) {
    check(problem(dtype, 2, 9, 3, 32, 3, 2));
  }
  check(problem(FW_F32, 1, 5, 1, 7, 3, 1));
  check(problem(FW_F32, 2, 6, 5, 20, 5, 2));
  if (!slow()) {
    check(problem(FW_F32, 3, 40, 3, 48, 3, 2));
    check(problem(FW_BF16, 2, 30, 3, 64, 3, 1));
  }
}

TEST_P(FusedConvTest, RefusesWhatDoesNotFit) {
  const Buffer some = buffer(FW_F32, 4096);
  const fw_address a = some.address();
  fw_conv c = problem(FW_F32, 1, 5, 1, 7, 3, 1);
  const auto forward = [&](float epsilon, fw_address dst, fw_address running_var) {
    return fw_fused_conv_forward(stream(), &c, epsilon, 0.1f, a, a, a, a, a, running_var, dst, a, a, int64_t(1) << 30);
  };
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(2, a, a), "epsilon");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(0.1f, 0, a), "the address of dst is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(0.1f, a, 0), "both or none");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_fused_conv_backward_weights(stream(), &c, a, a, a, 0, a, a, a, 1 << 30),
                  "the address of out_norm is 0");
  c.batch = 0;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(0.1f, a, a), "one value has no variance");
}

}  // namespace
}  // namespace fusewire::test
