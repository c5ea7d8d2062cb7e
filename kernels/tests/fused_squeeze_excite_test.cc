// SPDX-License-Identifier: Apache-2.0
// Squeeze-and-excite of a tensor that is normalised on load: forward, and backward through gate and BatchNorm together,
// against the unfused operations in float64; edges, determinism, errors.
#include <cmath>
#include <cstdlib>

#include "device_fixture.h"
#include "fusewire/fused.h"
#include "norm_reference.h"
#include "squeeze_excite_reference.h"

namespace fusewire::test {
namespace {

class FusedSqueezeExciteTest : public DeviceTest {
 protected:
  struct ForwardResult {
    std::vector<float> pooled, hidden, gate;
  };
  struct BackwardResult {
    std::vector<float> pool_gradient;
    ExciteWeights<float> weights;
    NormGradientResult norm;
  };

  int64_t workspace_bytes(const fw_fused_squeeze_excite& p) const {
    int64_t bytes = 0;
    EXPECT_FW_OK(fw_fused_squeeze_excite_workspace(stream(), &p, &bytes));
    return bytes;
  }

  // No table: the address is 0.
  ForwardResult forward(const fw_fused_squeeze_excite& p, const std::vector<float>& src, const std::vector<float>& norm,
                        const ExciteWeights<float>& w, int64_t misalignment = 0) {
    const fw_squeeze_excite& block = p.block;
    Buffer x(stream(), block.dtype, src, misalignment);
    Buffer t = buffer(FW_F32, norm);
    Buffer a = buffer(FW_F32, w.reduce);
    Buffer b = buffer(FW_F32, w.reduce_bias);
    Buffer c(stream(), FW_F32, w.expand, misalignment);
    Buffer d = buffer(FW_F32, w.expand_bias);
    Buffer pooled = buffer(FW_F32, block.batch * block.channels);
    Buffer hidden = buffer(FW_F32, block.batch * block.squeezed);
    Buffer gate = buffer(FW_F32, block.batch * block.channels);
    Bytes workspace(stream(), workspace_bytes(p));
    EXPECT_FW_OK(fw_fused_squeeze_excite_forward(
        stream(), &p, x.address(), norm.empty() ? 0 : t.address(), a.address(), b.address(), c.address(), d.address(),
        pooled.address(), hidden.address(), gate.address(), workspace.address(), workspace.bytes()));
    return {pooled.download(), hidden.download(), gate.download()};
  }

  BackwardResult backward(const fw_fused_squeeze_excite& p, const std::vector<float>& src,
                          const std::vector<float>& norm, const std::vector<float>& diff, const ExciteWeights<float>& w,
                          const ForwardResult& f, int64_t misalignment = 0) {
    const fw_squeeze_excite& block = p.block;
    const int64_t weights = block.squeezed * block.channels;
    Buffer x(stream(), block.dtype, src, misalignment);
    Buffer dy(stream(), block.dtype, diff, misalignment);
    Buffer t = buffer(FW_F32, norm);
    Buffer a = buffer(FW_F32, w.reduce);
    Buffer c = buffer(FW_F32, w.expand);
    Buffer pooled = buffer(FW_F32, f.pooled);
    Buffer hidden = buffer(FW_F32, f.hidden);
    Buffer gate = buffer(FW_F32, f.gate);
    Buffer pool_gradient(stream(), FW_F32, block.batch * block.channels, misalignment);
    Buffer da = buffer(FW_F32, weights);
    Buffer db = buffer(FW_F32, block.squeezed);
    Buffer dc = buffer(FW_F32, weights);
    Buffer dd = buffer(FW_F32, block.channels);
    Buffer gamma = buffer(FW_F32, block.channels);
    Buffer beta = buffer(FW_F32, block.channels);
    Buffer gradient = buffer(FW_F32, 2 * block.channels);
    Bytes workspace(stream(), workspace_bytes(p));
    EXPECT_FW_OK(fw_fused_squeeze_excite_backward(
        stream(), &p, x.address(), t.address(), dy.address(), a.address(), c.address(), pooled.address(),
        hidden.address(), gate.address(), pool_gradient.address(), da.address(), db.address(), dc.address(),
        dd.address(), gamma.address(), beta.address(), gradient.address(), workspace.address(), workspace.bytes()));
    return {pool_gradient.download(),
            {da.download(), db.download(), dc.download(), dd.download()},
            {gamma.download(), beta.download(), gradient.download()}};
  }

  void check(const fw_fused_squeeze_excite& p, uint64_t seed) {
    const fw_squeeze_excite& block = p.block;
    SCOPED_TRACE(testing::Message() << dtype_name(block.dtype) << " " << block.batch << "x" << block.pixels << "x"
                                    << block.channels << " squeezed " << block.squeezed << " activations "
                                    << block.activation << " and " << p.in_activation << " gate " << block.gate);
    const int64_t count = block.batch * block.pixels * block.channels;
    const auto misalignment = int64_t(seed % 2);
    const std::vector<float> src = random_reals(seed, count, block.dtype, 2, 3);
    const std::vector<float> diff = random_reals(seed + 1, count, block.dtype);
    const NormReference norm = norm_reference(src, block.channels, p.in_activation, seed + 2);
    const ExciteWeights<float> w = random_weights(block, seed + 4);
    const Doubles y = norm.values(src);
    const ExciteForward expected = excite_forward(block, y, in_double(w));
    const ForwardResult got = forward(p, src, norm.table, w, misalignment);
    EXPECT_TRUE(rule_of_two(FW_F32, expected.pooled, got.pooled));
    EXPECT_TRUE(rule_of_two(FW_F32, expected.hidden, got.hidden));
    EXPECT_TRUE(rule_of_two(FW_F32, expected.gate, got.gate));
    const ExciteGradients g = excite_backward(block, y, doubles(diff), in_double(w));
    const BackwardResult back = backward(p, src, norm.table, diff, w, got, misalignment);
    EXPECT_TRUE(rule_of_two(FW_F32, g.pooled, back.pool_gradient, 3));
    EXPECT_TRUE(rule_of_two(FW_F32, g.weights.reduce, back.weights.reduce, 3));
    EXPECT_TRUE(rule_of_two(FW_F32, g.weights.reduce_bias, back.weights.reduce_bias, 3));
    EXPECT_TRUE(rule_of_two(FW_F32, g.weights.expand, back.weights.expand, 3));
    EXPECT_TRUE(rule_of_two(FW_F32, g.weights.expand_bias, back.weights.expand_bias, 3));
    Doubles norm_diff(src.size());
    for (size_t i = 0; i < src.size(); i++) {
      norm_diff[i] = g.src[i] * norm.slope(src, i);
    }
    check_norm_gradient(norm, src, norm_diff, back.norm);
  }
};
FUSEWIRE_ON_EVERY_DEVICE(FusedSqueezeExciteTest);

TEST_P(FusedSqueezeExciteTest, AgainstFloat64) {
  struct Shape {
    int64_t batch, pixels, channels, squeezed;
  };
  std::vector<Shape> shapes = {{1, 1, 1, 1}, {2, 1, 7, 3}, {3, 49, 24, 6}, {1, 200, 33, 8}, {2, 64, 96, 4}};
  if (!slow()) {
    shapes.insert(shapes.end(), {{8, 49, 1152, 48}, {5, 196, 480, 20}, {2, 12544, 32, 8}, {20, 9, 65, 130}});
  }
  uint64_t seed = 1;
  for (const Shape& s : shapes) {
    for (const int32_t dtype : kAllDtypes) {
      const int32_t activation = seed % 3 == 0 ? FW_RELU : FW_SILU;
      const int32_t gate = seed % 4 == 3 ? FW_HARD_SIGMOID : FW_SIGMOID;
      const int32_t in_activation = seed % 7 == 0 ? int32_t(seed / 7 % 4) : FW_SILU;
      check({{dtype, activation, gate, 0, s.batch, s.pixels, s.channels, s.squeezed}, in_activation, 0}, seed);
      seed += 5;
    }
  }
}

// Clusters of 1, 2, 4 and 8 blocks to an image, and the launches that take their place on GPUs without clusters.
TEST_P(FusedSqueezeExciteTest, WithAndWithoutClusters) {
  struct Shape {
    int64_t batch, pixels, channels, squeezed;
  };
  for (const char* capability : {"90", "80"}) {
    ASSERT_EQ(0, setenv("FUSEWIRE_CHECKED_SM", capability, 1));
    uint64_t seed = 2;  // even: aligned
    for (const Shape& s : std::vector<Shape>{{3, 9, 8, 4}, {2, 700, 24, 6}, {1, 425, 80, 9}, {1, 2731, 24, 5}}) {
      const int32_t dtype = kAllDtypes[seed / 2 % 3];
      const int32_t gate = seed % 4 == 0 ? FW_HARD_SIGMOID : FW_SIGMOID;
      check(
          {{dtype, seed % 3 == 0 ? FW_RELU : FW_SILU, gate, 0, s.batch, s.pixels, s.channels, s.squeezed}, FW_SILU, 0},
          seed);
      seed += 2;
    }
    ASSERT_EQ(0, unsetenv("FUSEWIRE_CHECKED_SM"));
  }
}

TEST_P(FusedSqueezeExciteTest, EveryActivation) {
  for (const int32_t in_activation : {FW_IDENTITY, FW_SILU, FW_RELU, FW_RELU6}) {
    check({{FW_F32, FW_SILU, FW_SIGMOID, 0, 3, 50, 20, 5}, in_activation, 0}, uint64_t(in_activation) * 10);
  }
}

// Any number of chunks, of any length.
TEST_P(FusedSqueezeExciteTest, AnyNumberOfPixels) {
  for (int64_t pixels = 1; pixels <= (slow() ? 600 : 3000); pixels += 1 + pixels * 2 / 3) {
    check({{FW_F32, FW_SILU, FW_SIGMOID, 0, 1, pixels, 18, 3}, FW_SILU, 0}, uint64_t(pixels));
  }
}

// As the operation on a tensor that was normalised and stored before.
TEST_P(FusedSqueezeExciteTest, WithoutNormTheUnfusedGate) {
  const fw_squeeze_excite block = {FW_BF16, FW_SILU, FW_SIGMOID, 0, 2, 60, 40, 10};
  const std::vector<float> src = random_reals(1, 2 * 60 * 40, FW_BF16);
  const ExciteWeights<float> w = random_weights(block, 2);
  const ForwardResult got = forward({block, FW_IDENTITY, 0}, src, {}, w);
  const ExciteForward expected = excite_forward(block, doubles(src), in_double(w));
  EXPECT_TRUE(rule_of_two(FW_F32, expected.pooled, got.pooled));
  EXPECT_TRUE(rule_of_two(FW_F32, expected.gate, got.gate));
}

TEST_P(FusedSqueezeExciteTest, NaNStaysInItsImageAndItsChannel) {
  const fw_fused_squeeze_excite p = {{FW_F32, FW_RELU, FW_SIGMOID, 0, 3, 10, 12, 3}, FW_SILU, 0};
  std::vector<float> src = random_reals(1, 360);
  const NormReference norm = norm_reference(src, 12, FW_SILU, 2);
  const ExciteWeights<float> w = random_weights(p.block, 2);
  const ForwardResult clean = forward(p, src, norm.table, w);
  src[130] = NAN;
  const ForwardResult got = forward(p, src, norm.table, w);
  for (size_t i = 0; i < got.gate.size(); i++) {
    ASSERT_EQ(i / 12 == 1, std::isnan(got.gate[i])) << i;
  }
  std::vector<float> diff = random_reals(3, 360);
  diff[200] = NAN;
  const BackwardResult back = backward(p, random_reals(1, 360), norm.table, diff, w, clean);
  for (size_t i = 0; i < back.pool_gradient.size(); i++) {
    ASSERT_EQ(i / 12 == 1, std::isnan(back.pool_gradient[i])) << i;
  }
}

TEST_P(FusedSqueezeExciteTest, Deterministic) {
  const fw_fused_squeeze_excite p = {{FW_F32, FW_SILU, FW_SIGMOID, 0, 3, slow() ? 200 : 3000, 40, 10}, FW_SILU, 0};
  const std::vector<float> src = random_reals(1, p.block.batch * p.block.pixels * p.block.channels);
  const std::vector<float> diff = random_reals(2, p.block.batch * p.block.pixels * p.block.channels);
  const NormReference norm = norm_reference(src, 40, FW_SILU, 3);
  const ExciteWeights<float> w = random_weights(p.block, 4);
  expect_deterministic([&] {
    ForwardResult f = forward(p, src, norm.table, w);
    BackwardResult b = backward(p, src, norm.table, diff, w, f);
    for (std::vector<float>* part : {&f.hidden, &b.weights.reduce, &b.weights.expand, &b.pool_gradient,
                                     &b.norm.diff_gamma, &b.norm.diff_beta, &b.norm.gradient}) {
      f.gate.insert(f.gate.end(), part->begin(), part->end());
    }
    return f.gate;
  });
}

TEST_P(FusedSqueezeExciteTest, EmptyBatchHasZeroGradients) {
  const fw_fused_squeeze_excite p = {{FW_F32, FW_SILU, FW_SIGMOID, 0, 0, 10, 12, 3}, FW_SILU, 0};
  const ExciteWeights<float> w = random_weights(p.block, 1);
  const std::vector<float> norm(48, 1);
  const BackwardResult b = backward(p, {}, norm, {}, w, {});
  EXPECT_EQ(std::vector<float>(36, 0), b.weights.reduce);
  EXPECT_EQ(std::vector<float>(12, 0), b.weights.expand_bias);
  EXPECT_EQ(std::vector<float>(12, 0), b.norm.diff_gamma);
  EXPECT_EQ(std::vector<float>(12, 0), b.norm.diff_beta);
  EXPECT_EQ(std::vector<float>(24, 0), b.norm.gradient);
  EXPECT_TRUE(forward(p, {}, norm, w).gate.empty());
}

TEST_P(FusedSqueezeExciteTest, RefusesWhatDoesNotFit) {
  const fw_fused_squeeze_excite good = {{FW_F32, FW_SILU, FW_SIGMOID, 0, 1, 2, 8, 2}, FW_SILU, 0};
  Buffer a = buffer(FW_F32, 64);
  Bytes workspace(stream(), workspace_bytes(good));
  const fw_address x = a.address();
  const int64_t w = workspace.bytes();
  // Calls with one address other than x.
  const auto forward = [&](const fw_fused_squeeze_excite* p, int which, fw_address other, int64_t bytes) {
    std::vector<fw_address> at(9, x);
    at[size_t(which)] = other;
    return fw_fused_squeeze_excite_forward(stream(), p, at[0], at[1], at[2], at[3], at[4], at[5], at[6], at[7], at[8],
                                           workspace.address(), bytes);
  };
  const auto backward = [&](const fw_fused_squeeze_excite* p, int which, fw_address other, int64_t bytes) {
    std::vector<fw_address> at(16, x);
    at[size_t(which)] = other;
    return fw_fused_squeeze_excite_backward(stream(), p, at[0], at[1], at[2], at[3], at[4], at[5], at[6], at[7], at[8],
                                            at[9], at[10], at[11], at[12], at[13], at[14], at[15], workspace.address(),
                                            bytes);
  };
  const char* forward_names[] = {"src",         "in_norm", "reduce_weights", "reduce_bias", "expand_weights",
                                 "expand_bias", "pooled",  "hidden",         "gate"};
  for (int i = 0; i < 9; i++) {
    const std::string name = std::string("address of ") + forward_names[i];
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(&good, i, x + 1, w), name);
    if (i != 1) {
      EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(&good, i, 0, w), name + " is 0");
    }
  }
  const char* backward_names[] = {"src",
                                  "in_norm",
                                  "diff",
                                  "reduce_weights",
                                  "expand_weights",
                                  "pooled",
                                  "hidden",
                                  "gate",
                                  "pool_gradient",
                                  "diff_reduce_weights",
                                  "diff_reduce_bias",
                                  "diff_expand_weights",
                                  "diff_expand_bias",
                                  "diff_gamma",
                                  "diff_beta",
                                  "in_gradient"};
  for (int i = 0; i < 16; i++) {
    const std::string name = std::string("address of ") + backward_names[i];
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, backward(&good, i, x + 2, w), name);
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, backward(&good, i, 0, w), name + " is 0");
  }
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(nullptr, 0, x, w), "problem is null");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, backward(nullptr, 0, x, w), "problem is null");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(&good, 0, x, w - 1), "workspace has");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, backward(&good, 0, x, 0), "workspace has 0 bytes");
  const auto both_refuse = [&](const fw_fused_squeeze_excite& p, const char* text) {
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(&p, 0, x, w), text);
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, backward(&p, 0, x, w), text);
    int64_t bytes = 0;
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_fused_squeeze_excite_workspace(stream(), &p, &bytes), text);
  };
  fw_fused_squeeze_excite p = good;
  p.in_activation = 4;
  both_refuse(p, "in_activation is 4");
  p = good;
  p.block.dtype = 4;
  both_refuse(p, "dtype is 4");
  p = good;
  p.block.activation = 7;
  both_refuse(p, "activation is 7");
  p = good;
  p.block.gate = 2;
  both_refuse(p, "gate is 2");
  p = good;
  p.block.pixels = 0;
  both_refuse(p, "pixels is 0");
  p = good;
  p.block.squeezed = 100000;
  both_refuse(p, "squeezed is 100000");
  p = good;
  p.block.batch = -1;
  both_refuse(p, "batch is -1");
  int64_t bytes = 0;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_fused_squeeze_excite_workspace(stream() + 1000, &good, &bytes), "stream");
}

}  // namespace
}  // namespace fusewire::test
