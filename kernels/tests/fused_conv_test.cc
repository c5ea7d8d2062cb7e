// SPDX-License-Identifier: Apache-2.0
// Dense convolution between two BatchNorms: result, norm table and both gradients against float64, what may be absent,
// strides, paddings and kernels, in place, plain input as the unfused convolution, determinism, errors.
#include <cmath>

#include "activation_reference.h"
#include "device_fixture.h"
#include "fusewire/fused.h"

namespace fusewire::test {
namespace {

using Doubles = std::vector<double>;

size_t at(int64_t i) { return size_t(i); }

fw_conv problem(int32_t dtype, int64_t batch, int64_t side, int64_t in, int64_t out, int64_t kernel, int64_t stride,
                int32_t activation = FW_RELU) {
  fw_conv c = {};
  c.dtype = dtype;
  c.activation = activation;
  c.batch = batch;
  c.in_height = side;
  c.in_width = side + 1;
  c.in_channels = in;
  c.out_channels = out;
  c.kernel_height = c.kernel_width = kernel;
  c.stride_height = c.stride_width = stride;
  c.dilation_height = c.dilation_width = 1;
  c.pad_top = c.pad_left = kernel / 2;
  c.pad_bottom = c.pad_right = kernel == 1 ? 0 : 1;
  return c;
}

// What is there.
enum With { kNorm = 1, kScale = 2, kAddend = 4, kInPlace = 8 };

struct Inputs {
  std::vector<float> src, in_norm, weights, gamma, beta, running_mean, running_var, diff_out, image_scale, raw,
      out_norm, out_gradient, addend;
};

struct Results {
  std::vector<float> dst, out_norm, running_mean, running_var, diff_src, diff_weights;
};

struct Reference {
  Doubles dst, diff_src, diff_weights;
};

class FusedConvTest : public DeviceTest {
 protected:
  static fw_conv described(const fw_conv& c, int64_t* height, int64_t* width) {
    EXPECT_FW_OK(fw_conv_output(&c, height, width));
    return c;
  }
  static int64_t out_pixels(const fw_conv& c) {
    int64_t height = 0;
    int64_t width = 0;
    described(c, &height, &width);
    return height * width;
  }
  static int64_t in_elements(const fw_conv& c) { return c.batch * c.in_height * c.in_width * c.in_channels; }
  static int64_t depth(const fw_conv& c) { return c.kernel_height * c.kernel_width * c.in_channels; }

  // A table whose shift makes 0 something else than 0, so that the padding's zeros show.
  static std::vector<float> norm_table(uint64_t seed, int64_t channels) {
    std::vector<float> table = random_reals(seed, 4 * channels);
    const std::vector<float> shift = random_reals(seed + 100, channels, FW_F32, 0.7f);
    std::copy(shift.begin(), shift.end(), table.begin() + 3 * channels);
    return table;
  }

  static Inputs inputs(const fw_conv& c) {
    const int64_t results = c.batch * out_pixels(c) * c.out_channels;
    Inputs i;
    i.src = random_reals(1, in_elements(c), c.dtype);
    i.in_norm = norm_table(2, c.in_channels);
    i.weights = random_reals(3, c.out_channels * depth(c));
    i.gamma = random_reals(4, c.out_channels, FW_F32, 1);
    i.beta = random_reals(5, c.out_channels);
    i.running_mean = random_reals(6, c.out_channels);
    i.running_var = random_reals(7, c.out_channels, FW_F32, 2);
    i.diff_out = random_reals(8, results, c.dtype);
    i.image_scale = random_reals(9, c.batch);
    i.raw = random_reals(10, results, c.dtype, 2);
    i.out_norm = norm_table(11, c.out_channels);
    i.out_gradient = random_reals(12, 2 * c.out_channels);
    i.addend = random_reals(13, in_elements(c), c.dtype);
    return i;
  }

  Results run(const fw_conv& c, int with, int64_t misalignment = 0) const {
    const Inputs i = inputs(c);
    const auto floats = [&](const std::vector<float>& v) { return Buffer(stream(), FW_F32, v, misalignment); };
    const auto stored = [&](const std::vector<float>& v) { return Buffer(stream(), c.dtype, v, misalignment); };
    const auto optional = [&](int bit, const Buffer& b) { return (with & bit) != 0 ? b.address() : fw_address(0); };
    int64_t bytes = 0;
    EXPECT_FW_OK(fw_fused_conv_workspace(stream(), &c, &bytes));
    const Bytes workspace(stream(), bytes);
    const Buffer src = stored(i.src), in_norm = floats(i.in_norm), weights = floats(i.weights), gamma = floats(i.gamma),
                 beta = floats(i.beta), running_mean = floats(i.running_mean), running_var = floats(i.running_var),
                 diff_out = stored(i.diff_out), scale = floats(i.image_scale), raw = stored(i.raw),
                 raw_norm = floats(i.out_norm), gradient = floats(i.out_gradient), addend = stored(i.addend);
    const Buffer dst(stream(), c.dtype, int64_t(i.raw.size()), misalignment),
        out_norm(stream(), FW_F32, 4 * c.out_channels), other(stream(), c.dtype, int64_t(i.src.size()), misalignment),
        diff_weights(stream(), FW_F32, int64_t(i.weights.size()), misalignment);
    EXPECT_FW_OK(fw_fused_conv_forward(stream(), &c, 1e-3f, 0.25f, src.address(), optional(kNorm, in_norm),
                                       weights.address(), gamma.address(), beta.address(), running_mean.address(),
                                       running_var.address(), dst.address(), out_norm.address(), workspace.address(),
                                       bytes));
    const Buffer& diff_src = (with & kInPlace) != 0 ? addend : other;
    EXPECT_FW_OK(fw_fused_conv_backward_data(stream(), &c, diff_out.address(), optional(kScale, scale), raw.address(),
                                             raw_norm.address(), gradient.address(), weights.address(),
                                             optional(kAddend, addend), diff_src.address(), workspace.address(),
                                             bytes));
    EXPECT_FW_OK(fw_fused_conv_backward_weights(
        stream(), &c, src.address(), optional(kNorm, in_norm), diff_out.address(), optional(kScale, scale),
        raw.address(), raw_norm.address(), gradient.address(), diff_weights.address(), workspace.address(), bytes));
    return {dst.download(),         out_norm.download(), running_mean.download(),
            running_var.download(), diff_src.download(), diff_weights.download()};
  }

  // activation(norm(src)).
  static Doubles made_source(const fw_conv& c, const Inputs& i, int with) {
    Doubles x(i.src.begin(), i.src.end());
    for (int64_t k = 0; (with & kNorm) != 0 && k < int64_t(x.size()); k++) {
      const int64_t channel = k % c.in_channels;
      x[at(k)] =
          activate(c.activation, (x[at(k)] - i.in_norm[at(channel)]) * i.in_norm[at(2 * c.in_channels + channel)] +
                                     i.in_norm[at(3 * c.in_channels + channel)]);
    }
    return x;
  }

  // The gradient of the raw result.
  static Doubles made_gradient(const fw_conv& c, const Inputs& i, int with) {
    const int64_t out = c.out_channels;
    const int64_t image = out_pixels(c) * out;
    Doubles d(i.diff_out.begin(), i.diff_out.end());
    for (int64_t k = 0; k < int64_t(d.size()); k++) {
      const int64_t channel = k % out;
      const double scale = (with & kScale) != 0 ? double(i.image_scale[at(k / image)]) : 1.0;
      d[at(k)] = i.out_norm[at(2 * out + channel)] * scale * d[at(k)] +
                 i.out_gradient[at(channel)] * (double(i.raw[at(k)]) - i.out_norm[at(channel)]) +
                 i.out_gradient[at(out + channel)];
    }
    return d;
  }

  static Reference reference(const fw_conv& c, const Inputs& i, int with) {
    int64_t height = 0;
    int64_t width = 0;
    described(c, &height, &width);
    const Doubles x = made_source(c, i, with);
    const Doubles d = made_gradient(c, i, with);
    const int64_t in = c.in_channels;
    const int64_t out = c.out_channels;
    Reference r = {Doubles(i.raw.size()), Doubles(i.src.size()), Doubles(i.weights.size())};
    if ((with & kAddend) != 0) {
      r.diff_src.assign(i.addend.begin(), i.addend.end());
    }
    // f(first source element, first result element, tap) for every pair that a tap joins.
    const auto pairs = [&](auto f) {
      for (int64_t row = 0; row < c.batch * height * width; row++) {
        for (int64_t tap = 0; tap < c.kernel_height * c.kernel_width; tap++) {
          const int64_t y =
              row / width % height * c.stride_height - c.pad_top + tap / c.kernel_width * c.dilation_height;
          const int64_t z = row % width * c.stride_width - c.pad_left + tap % c.kernel_width * c.dilation_width;
          if (y >= 0 && y < c.in_height && z >= 0 && z < c.in_width) {
            f(((row / width / height * c.in_height + y) * c.in_width + z) * in, row * out, tap);
          }
        }
      }
    };
    pairs([&](int64_t source, int64_t result, int64_t tap) {
      for (int64_t o = 0; o < out; o++) {
        const int64_t w = (o * c.kernel_height * c.kernel_width + tap) * in;
        for (int64_t k = 0; k < in; k++) {
          r.dst[at(result + o)] += x[at(source + k)] * i.weights[at(w + k)];
          r.diff_src[at(source + k)] += d[at(result + o)] * i.weights[at(w + k)];
          r.diff_weights[at(w + k)] += d[at(result + o)] * x[at(source + k)];
        }
      }
    });
    return r;
  }

  void check(const fw_conv& c, int with, int64_t misalignment = 0) {
    SCOPED_TRACE(::testing::Message() << dtype_name(c.dtype) << " " << c.batch << "x" << c.in_height << "x"
                                      << c.in_width << "x" << c.in_channels << " to " << c.out_channels << " kernel "
                                      << c.kernel_height << "x" << c.kernel_width << " stride " << c.stride_height
                                      << " activation " << c.activation << " with " << with);
    const Inputs i = inputs(c);
    const Results got = run(c, with, misalignment);
    const Reference expected = reference(c, i, with);
    // A plain implementation rounds both operands as well as the result.
    EXPECT_TRUE(rule_of_two(judged(c.dtype), expected.dst, got.dst, rounds_operands(c.dtype) ? 3 : 2)) << "dst";
    EXPECT_TRUE(rule_of_two(judged(c.dtype), expected.diff_src, got.diff_src, 3)) << "diff_src";
    EXPECT_TRUE(sums_of_products(c.dtype, expected.diff_weights, got.diff_weights)) << "diff_weights";
    check_statistics(c, i, got);
  }

  // Of the result as it was stored.
  static void check_statistics(const fw_conv& c, const Inputs& i, const Results& got) {
    const int64_t out = c.out_channels;
    const int64_t rows = c.batch * out_pixels(c);
    Doubles mean(at(out)), scale(at(out)), running(at(out)), variance(at(out));
    for (int64_t o = 0; o < out; o++) {
      for (int64_t r = 0; r < rows; r++) {
        mean[at(o)] += got.dst[at(r * out + o)] / double(rows);
      }
      double squares = 0;
      for (int64_t r = 0; r < rows; r++) {
        const double e = got.dst[at(r * out + o)] - mean[at(o)];
        squares += e * e;
      }
      scale[at(o)] = i.gamma[at(o)] / std::sqrt(squares / double(rows) + double(1e-3f));
      running[at(o)] = 0.75 * i.running_mean[at(o)] + 0.25 * mean[at(o)];
      variance[at(o)] = 0.75 * i.running_var[at(o)] + 0.25 * squares / double(rows - 1);
    }
    EXPECT_TRUE(close_to(mean, {got.out_norm.begin(), got.out_norm.begin() + out}, 3e-6, 1e-5));
    EXPECT_TRUE(close_to(scale, {got.out_norm.begin() + 2 * out, got.out_norm.begin() + 3 * out}, 3e-6, 1e-6));
    EXPECT_TRUE(close_to(running, got.running_mean, 3e-6, 1e-5));
    EXPECT_TRUE(close_to(variance, got.running_var, 1e-5, 1e-5));
  }
};

FUSEWIRE_ON_EVERY_DEVICE_AND_MATH(FusedConvTest);

TEST_P(FusedConvTest, AgreesWithFloat64) {
  for (const int32_t dtype : dtypes()) {
    check(problem(dtype, 2, 9, 3, 32, 3, 2), 0);                 // a stem
    check(problem(dtype, 2, 5, 24, 40, 3, 1, FW_SILU), kNorm);   // fused MBConv
    check(problem(dtype, 2, 6, 16, 24, 3, 2), kNorm | kScale);   // strided
    check(problem(dtype, 2, 7, 24, 16, 1, 2), kNorm | kAddend);  // a downsampling shortcut: pixels without taps
    check(problem(dtype, 2, 5, 20, 12, 3, 1, FW_RELU6), kNorm | kScale | kAddend);  // channels that fill no chunk
  }
  if (!slow()) {
    check(problem(FW_F32, 3, 20, 48, 70, 3, 1, FW_SILU), kNorm | kScale | kAddend);
    check(problem(FW_BF16, 2, 15, 64, 64, 3, 2), kNorm | kAddend | kInPlace);
    check(problem(FW_F32, 2, 7, 256, 36, 3, 1), kNorm);  // a depth that takes two panels
    check(problem(FW_F16, 3, 40, 3, 48, 7, 2), kScale);
  }
}

TEST_P(FusedConvTest, OddShapes) {
  check(problem(FW_F32, 1, 5, 1, 7, 3, 1), kNorm);
  check(problem(FW_F32, 2, 6, 5, 20, 5, 2, FW_SILU), kNorm | kAddend | kInPlace);
  check(problem(FW_BF16, 1, 4, 33, 9, 3, 3), kNorm | kAddend);
  check(problem(FW_F32, 2, 4, 8, 8, 1, 1), kNorm | kScale);
  fw_conv dilated = problem(FW_F32, 1, 7, 4, 8, 3, 1);
  dilated.dilation_height = dilated.dilation_width = 2;
  check(dilated, kNorm | kAddend);
  dilated.stride_height = dilated.stride_width = 2;
  check(dilated, kNorm);
  fw_conv oblong = problem(FW_F16, 2, 6, 8, 16, 3, 1);
  oblong.kernel_width = 5;
  oblong.stride_width = 2;
  oblong.pad_left = 0;
  oblong.pad_right = 3;
  check(oblong, kNorm | kScale | kAddend);
}

TEST_P(FusedConvTest, MisalignedAddresses) {
  check(problem(FW_F32, 2, 5, 16, 24, 3, 1), kNorm | kScale | kAddend, 1);
  check(problem(FW_BF16, 2, 5, 16, 24, 3, 2), kNorm | kAddend | kInPlace, 1);
}

TEST_P(FusedConvTest, PlainInputIsTheUnfusedConvolution) {
  for (const int32_t dtype : dtypes()) {
    fw_conv c = problem(dtype, 2, 9, 3, 32, 3, 2, FW_SILU);
    const Inputs i = inputs(c);
    const Results got = run(c, 0);
    c.activation = FW_IDENTITY;  // fw_conv_forward has it behind the result
    const Buffer src = buffer(dtype, i.src), weights = buffer(FW_F32, i.weights),
                 dst = buffer(dtype, int64_t(i.raw.size()));
    int64_t bytes = 0;
    ASSERT_FW_OK(fw_conv_workspace(stream(), &c, &bytes));
    const Bytes workspace(stream(), bytes);
    ASSERT_FW_OK(
        fw_conv_forward(stream(), &c, src.address(), weights.address(), 0, dst.address(), workspace.address(), bytes));
    EXPECT_TRUE(same_bits(dst.download(), got.dst)) << dtype_name(dtype);
  }
}

TEST_P(FusedConvTest, Deterministic) {
  for (const int32_t dtype : {FW_F32, FW_BF16}) {
    const fw_conv c = problem(dtype, 3, slow() ? 6 : 24, 16, 24, 3, 2, FW_SILU);
    expect_deterministic([&] {
      const Results r = run(c, kNorm | kScale | kAddend);
      std::vector<float> all = r.dst;
      for (const std::vector<float>* part : {&r.out_norm, &r.diff_src, &r.diff_weights}) {
        all.insert(all.end(), part->begin(), part->end());
      }
      return all;
    });
  }
}

TEST_P(FusedConvTest, RefusesWhatDoesNotFit) {
  const Buffer some = buffer(FW_F32, 4096);
  const fw_address a = some.address();
  constexpr int64_t kMuch = int64_t(1) << 30;
  fw_conv c = problem(FW_F32, 1, 5, 1, 7, 3, 1);
  const auto forward = [&](float epsilon, fw_address in_norm, fw_address dst, fw_address running_var) {
    return fw_fused_conv_forward(stream(), &c, epsilon, 0.1f, a, in_norm, a, a, a, a, running_var, dst, a, a, kMuch);
  };
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(2, 0, a, a), "epsilon");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(0.1f, a + 1, a, a), "address of in_norm");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(0.1f, 0, 0, a), "the address of dst is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(0.1f, 0, a, 0), "both or none");
  const auto data = [&](fw_address scale, fw_address norm, fw_address addend, fw_address diff_src, int64_t bytes) {
    return fw_fused_conv_backward_data(stream(), &c, a, scale, a, norm, a, a, addend, diff_src, a, bytes);
  };
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, data(a + 2, a, 0, a, kMuch), "address of image_scale");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, data(0, 0, 0, a, kMuch), "the address of out_norm is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, data(0, a, a + 1, a, kMuch), "address of addend");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, data(0, a, 0, 0, kMuch), "the address of diff_src is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, data(0, a, 0, a, 1), "workspace");
  const auto weights = [&](fw_address norm) {
    return fw_fused_conv_backward_weights(stream(), &c, a, 0, a, 0, a, norm, a, a, a, kMuch);
  };
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, weights(0), "the address of out_norm is 0");
  c.activation = 9;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(0.1f, 0, a, a), "activation is 9");
  c.activation = FW_RELU;
  c.batch = 0;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(0.1f, 0, a, a), "one value has no variance");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, data(0, a, 0, a, kMuch), "one value has no variance");
}

}  // namespace
}  // namespace fusewire::test
