// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution: exact on integers, close to float64 on reals, deterministic, and clear about bad arguments.
#include "depthwise_reference.h"
#include "device_fixture.h"

namespace fusewire::test {
namespace {

struct Data {
  std::vector<float> src, weights, bias, diff_dst;
};

class DepthwiseTest : public DeviceTest {
 protected:
  static Data integers(const DepthwiseCase& c, bool with_bias, uint64_t seed = 1) {
    return {random_integers(seed, c.src_count()), random_integers(seed + 1, c.weights_count(), 3),
            with_bias ? random_integers(seed + 2, c.channels, 20) : std::vector<float>(),
            random_integers(seed + 3, c.dst_count(), 3)};
  }
  static Data reals(const DepthwiseCase& c, int32_t dtype, uint64_t seed = 1) {
    return {random_reals(seed, c.src_count(), dtype), random_reals(seed + 1, c.weights_count()),
            random_reals(seed + 2, c.channels), random_reals(seed + 3, c.dst_count(), dtype)};
  }

  std::vector<float> forward(const fw_conv& conv, const DepthwiseCase& c, const Data& data) {
    Buffer src = buffer(conv.dtype, data.src);
    Buffer weights = buffer(FW_F32, data.weights);
    Buffer bias = buffer(FW_F32, data.bias);
    Buffer dst = buffer(conv.dtype, c.dst_count());
    EXPECT_FW_OK(fw_depthwise_forward(stream(), &conv, src.address(), weights.address(),
                                      data.bias.empty() ? 0 : bias.address(), dst.address()));
    return dst.download();
  }
  std::vector<float> backward_data(const fw_conv& conv, const DepthwiseCase& c, const Data& data) {
    Buffer diff_dst = buffer(conv.dtype, data.diff_dst);
    Buffer weights = buffer(FW_F32, data.weights);
    Buffer diff_src = buffer(conv.dtype, c.src_count());
    EXPECT_FW_OK(
        fw_depthwise_backward_data(stream(), &conv, diff_dst.address(), weights.address(), diff_src.address()));
    return diff_src.download();
  }
  // diff_weights followed by diff_bias.
  std::vector<float> backward_weights(const fw_conv& conv, const DepthwiseCase& c, const Data& data,
                                      bool with_bias = true) {
    Buffer src = buffer(conv.dtype, data.src);
    Buffer diff_dst = buffer(conv.dtype, data.diff_dst);
    Buffer diff_weights = buffer(FW_F32, c.weights_count());
    Buffer diff_bias = buffer(FW_F32, c.channels);
    int64_t bytes = 0;
    EXPECT_FW_OK(fw_depthwise_workspace(stream(), &conv, &bytes));
    Buffer workspace = buffer(FW_F32, bytes / 4);
    EXPECT_FW_OK(fw_depthwise_backward_weights(stream(), &conv, src.address(), diff_dst.address(),
                                               diff_weights.address(), with_bias ? diff_bias.address() : 0,
                                               workspace.address(), bytes));
    std::vector<float> both = diff_weights.download();
    if (with_bias) {
      const std::vector<float> bias = diff_bias.download();
      both.insert(both.end(), bias.begin(), bias.end());
    }
    return both;
  }

  static std::vector<double> weights_and_bias(const DepthwiseReference& ref) {
    std::vector<double> both = ref.diff_weights;
    both.insert(both.end(), ref.diff_bias.begin(), ref.diff_bias.end());
    return both;
  }

  void expect_exact(const DepthwiseCase& c, int32_t dtype, uint64_t seed = 1) {
    SCOPED_TRACE(c.text() + " " + dtype_name(dtype) + " seed " + std::to_string(seed));
    const Data data = integers(c, seed % 2 == 1, seed);
    const DepthwiseReference ref = depthwise_reference(c, data.src, data.weights, data.bias, data.diff_dst);
    const fw_conv conv = c.conv(dtype);
    // In 16-bit storage an integer beyond 2^8 (bf16) may be rounded: once, from the exact sum.
    const auto stored = [&](std::vector<double> values) {
      for (double& value : values) {
        value = double(rounded_to(dtype, value));
      }
      return values;
    };
    EXPECT_TRUE(exactly_equal(stored(ref.dst), forward(conv, c, data), true)) << "forward";
    EXPECT_TRUE(exactly_equal(stored(ref.diff_src), backward_data(conv, c, data), true)) << "backward data";
    EXPECT_TRUE(exactly_equal(weights_and_bias(ref), backward_weights(conv, c, data), true)) << "backward weights";
  }
};
FUSEWIRE_ON_EVERY_DEVICE(DepthwiseTest);

// The tuned kernels at every kind of edge: channels below, at and beyond a vector, one row or column, odd and even
// sizes with stride 2, strips and bands that do not divide the image.
TEST_P(DepthwiseTest, ExactOnIntegers) {
  for (const int64_t kernel : {3, 5, 7}) {
    for (const int64_t stride : {1, 2}) {
      for (const DepthwiseCase& c :
           {same_padded(1, 1, 1, 16, kernel, stride), same_padded(2, 1, 9, 24, kernel, stride),
            same_padded(1, 9, 1, 8, kernel, stride), same_padded(1, 7, 7, 40, kernel, stride),
            same_padded(2, 8, 6, 33, kernel, stride), same_padded(1, 15, 17, 4, kernel, stride),
            same_padded(3, 5, 31, 3, kernel, stride), same_padded(1, 16, 16, 1, kernel, stride),
            same_padded(1, 4, 5, slow() ? 72 : 272, kernel, stride)}) {
        for (const int32_t dtype : kAllDtypes) {
          expect_exact(c, dtype);
        }
      }
    }
  }
}

TEST_P(DepthwiseTest, ExactOnUnusualShapes) {
  for (const DepthwiseCase& c : {
           DepthwiseCase{1, 6, 7, 16, 1, 1},                            // k 1
           DepthwiseCase{2, 6, 7, 20, 2, 2, 2, 2},                      // even
           DepthwiseCase{1, 9, 8, 16, 4, 6, 1, 2, 1, 1, 1, 2, 3, 2},    // even, rectangular
           DepthwiseCase{1, 9, 8, 17, 3, 1, 2, 1, 1, 1, 1, 1, 0, 0},    // a column
           DepthwiseCase{1, 9, 8, 16, 1, 3, 1, 1, 1, 1, 0, 0, 1, 1},    // a row
           DepthwiseCase{1, 11, 12, 16, 3, 3, 1, 1, 2, 3, 2, 2, 3, 3},  // dilation
           DepthwiseCase{1, 13, 12, 9, 3, 3, 2, 2, 3, 2, 0, 3, 1, 2},   // dilation and stride
           DepthwiseCase{1, 9, 10, 16, 3, 3, 3, 4, 1, 1, 1, 1, 1, 1},   // stride beyond the kernel
           DepthwiseCase{1, 5, 5, 16, 3, 3, 1, 1, 1, 1, 0, 0, 0, 0},    // no padding
           DepthwiseCase{1, 5, 5, 16, 5, 5, 1, 1, 1, 1, 0, 0, 0, 0},    // one output
           DepthwiseCase{1, 2, 3, 16, 3, 3, 1, 1, 1, 1, 4, 5, 6, 3},    // padding beyond the kernel
           DepthwiseCase{1, 3, 2, 16, 5, 5, 2, 2, 1, 1, 7, 6, 8, 9},    // the same with stride 2
           DepthwiseCase{1, 6, 6, 16, 3, 3, 2, 2, 1, 1, 0, 1, 0, 1},    // asymmetric
           DepthwiseCase{1, 6, 6, 16, 3, 3, 2, 2, 1, 1, 1, 0, 1, 0},    // the other way round
           DepthwiseCase{1, 8, 8, 16, 7, 7, 2, 2, 1, 1, 3, 0, 0, 3},    //
           DepthwiseCase{1, 10, 10, 16, 3, 3, 2, 1, 1, 1, 1, 1, 1, 1},  // unequal strides
           DepthwiseCase{1, 6, 6, 16, 9, 9, 1, 1, 1, 1, 4, 4, 4, 4},    // beyond the tuned sizes
           DepthwiseCase{70, 2, 2, 8, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},    // many images
       }) {
    for (const int32_t dtype : kAllDtypes) {
      expect_exact(c, dtype);
    }
  }
}

// Seeded random shapes; a failure prints the case to paste into ExactOnUnusualShapes.
TEST_P(DepthwiseTest, ExactOnRandomShapes) {
  const uint64_t seeds = slow() ? 10 : 150;
  for (uint64_t seed = 1; seed <= seeds; seed++) {
    std::mt19937_64 random(seed);
    const auto between = [&](int64_t low, int64_t high) { return low + int64_t(random() % uint64_t(high - low + 1)); };
    DepthwiseCase c{between(1, 3), between(1, 20), between(1, 20), between(1, slow() ? 40 : 70), 0, 0};
    if (random() % 3 != 0) {
      c.kernel_height = c.kernel_width = pick<int64_t>(random, {3, 5, 7});
      c.stride_height = c.stride_width = between(1, 2);
    } else {
      c.kernel_height = between(1, 7);
      c.kernel_width = between(1, 7);
      c.stride_height = between(1, 3);
      c.stride_width = between(1, 3);
      c.dilation_height = between(1, 3);
      c.dilation_width = between(1, 3);
    }
    c.top = between(0, c.kernel_height);
    c.left = between(0, c.kernel_width);
    c.bottom = std::max<int64_t>(between(0, c.kernel_height),
                                 (c.kernel_height - 1) * c.dilation_height + 1 - c.height - c.top);
    c.right =
        std::max<int64_t>(between(0, c.kernel_width), (c.kernel_width - 1) * c.dilation_width + 1 - c.width - c.left);
    expect_exact(c, pick<int32_t>(random, {FW_F32, FW_BF16, FW_F16}), seed);
  }
}

TEST_P(DepthwiseTest, UsualShapesAreNotMostlyZero) {
  const DepthwiseCase c = same_padded(1, 14, 14, 48, 5, 1);
  const Data data = integers(c, true);
  const DepthwiseReference ref = depthwise_reference(c, data.src, data.weights, data.bias, data.diff_dst);
  EXPECT_TRUE(exactly_equal(ref.dst, forward(c.conv(FW_F32), c, data)));
  EXPECT_TRUE(exactly_equal(ref.diff_src, backward_data(c.conv(FW_F32), c, data)));
  EXPECT_TRUE(exactly_equal(ref.diff_weights, backward_weights(c.conv(FW_F32), c, data, false)));
}

TEST_P(DepthwiseTest, RealsAgainstFloat64) {
  for (const DepthwiseCase& c : {same_padded(2, 14, 14, 48, 3, 1), same_padded(2, 15, 14, 40, 5, 2),
                                 same_padded(1, 12, 9, 32, 7, 1), DepthwiseCase{1, 12, 9, 19, 4, 3, 2, 1}}) {
    for (const int32_t dtype : kAllDtypes) {
      SCOPED_TRACE(c.text() + " " + dtype_name(dtype));
      const Data data = reals(c, dtype);
      const DepthwiseReference ref = depthwise_reference(c, data.src, data.weights, data.bias, data.diff_dst);
      for (const int32_t activation : {FW_IDENTITY, FW_SILU, FW_RELU, FW_RELU6}) {
        std::vector<double> expected = ref.dst;
        for (double& value : expected) {
          value = activated(activation, value);
        }
        EXPECT_TRUE(rule_of_two(dtype, expected, forward(c.conv(dtype, activation), c, data)))
            << "activation " << activation;
      }
      EXPECT_TRUE(rule_of_two(dtype, ref.diff_src, backward_data(c.conv(dtype), c, data), 3));
      EXPECT_TRUE(rule_of_two(FW_F32, weights_and_bias(ref), backward_weights(c.conv(dtype), c, data), 3));
    }
  }
}

// Vectors need alignment; without it the result is the same.
TEST_P(DepthwiseTest, MisalignedAddresses) {
  const DepthwiseCase c = same_padded(1, 9, 10, 32, 3, 2);
  const Data data = integers(c, true);
  const DepthwiseReference ref = depthwise_reference(c, data.src, data.weights, data.bias, data.diff_dst);
  const fw_conv conv = c.conv(FW_BF16);
  Buffer src(stream(), FW_BF16, data.src, 1);
  Buffer weights(stream(), FW_F32, data.weights, 1);
  Buffer bias(stream(), FW_F32, data.bias, 1);
  Buffer dst(stream(), FW_BF16, c.dst_count(), 1);
  EXPECT_FW_OK(fw_depthwise_forward(stream(), &conv, src.address(), weights.address(), bias.address(), dst.address()));
  std::vector<double> expected = ref.dst;
  for (double& value : expected) {
    value = double(rounded_to(FW_BF16, value));
  }
  EXPECT_TRUE(exactly_equal(expected, dst.download()));
}

TEST_P(DepthwiseTest, SameBitsForAnyNumberOfThreads) {
  for (const DepthwiseCase& c : {same_padded(2, 28, 28, 40, 5, 1), same_padded(3, 15, 15, 56, 3, 2),
                                 DepthwiseCase{2, 11, 12, 24, 3, 3, 1, 1, 2, 2, 2, 2, 2, 2}}) {
    const Data data = reals(c, FW_F32);
    const fw_conv conv = c.conv(FW_F32, FW_SILU);
    expect_deterministic([&] { return forward(conv, c, data); });
    expect_deterministic([&] { return backward_data(conv, c, data); });
    expect_deterministic([&] { return backward_weights(conv, c, data); });
  }
}

// More than 2^31 elements: a 1x2 kernel that meets the first and the last columns of three very wide rows. Few pages of
// the 6.4 GB are ever touched. The checked device, which fills its memory, has the same index arithmetic.
TEST_P(DepthwiseTest, MoreThan31BitsOfElements) {
  fw_device_info info = {};
  ASSERT_FW_OK(fw_device_info_get(device(), &info));
  if (slow() || info.free_memory < int64_t(10) << 30) {
    return;
  }
  const int64_t width = int64_t(1) << 26;
  const DepthwiseCase c{1, 3, width, 16, 1, 2, 1, 1, 1, width - 1};
  const fw_conv conv = c.conv(FW_BF16);
  fw_address src = 0;
  ASSERT_FW_OK(fw_memory_allocate(device(), c.src_count() * 2, &src));
  const Buffer ends = buffer(FW_BF16, random_integers(1, 6 * 16));  // first and last pixel of each row
  for (int64_t end = 0; end < 6; end++) {
    const int64_t pixel = end / 2 * width + end % 2 * (width - 1);
    ASSERT_FW_OK(fw_copy(stream(), src + uint64_t(pixel) * 32, ends.address() + uint64_t(end) * 32, 32));
  }
  const Buffer weights = buffer(FW_F32, random_integers(2, 2 * 16));
  const Buffer dst = buffer(FW_BF16, c.dst_count());
  EXPECT_FW_OK(fw_depthwise_forward(stream(), &conv, src, weights.address(), 0, dst.address()));
  const std::vector<float> x = ends.download();
  const std::vector<float> w = weights.download();
  std::vector<double> expected;
  for (size_t i = 0; i < 3 * 16; i++) {
    const size_t row = i / 16;
    const size_t k = i % 16;
    expected.push_back(double(x[row * 32 + k] * w[k] + x[row * 32 + 16 + k] * w[16 + k]));
  }
  EXPECT_TRUE(exactly_equal(expected, dst.download()));
  ASSERT_FW_OK(fw_memory_free(device(), src));
}

TEST_P(DepthwiseTest, EmptyBatch) {
  const DepthwiseCase c = same_padded(0, 8, 8, 16, 3, 1);
  const fw_conv conv = c.conv(FW_F32);
  EXPECT_FW_OK(fw_depthwise_forward(stream(), &conv, 0, 0, 0, 0));
  EXPECT_FW_OK(fw_depthwise_backward_data(stream(), &conv, 0, 0, 0));
  const std::vector<float> zeros = backward_weights(conv, c, integers(c, false));
  EXPECT_EQ(std::vector<float>(size_t(c.weights_count() + c.channels), 0.0f), zeros);
}

TEST_P(DepthwiseTest, RefusesWhatDoesNotFit) {
  const DepthwiseCase c = same_padded(1, 8, 8, 16, 3, 1);
  const Data data = integers(c, true);
  Buffer src = buffer(FW_F32, data.src);
  Buffer weights = buffer(FW_F32, data.weights);
  Buffer dst = buffer(FW_F32, c.dst_count());
  const auto refused = [&](fw_status status, const fw_conv& conv, const char* text) {
    EXPECT_FW_ERROR(status, fw_depthwise_forward(stream(), &conv, src.address(), weights.address(), 0, dst.address()),
                    text);
    EXPECT_FW_ERROR(status,
                    fw_depthwise_backward_data(stream(), &conv, dst.address(), weights.address(), src.address()), text);
    EXPECT_FW_ERROR(
        status,
        fw_depthwise_backward_weights(stream(), &conv, src.address(), dst.address(), weights.address(), 0, 0, 0), text);
    int64_t bytes = 0;
    EXPECT_FW_ERROR(status, fw_depthwise_workspace(stream(), &conv, &bytes), text);
  };
  const auto changed = [&](int64_t fw_conv::*field, int64_t value) {
    fw_conv conv = c.conv(FW_F32);
    conv.*field = value;
    return conv;
  };
  fw_conv conv = c.conv(FW_F32);
  conv.dtype = 9;
  refused(FW_INVALID_ARGUMENT, conv, "dtype is 9");
  conv = c.conv(FW_F32);
  conv.activation = -2;
  refused(FW_INVALID_ARGUMENT, conv, "activation is -2");
  refused(FW_INVALID_ARGUMENT, changed(&fw_conv::out_channels, 17), "in_channels is 16 and out_channels is 17");
  refused(FW_INVALID_ARGUMENT, changed(&fw_conv::batch, -1), "batch is -1");
  refused(FW_INVALID_ARGUMENT, changed(&fw_conv::batch, int64_t(1) << 40), "batch is 1099511627776");
  refused(FW_INVALID_ARGUMENT, changed(&fw_conv::in_channels, 0), "in_channels is 0");
  refused(FW_INVALID_ARGUMENT, changed(&fw_conv::in_height, 0), "in_height is 0");
  refused(FW_INVALID_ARGUMENT, changed(&fw_conv::in_width, int64_t(1) << 50), "in_width");
  refused(FW_INVALID_ARGUMENT, changed(&fw_conv::kernel_width, 0), "kernel_width is 0");
  refused(FW_INVALID_ARGUMENT, changed(&fw_conv::kernel_height, 50), "the kernel spans 50 pixels of height");
  refused(FW_INVALID_ARGUMENT, changed(&fw_conv::stride_width, 0), "stride_width is 0");
  refused(FW_INVALID_ARGUMENT, changed(&fw_conv::dilation_height, -3), "dilation_height is -3");
  refused(FW_INVALID_ARGUMENT, changed(&fw_conv::pad_left, -1), "pad_left is -1");
  refused(FW_INVALID_ARGUMENT, changed(&fw_conv::pad_bottom, int64_t(1) << 30), "in_height with its padding");
  conv = c.conv(FW_F32);
  conv.in_channels = conv.out_channels = int64_t(1) << 30;
  conv.in_height = conv.in_width = int64_t(1) << 28;
  refused(FW_INVALID_ARGUMENT, conv, "more than 2^62 bytes");

  conv = c.conv(FW_F32);
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_depthwise_forward(stream(), nullptr, 0, 0, 0, 0), "conv is null");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_depthwise_forward(stream(), &conv, 0, weights.address(), 0, dst.address()),
                  "address of src is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT,
                  fw_depthwise_forward(stream(), &conv, src.address(), weights.address() + 1, 0, dst.address()),
                  "address of weights");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT,
                  fw_depthwise_forward(0, &conv, src.address(), weights.address(), 0, dst.address()),
                  "stream 0 is closed");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_depthwise_workspace(stream(), &conv, nullptr), "bytes is null");
  int64_t bytes = 0;
  ASSERT_FW_OK(fw_depthwise_workspace(stream(), &conv, &bytes));
  ASSERT_GT(bytes, 0);
  Buffer workspace = buffer(FW_F32, bytes / 4);
  Buffer diff_weights = buffer(FW_F32, c.weights_count());
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT,
                  fw_depthwise_backward_weights(stream(), &conv, src.address(), dst.address(), diff_weights.address(),
                                                0, workspace.address(), bytes - 1),
                  "are needed");
  EXPECT_FW_ERROR(
      FW_INVALID_ARGUMENT,
      fw_depthwise_backward_weights(stream(), &conv, src.address(), dst.address(), diff_weights.address(), 0, 0, bytes),
      "the workspace has 0 bytes");
}

}  // namespace
}  // namespace fusewire::test
