// SPDX-License-Identifier: Apache-2.0
// The vector functions of core/math.h at each CPU level, and as the checked execution has them, against float64.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <ostream>
#include <string>
#include <vector>

#include "fusewire/fusewire.h"

#define DECLARE_PROBES(execution)                                                                   \
  namespace fusewire::execution {                                                                   \
  int probe_lanes();                                                                                \
  void probe_exp(const float* x, float* y, int64_t count);                                          \
  void probe_sigmoid(const float* x, float* y, int64_t count);                                      \
  void probe_activate(int activation, const float* x, float* y, int64_t count);                     \
  void probe_activate_gradient(int activation, const float* x, float* y, int64_t count);            \
  void probe_activate_with_gradient(int, const float* x, float* y, float* gradient, int64_t count); \
  void probe_parts(const float* x, float* y, int n);                                                \
  }
DECLARE_PROBES(probe_checked)
#if defined(FW_HAVE_X86_LEVELS)
DECLARE_PROBES(probe_v3)
DECLARE_PROBES(probe_v4)
#endif

namespace fusewire::test {
namespace {

struct Level {
  const char* name;
  int (*lanes)();
  void (*exp)(const float*, float*, int64_t);
  void (*sigmoid)(const float*, float*, int64_t);
  void (*activate)(int, const float*, float*, int64_t);
  void (*activate_gradient)(int, const float*, float*, int64_t);
  void (*activate_with_gradient)(int, const float*, float*, float*, int64_t);
  void (*parts)(const float*, float*, int);
};
std::ostream& operator<<(std::ostream& out, const Level& level) { return out << level.name; }

#define PROBES(execution)                                                                                          \
  {                                                                                                                \
#execution, execution::probe_lanes, execution::probe_exp, execution::probe_sigmoid, execution::probe_activate, \
        execution::probe_activate_gradient, execution::probe_activate_with_gradient, execution::probe_parts        \
  }

// Those that this processor can run.
std::vector<Level> levels() {
  std::vector<Level> all = {PROBES(probe_checked)};
#if defined(FW_HAVE_X86_LEVELS)
  all.push_back(PROBES(probe_v3));
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl")) {
    all.push_back(PROBES(probe_v4));
  }
#endif
  return all;
}

constexpr float kInfinity = std::numeric_limits<float>::infinity();
const float kNaN = std::numeric_limits<float>::quiet_NaN();

// The distance of floats at x.
double ulp(double x) {
  int exponent = 0;
  std::frexp(x, &exponent);
  return std::ldexp(1.0, std::max(exponent - 24, -149));
}

class MathTest : public ::testing::TestWithParam<Level> {
 protected:
  using Function = std::function<void(const float*, float*, int64_t)>;

  static std::vector<float> apply(const Function& f, std::vector<float> x) {
    const size_t count = x.size();
    x.resize((count + 63) / 64 * 64, 0.0f);
    std::vector<float> y(x.size(), kNaN);
    f(x.data(), y.data(), int64_t(x.size()));
    y.resize(count);
    return y;
  }
  static float apply(const Function& f, float x) { return apply(f, std::vector<float>{x})[0]; }

  // Floats from low to high, evenly spaced and a million of them, with the neighbourhood of 0.
  static std::vector<float> range(float low, float high) {
    constexpr int kCount = 1000003;
    std::vector<float> x;
    x.reserve(kCount);
    for (int i = 0; i < kCount; i++) {
      x.push_back(float(double(low) + (double(high) - double(low)) * i / (kCount - 1)));
    }
    for (float tiny = 1.0f; tiny > 0; tiny /= 3) {
      x.push_back(tiny);
      x.push_back(-tiny);
    }
    return x;
  }

  // Largest error in units of the last place of the result; a result may also be off by `absolute`.
  static double worst(const std::vector<float>& x, const std::vector<float>& y,
                      const std::function<double(double)>& exact, double absolute = 0) {
    double most = 0;
    for (size_t i = 0; i < x.size(); i++) {
      const double expected = exact(double(x[i]));
      const double error = std::fabs(double(y[i]) - expected);
      if (!(error <= absolute)) {
        most = std::isnan(error) ? kInfinity : std::max(most, error / ulp(expected));
      }
    }
    return most;
  }
};
INSTANTIATE_TEST_SUITE_P(On, MathTest, ::testing::ValuesIn(levels()), [](const auto& info) {
  return std::string(info.param.name) + (std::string(info.param.name) == "probe_checked" ? "" : "_cpu");
});

TEST_P(MathTest, ExpIsWithinTwoUlp) {
  const std::vector<float> x = range(-87.0f, 88.0f);
  EXPECT_LE(worst(x, apply(GetParam().exp, x), [](double v) { return std::exp(v); }), 2.0);
}

TEST_P(MathTest, ExpOutsideItsRange) {
  EXPECT_EQ(1.0f, apply(GetParam().exp, 0.0f));
  EXPECT_TRUE(std::isnan(apply(GetParam().exp, kNaN)));
  // Clamped (CPU) or exact (GPU), but never wrong in kind.
  for (const float x : {-88.0f, -100.0f, -1e30f, -kInfinity}) {
    const float y = apply(GetParam().exp, x);
    EXPECT_TRUE(y >= 0 && y < 2e-38f) << x << " gives " << y;
  }
  for (const float x : {88.7f, 100.0f, 1e30f, kInfinity}) {
    const float y = apply(GetParam().exp, x);
    EXPECT_TRUE(y > 1e38f) << x << " gives " << y;
  }
}

TEST_P(MathTest, SigmoidAndSilu) {
  const auto sigmoid = [](double v) { return 1 / (1 + std::exp(-v)); };
  const std::vector<float> x = range(-80.0f, 80.0f);
  EXPECT_LE(worst(x, apply(GetParam().sigmoid, x), sigmoid), 4.0);
  const auto silu = [&](const float* in, float* out, int64_t n) { GetParam().activate(FW_SILU, in, out, n); };
  EXPECT_LE(worst(x, apply(silu, x), [&](double v) { return v * sigmoid(v); }), 5.0);
  EXPECT_EQ(1.0f, apply(GetParam().sigmoid, kInfinity));
  EXPECT_NEAR(0.0f, apply(GetParam().sigmoid, -kInfinity), 1e-37f);
  EXPECT_TRUE(std::isnan(apply(GetParam().sigmoid, kNaN)));
  EXPECT_EQ(3e30f, apply(silu, 3e30f));
}

TEST_P(MathTest, Activations) {
  const std::vector<float> x = range(-9.0f, 9.0f);
  const auto activate = [&](int activation) {
    return [=](const float* in, float* out, int64_t n) { GetParam().activate(activation, in, out, n); };
  };
  EXPECT_EQ(0, worst(x, apply(activate(FW_IDENTITY), x), [](double v) { return v; }));
  EXPECT_EQ(0, worst(x, apply(activate(FW_RELU), x), [](double v) { return std::max(v, 0.0); }));
  EXPECT_EQ(0, worst(x, apply(activate(FW_RELU6), x), [](double v) { return std::min(std::max(v, 0.0), 6.0); }));
  for (const int activation : {FW_IDENTITY, FW_SILU, FW_RELU, FW_RELU6}) {
    EXPECT_TRUE(std::isnan(apply(activate(activation), kNaN))) << activation;
  }
}

TEST_P(MathTest, GradientsOfActivations) {
  const std::vector<float> x = range(-30.0f, 30.0f);
  const auto gradient = [&](int activation) {
    return [=](const float* in, float* out, int64_t n) { GetParam().activate_gradient(activation, in, out, n); };
  };
  EXPECT_EQ(0, worst(x, apply(gradient(FW_IDENTITY), x), [](double) { return 1.0; }));
  EXPECT_EQ(0, worst(x, apply(gradient(FW_RELU), x), [](double v) { return v > 0 ? 1.0 : 0.0; }));
  EXPECT_EQ(0, worst(x, apply(gradient(FW_RELU6), x), [](double v) { return v > 0 && v < 6 ? 1.0 : 0.0; }));
  const auto silu = [](double v) {
    const double s = 1 / (1 + std::exp(-v));
    return s * (1 + v * (1 - s));
  };
  EXPECT_LE(worst(x, apply(gradient(FW_SILU), x), silu, 1e-6), 4.0);
}

TEST_P(MathTest, ActivationsWithTheirGradients) {
  const std::vector<float> x = range(-30.0f, 30.0f);
  for (const int activation : {FW_IDENTITY, FW_SILU, FW_RELU, FW_RELU6}) {
    std::vector<float> gradients;
    const auto both = [&](const float* in, float* out, int64_t n) {
      gradients.resize(size_t(n));
      GetParam().activate_with_gradient(activation, in, out, gradients.data(), n);
    };
    const auto value = [&](const float* in, float* out, int64_t n) { GetParam().activate(activation, in, out, n); };
    const auto gradient = [&](const float* in, float* out, int64_t n) {
      GetParam().activate_gradient(activation, in, out, n);
    };
    EXPECT_EQ(apply(value, x), apply(both, x)) << activation;
    gradients.resize(x.size());
    EXPECT_EQ(apply(gradient, x), gradients) << activation;
  }
}

TEST_P(MathTest, PartsOfVectors) {
  const int lanes = GetParam().lanes();
  std::vector<float> x(static_cast<size_t>(lanes));
  for (int n = 0; n <= lanes; n++) {
    std::vector<float> y(size_t(lanes) + 1, -5.0f);
    for (int i = 0; i < lanes; i++) {
      x[size_t(i)] = float(i + 1);
    }
    GetParam().parts(x.data(), y.data(), n);
    for (int i = 0; i <= lanes; i++) {
      EXPECT_EQ(i < n ? float(i + 1) : -5.0f, y[size_t(i)]) << "element " << i << " of " << n;
    }
  }
}

}  // namespace
}  // namespace fusewire::test
