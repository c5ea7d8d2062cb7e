// SPDX-License-Identifier: Apache-2.0
// Squeeze-and-excite: forward and all gradients against float64, large sums in f16, edges, errors.
#include <cstdlib>
#include <cmath>

#include "device_fixture.h"
#include "squeeze_excite_reference.h"

namespace fusewire::test {
namespace {

class SqueezeExciteTest : public DeviceTest {
 protected:
  struct ForwardResult {
    std::vector<float> pooled, hidden, gate, dst;
  };
  struct BackwardResult {
    std::vector<float> src;
    ExciteWeights<float> weights;
  };

  fw_squeeze_excite problem(int32_t dtype, int64_t batch, int64_t pixels, int64_t channels, int64_t squeezed,
                            int32_t activation = FW_SILU, int32_t gate = FW_SIGMOID) const {
    return {dtype, activation, gate, 0, batch, pixels, channels, squeezed};
  }
  int64_t workspace_bytes(const fw_squeeze_excite& p) const {
    int64_t bytes = 0;
    EXPECT_FW_OK(fw_squeeze_excite_workspace(stream(), &p, &bytes));
    return bytes;
  }

  ForwardResult forward(const fw_squeeze_excite& p, const std::vector<float>& src, const ExciteWeights<float>& w,
                        int64_t misalignment = 0) {
    Buffer x(stream(), p.dtype, src, misalignment);
    Buffer y(stream(), p.dtype, int64_t(src.size()), misalignment);
    Buffer a = buffer(FW_F32, w.reduce);
    Buffer b = buffer(FW_F32, w.reduce_bias);
    Buffer c(stream(), FW_F32, w.expand, misalignment);
    Buffer d = buffer(FW_F32, w.expand_bias);
    Buffer pooled = buffer(FW_F32, p.batch * p.channels);
    Buffer hidden = buffer(FW_F32, p.batch * p.squeezed);
    Buffer gate = buffer(FW_F32, p.batch * p.channels);
    Bytes workspace(stream(), workspace_bytes(p));
    EXPECT_FW_OK(fw_squeeze_excite_forward(stream(), &p, x.address(), a.address(), b.address(), c.address(),
                                           d.address(), pooled.address(), hidden.address(), gate.address(), y.address(),
                                           workspace.address(), workspace.bytes()));
    return {pooled.download(), hidden.download(), gate.download(), y.download()};
  }

  BackwardResult backward(const fw_squeeze_excite& p, const std::vector<float>& src, const std::vector<float>& diff_dst,
                          const ExciteWeights<float>& w, const ForwardResult& f, bool in_place = false) {
    Buffer x = buffer(p.dtype, src);
    Buffer dy = buffer(p.dtype, diff_dst);
    Buffer dx = buffer(p.dtype, int64_t(src.size()));
    Buffer a = buffer(FW_F32, w.reduce);
    Buffer c = buffer(FW_F32, w.expand);
    Buffer pooled = buffer(FW_F32, f.pooled);
    Buffer hidden = buffer(FW_F32, f.hidden);
    Buffer gate = buffer(FW_F32, f.gate);
    Buffer da = buffer(FW_F32, p.squeezed * p.channels);
    Buffer db = buffer(FW_F32, p.squeezed);
    Buffer dc = buffer(FW_F32, p.squeezed * p.channels);
    Buffer dd = buffer(FW_F32, p.channels);
    Bytes workspace(stream(), workspace_bytes(p));
    const Buffer& result = in_place ? dy : dx;
    EXPECT_FW_OK(fw_squeeze_excite_backward(stream(), &p, x.address(), dy.address(), a.address(), c.address(),
                                            pooled.address(), hidden.address(), gate.address(), result.address(),
                                            da.address(), db.address(), dc.address(), dd.address(), workspace.address(),
                                            workspace.bytes()));
    return {result.download(), {da.download(), db.download(), dc.download(), dd.download()}};
  }

  void check(const fw_squeeze_excite& p, uint64_t seed) {
    SCOPED_TRACE(testing::Message() << dtype_name(p.dtype) << " " << p.batch << "x" << p.pixels << "x" << p.channels
                                    << " squeezed " << p.squeezed << " activation " << p.activation << " gate "
                                    << p.gate);
    const int64_t count = p.batch * p.pixels * p.channels;
    const std::vector<float> src = random_reals(seed, count, p.dtype, 0.5f, 1);
    const std::vector<float> diff_dst = random_reals(seed + 1, count, p.dtype);
    const ExciteWeights<float> w = random_weights(p, seed + 2);
    const ExciteForward expected = excite_forward(p, doubles(src), in_double(w));
    const ForwardResult got = forward(p, src, w, int64_t(seed % 2));
    EXPECT_TRUE(rule_of_two(FW_F32, expected.pooled, got.pooled));
    EXPECT_TRUE(rule_of_two(FW_F32, expected.hidden, got.hidden));
    EXPECT_TRUE(rule_of_two(FW_F32, expected.gate, got.gate));
    EXPECT_TRUE(rule_of_two(p.dtype, expected.dst, got.dst));
    const ExciteGradients g = excite_backward(p, doubles(src), doubles(diff_dst), in_double(w));
    for (const bool in_place : {false, true}) {
      const BackwardResult back = backward(p, src, diff_dst, w, got, in_place);
      EXPECT_TRUE(rule_of_two(p.dtype, g.src, back.src, 3));
      EXPECT_TRUE(rule_of_two(FW_F32, g.weights.reduce, back.weights.reduce, 3));
      EXPECT_TRUE(rule_of_two(FW_F32, g.weights.reduce_bias, back.weights.reduce_bias, 3));
      EXPECT_TRUE(rule_of_two(FW_F32, g.weights.expand, back.weights.expand, 3));
      EXPECT_TRUE(rule_of_two(FW_F32, g.weights.expand_bias, back.weights.expand_bias, 3));
    }
  }
};
FUSEWIRE_ON_EVERY_DEVICE(SqueezeExciteTest);

TEST(SqueezeExciteReference, BackwardIsTheDerivativeOfForward) {
  for (const int32_t gate : {FW_SIGMOID, FW_HARD_SIGMOID}) {
    const fw_squeeze_excite p = {FW_F32, FW_SILU, gate, 0, 2, 3, 5, 2};
    const Doubles src = doubles(random_reals(1, 30));
    const Doubles diff_dst = doubles(random_reals(2, 30));
    const ExciteWeights<double> w = {doubles(random_reals(3, 10)), doubles(random_reals(4, 2)),
                                     doubles(random_reals(5, 10)), doubles(random_reals(6, 5))};
    const ExciteGradients g = excite_backward(p, src, diff_dst, w);
    const auto check = [&](const Doubles& expected, Doubles a, auto forward) {
      std::vector<float> differences;
      const auto loss = [&] {
        const ExciteForward f = forward(a);
        double sum = 0;
        for (size_t i = 0; i < f.dst.size(); i++) {
          sum += f.dst[i] * diff_dst[i];
        }
        return sum;
      };
      for (double& v : a) {
        const double kept = v;
        v = kept + 1e-6;
        const double up = loss();
        v = kept - 1e-6;
        differences.push_back(float((up - loss()) / 2e-6));
        v = kept;
      }
      EXPECT_TRUE(close_to(expected, differences, 1e-5, 1e-7));
    };
    check(g.src, src, [&](const Doubles& a) { return excite_forward(p, a, w); });
    check(g.weights.reduce, w.reduce, [&](const Doubles& a) {
      return excite_forward(p, src, {a, w.reduce_bias, w.expand, w.expand_bias});
    });
    check(g.weights.reduce_bias, w.reduce_bias, [&](const Doubles& a) {
      return excite_forward(p, src, {w.reduce, a, w.expand, w.expand_bias});
    });
    check(g.weights.expand, w.expand, [&](const Doubles& a) {
      return excite_forward(p, src, {w.reduce, w.reduce_bias, a, w.expand_bias});
    });
    check(g.weights.expand_bias, w.expand_bias, [&](const Doubles& a) {
      return excite_forward(p, src, {w.reduce, w.reduce_bias, w.expand, a});
    });
  }
}

TEST_P(SqueezeExciteTest, AgainstFloat64) {
  struct Shape {
    int64_t batch, pixels, channels, squeezed;
  };
  std::vector<Shape> shapes = {{1, 1, 1, 1}, {2, 1, 7, 3}, {3, 49, 24, 6}, {1, 100, 33, 8}, {2, 64, 96, 4}};
  if (!slow()) {
    shapes.insert(shapes.end(), {{8, 49, 1152, 48}, {5, 196, 480, 20}, {2, 12544, 32, 8}, {20, 9, 65, 130}});
  }
  uint64_t seed = 1;
  for (const Shape& s : shapes) {
    for (const int32_t dtype : kAllDtypes) {
      const int32_t activation = seed % 3 == 0 ? FW_RELU : FW_SILU;
      const int32_t gate = seed % 4 == 3 ? FW_HARD_SIGMOID : FW_SIGMOID;
      check(problem(dtype, s.batch, s.pixels, s.channels, s.squeezed, activation, gate), seed);
      seed += 5;
    }
  }
}

// Clusters of 1, 2, 4 and 8 blocks to an image, and the launches that take their place on GPUs without clusters.
TEST_P(SqueezeExciteTest, WithAndWithoutClusters) {
  struct Shape {
    int64_t batch, pixels, channels, squeezed;
  };
  for (const char* capability : {"90", "80"}) {
    ASSERT_EQ(0, setenv("FUSEWIRE_CHECKED_SM", capability, 1));
    uint64_t seed = 2;  // even: aligned
    for (const Shape& s : std::vector<Shape>{{3, 9, 8, 4}, {2, 700, 24, 6}, {1, 425, 80, 9}, {1, 2731, 24, 5}}) {
      const int32_t gate = seed % 4 == 0 ? FW_HARD_SIGMOID : FW_SIGMOID;
      check(problem(kAllDtypes[seed / 2 % 3], s.batch, s.pixels, s.channels, s.squeezed, FW_SILU, gate), seed);
      seed += 2;
    }
    ASSERT_EQ(0, unsetenv("FUSEWIRE_CHECKED_SM"));
  }
}

TEST_P(SqueezeExciteTest, AnySqueezedWidth) {
  for (int64_t squeezed = 1; squeezed <= (slow() ? 70 : 530); squeezed += squeezed < 20 ? 1 : 50) {
    check(problem(FW_F32, 2, 4, 20, squeezed), uint64_t(squeezed));
  }
}

// Gates of exactly 1/2 (no weights): everything is exact.
TEST_P(SqueezeExciteTest, ExactOnIntegers) {
  for (const int64_t channels : {1, 3, 16, 40}) {
    const fw_squeeze_excite p = problem(FW_F32, 2, 64, channels, 4);
    const std::vector<float> src = random_integers(1, 2 * 64 * channels, 8);
    ExciteWeights<float> w = random_weights(p, 1);
    w.expand.assign(w.expand.size(), 0);
    w.expand_bias.assign(w.expand_bias.size(), 0);
    Doubles half;
    for (const float x : src) {
      half.push_back(double(x) / 2);
    }
    const ForwardResult got = forward(p, src, w);
    EXPECT_TRUE(exactly_equal(half, got.dst));
    EXPECT_TRUE(exactly_equal(excite_forward(p, doubles(src), in_double(w)).pooled, got.pooled));
    const BackwardResult back = backward(p, src, src, w, got);
    EXPECT_TRUE(exactly_equal(half, back.src));
  }
}

TEST_P(SqueezeExciteTest, SumsBeyondF16) {
  const fw_squeeze_excite p = problem(FW_F16, 1, slow() ? 300 : 12544, 9, 2);
  const std::vector<float> src(size_t(p.pixels * 9), 60000);
  ExciteWeights<float> w = random_weights(p, 1);
  w.reduce.assign(w.reduce.size(), 1e-5f);
  const ForwardResult got = forward(p, src, w);
  EXPECT_TRUE(rule_of_two(FW_F32, Doubles(9, 60000), got.pooled));
  const ExciteForward expected = excite_forward(p, doubles(src), in_double(w));
  EXPECT_TRUE(rule_of_two(FW_F16, expected.dst, got.dst));
}

TEST_P(SqueezeExciteTest, NaNStaysInItsImage) {
  for (const int32_t gate : {FW_SIGMOID, FW_HARD_SIGMOID}) {
    const fw_squeeze_excite p = problem(FW_F32, 3, 10, 12, 3, FW_RELU, gate);
    std::vector<float> src = random_reals(1, 360);
    src[130] = NAN;
    const ForwardResult got = forward(p, src, random_weights(p, 2));
    for (size_t i = 0; i < got.dst.size(); i++) {
      ASSERT_EQ(i / 120 == 1, std::isnan(got.dst[i])) << i;
    }
  }
}

TEST_P(SqueezeExciteTest, Deterministic) {
  const fw_squeeze_excite p = problem(FW_F32, 3, slow() ? 200 : 3000, 40, 10);
  const std::vector<float> src = random_reals(1, p.batch * p.pixels * p.channels);
  const std::vector<float> diff_dst = random_reals(2, p.batch * p.pixels * p.channels);
  const ExciteWeights<float> w = random_weights(p, 3);
  expect_deterministic([&] {
    ForwardResult f = forward(p, src, w);
    BackwardResult b = backward(p, src, diff_dst, w, f);
    for (std::vector<float>* part : {&f.dst, &f.hidden, &b.weights.reduce, &b.weights.expand, &b.weights.expand_bias}) {
      b.src.insert(b.src.end(), part->begin(), part->end());
    }
    return b.src;
  });
}

TEST_P(SqueezeExciteTest, EmptyBatchHasZeroGradients) {
  const fw_squeeze_excite p = problem(FW_F32, 0, 10, 12, 3);
  const BackwardResult b = backward(p, {}, {}, random_weights(p, 1), {});
  EXPECT_EQ(std::vector<float>(36, 0), b.weights.reduce);
  EXPECT_EQ(std::vector<float>(3, 0), b.weights.reduce_bias);
  EXPECT_EQ(std::vector<float>(36, 0), b.weights.expand);
  EXPECT_EQ(std::vector<float>(12, 0), b.weights.expand_bias);
  EXPECT_TRUE(forward(p, {}, random_weights(p, 1)).dst.empty());
}

TEST_P(SqueezeExciteTest, RefusesWhatDoesNotFit) {
  const fw_squeeze_excite good = problem(FW_F32, 1, 2, 8, 2);
  Buffer a = buffer(FW_F32, 64);
  Bytes workspace(stream(), workspace_bytes(good));
  const fw_address x = a.address();
  const int64_t w = workspace.bytes();
  const auto forward = [&](const fw_squeeze_excite* p, fw_address src, fw_address gate, int64_t bytes) {
    return fw_squeeze_excite_forward(stream(), p, src, x, x, x, x, x, x, gate, x, workspace.address(), bytes);
  };
  const auto backward = [&](const fw_squeeze_excite* p, fw_address diff_dst, fw_address bias, int64_t bytes) {
    return fw_squeeze_excite_backward(stream(), p, x, diff_dst, x, x, x, x, x, x, x, bias, x, x, workspace.address(),
                                      bytes);
  };
  int64_t bytes = 0;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(nullptr, x, x, w), "problem is null");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(&good, 0, x, w), "address of src is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(&good, x, x + 3, w), "address of gate");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(&good, x, x, w - 1), "workspace has");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, backward(&good, 0, x, w), "address of diff_dst is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, backward(&good, x, 0, w), "address of diff_reduce_bias is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, backward(&good, x, x, 0), "workspace has 0 bytes");
  fw_squeeze_excite p = good;
  p.dtype = 4;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_squeeze_excite_workspace(stream(), &p, &bytes), "dtype is 4");
  p = good;
  p.activation = 7;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(&p, x, x, w), "activation is 7");
  p = good;
  p.gate = 2;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, backward(&p, x, x, w), "gate is 2");
  p = good;
  p.pixels = 0;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(&p, x, x, w), "pixels is 0");
  p = good;
  p.squeezed = 0;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(&p, x, x, w), "squeezed is 0");
  p.squeezed = 100000;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(&p, x, x, w), "squeezed is 100000");
  p = good;
  p.batch = -1;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, backward(&p, x, x, w), "batch is -1");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_squeeze_excite_workspace(stream() + 1000, &good, &bytes), "stream");
}

}  // namespace
}  // namespace fusewire::test
