// SPDX-License-Identifier: Apache-2.0
// Dense convolution against loops in double.
#include "activation_reference.h"
#include "device_fixture.h"

namespace fusewire::test {
namespace {

using Doubles = std::vector<double>;

fw_conv conv_of(int64_t batch, int64_t height, int64_t width, int64_t in, int64_t out, int64_t kernel, int64_t stride,
                int64_t pad) {
  fw_conv c = {};
  c.batch = batch;
  c.in_height = height;
  c.in_width = width;
  c.in_channels = in;
  c.out_channels = out;
  c.kernel_height = c.kernel_width = kernel;
  c.stride_height = c.stride_width = stride;
  c.dilation_height = c.dilation_width = 1;
  c.pad_top = c.pad_bottom = c.pad_left = c.pad_right = pad;
  return c;
}

std::string describe(const fw_conv& c) {
  return ::testing::PrintToString(std::vector<int64_t>{c.batch, c.in_height, c.in_width, c.in_channels, c.out_channels,
                                                       c.kernel_height, c.kernel_width, c.stride_height, c.stride_width,
                                                       c.dilation_height, c.dilation_width, c.pad_top, c.pad_bottom,
                                                       c.pad_left, c.pad_right}) +
         " (n,h,w,c,k,r,s,strides,dilations,pads t,b,l,r)";
}

class ConvTest : public DeviceTest {
 protected:
  struct Tensors {
    std::vector<float> src, weights, bias, diff_dst;
  };
  struct Results {
    std::vector<float> dst, diff_src, diff_weights, diff_bias;
  };
  struct Expected {
    Doubles dst, diff_src, diff_weights, diff_bias;
  };

  static Tensors tensors(const fw_conv& c, bool integers, uint64_t seed) {
    int64_t p = 0;
    int64_t q = 0;
    EXPECT_FW_OK(fw_conv_output(&c, &p, &q));
    const auto fill = [&](uint64_t salt, int64_t count, int32_t dtype) {
      return integers ? random_integers(seed * 7 + salt, count, 3) : random_reals(seed * 7 + salt, count, dtype);
    };
    return {fill(1, c.batch * c.in_height * c.in_width * c.in_channels, c.dtype),
            fill(2, c.out_channels * c.kernel_height * c.kernel_width * c.in_channels, FW_F32),
            fill(3, c.out_channels, FW_F32), fill(4, c.batch * p * q * c.out_channels, c.dtype)};
  }

  Results run(const fw_conv& c, const Tensors& t) const {
    int64_t bytes = 0;
    EXPECT_FW_OK(fw_conv_workspace(stream(), &c, &bytes));
    const Bytes workspace(stream(), bytes);
    Buffer src = buffer(c.dtype, t.src);
    Buffer weights = buffer(FW_F32, t.weights);
    Buffer bias = buffer(FW_F32, t.bias);
    Buffer diff_dst = buffer(c.dtype, t.diff_dst);
    Buffer dst = buffer(c.dtype, int64_t(t.diff_dst.size()));
    Buffer diff_src = buffer(c.dtype, int64_t(t.src.size()));
    Buffer diff_weights = buffer(FW_F32, int64_t(t.weights.size()));
    Buffer diff_bias = buffer(FW_F32, c.out_channels);
    EXPECT_FW_OK(fw_conv_forward(stream(), &c, src.address(), weights.address(), bias.address(), dst.address(),
                                 workspace.address(), bytes));
    EXPECT_FW_OK(fw_conv_backward_data(stream(), &c, diff_dst.address(), weights.address(), diff_src.address(),
                                       workspace.address(), bytes));
    EXPECT_FW_OK(fw_conv_backward_weights(stream(), &c, src.address(), diff_dst.address(), diff_weights.address(),
                                          diff_bias.address(), workspace.address(), bytes));
    return {dst.download(), diff_src.download(), diff_weights.download(), diff_bias.download()};
  }

  static Expected reference(const fw_conv& c, const Tensors& t) {
    int64_t height = 0;
    int64_t width = 0;
    EXPECT_FW_OK(fw_conv_output(&c, &height, &width));
    Expected e{Doubles(t.diff_dst.size()), Doubles(t.src.size()), Doubles(t.weights.size()),
               Doubles(size_t(c.out_channels))};
    for (int64_t n = 0; n < c.batch; n++) {
      for (int64_t p = 0; p < height; p++) {
        for (int64_t q = 0; q < width; q++) {
          for (int64_t k = 0; k < c.out_channels; k++) {
            const auto to = size_t(((n * height + p) * width + q) * c.out_channels + k);
            const double diff = double(t.diff_dst[to]);
            double sum = double(t.bias[size_t(k)]);
            e.diff_bias[size_t(k)] += diff;
            for (int64_t r = 0; r < c.kernel_height; r++) {
              for (int64_t s = 0; s < c.kernel_width; s++) {
                const int64_t y = p * c.stride_height - c.pad_top + r * c.dilation_height;
                const int64_t x = q * c.stride_width - c.pad_left + s * c.dilation_width;
                if (y < 0 || y >= c.in_height || x < 0 || x >= c.in_width) {
                  continue;
                }
                for (int64_t i = 0; i < c.in_channels; i++) {
                  const auto from = size_t(((n * c.in_height + y) * c.in_width + x) * c.in_channels + i);
                  const auto w = size_t(((k * c.kernel_height + r) * c.kernel_width + s) * c.in_channels + i);
                  sum += double(t.src[from]) * double(t.weights[w]);
                  e.diff_src[from] += diff * double(t.weights[w]);
                  e.diff_weights[w] += diff * double(t.src[from]);
                }
              }
            }
            e.dst[to] = activate(c.activation, sum);
          }
        }
      }
    }
    return e;
  }

  // In every storage type: sums of integers are exact in f32, and what is stored in 16 bits is rounded once.
  void expect_exact(fw_conv c, uint64_t seed = 1) const {
    const Expected exact = reference(c, tensors(c, true, seed));
    for (const int32_t dtype : dtypes()) {
      c.dtype = dtype;
      SCOPED_TRACE(describe(c) + ", " + dtype_name(dtype) + ", seed " + std::to_string(seed));
      const Results got = run(c, tensors(c, true, seed));
      Expected want = exact;
      for (Doubles* stored : {&want.dst, &want.diff_src}) {
        for (double& x : *stored) {
          x = double(rounded_to(dtype, x));
        }
      }
      EXPECT_TRUE(exactly_equal(want.dst, got.dst, true)) << "dst";
      EXPECT_TRUE(exactly_equal(want.diff_src, got.diff_src, true)) << "diff_src";
      EXPECT_TRUE(exactly_equal(want.diff_weights, got.diff_weights, true)) << "diff_weights";
      EXPECT_TRUE(exactly_equal(want.diff_bias, got.diff_bias, true)) << "diff_bias";
    }
  }
};
FUSEWIRE_ON_EVERY_DEVICE_AND_MATH(ConvTest);

TEST_P(ConvTest, IntegersAreExact) {
  expect_exact(conv_of(2, 9, 8, 3, 32, 3, 2, 1));  // the stem
  expect_exact(conv_of(1, 6, 7, 16, 20, 3, 1, 1));
  expect_exact(conv_of(2, 9, 8, 16, 40, 3, 2, 1));
  expect_exact(conv_of(2, 5, 5, 17, 9, 5, 1, 2));
  expect_exact(conv_of(1, 1, 9, 4, 6, 3, 2, 1));
  expect_exact(conv_of(1, 9, 1, 4, 6, 3, 1, 1));
  expect_exact(conv_of(3, 8, 8, 1, 1, 1, 1, 0));
  expect_exact(conv_of(1, 11, 10, 2, 3, 7, 3, 3));
  expect_exact(conv_of(1, 6, 6, 40, 65, 2, 2, 0));
}

TEST_P(ConvTest, AsymmetricPaddingDilationAndRectanglesAreExact) {
  fw_conv same = conv_of(1, 8, 8, 3, 8, 3, 2, 0);  // TensorFlow's SAME: nothing before, one after
  same.pad_bottom = same.pad_right = 1;
  expect_exact(same);
  fw_conv dilated = conv_of(1, 9, 10, 5, 4, 3, 1, 2);
  dilated.dilation_height = 2;
  dilated.dilation_width = 3;
  expect_exact(dilated);
  dilated.stride_height = 2;
  dilated.stride_width = 3;
  expect_exact(dilated);
  fw_conv rectangle = conv_of(2, 7, 12, 6, 10, 3, 1, 1);
  rectangle.kernel_width = 5;
  rectangle.stride_width = 2;
  rectangle.pad_left = 3;
  expect_exact(rectangle);
}

TEST_P(ConvTest, RandomShapesAreExact) {
  std::mt19937_64 random(5);
  for (uint64_t i = 0; i < (slow() ? 6 : 30); i++) {
    fw_conv c = conv_of(1 + int64_t(random() % 2), 3 + int64_t(random() % 9), 3 + int64_t(random() % 9),
                        1 + int64_t(random() % 20), 1 + int64_t(random() % 40), 1 + int64_t(random() % 3), 1, 0);
    c.kernel_width = 1 + int64_t(random() % 3);
    c.stride_height = 1 + int64_t(random() % 3);
    c.stride_width = 1 + int64_t(random() % 3);
    c.pad_top = int64_t(random() % 3);
    c.pad_bottom = int64_t(random() % 3);
    c.pad_left = int64_t(random() % 3);
    c.pad_right = int64_t(random() % 3);
    expect_exact(c, i);
  }
}

TEST_P(ConvTest, RealsInEveryType) {
  for (const int32_t dtype : dtypes()) {
    fw_conv c = conv_of(2, 12, 13, 3, 32, 3, 2, 1);
    c.dtype = dtype;
    c.activation = FW_SILU;
    SCOPED_TRACE(dtype_name(dtype));
    const Tensors t = tensors(c, false, 1);
    const Results got = run(c, t);
    const Expected want = reference(c, t);
    EXPECT_TRUE(rule_of_two(judged(dtype), want.dst, got.dst)) << "dst";
    EXPECT_TRUE(rule_of_two(judged(dtype), want.diff_src, got.diff_src, 3)) << "diff_src";
    EXPECT_TRUE(sums_of_products(FW_F32, want.diff_weights, got.diff_weights)) << "diff_weights";
    EXPECT_TRUE(rule_of_two(FW_F32, want.diff_bias, got.diff_bias, 3)) << "diff_bias";
  }
}

TEST_P(ConvTest, EmptyBatch) {
  const fw_conv c = conv_of(0, 8, 8, 3, 8, 3, 2, 1);
  const Results got = run(c, tensors(c, true, 1));
  EXPECT_TRUE(exactly_equal(Doubles(8 * 27, 0.0), got.diff_weights, true));
}

TEST_P(ConvTest, SameBitsForAnyNumberOfThreads) {
  const fw_conv c = conv_of(2, slow() ? 20 : 64, 40, 3, 32, 3, 2, 1);
  const Tensors t = tensors(c, false, 1);
  expect_deterministic([&] {
    Results r = run(c, t);
    for (const auto* v : {&r.diff_src, &r.diff_weights, &r.diff_bias}) {
      r.dst.insert(r.dst.end(), v->begin(), v->end());
    }
    return r.dst;
  });
}

TEST_P(ConvTest, RefusesWhatDoesNotFit) {
  const fw_conv good = conv_of(1, 4, 4, 2, 2, 3, 1, 0);
  Buffer b = buffer(FW_F32, 64);
  const fw_address a = b.address();
  const auto forward = [&](const fw_conv& c) { return fw_conv_forward(stream(), &c, a, a, 0, a, a, 1 << 20); };
  fw_conv c = good;
  c.kernel_height = 5;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(c), "the kernel spans 5 pixels of height");
  c = good;
  c.stride_width = 0;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(c), "stride_width is 0");
  c = good;
  c.pad_left = -1;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(c), "pad_left is -1");
  c = good;
  c.dtype = 9;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(c), "dtype is 9");
  c = good;
  c.batch = int64_t(1) << 61;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(c), "2^62 bytes");
  c = good;
  c.in_channels = int64_t(1) << 40;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(c), "in_channels");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_conv_forward(stream(), nullptr, a, a, 0, a, 0, 0), "conv is null");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_conv_backward_data(stream(), &good, a, 0, a, 0, 0), "weights is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_conv_backward_weights(stream(), &good, a, a, 0, 0, 0, 0),
                  "diff_weights is 0");
}

}  // namespace
}  // namespace fusewire::test
