// SPDX-License-Identifier: Apache-2.0
// Pointwise convolution between two BatchNorms: result, norm table, running averages and both gradients against
// float64, with everything that may be absent absent in turn; determinism and refusals.
#include <cmath>

#include "activation_reference.h"
#include "device_fixture.h"
#include "fusewire/fused.h"

namespace fusewire::test {
namespace {

using Doubles = std::vector<double>;

struct Case {
  int64_t batch, pixels, in, out;
  int32_t dtype = FW_F32;
  bool norm = true, gate = true, scale = true, addend = true;
  int32_t activation = FW_SILU;
  int64_t misalignment = 0;
};
std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << dtype_name(c.dtype) << ", " << c.batch << " images of " << c.pixels << " pixels, " << c.in << " to "
             << c.out << " channels" << (c.norm ? ", norm" : "") << (c.gate ? ", gate" : "")
             << (c.scale ? ", image scale" : "") << (c.addend ? ", addend" : "");
}

size_t at(int64_t i) { return size_t(i); }

// A norm table: mean, 1/std, scale, shift.
std::vector<float> norm_table(uint64_t seed, int64_t channels) {
  std::vector<float> table = random_reals(seed, 4 * channels);
  for (int64_t c = 0; c < channels; c++) {
    table[at(channels + c)] = 0.5f + std::fabs(table[at(channels + c)]);
  }
  return table;
}

class FusedPointwiseTest : public DeviceTest {
 protected:
  struct Inputs {
    std::vector<float> src, in_norm, gate, weights, gamma, beta, running_mean, running_var;
    std::vector<float> diff_out, image_scale, raw, out_norm, out_gradient, addend;
  };
  struct Results {
    std::vector<float> dst, out_norm, running_mean, running_var, diff_src, diff_weights;
    std::vector<float> both_diff_src, both_diff_weights;  // of fw_fused_pointwise_backward
  };

  static Inputs inputs(const Case& c) {
    const int64_t rows = c.batch * c.pixels;
    Inputs i;
    i.src = random_reals(1, rows * c.in, c.dtype, 0.5f);
    i.in_norm = norm_table(2, c.in);
    i.gate = random_reals(3, c.batch * c.in);
    i.weights = random_reals(4, c.out * c.in, FW_F32, 0, 1 / std::sqrt(float(c.in)));
    i.gamma = random_reals(5, c.out);
    i.beta = random_reals(6, c.out);
    i.running_mean = random_reals(7, c.out);
    i.running_var = random_reals(8, c.out, FW_F32, 2);
    i.diff_out = random_reals(9, rows * c.out, c.dtype);
    i.image_scale = random_reals(10, c.batch);
    i.raw = random_reals(11, rows * c.out, c.dtype, 2);
    i.out_norm = norm_table(12, c.out);
    i.out_gradient = random_reals(13, 2 * c.out);
    i.addend = random_reals(14, rows * c.in, c.dtype);
    return i;
  }

  static fw_fused_pointwise problem(const Case& c) {
    fw_fused_pointwise p = {};
    p.dtype = c.dtype;
    p.in_activation = c.activation;
    p.batch = c.batch;
    p.pixels = c.pixels;
    p.in_channels = c.in;
    p.out_channels = c.out;
    p.epsilon = 1e-3f;
    p.momentum = 0.1f;
    return p;
  }

  Results run(const Case& c) const {
    const Inputs i = inputs(c);
    const int64_t rows = c.batch * c.pixels;
    const fw_fused_pointwise p = problem(c);
    const auto floats = [&](const std::vector<float>& v) { return Buffer(stream(), FW_F32, v, c.misalignment); };
    const auto stored = [&](const std::vector<float>& v) { return Buffer(stream(), c.dtype, v, c.misalignment); };
    int64_t bytes = 0;
    EXPECT_FW_OK(fw_fused_pointwise_workspace(stream(), &p, &bytes));
    const Bytes workspace(stream(), bytes);
    const Buffer src = stored(i.src), in_norm = floats(i.in_norm), gate = floats(i.gate), weights = floats(i.weights),
                 gamma = floats(i.gamma), beta = floats(i.beta), running_mean = floats(i.running_mean),
                 running_var = floats(i.running_var), diff_out = stored(i.diff_out), scale = floats(i.image_scale),
                 raw = stored(i.raw), raw_norm = floats(i.out_norm), gradient = floats(i.out_gradient),
                 addend = stored(i.addend);
    const Buffer dst(stream(), c.dtype, rows * c.out, c.misalignment), out_norm(stream(), FW_F32, 4 * c.out),
        diff_src(stream(), c.dtype, rows * c.in, c.misalignment),
        diff_weights(stream(), FW_F32, c.out * c.in, c.misalignment);
    const auto optional = [](bool there, const Buffer& b) { return there ? b.address() : fw_address(0); };
    EXPECT_FW_OK(fw_fused_pointwise_forward(stream(), &p, src.address(), optional(c.norm, in_norm),
                                            optional(c.gate, gate), weights.address(), gamma.address(), beta.address(),
                                            running_mean.address(), running_var.address(), dst.address(),
                                            out_norm.address(), workspace.address(), bytes));
    EXPECT_FW_OK(fw_fused_pointwise_backward_data(stream(), &p, diff_out.address(), optional(c.scale, scale),
                                                  raw.address(), raw_norm.address(), gradient.address(),
                                                  weights.address(), optional(c.addend, addend), diff_src.address(),
                                                  workspace.address(), bytes));
    EXPECT_FW_OK(fw_fused_pointwise_backward_weights(
        stream(), &p, src.address(), optional(c.norm, in_norm), optional(c.gate, gate), diff_out.address(),
        optional(c.scale, scale), raw.address(), raw_norm.address(), gradient.address(), diff_weights.address(),
        workspace.address(), bytes));
    Results results{dst.download(),         out_norm.download(), running_mean.download(),
                    running_var.download(), diff_src.download(), diff_weights.download()};
    // Both at once, the addend in place.
    const Buffer both_weights(stream(), FW_F32, c.out * c.in, c.misalignment);
    const Buffer& both_src = c.addend ? addend : diff_src;
    EXPECT_FW_OK(fw_fused_pointwise_backward(
        stream(), &p, src.address(), optional(c.norm, in_norm), optional(c.gate, gate), diff_out.address(),
        optional(c.scale, scale), raw.address(), raw_norm.address(), gradient.address(), weights.address(),
        optional(c.addend, addend), both_src.address(), both_weights.address(), workspace.address(), bytes));
    results.both_diff_src = both_src.download();
    results.both_diff_weights = both_weights.download();
    return results;
  }

  // in(src), (rows, in).
  static Doubles transformed(const Case& c, const Inputs& i) {
    Doubles x(i.src.begin(), i.src.end());
    for (int64_t k = 0; k < int64_t(x.size()); k++) {
      const int64_t channel = k % c.in;
      double& v = x[at(k)];
      if (c.norm) {
        v = (v - i.in_norm[at(channel)]) * i.in_norm[at(2 * c.in + channel)] + i.in_norm[at(3 * c.in + channel)];
        v = activate(c.activation, v);
      }
      if (c.gate) {
        v *= i.gate[at(k / (c.pixels * c.in) * c.in + channel)];
      }
    }
    return x;
  }

  // The gradient of the raw result, (rows, out).
  static Doubles raw_gradient(const Case& c, const Inputs& i) {
    Doubles d(i.diff_out.begin(), i.diff_out.end());
    for (int64_t k = 0; k < int64_t(d.size()); k++) {
      const int64_t channel = k % c.out;
      const double scale = c.scale ? double(i.image_scale[at(k / (c.pixels * c.out))]) : 1.0;
      d[at(k)] = i.out_norm[at(2 * c.out + channel)] * scale * d[at(k)] +
                 i.out_gradient[at(channel)] * (double(i.raw[at(k)]) - i.out_norm[at(channel)]) +
                 i.out_gradient[at(c.out + channel)];
    }
    return d;
  }

  void check(const Case& c) const {
    SCOPED_TRACE(::testing::Message() << c);
    const Inputs i = inputs(c);
    const Results got = run(c);
    const int64_t rows = c.batch * c.pixels;
    const Doubles x = transformed(c, i);
    const Doubles d = raw_gradient(c, i);
    Doubles dst(at(rows * c.out)), diff_src(at(rows * c.in)), diff_weights(at(c.out * c.in));
    for (int64_t r = 0; r < rows; r++) {
      for (int64_t o = 0; o < c.out; o++) {
        for (int64_t k = 0; k < c.in; k++) {
          const double w = i.weights[at(o * c.in + k)];
          dst[at(r * c.out + o)] += x[at(r * c.in + k)] * w;
          diff_src[at(r * c.in + k)] += d[at(r * c.out + o)] * w;
          diff_weights[at(o * c.in + k)] += d[at(r * c.out + o)] * x[at(r * c.in + k)];
        }
      }
    }
    for (int64_t k = 0; c.addend && k < rows * c.in; k++) {
      diff_src[at(k)] += i.addend[at(k)];
    }
    EXPECT_TRUE(rule_of_two(judged(c.dtype), dst, got.dst)) << "dst";
    EXPECT_TRUE(rule_of_two(judged(c.dtype), diff_src, got.diff_src, 3)) << "diff_src";
    EXPECT_TRUE(sums_of_products(c.dtype, diff_weights, got.diff_weights)) << "diff_weights";
    EXPECT_TRUE(rule_of_two(judged(c.dtype), diff_src, got.both_diff_src, 3)) << "diff_src of both";
    EXPECT_TRUE(sums_of_products(c.dtype, diff_weights, got.both_diff_weights)) << "diff_weights of both";
    check_norm(c, i, got);
  }

  // The norm table is that of the result as it was stored.
  static void check_norm(const Case& c, const Inputs& i, const Results& got) {
    const int64_t rows = c.batch * c.pixels;
    Doubles table(at(4 * c.out)), mean(at(c.out)), var(at(c.out));
    for (int64_t o = 0; o < c.out; o++) {
      double sum = 0;
      double squares = 0;
      for (int64_t r = 0; r < rows; r++) {
        sum += got.dst[at(r * c.out + o)];
      }
      for (int64_t r = 0; r < rows; r++) {
        const double e = got.dst[at(r * c.out + o)] - sum / double(rows);
        squares += e * e;
      }
      const double inverse = 1 / std::sqrt(squares / double(rows) + double(1e-3f));
      table[at(o)] = sum / double(rows);
      table[at(c.out + o)] = inverse;
      table[at(2 * c.out + o)] = inverse * i.gamma[at(o)];
      table[at(3 * c.out + o)] = i.beta[at(o)];
      mean[at(o)] = 0.9 * i.running_mean[at(o)] + 0.1 * table[at(o)];
      var[at(o)] = 0.9 * i.running_var[at(o)] + 0.1 * squares / double(rows - 1);
    }
    EXPECT_TRUE(close_to(table, got.out_norm, 3e-6, 3e-6)) << "norm";
    EXPECT_TRUE(close_to(mean, got.running_mean, 3e-6, 3e-6)) << "running mean";
    EXPECT_TRUE(close_to(var, got.running_var, 3e-6, 3e-6)) << "running variance";
  }
};

FUSEWIRE_ON_EVERY_DEVICE_AND_MATH(FusedPointwiseTest);

TEST_P(FusedPointwiseTest, AgreesWithFloat64) {
  for (const int32_t dtype : dtypes()) {
    check({2, 49, 24, 40, dtype});
    check({3, 25, 96, 17, dtype});
  }
  if (!tf32()) {  // the rounding of two values is too few to judge two roundings by
    check({1, 2, 1, 1});
  }
  check({5, 1, 33, 65});
  check({2, 61, 20, 132});
  if (!slow()) {
    check({3, 196, 112, 672});
    check({2, 401, 144, 24, FW_BF16});
    check({1, 1500, 16, 96});   // several panels in a chunk
    check({4, 49, 2100, 70});   // a depth that takes two panels
    check({3, 300, 70, 2100});  // several chunks of rows, many tiles of either operand
  }
}

TEST_P(FusedPointwiseTest, WhatMayBeAbsentIs) {
  for (int mask = 0; mask < 16; mask++) {
    Case c{2, 9, 12, 20};
    c.norm = (mask & 1) != 0;
    c.gate = (mask & 2) != 0;
    c.scale = (mask & 4) != 0;
    c.addend = (mask & 8) != 0;
    check(c);
  }
}

TEST_P(FusedPointwiseTest, EveryActivationAndOddAddresses) {
  for (const int32_t activation : {FW_IDENTITY, FW_SILU, FW_RELU, FW_RELU6}) {
    Case c{2, 18, 16, 24};
    c.activation = activation;
    c.misalignment = 1;
    check(c);
    c.dtype = FW_BF16;
    check(c);
  }
}

// A mean a thousand deviations from zero: sums of squares would have no digit left.
TEST_P(FusedPointwiseTest, StatisticsOfLargeMeans) {
  Case c{4, 400, 3, 20};
  c.norm = c.gate = false;
  Inputs i = inputs(c);
  const int64_t rows = c.batch * c.pixels;
  for (float& v : i.src) {
    v = 1000.0f + v;
  }
  const fw_fused_pointwise p = problem(c);
  int64_t bytes = 0;
  ASSERT_FW_OK(fw_fused_pointwise_workspace(stream(), &p, &bytes));
  const Bytes workspace(stream(), bytes);
  std::fill(i.weights.begin(), i.weights.end(), 0.0f);
  for (int64_t o = 0; o < c.out; o++) {
    i.weights[at(o * c.in + o % c.in)] = 1.0f;
  }
  const Buffer src = buffer(FW_F32, i.src), weights = buffer(FW_F32, i.weights), gamma = buffer(FW_F32, i.gamma),
               beta = buffer(FW_F32, i.beta), dst = buffer(FW_F32, rows * c.out), norm = buffer(FW_F32, 4 * c.out);
  ASSERT_FW_OK(fw_fused_pointwise_forward(stream(), &p, src.address(), 0, 0, weights.address(), gamma.address(),
                                          beta.address(), 0, 0, dst.address(), norm.address(), workspace.address(),
                                          bytes));
  Results got;
  got.dst = dst.download();
  got.out_norm = norm.download();
  Doubles inverse;
  std::vector<float> inverse_got;
  for (int64_t o = 0; o < c.out; o++) {
    double sum = 0;
    double squares = 0;
    for (int64_t r = 0; r < rows; r++) {
      sum += got.dst[at(r * c.out + o)];
    }
    for (int64_t r = 0; r < rows; r++) {
      const double e = got.dst[at(r * c.out + o)] - sum / double(rows);
      squares += e * e;
    }
    inverse.push_back(1 / std::sqrt(squares / double(rows) + double(p.epsilon)));
    inverse_got.push_back(got.out_norm[at(c.out + o)]);
  }
  EXPECT_TRUE(close_to(inverse, inverse_got, 1e-5, 0));
}

TEST_P(FusedPointwiseTest, SameBitsEveryTime) {
  const Case c = slow() ? Case{2, 80, 20, 70} : Case{3, 700, 40, 100};
  expect_deterministic([&] {
    const Results r = run(c);
    std::vector<float> all = r.dst;
    for (const auto* part : {&r.out_norm, &r.running_mean, &r.running_var, &r.diff_src, &r.diff_weights,
                             &r.both_diff_src, &r.both_diff_weights}) {
      all.insert(all.end(), part->begin(), part->end());
    }
    return all;
  });
}

TEST_P(FusedPointwiseTest, RefusesWhatDoesNotFit) {
  const Case c{2, 4, 8, 8};
  const Buffer some = buffer(FW_F32, 256);
  const fw_address a = some.address();
  const auto forward = [&](const fw_fused_pointwise& p, fw_address src, fw_address running_var, int64_t bytes) {
    return fw_fused_pointwise_forward(stream(), &p, src, a, a, a, a, a, a, running_var, a, a, a, bytes);
  };
  constexpr int64_t kEnough = int64_t(1) << 30;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT,
                  fw_fused_pointwise_forward(stream(), nullptr, a, a, a, a, a, a, a, a, a, a, a, 0), "problem is null");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(problem(c), 0, a, kEnough), "the address of src is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(problem(c), a + 2, a, kEnough), "not a multiple");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(problem(c), a, 0, kEnough), "both or none");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(problem(c), a, a, 1), "the workspace has 1 bytes");
  fw_fused_pointwise p = problem(c);
  p.batch = p.pixels = 1;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(p, a, a, kEnough), "one value has no variance");
  p = problem(c);
  p.in_channels = 0;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(p, a, a, kEnough), "in_channels");
  p = problem(c);
  p.epsilon = -1;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(p, a, a, kEnough), "epsilon");
  p = problem(c);
  p.momentum = 2;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(p, a, a, kEnough), "momentum is 2");
  p = problem(c);
  p.in_activation = 99;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(p, a, a, kEnough), "activation");
  p = problem(c);
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT,
                  fw_fused_pointwise_backward_data(stream(), &p, a, a, a, a, 0, a, a, a, a, kEnough),
                  "the address of out_gradient is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT,
                  fw_fused_pointwise_backward_weights(stream(), &p, a, a, a, a, a, a, a, a, 0, a, kEnough),
                  "the address of diff_weights is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT,
                  fw_fused_pointwise_backward(stream(), &p, a, a, a, a, a, a, a, a, a, a, 0, a, a, kEnough),
                  "the address of diff_src is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT,
                  fw_fused_pointwise_backward(stream(), &p, a, a, a, a, a, a, a, a, a, a, a, a, a, 1),
                  "the workspace has 1 bytes");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_fused_pointwise_workspace(stream(), &p, nullptr), "bytes is null");
}

}  // namespace
}  // namespace fusewire::test
