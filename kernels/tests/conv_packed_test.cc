// SPDX-License-Identifier: Apache-2.0
// Dense convolution with packed weights and a residual: the unfused convolution's bits, the residual before and after
// the activation, in place, pointwise shapes, errors.
#include "activation_reference.h"
#include "device_fixture.h"
#include "fusewire/inference.h"

namespace fusewire::test {
namespace {

fw_conv conv_of(int32_t dtype, int32_t activation, int64_t side, int64_t in, int64_t out, int64_t kernel,
                int64_t stride) {
  fw_conv c = {};
  c.dtype = dtype;
  c.activation = activation;
  c.batch = 2;
  c.in_height = side;
  c.in_width = side + 1;
  c.in_channels = in;
  c.out_channels = out;
  c.kernel_height = c.kernel_width = kernel;
  c.stride_height = c.stride_width = stride;
  c.dilation_height = c.dilation_width = 1;
  c.pad_top = c.pad_bottom = c.pad_left = c.pad_right = kernel / 2;
  return c;
}

enum Residual { kNone, kAfter, kBefore };

class ConvPackedTest : public DeviceTest {
 protected:
  static int64_t out_elements(const fw_conv& c) {
    int64_t height = 0;
    int64_t width = 0;
    EXPECT_FW_OK(fw_conv_output(&c, &height, &width));
    return c.batch * height * width * c.out_channels;
  }
  static std::vector<float> source(const fw_conv& c) {
    return random_reals(1, c.batch * c.in_height * c.in_width * c.in_channels, c.dtype);
  }
  static std::vector<float> weights(const fw_conv& c) {
    return random_reals(2, c.out_channels * c.kernel_height * c.kernel_width * c.in_channels);
  }

  std::vector<float> packed(const fw_conv& c, Residual residual, bool in_place = false) const {
    const Buffer src = buffer(c.dtype, source(c)), plain = buffer(FW_F32, weights(c)),
                 bias = buffer(FW_F32, random_reals(3, c.out_channels)),
                 skip = buffer(c.dtype, random_reals(4, out_elements(c), c.dtype)),
                 other = buffer(c.dtype, out_elements(c));
    int64_t bytes = 0;
    EXPECT_FW_OK(fw_conv_packed_bytes(stream(), &c, &bytes));
    const Bytes weights(stream(), bytes);
    EXPECT_FW_OK(fw_conv_pack(stream(), &c, plain.address(), weights.address()));
    const Buffer& dst = in_place ? skip : other;
    EXPECT_FW_OK(fw_conv_forward_packed(stream(), &c, src.address(), weights.address(), bias.address(),
                                        residual == kNone ? 0 : skip.address(), residual == kBefore ? 1 : 0,
                                        dst.address()));
    return dst.download();
  }

  // As the operation that packs by itself has it.
  std::vector<float> unpacked(const fw_conv& c) const {
    const Buffer src = buffer(c.dtype, source(c)), plain = buffer(FW_F32, weights(c)),
                 bias = buffer(FW_F32, random_reals(3, c.out_channels)), dst = buffer(c.dtype, out_elements(c));
    int64_t bytes = 0;
    EXPECT_FW_OK(fw_conv_workspace(stream(), &c, &bytes));
    const Bytes workspace(stream(), bytes);
    EXPECT_FW_OK(fw_conv_forward(stream(), &c, src.address(), plain.address(), bias.address(), dst.address(),
                                 workspace.address(), bytes));
    return dst.download();
  }

  void check(const fw_conv& c) {
    SCOPED_TRACE(::testing::Message() << dtype_name(c.dtype) << " " << c.in_channels << " to " << c.out_channels
                                      << " kernel " << c.kernel_height << " stride " << c.stride_height
                                      << " activation " << c.activation);
    EXPECT_TRUE(same_bits(unpacked(c), packed(c, kNone)));
    const std::vector<float> skip = random_reals(4, out_elements(c), c.dtype);
    // The product in f32, from the same values.
    fw_conv f = c;
    f.dtype = FW_F32;
    f.activation = FW_IDENTITY;
    const Buffer src = buffer(FW_F32, source(c)), plain = buffer(FW_F32, weights(c)),
                 bias = buffer(FW_F32, random_reals(3, c.out_channels)), dst = buffer(FW_F32, out_elements(c));
    int64_t bytes = 0;
    ASSERT_FW_OK(fw_conv_workspace(stream(), &f, &bytes));
    const Bytes workspace(stream(), bytes);
    ASSERT_FW_OK(fw_conv_forward(stream(), &f, src.address(), plain.address(), bias.address(), dst.address(),
                                 workspace.address(), bytes));
    const std::vector<float> raw = dst.download();
    for (const Residual residual : {kAfter, kBefore}) {
      std::vector<double> expected;
      for (size_t i = 0; i < raw.size(); i++) {
        expected.push_back(residual == kBefore ? activate(c.activation, double(raw[i]) + skip[i])
                                               : activate(c.activation, raw[i]) + skip[i]);
      }
      const std::vector<float> got = packed(c, residual);
      EXPECT_TRUE(rule_of_two(judged(c.dtype), expected, got, rounds_operands(c.dtype) ? 3 : 2)) << residual;
      EXPECT_TRUE(same_bits(got, packed(c, residual, true))) << residual;
    }
  }
};
FUSEWIRE_ON_EVERY_DEVICE_AND_MATH(ConvPackedTest);

TEST_P(ConvPackedTest, AddsTheResidual) {
  for (const int32_t dtype : dtypes()) {
    check(conv_of(dtype, FW_SILU, 5, 24, 40, 3, 1));
    check(conv_of(dtype, FW_RELU, 6, 16, 24, 3, 2));
    check(conv_of(dtype, FW_RELU, 5, 32, 20, 1, 1));  // a product of rows
    check(conv_of(dtype, FW_RELU6, 7, 7, 9, 1, 2));
  }
}

TEST_P(ConvPackedTest, RefusesWhatDoesNotFit) {
  const Buffer some = buffer(FW_F32, 4096);
  const fw_address a = some.address();
  fw_conv c = conv_of(FW_F32, FW_RELU, 5, 4, 8, 3, 1);
  const auto run = [&](fw_address src, fw_address packed, fw_address residual, int32_t first, fw_address dst) {
    return fw_conv_forward_packed(stream(), &c, src, packed, a, residual, first, dst);
  };
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, run(0, a, a, 0, a), "address of src is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, run(a, 0, a, 0, a), "address of packed is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, run(a, a + 4, a, 0, a), "address of packed");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, run(a, a, a + 1, 0, a), "address of residual");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, run(a, a, a, 2, a), "residual_first is 2");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, run(a, a, a, 0, 0), "address of dst is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_conv_pack(stream(), &c, 0, a), "address of weights is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_conv_packed_bytes(stream(), &c, nullptr), "bytes is null");
  c.stride_width = 0;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, run(a, a, a, 0, a), "stride_width is 0");
  c.stride_width = 1;
  c.batch = 0;
  EXPECT_FW_OK(run(0, 0, 0, 0, 0));
}

}  // namespace
}  // namespace fusewire::test
