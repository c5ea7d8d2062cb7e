// SPDX-License-Identifier: Apache-2.0
// BatchNorm + activation: forward, backward, inference against float64, exact integers, large means, edges, errors.
#include <cmath>

#include "activation_reference.h"
#include "device_fixture.h"

namespace fusewire::test {
namespace {

using Doubles = std::vector<double>;

struct Reference {
  Doubles mean, var, inv_std, dst;
};

size_t at(int64_t i) { return size_t(i); }

Reference forward_reference(const fw_batchnorm& p, const std::vector<float>& src, const std::vector<float>& gamma,
                            const std::vector<float>& beta) {
  Reference r;
  r.dst.resize(src.size());
  for (int64_t c = 0; c < p.channels; c++) {
    double sum = 0;
    for (int64_t i = 0; i < p.rows; i++) {
      sum += src[at(i * p.channels + c)];
    }
    const double mean = sum / double(p.rows);
    double squares = 0;
    for (int64_t i = 0; i < p.rows; i++) {
      const double d = src[at(i * p.channels + c)] - mean;
      squares += d * d;
    }
    const double var = squares / double(p.rows);
    const double inv_std = 1 / std::sqrt(var + double(p.epsilon));
    r.mean.push_back(mean);
    r.var.push_back(var);
    r.inv_std.push_back(inv_std);
    for (int64_t i = 0; i < p.rows; i++) {
      const double h = (src[at(i * p.channels + c)] - mean) * inv_std;
      r.dst[at(i * p.channels + c)] = activate(p.activation, h * gamma[at(c)] + beta[at(c)]);
    }
  }
  return r;
}

struct Gradients {
  Doubles src, gamma, beta;
};

// The formula, checked against finite differences of forward_reference() below.
Gradients backward_reference(const fw_batchnorm& p, const std::vector<float>& src, const std::vector<float>& diff_dst,
                             const std::vector<float>& gamma, const std::vector<float>& beta) {
  const Reference f = forward_reference(p, src, gamma, beta);
  Gradients r = {Doubles(src.size()), Doubles(gamma.size()), Doubles(beta.size())};
  for (int64_t c = 0; c < p.channels; c++) {
    const auto element = [&](int64_t i) {
      const double h = (src[at(i * p.channels + c)] - f.mean[at(c)]) * f.inv_std[at(c)];
      const double g =
          diff_dst[at(i * p.channels + c)] * activate_gradient(p.activation, h * gamma[at(c)] + beta[at(c)]);
      return std::pair<double, double>(h, g);
    };
    for (int64_t i = 0; i < p.rows; i++) {
      const auto [h, g] = element(i);
      r.beta[at(c)] += g;
      r.gamma[at(c)] += g * h;
    }
    for (int64_t i = 0; i < p.rows; i++) {
      const auto [h, g] = element(i);
      r.src[at(i * p.channels + c)] =
          gamma[at(c)] * f.inv_std[at(c)] * (g - r.beta[at(c)] / double(p.rows) - h * r.gamma[at(c)] / double(p.rows));
    }
  }
  return r;
}

class BatchnormTest : public DeviceTest {
 protected:
  struct Forward {
    std::vector<float> dst, mean, inv_std, running_mean, running_var;
  };
  struct Backward {
    std::vector<float> src, gamma, beta;
  };

  fw_batchnorm problem(int32_t dtype, int32_t activation, int64_t rows, int64_t channels) const {
    return {dtype, activation, rows, channels, 1e-3f, 0.1f};
  }
  int64_t workspace_bytes(const fw_batchnorm& p) const {
    int64_t bytes = 0;
    EXPECT_FW_OK(fw_batchnorm_workspace(stream(), &p, &bytes));
    return bytes;
  }

  Forward forward(const fw_batchnorm& p, const std::vector<float>& src, const std::vector<float>& gamma,
                  const std::vector<float>& beta, int64_t misalignment = 0) {
    Buffer x(stream(), p.dtype, src, misalignment);
    Buffer y(stream(), p.dtype, p.rows * p.channels, misalignment);
    Buffer g = buffer(FW_F32, gamma);
    Buffer b = buffer(FW_F32, beta);
    Buffer mean = buffer(FW_F32, p.channels);
    Buffer inv_std = buffer(FW_F32, p.channels);
    Buffer running_mean = buffer(FW_F32, std::vector<float>(gamma.size(), 0.25f));
    Buffer running_var = buffer(FW_F32, std::vector<float>(gamma.size(), 1.5f));
    Bytes workspace(stream(), workspace_bytes(p));
    EXPECT_FW_OK(fw_batchnorm_forward_training(stream(), &p, x.address(), g.address(), b.address(),
                                               running_mean.address(), running_var.address(), mean.address(),
                                               inv_std.address(), y.address(), workspace.address(), workspace.bytes()));
    return {y.download(), mean.download(), inv_std.download(), running_mean.download(), running_var.download()};
  }

  Backward backward(const fw_batchnorm& p, const std::vector<float>& src, const std::vector<float>& diff_dst,
                    const std::vector<float>& gamma, const std::vector<float>& beta, const std::vector<float>& mean,
                    const std::vector<float>& inv_std, bool in_place = false) {
    Buffer x = buffer(p.dtype, src);
    Buffer dy = buffer(p.dtype, diff_dst);
    Buffer dx = buffer(p.dtype, p.rows * p.channels);
    Buffer g = buffer(FW_F32, gamma);
    Buffer b = buffer(FW_F32, beta);
    Buffer m = buffer(FW_F32, mean);
    Buffer s = buffer(FW_F32, inv_std);
    Buffer dg = buffer(FW_F32, p.channels);
    Buffer db = buffer(FW_F32, p.channels);
    Bytes workspace(stream(), workspace_bytes(p));
    const Buffer& result = in_place ? dy : dx;
    EXPECT_FW_OK(fw_batchnorm_backward(stream(), &p, x.address(), dy.address(), g.address(), b.address(), m.address(),
                                       s.address(), result.address(), dg.address(), db.address(), workspace.address(),
                                       workspace.bytes()));
    return {result.download(), dg.download(), db.download()};
  }
};
FUSEWIRE_ON_EVERY_DEVICE(BatchnormTest);

constexpr int32_t kActivations[] = {FW_IDENTITY, FW_SILU, FW_RELU, FW_RELU6};

struct Shape {
  int64_t rows, channels;
};

TEST(BatchnormReference, BackwardIsTheDerivativeOfForward) {
  for (const int32_t activation : kActivations) {
    const fw_batchnorm p = {FW_F32, activation, 7, 3, 1e-3f, 0.1f};
    const std::vector<float> src = random_reals(1, 21);
    const std::vector<float> diff_dst = random_reals(2, 21);
    const std::vector<float> gamma = random_reals(3, 3, FW_F32, 1, 0.2f);
    const std::vector<float> beta = random_reals(4, 3);
    const Gradients got = backward_reference(p, src, diff_dst, gamma, beta);
    const auto loss = [&](const std::vector<float>& x, const std::vector<float>& g, const std::vector<float>& b) {
      const Reference f = forward_reference(p, x, g, b);
      double sum = 0;
      for (size_t i = 0; i < f.dst.size(); i++) {
        sum += f.dst[i] * diff_dst[i];
      }
      return sum;
    };
    const auto differences = [&](std::vector<float> a, auto f) {
      std::vector<float> r;
      for (float& v : a) {
        const float kept = v;
        const float high = kept + 0x1p-10f;
        const float low = kept - 0x1p-10f;
        v = high;
        const double up = f(a);
        v = low;
        const double down = f(a);
        v = kept;
        r.push_back(float((up - down) / (double(high) - double(low))));
      }
      return r;
    };
    EXPECT_TRUE(close_to(got.src, differences(src, [&](auto& a) { return loss(a, gamma, beta); }), 1e-3, 1e-4));
    EXPECT_TRUE(close_to(got.gamma, differences(gamma, [&](auto& a) { return loss(src, a, beta); }), 1e-3, 1e-4));
    EXPECT_TRUE(close_to(got.beta, differences(beta, [&](auto& a) { return loss(src, gamma, a); }), 1e-3, 1e-4));
  }
}

TEST_P(BatchnormTest, ForwardAndBackwardAgainstFloat64) {
  std::vector<Shape> shapes = {{2, 1}, {3, 5}, {49, 24}, {64, 16}, {100, 33}, {257, 40}, {33, 520}};
  if (!slow()) {
    shapes.insert(shapes.end(), {{20000, 16}, {5000, 96}, {392, 1152}, {1024, 7}});
  }
  uint64_t seed = 0;
  for (const Shape& shape : shapes) {
    for (const int32_t dtype : kAllDtypes) {
      const int32_t activation = kActivations[seed % 4];
      SCOPED_TRACE(testing::Message() << shape.rows << "x" << shape.channels << " " << dtype_name(dtype)
                                      << " activation " << activation);
      const fw_batchnorm p = problem(dtype, activation, shape.rows, shape.channels);
      const int64_t count = p.rows * p.channels;
      const std::vector<float> src = random_reals(seed++, count, dtype, 0.5f, 2);
      const std::vector<float> gamma = random_reals(seed++, p.channels, FW_F32, 1, 0.2f);
      const std::vector<float> beta = random_reals(seed++, p.channels, FW_F32, 0.3f, 0.5f);
      const Reference expected = forward_reference(p, src, gamma, beta);
      const Forward got = forward(p, src, gamma, beta, int64_t(seed % 2));
      EXPECT_TRUE(rule_of_two(dtype, expected.dst, got.dst));
      EXPECT_TRUE(rule_of_two(FW_F32, expected.mean, got.mean));
      EXPECT_TRUE(rule_of_two(FW_F32, expected.inv_std, got.inv_std));
      Doubles running_mean;
      Doubles running_var;
      for (size_t c = 0; c < gamma.size(); c++) {
        running_mean.push_back(0.9 * 0.25 + 0.1 * expected.mean[c]);
        running_var.push_back(0.9 * 1.5 + 0.1 * expected.var[c] * double(p.rows) / double(p.rows - 1));
      }
      EXPECT_TRUE(rule_of_two(FW_F32, running_mean, got.running_mean));
      EXPECT_TRUE(rule_of_two(FW_F32, running_var, got.running_var));

      const std::vector<float> diff_dst = random_reals(seed++, count, dtype);
      const Gradients gradients = backward_reference(p, src, diff_dst, gamma, beta);
      for (const bool in_place : {false, true}) {
        const Backward back = backward(p, src, diff_dst, gamma, beta, got.mean, got.inv_std, in_place);
        // With two or three rows almost everything cancels; what is left is judged against what was added.
        const double scale = shape.rows < 10 ? 20 : 3;
        EXPECT_TRUE(rule_of_two(dtype, gradients.src, back.src, scale));
        EXPECT_TRUE(rule_of_two(FW_F32, gradients.gamma, back.gamma, scale));
        EXPECT_TRUE(rule_of_two(FW_F32, gradients.beta, back.beta, scale));
      }
    }
  }
}

// Rows of +a and -a round an integer mean: mean and deviations are exact, and so is every sum.
TEST_P(BatchnormTest, ExactOnIntegers) {
  for (const int64_t channels : {1, 3, 16, 24, 70}) {
    fw_batchnorm p = problem(FW_F32, FW_IDENTITY, slow() ? 128 : 4096, channels);
    p.epsilon = 0;
    std::vector<float> src;
    Doubles expected;
    for (int64_t row = 0; row < p.rows; row++) {
      for (int64_t c = 0; c < channels; c++) {
        const double sign = (row * 7 + c * 3) % 2 == 0 ? 1 : -1;
        src.push_back(float(double(c % 13) + sign * double(1 << c % 4)));
        expected.push_back(sign * 3 + 5);
      }
    }
    const std::vector<float> gamma(size_t(channels), 3);
    const std::vector<float> beta(size_t(channels), 5);
    const Forward got = forward(p, src, gamma, beta);
    EXPECT_TRUE(exactly_equal(expected, got.dst)) << channels << " channels";
  }
}

TEST_P(BatchnormTest, StableWhereTheMeanIsLarge) {
  for (const float mean : {20.0f, 200.0f, 1000.0f}) {
    const fw_batchnorm p = problem(FW_F32, FW_IDENTITY, slow() ? 300 : 30000, 24);
    const std::vector<float> src = random_reals(5, p.rows * p.channels, FW_F32, mean, 1);
    const std::vector<float> gamma(24, 1);
    const std::vector<float> beta(24, 0);
    const Reference expected = forward_reference(p, src, gamma, beta);
    const Forward got = forward(p, src, gamma, beta);
    EXPECT_TRUE(relative_error_below(2e-6, expected.inv_std, got.inv_std)) << mean;
    EXPECT_TRUE(relative_error_below(1.2e-7, expected.mean, got.mean)) << mean;
    // The mean itself is an f32: what it is off by, half a unit of its last place, is in every result.
    EXPECT_TRUE(relative_error_below(1.3e-6 + double(mean) * 1.2e-7, expected.dst, got.dst)) << mean;
  }
}

TEST_P(BatchnormTest, Inference) {
  for (const int32_t dtype : kAllDtypes) {
    for (const Shape& shape : {Shape{1, 1}, Shape{5, 8}, Shape{100, 17}, Shape{70, 544}}) {
      for (const int32_t activation : kActivations) {
        const fw_batchnorm p = problem(dtype, activation, shape.rows, shape.channels);
        const std::vector<float> src = random_reals(1, p.rows * p.channels, dtype, 1, 2);
        const std::vector<float> gamma = random_reals(2, p.channels, FW_F32, 1, 0.3f);
        const std::vector<float> beta = random_reals(3, p.channels);
        const std::vector<float> mean = random_reals(4, p.channels);
        std::vector<float> var = random_reals(5, p.channels);
        Doubles expected;
        for (float& v : var) {
          v = v * v + 0.01f;
        }
        for (size_t i = 0; i < src.size(); i++) {
          const size_t c = i % gamma.size();
          const double h = (double(src[i]) - mean[c]) / std::sqrt(double(var[c]) + double(p.epsilon));
          expected.push_back(activate(activation, h * gamma[c] + beta[c]));
        }
        Buffer x = buffer(dtype, src);
        Buffer g = buffer(FW_F32, gamma);
        Buffer b = buffer(FW_F32, beta);
        Buffer m = buffer(FW_F32, mean);
        Buffer v = buffer(FW_F32, var);
        ASSERT_FW_OK(fw_batchnorm_forward_inference(stream(), &p, x.address(), g.address(), b.address(), m.address(),
                                                    v.address(), x.address()));
        EXPECT_TRUE(rule_of_two(dtype, expected, x.download())) << shape.rows << "x" << shape.channels;
      }
    }
  }
}

TEST_P(BatchnormTest, NaNAndInfinityAreNotLost) {
  for (const int32_t activation : kActivations) {
    const fw_batchnorm p = problem(FW_F32, activation, 40, 20);
    std::vector<float> src = random_reals(9, 800);
    src[20 * 31 + 7] = NAN;
    src[20 * 3 + 11] = INFINITY;
    const std::vector<float> ones(20, 1);
    const Forward got = forward(p, src, ones, ones);
    for (size_t i = 0; i < got.dst.size(); i++) {
      const bool expected = i % 20 == 7 || i % 20 == 11;
      ASSERT_EQ(expected, std::isnan(got.dst[i])) << "element " << i << " activation " << activation;
    }
    EXPECT_TRUE(std::isnan(got.inv_std[7]));
    EXPECT_TRUE(std::isnan(got.running_var[11]));
  }
}

TEST_P(BatchnormTest, Deterministic) {
  const fw_batchnorm p = problem(FW_F32, FW_SILU, slow() ? 200 : 9000, 40);
  const std::vector<float> src = random_reals(1, p.rows * p.channels);
  const std::vector<float> diff_dst = random_reals(2, p.rows * p.channels);
  const std::vector<float> gamma = random_reals(3, 40);
  const std::vector<float> beta = random_reals(4, 40);
  expect_deterministic([&] {
    const Forward f = forward(p, src, gamma, beta);
    Backward b = backward(p, src, diff_dst, gamma, beta, f.mean, f.inv_std);
    b.src.insert(b.src.end(), f.dst.begin(), f.dst.end());
    b.src.insert(b.src.end(), b.gamma.begin(), b.gamma.end());
    return b.src;
  });
}

TEST_P(BatchnormTest, RunningAveragesAreOptional) {
  const fw_batchnorm p = problem(FW_F32, FW_RELU, 10, 8);
  Buffer x = buffer(FW_F32, random_reals(1, 80));
  Buffer y = buffer(FW_F32, 80);
  Buffer c = buffer(FW_F32, std::vector<float>(8, 1));
  Buffer mean = buffer(FW_F32, 8);
  Buffer inv_std = buffer(FW_F32, 8);
  Bytes workspace(stream(), workspace_bytes(p));
  ASSERT_FW_OK(fw_batchnorm_forward_training(stream(), &p, x.address(), c.address(), c.address(), 0, 0, mean.address(),
                                             inv_std.address(), y.address(), workspace.address(), workspace.bytes()));
  EXPECT_EQ(std::vector<float>(8, 1), c.download());
}

TEST_P(BatchnormTest, RefusesWhatDoesNotFit) {
  const fw_batchnorm good = problem(FW_F32, FW_SILU, 10, 8);
  Buffer a = buffer(FW_F32, 80);
  Bytes workspace(stream(), workspace_bytes(good));
  const auto train = [&](const fw_batchnorm* p, fw_address src, fw_address running_mean, fw_address running_var,
                         fw_address saved, int64_t bytes) {
    return fw_batchnorm_forward_training(stream(), p, src, a.address(), a.address(), running_mean, running_var, saved,
                                         saved, a.address(), workspace.address(), bytes);
  };
  const auto back = [&](const fw_batchnorm* p, fw_address diff_gamma, int64_t bytes) {
    return fw_batchnorm_backward(stream(), p, a.address(), a.address(), a.address(), a.address(), a.address(),
                                 a.address(), a.address(), diff_gamma, a.address(), workspace.address(), bytes);
  };
  const auto infer = [&](const fw_batchnorm* p, fw_address src) {
    return fw_batchnorm_forward_inference(stream(), p, src, a.address(), a.address(), a.address(), a.address(),
                                          a.address());
  };
  int64_t bytes = 0;
  const fw_address x = a.address();
  const int64_t w = workspace.bytes();
  fw_batchnorm p = good;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, train(nullptr, x, x, x, x, w), "problem is null");
  p.dtype = 9;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, train(&p, x, x, x, x, w), "dtype is 9");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_batchnorm_workspace(stream(), &p, &bytes), "dtype is 9");
  p = good;
  p.activation = -1;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, infer(&p, x), "activation is -1");
  p = good;
  p.rows = 1;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, train(&p, x, x, x, x, w), "rows is 1; at least 2");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, back(&p, x, w), "rows is 1; at least 2");
  p.rows = -1;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, infer(&p, x), "rows is -1");
  p = good;
  p.channels = 0;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, train(&p, x, x, x, x, w), "channels is 0");
  p = good;
  p.rows = INT64_MAX;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, train(&p, x, x, x, x, w), "2^62 bytes");
  p = good;
  p.epsilon = -1;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, train(&p, x, x, x, x, w), "epsilon is -1");
  p = good;
  p.momentum = NAN;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, train(&p, x, x, x, x, w), "momentum is nan");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, train(&good, 0, x, x, x, w), "address of src is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, train(&good, x + 1, x, x, x, w), "multiple of its element's 4 bytes");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, train(&good, x, x, 0, x, w), "only one is given");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, train(&good, x, x, x, 0, w), "address of saved_mean is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, train(&good, x, x, x, x, w - 1), "workspace has");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, back(&good, 0, w), "address of diff_gamma is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, back(&good, x, 0), "workspace has 0 bytes");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, infer(&good, 0), "address of src is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_batchnorm_workspace(stream(), &good, nullptr), "bytes is null");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_batchnorm_workspace(stream() + 1000, &good, &bytes), "stream");
  p = good;
  p.rows = 0;
  EXPECT_FW_OK(infer(&p, 0));
}

}  // namespace
}  // namespace fusewire::test
