// SPDX-License-Identifier: Apache-2.0
// TF32 on request (fw_stream_set_math): what is rounded, by how much, where, and that f32 is as before without it. That
// every product is right in every shape is in the operations' own tests, which run in TF32 as well.
#include <cmath>
#include <cstdlib>
#include <string>

#include "device_fixture.h"

namespace fusewire::test {
namespace {

using Doubles = std::vector<double>;

size_t at(int64_t i) { return size_t(i); }

// To 11 significant bits, halves away from zero.
double rounded(double x) {
  int exponent = 0;
  std::frexp(x, &exponent);
  return std::ldexp(std::round(std::ldexp(x, 11 - exponent)), exponent - 11);
}

class Tf32Test : public DeviceTest {
 protected:
  static constexpr int64_t kRows = 70, kIn = 136, kOut = 72;

  struct Results {
    std::vector<float> dst, diff_src, diff_weights, diff_bias;
  };

  // Whether the device has them with TF32.
  bool tensor_cores() const {
    fw_device_info info = {};
    EXPECT_FW_OK(fw_device_info_get(device(), &info));
    return info.kind == FW_CHECKED || (info.kind == FW_CUDA && info.compute_capability >= 80);
  }

  void set_math(int32_t math) const { ASSERT_FW_OK(fw_stream_set_math(stream(), math)); }

  static fw_pointwise problem() {
    fw_pointwise p = {};
    p.dtype = FW_F32;
    p.rows = kRows;
    p.in_channels = kIn;
    p.out_channels = kOut;
    return p;
  }

  std::vector<float> src() const { return random_reals(1, kRows * kIn); }
  std::vector<float> weights() const { return random_reals(2, kOut * kIn); }
  std::vector<float> diff() const { return random_reals(3, kRows * kOut); }

  Results run(int32_t math) const {
    set_math(math);
    const fw_pointwise p = problem();
    int64_t bytes = 0;
    EXPECT_FW_OK(fw_pointwise_workspace(stream(), &p, &bytes));
    const Bytes workspace(stream(), bytes);
    const Buffer x = buffer(FW_F32, src()), w = buffer(FW_F32, weights()), d = buffer(FW_F32, diff());
    const Buffer dst = buffer(FW_F32, kRows * kOut), diff_src = buffer(FW_F32, kRows * kIn),
                 diff_weights = buffer(FW_F32, kOut * kIn), diff_bias = buffer(FW_F32, kOut);
    EXPECT_FW_OK(fw_pointwise_forward(stream(), &p, x.address(), w.address(), 0, 0, dst.address(), 0,
                                      workspace.address(), bytes));
    EXPECT_FW_OK(fw_pointwise_backward_data(stream(), &p, d.address(), w.address(), 0, 0, diff_src.address(),
                                            workspace.address(), bytes));
    EXPECT_FW_OK(fw_pointwise_backward_weights(stream(), &p, x.address(), d.address(), 0, diff_weights.address(),
                                               diff_bias.address(), workspace.address(), bytes));
    return {dst.download(), diff_src.download(), diff_weights.download(), diff_bias.download()};
  }

  // c (n, m) = a (n, k) * b (k, m) of factors made by f, with strides.
  template <class F>
  static Doubles product(int64_t n, int64_t k, int64_t m, const std::vector<float>& a, int64_t a_row, int64_t a_column,
                         const std::vector<float>& b, int64_t b_row, int64_t b_column, F f) {
    Doubles c(at(n * m));
    for (int64_t i = 0; i < n; i++) {
      for (int64_t j = 0; j < m; j++) {
        for (int64_t l = 0; l < k; l++) {
          c[at(i * m + j)] += f(double(a[at(i * a_row + l * a_column)])) * f(double(b[at(l * b_row + j * b_column)]));
        }
      }
    }
    return c;
  }
  template <class F>
  Doubles forward(F f) const {
    return product(kRows, kIn, kOut, src(), kIn, 1, weights(), 1, kIn, f);
  }
  template <class F>
  Doubles data_gradient(F f) const {
    return product(kRows, kOut, kIn, diff(), kOut, 1, weights(), kIn, 1, f);
  }
  template <class F>
  Doubles weights_gradient(F f) const {
    return product(kOut, kRows, kIn, diff(), 1, kOut, src(), kIn, 1, f);
  }

  // Every element within what rounding both factors may cost, and f32's sums of `depth` products.
  static void expect_bound(const Doubles& exact, const Doubles& magnitudes, int64_t depth,
                           const std::vector<float>& got) {
    const double bound = 0x1p-10 + 0x1p-22 + double(depth) * 0x1p-23;
    double worst = 0;
    for (size_t i = 0; i < exact.size(); i++) {
      worst = std::max(worst, std::fabs(double(got[i]) - exact[i]) / magnitudes[i]);
    }
    EXPECT_LE(worst, bound);
    EXPECT_GT(worst, 0x1p-16) << "nothing was rounded";
  }
};
FUSEWIRE_ON_EVERY_DEVICE(Tf32Test);

double same(double x) { return x; }
double magnitude(double x) { return std::fabs(x); }

TEST_P(Tf32Test, ProductsAreThoseOfRoundedFactors) {
  const Results got = run(FW_MATH_TF32);
  if (!tensor_cores()) {
    EXPECT_TRUE(rule_of_two(FW_F32, forward(same), got.dst)) << "factors are not rounded";
    return;
  }
  EXPECT_TRUE(rule_of_two(FW_F32, forward(rounded), got.dst)) << "dst";
  EXPECT_TRUE(rule_of_two(FW_F32, data_gradient(rounded), got.diff_src)) << "diff_src";
  EXPECT_TRUE(rule_of_two(FW_F32, weights_gradient(rounded), got.diff_weights)) << "diff_weights";
  expect_bound(forward(same), forward(magnitude), kIn, got.dst);
  expect_bound(data_gradient(same), data_gradient(magnitude), kOut, got.diff_src);
  expect_bound(weights_gradient(same), weights_gradient(magnitude), kRows, got.diff_weights);
  Doubles bias(at(kOut));
  const std::vector<float> d = diff();
  for (size_t i = 0; i < d.size(); i++) {
    bias[i % at(kOut)] += double(d[i]);
  }
  EXPECT_TRUE(rule_of_two(FW_F32, bias, got.diff_bias)) << "a sum is no product: nothing is rounded";
}

TEST_P(Tf32Test, AnotherSettingGivesF32Again) {
  const Results before = run(FW_MATH_F32);
  const Results between = run(FW_MATH_TF32);
  const Results after = run(FW_MATH_F32);
  EXPECT_TRUE(same_bits(before.dst, after.dst));
  EXPECT_TRUE(same_bits(before.diff_src, after.diff_src));
  EXPECT_TRUE(same_bits(before.diff_weights, after.diff_weights));
  EXPECT_TRUE(rule_of_two(FW_F32, forward(same), before.dst));
  EXPECT_EQ(tensor_cores(), !same_bits(before.dst, between.dst) && !same_bits(before.diff_src, between.diff_src) &&
                                !same_bits(before.diff_weights, between.diff_weights))
      << "TF32 where there are tensor cores for it, and only there";
}

// (Other devices do not ask for the variable.)
TEST_P(Tf32Test, CapabilityBefore80MultipliesInF32) {
  if (GetParam().kind == FW_CUDA) {
    return;
  }
  ASSERT_EQ(0, setenv("FUSEWIRE_CHECKED_SM", "75", 1));
  const Results asked = run(FW_MATH_TF32);
  const Results plain = run(FW_MATH_F32);
  ASSERT_EQ(0, unsetenv("FUSEWIRE_CHECKED_SM"));
  EXPECT_TRUE(same_bits(plain.dst, asked.dst));
  EXPECT_TRUE(same_bits(plain.diff_src, asked.diff_src));
  EXPECT_TRUE(same_bits(plain.diff_weights, asked.diff_weights));
}

TEST_P(Tf32Test, PackedWeightsServeBoth) {
  fw_pointwise p = problem();
  int64_t bytes = 0;
  ASSERT_FW_OK(fw_pointwise_packed_bytes(stream(), &p, &bytes));
  const Bytes packed(stream(), bytes);
  const Buffer x = buffer(FW_F32, src()), w = buffer(FW_F32, weights()), dst = buffer(FW_F32, kRows * kOut);
  for (const int32_t packed_in : {FW_MATH_F32, FW_MATH_TF32}) {
    set_math(packed_in);
    ASSERT_FW_OK(fw_pointwise_pack(stream(), &p, w.address(), packed.address()));
    for (const int32_t math : {FW_MATH_F32, FW_MATH_TF32}) {
      const Results expected = run(math);
      p.packed = 1;
      ASSERT_FW_OK(fw_pointwise_forward(stream(), &p, x.address(), packed.address(), 0, 0, dst.address(), 0, 0, 0));
      p.packed = 0;
      EXPECT_TRUE(same_bits(expected.dst, dst.download())) << "packed in " << packed_in << ", used in " << math;
    }
  }
}

TEST_P(Tf32Test, GraphsKeepWhatWasSetAtTheirCapture) {
  const fw_pointwise p = problem();
  int64_t bytes = 0;
  ASSERT_FW_OK(fw_pointwise_workspace(stream(), &p, &bytes));
  const Bytes workspace(stream(), bytes);
  const Buffer x = buffer(FW_F32, src()), w = buffer(FW_F32, weights()), dst = buffer(FW_F32, kRows * kOut);
  const std::vector<float> expected = run(FW_MATH_TF32).dst;
  ASSERT_FW_OK(fw_graph_begin(stream(), "product"));
  ASSERT_FW_OK(
      fw_pointwise_forward(stream(), &p, x.address(), w.address(), 0, 0, dst.address(), 0, workspace.address(), bytes));
  fw_graph graph = 0;
  ASSERT_FW_OK(fw_graph_end(stream(), &graph));
  set_math(FW_MATH_F32);
  ASSERT_FW_OK(fw_graph_launch(graph, stream()));
  EXPECT_TRUE(same_bits(expected, dst.download()));
  ASSERT_FW_OK(fw_graph_destroy(graph));
}

// What has no TF32 value near it, and NaN, stay what they are; the largest numbers become infinite.
TEST_P(Tf32Test, ValuesWithoutARoundedOne) {
  set_math(FW_MATH_TF32);
  fw_pointwise p = {};
  p.dtype = FW_F32;
  p.rows = 4;
  p.in_channels = p.out_channels = 1;
  int64_t bytes = 0;
  ASSERT_FW_OK(fw_pointwise_workspace(stream(), &p, &bytes));
  const Bytes workspace(stream(), bytes);
  const float nan = std::nanf("1");
  const Buffer x = buffer(FW_F32, std::vector<float>{nan, HUGE_VALF, -HUGE_VALF, 0x1.fffffep127f});
  const Buffer w = buffer(FW_F32, std::vector<float>{1.0f}), dst = buffer(FW_F32, 4);
  ASSERT_FW_OK(
      fw_pointwise_forward(stream(), &p, x.address(), w.address(), 0, 0, dst.address(), 0, workspace.address(), bytes));
  const std::vector<float> got = dst.download();
  EXPECT_TRUE(std::isnan(got[0]));
  EXPECT_EQ(HUGE_VALF, got[1]);
  EXPECT_EQ(-HUGE_VALF, got[2]);
  EXPECT_EQ(tensor_cores() ? HUGE_VALF : 0x1.fffffep127f, got[3]);
}

TEST_P(Tf32Test, RefusesWhatIsNoMath) {
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_stream_set_math(stream(), 2), "math is 2; 0 (f32) or 1 (tf32) fits");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_stream_set_math(stream(), -1), "math is -1");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_stream_set_math(0, FW_MATH_TF32), "closed or was never made");
}

}  // namespace
}  // namespace fusewire::test
