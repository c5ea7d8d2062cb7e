// SPDX-License-Identifier: Apache-2.0
// Inference of an inverted residual block against its definition in float64: the depthwise convolution that sums what
// it stores, alone and with the expansion made on chip; the gate from those sums; the projection with the gate on load.
#include <array>
#include <cmath>
#include <string>

#include "depthwise_reference.h"
#include "device_fixture.h"
#include "fusewire/inference.h"
#include "squeeze_excite_reference.h"

namespace fusewire::test {
namespace {

// dst (rows, out) = src (rows, in) * weights (out, in)^T.
Doubles product(int64_t rows, int64_t in, int64_t out, const Doubles& src, const std::vector<float>& weights) {
  Doubles dst(size_t(rows * out));
  for (int64_t r = 0; r < rows; r++) {
    for (int64_t k = 0; k < out; k++) {
      double sum = 0;
      for (int64_t c = 0; c < in; c++) {
        sum += src[size_t(r * in + c)] * double(weights[size_t(k * in + c)]);
      }
      dst[size_t(r * out + k)] = sum;
    }
  }
  return dst;
}

struct Block {
  DepthwiseCase shape;
  int64_t expand_from = 0;
  int32_t dtype = FW_F32;
  int32_t activation = FW_SILU;
  int32_t expand_activation = FW_SILU;
  bool integers = false;
  int64_t misalignment = 0;
  uint64_t seed = 1;

  fw_squeezed_depthwise problem() const { return {shape.conv(dtype, activation), expand_from, expand_activation, 0}; }
  int64_t in_channels() const { return expand_from > 0 ? expand_from : shape.channels; }
  std::string text() const {
    return std::string(dtype_name(dtype)) + " " + shape.text() + " from " + std::to_string(expand_from) +
           " activations " + std::to_string(expand_activation) + " and " + std::to_string(activation) +
           " misaligned by " + std::to_string(misalignment);
  }
};

class MbconvTest : public DeviceTest {
 protected:
  struct Data {
    std::vector<float> src, expand, expand_bias, weights, bias;
  };
  struct Result {
    std::vector<float> dst, sums;
    int64_t chunks = 0;
  };

  static std::vector<float> values(const Block& b, uint64_t salt, int64_t count, int32_t dtype, double deviation) {
    return b.integers ? random_integers(b.seed * 17 + salt, count, 2)
                      : random_reals(b.seed * 17 + salt, count, dtype, 0, float(deviation));
  }

  static Data data(const Block& b) {
    const int64_t channels = b.shape.channels;
    const int64_t rows = b.shape.batch * b.shape.height * b.shape.width;
    return {values(b, 1, rows * b.in_channels(), b.dtype, 1),
            values(b, 2, channels * b.expand_from, FW_F32, b.expand_from == 0 ? 1 : 1 / std::sqrt(b.expand_from)),
            values(b, 3, b.expand_from == 0 ? 0 : channels, FW_F32, 0.5),
            values(b, 4, b.shape.weights_count(), FW_F32, 0.5), values(b, 5, channels, FW_F32, 0.5)};
  }

  // Before rounding to the storage type. The expanded tensor is not rounded to it either.
  static Doubles reference(const Block& b, const Data& d) {
    const int64_t channels = b.shape.channels;
    std::vector<float> x = d.src;
    if (b.expand_from > 0) {
      const int64_t rows = b.shape.batch * b.shape.height * b.shape.width;
      const Doubles expanded = product(rows, b.expand_from, channels, doubles(d.src), d.expand);
      x.resize(expanded.size());
      for (size_t i = 0; i < x.size(); i++) {
        x[i] = float(activate(b.expand_activation, expanded[i] + double(d.expand_bias[i % size_t(channels)])));
      }
    }
    const std::vector<float> none(size_t(b.shape.dst_count()), 0);
    Doubles dst = depthwise_reference(b.shape, x, d.weights, d.bias, none).dst;
    for (double& value : dst) {
      value = activate(b.activation, value);
    }
    return dst;
  }

  Result run(const Block& b, const Data& d) const {
    const fw_squeezed_depthwise p = b.problem();
    const int64_t channels = b.shape.channels;
    Result result;
    EXPECT_FW_OK(fw_squeezed_depthwise_chunks(stream(), &p, &result.chunks));
    EXPECT_GE(result.chunks, 1);
    Buffer src(stream(), b.dtype, d.src, b.misalignment);
    Buffer expand_bias(stream(), FW_F32, d.expand_bias, b.misalignment);
    Buffer weights(stream(), FW_F32, d.weights, b.misalignment);
    Buffer bias(stream(), FW_F32, d.bias, b.misalignment);
    Buffer dst(stream(), b.dtype, b.shape.dst_count(), b.misalignment);
    Buffer sums(stream(), FW_F32, b.shape.batch * result.chunks * channels, b.misalignment);
    const bool expands = b.expand_from > 0;
    const Bytes packed(stream(), expands ? packed_bytes(b.dtype, b.expand_from, channels) : 0);
    if (expands) {
      pack(b.dtype, b.expand_from, channels, d.expand, packed.address());
    }
    EXPECT_FW_OK(fw_squeezed_depthwise_forward(stream(), &p, src.address(), packed.address(),
                                               expands ? expand_bias.address() : 0, weights.address(), bias.address(),
                                               dst.address(), sums.address()));
    result.dst = dst.download();
    result.sums = sums.download();
    return result;
  }

  static fw_pointwise pointwise(int32_t dtype, int64_t in, int64_t out) {
    fw_pointwise p = {};
    p.dtype = dtype;
    p.rows = 1;
    p.in_channels = in;
    p.out_channels = out;
    return p;
  }
  int64_t packed_bytes(int32_t dtype, int64_t in, int64_t out) const {
    const fw_pointwise p = pointwise(dtype, in, out);
    int64_t bytes = 0;
    EXPECT_FW_OK(fw_pointwise_packed_bytes(stream(), &p, &bytes));
    return bytes;
  }
  void pack(int32_t dtype, int64_t in, int64_t out, const std::vector<float>& values, fw_address packed) const {
    const fw_pointwise p = pointwise(dtype, in, out);
    Buffer weights = buffer(FW_F32, values);
    EXPECT_FW_OK(fw_pointwise_pack(stream(), &p, weights.address(), packed));
    EXPECT_FW_OK(fw_stream_synchronize(stream()));
  }

  // Of dst over the pixels of each image, and what the chunks add up to.
  static void expect_sums(const Block& b, const Result& got) {
    const auto channels = size_t(b.shape.channels);
    const auto images = size_t(b.shape.batch);
    Doubles expected(images * channels);
    std::vector<float> total(images * channels);
    const size_t image = got.dst.size() / images;
    for (size_t i = 0; i < got.dst.size(); i++) {
      expected[i / image * channels + i % channels] += double(got.dst[i]);
    }
    for (size_t at = 0; at < total.size(); at++) {
      double sum = 0;
      for (size_t chunk = 0; chunk < size_t(got.chunks); chunk++) {
        sum += double(got.sums[(at / channels * size_t(got.chunks) + chunk) * channels + at % channels]);
      }
      total[at] = float(sum);
    }
    if (b.integers) {
      EXPECT_TRUE(exactly_equal(expected, total, true)) << "sums";
    } else {
      EXPECT_TRUE(rule_of_two(FW_F32, expected, total)) << "sums";
    }
  }

  void check(const Block& b) const {
    SCOPED_TRACE(b.text());
    const Data d = data(b);
    const Result got = run(b, d);
    const Doubles expected = reference(b, d);
    EXPECT_TRUE(b.integers ? exactly_equal(expected, got.dst, true) : rule_of_two(judged(b.dtype), expected, got.dst))
        << "dst";
    expect_sums(b, got);
  }
};
FUSEWIRE_ON_EVERY_DEVICE_AND_MATH(MbconvTest);

// Channels beside a vector's and a tile's multiple, images that no tile fits; each alone and expanded from few
// channels.
TEST_P(MbconvTest, IntegersAreExactForEveryKernelAndStride) {
  struct Size {
    int64_t batch, height, width, channels, from;
  };
  std::vector<Size> sizes = {{1, 1, 1, 1, 1}, {3, 2, 3, 20, 4}, {1, 9, 11, 65, 3}};
  if (!slow()) {
    sizes.insert(sizes.end(), {{1, 15, 16, 7, 5}, {3, 14, 14, 144, 24}, {2, 30, 29, 64, 16}, {1, 8, 50, 33, 33}});
  }
  for (const Size& s : sizes) {
    for (const int64_t kernel : {3, 5, 7}) {
      for (const int64_t stride : {1, 2}) {
        Block b;
        b.shape = same_padded(s.batch, s.height, s.width, s.channels, kernel, stride);
        b.activation = FW_IDENTITY;
        b.expand_activation = FW_RELU;
        b.integers = true;
        b.seed = uint64_t(kernel + stride);
        b.misalignment = s.channels == 65 ? 1 : 0;
        check(b);
        b.expand_from = s.from;
        check(b);
      }
    }
  }
}

TEST_P(MbconvTest, RealsInEveryTypeAndActivation) {
  uint64_t seed = 1;
  for (const int32_t dtype : dtypes()) {
    for (const int32_t activation : {FW_IDENTITY, FW_SILU, FW_RELU, FW_RELU6}) {
      Block b;
      const int64_t kernel = seed % 2 == 0 ? 3 : 5;
      b.shape = same_padded(seed % 3 == 0 ? 3 : 1, slow() ? 8 : 17, 10, seed % 4 == 0 ? 72 : 40, kernel,
                            seed % 5 < 3 ? 1 : 2);
      b.dtype = dtype;
      b.activation = activation;
      b.expand_activation = (activation + 1) % 4;
      b.misalignment = activation == FW_RELU6 ? 1 : 0;
      b.seed = seed++;
      check(b);
      b.expand_from = 16;
      check(b);
    }
  }
}

// EfficientNet-B0's own blocks, which fill several bands, boxes and chunks.
TEST_P(MbconvTest, LargeImages) {
  if (slow()) {
    return;
  }
  for (const int32_t dtype : dtypes()) {
    for (const auto& [side, channels, kernel, stride, from] :
         {std::array<int64_t, 5>{112, 96, 3, 2, 16}, {56, 144, 5, 2, 24}, {14, 672, 5, 1, 112}, {7, 1152, 3, 1, 192}}) {
      Block b;
      b.shape = same_padded(1, side, side, channels, kernel, stride);
      b.dtype = dtype;
      check(b);
      b.expand_from = from;
      check(b);
    }
  }
}

// More padding than the kernel reaches over on some sides, none on others; long rows in several boxes.
TEST_P(MbconvTest, AnyPaddingAndWidth) {
  std::vector<DepthwiseCase> shapes = {
      {1, 4, 5, 20, 3, 3, 1, 1, 1, 1, 4, 0, 0, 5}, {1, 6, 5, 20, 5, 5, 2, 2, 1, 1, 0, 7, 6, 0},
      {2, 9, 8, 16, 3, 3, 1, 1, 1, 1, 0, 0, 0, 0}, {1, 7, 7, 8, 7, 7, 1, 1, 1, 1, 0, 0, 0, 0},
      {1, 3, 1, 8, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1},  {1, 1, slow() ? 90 : 700, 64, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1}};
  for (const DepthwiseCase& shape : shapes) {
    Block b;
    b.shape = shape;
    b.activation = FW_IDENTITY;
    b.expand_activation = FW_RELU;
    b.integers = true;
    check(b);
    b.expand_from = 6;
    check(b);
  }
}

// Kernels that are not tuned: what they store is summed afterwards, in as many chunks.
TEST_P(MbconvTest, AnyKernelWithoutExpansion) {
  for (const DepthwiseCase& shape :
       {DepthwiseCase{2, 9, 8, 20, 4, 4, 1, 1, 1, 1, 1, 2, 2, 1}, DepthwiseCase{1, 12, 9, 33, 3, 5, 3, 2, 1, 1},
        DepthwiseCase{3, 11, 12, 16, 3, 3, 1, 1, 2, 2, 2, 2, 2, 2}, DepthwiseCase{1, 5, 31, 64, 1, 1},
        DepthwiseCase{1, slow() ? 9 : 60, slow() ? 9 : 60, 17, 9, 9, 1, 1, 1, 1, 4, 4, 4, 4}}) {
    for (const int32_t dtype : dtypes()) {
      Block b;
      b.shape = shape;
      b.dtype = dtype;
      check(b);
      b.misalignment = 1;
      check(b);
    }
  }
}

TEST_P(MbconvTest, RandomShapesAreExact) {
  std::mt19937_64 random(3);
  for (int i = 0; i < (slow() ? 6 : 60); i++) {
    const int64_t most = slow() ? 12 : 40;
    Block b;
    b.shape = same_padded(1 + int64_t(random() % 3), 1 + int64_t(random() % uint64_t(most)),
                          1 + int64_t(random() % uint64_t(most)), 1 + int64_t(random() % 140),
                          pick<int64_t>(random, {3, 5, 7}), pick<int64_t>(random, {1, 2}));
    b.expand_from = random() % 3 == 0 ? 0 : 1 + int64_t(random() % 40);
    b.activation = FW_IDENTITY;
    b.expand_activation = FW_RELU;
    b.integers = true;
    b.misalignment = random() % 4 == 0 ? 1 : 0;
    b.seed = random() % 1000;
    check(b);
  }
}

TEST_P(MbconvTest, DepthwiseIsDeterministic) {
  for (const int64_t from : {0, 12}) {
    Block b;
    b.shape = same_padded(2, slow() ? 12 : 56, slow() ? 9 : 40, 72, 5, 1);
    b.expand_from = from;
    const Data d = data(b);
    expect_deterministic([&] {
      Result r = run(b, d);
      r.dst.insert(r.dst.end(), r.sums.begin(), r.sums.end());
      return r.dst;
    });
  }
}

TEST_P(MbconvTest, NaNStaysInItsImageAndItsChannel) {
  Block b;
  b.shape = same_padded(3, 5, 5, 24, 3, 1);
  Data d = data(b);
  d.src[25 * 24 + 12 * 24 + 7] = NAN;
  const Result plain = run(b, d);
  for (size_t i = 0; i < plain.dst.size(); i++) {
    ASSERT_TRUE(!std::isnan(plain.dst[i]) || (i / 600 == 1 && i % 24 == 7)) << i;
  }
  b.expand_from = 8;
  d = data(b);
  d.src[25 * 8 + 12 * 8 + 3] = NAN;
  const Result expanded = run(b, d);
  for (size_t i = 0; i < expanded.dst.size(); i++) {
    const size_t pixel = i / 24 % 25;
    const bool near = i / 600 == 1 && pixel / 5 >= 1 && pixel / 5 <= 3 && pixel % 5 >= 1 && pixel % 5 <= 3;
    ASSERT_EQ(near, std::isnan(expanded.dst[i])) << i;
  }
}

TEST_P(MbconvTest, EmptyBatchIsNothing) {
  Block b;
  b.shape = same_padded(0, 5, 5, 24, 3, 1);
  EXPECT_TRUE(run(b, data(b)).dst.empty());
  b.expand_from = 4;
  EXPECT_TRUE(run(b, data(b)).sums.empty());
}

TEST_P(MbconvTest, RefusesWhatDoesNotFit) {
  Block b;
  b.shape = same_padded(1, 4, 4, 8, 3, 1);
  const fw_squeezed_depthwise plain = b.problem();
  b.expand_from = 4;
  const fw_squeezed_depthwise expanded = b.problem();
  Buffer memory = buffer(FW_F32, 4096);
  const fw_address x = memory.address();
  // A call with one address other than x.
  const auto forward = [&](const fw_squeezed_depthwise* p, int which, fw_address other) {
    std::vector<fw_address> at(7, x);
    at[size_t(which)] = other;
    return fw_squeezed_depthwise_forward(stream(), p, at[0], at[1], at[2], at[3], at[4], at[5], at[6]);
  };
  const char* names[] = {"src", "expand_weights", "expand_bias", "weights", "bias", "dst", "sums"};
  for (int i = 0; i < 7; i++) {
    const std::string name = std::string("address of ") + names[i];
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(&expanded, i, 0), name + " is 0");
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(&expanded, i, x + 2), name);
  }
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(&plain, 1, 0), "expand_from is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(&plain, 2, 0), "expand_from is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_squeezed_depthwise_forward(stream(), &plain, x, 0, 0, x, 0, x, x),
                  "address of bias is 0");
  const auto refused = [&](const fw_squeezed_depthwise* p, fw_status status, const char* text) {
    int64_t chunks = 0;
    EXPECT_FW_ERROR(status, forward(p, 0, x), text);
    EXPECT_FW_ERROR(status, fw_squeezed_depthwise_chunks(stream(), p, &chunks), text);
  };
  refused(nullptr, FW_INVALID_ARGUMENT, "problem is null");
  fw_squeezed_depthwise p = expanded;
  p.expand_from = -1;
  refused(&p, FW_INVALID_ARGUMENT, "expand_from is -1");
  p = expanded;
  p.expand_activation = 4;
  refused(&p, FW_INVALID_ARGUMENT, "activation is 4");
  p = expanded;
  p.conv.activation = -1;
  refused(&p, FW_INVALID_ARGUMENT, "activation is -1");
  p = expanded;
  p.conv.dtype = 3;
  refused(&p, FW_INVALID_ARGUMENT, "dtype is 3");
  p = expanded;
  p.conv.out_channels = 9;
  refused(&p, FW_INVALID_ARGUMENT, "out_channels is 9");
  p = expanded;
  p.conv.stride_width = 2;
  refused(&p, FW_UNSUPPORTED, "stride 1x2");
  p = expanded;
  p.conv.stride_height = p.conv.stride_width = 3;
  refused(&p, FW_UNSUPPORTED, "stride 3x3");
  p = expanded;
  p.conv.dilation_height = 2;
  p.conv.pad_top = 2;
  refused(&p, FW_UNSUPPORTED, "dilation 2x1");
  p = expanded;
  p.conv.kernel_height = p.conv.kernel_width = 1;
  refused(&p, FW_UNSUPPORTED, "a 1x1 kernel");
  int64_t chunks = 0;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_squeezed_depthwise_chunks(stream(), &plain, nullptr), "is null");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_squeezed_depthwise_chunks(stream() + 1000, &plain, &chunks), "stream");
}

}  // namespace
}  // namespace fusewire::test
