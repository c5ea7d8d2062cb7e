// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution with BatchNorm and activation worked in: against float64, at all edges, deterministic, and
// clear about bad arguments.
#include <cmath>

#include "device_fixture.h"
#include "fused_depthwise_reference.h"

namespace fusewire::test {
namespace {

struct Forward {
  std::vector<float> dst, out_norm, running_mean, running_var;

  std::vector<float> all() const {
    std::vector<float> values = dst;
    for (const std::vector<float>* more : {&out_norm, &running_mean, &running_var}) {
      values.insert(values.end(), more->begin(), more->end());
    }
    return values;
  }
};

struct Backward {
  std::vector<float> diff_src, diff_weights, diff_gamma, diff_beta, in_gradient;

  std::vector<float> all() const {
    std::vector<float> values = diff_src;
    for (const std::vector<float>* more : {&diff_weights, &diff_gamma, &diff_beta, &in_gradient}) {
      values.insert(values.end(), more->begin(), more->end());
    }
    return values;
  }
};

class FusedDepthwiseTest : public DeviceTest {
 protected:
  static fw_fused_depthwise problem(const DepthwiseCase& c, int32_t dtype, int32_t activation = FW_SILU,
                                    int32_t out_activation = FW_SILU) {
    return {c.conv(dtype, activation), out_activation, 0, 1e-3f, 0.1f};
  }
  // A norm table (4, channels) as of plausible statistics.
  static std::vector<float> norm_table(uint64_t seed, int64_t channels) {
    std::vector<float> table = random_reals(seed, channels, FW_F32, 0.2f, 0.5f);
    const std::vector<float> inverse = random_reals(seed + 1, channels, FW_F32, 1.0f, 0.2f);
    const std::vector<float> gamma = random_reals(seed + 2, channels, FW_F32, 1.0f, 0.3f);
    const std::vector<float> beta = random_reals(seed + 3, channels, FW_F32, 0.0f, 0.5f);
    for (const float x : inverse) {
      table.push_back(std::abs(x) + 0.1f);
    }
    for (size_t k = 0; k < size_t(channels); k++) {
      table.push_back(gamma[k] * table[size_t(channels) + k]);
    }
    table.insert(table.end(), beta.begin(), beta.end());
    return table;
  }
  static FusedDepthwiseData random_data(const DepthwiseCase& c, int32_t dtype, uint64_t seed = 1) {
    FusedDepthwiseData d;
    d.src = random_reals(seed, c.src_count(), dtype);
    d.in_norm = norm_table(seed + 10, c.channels);
    d.weights = random_reals(seed + 1, c.weights_count());
    d.gamma = random_reals(seed + 2, c.channels, FW_F32, 1.0f, 0.2f);
    d.beta = random_reals(seed + 3, c.channels);
    d.running_mean = random_reals(seed + 4, c.channels);
    d.running_var = std::vector<float>(size_t(c.channels), 1.5f);
    d.dst = random_reals(seed + 5, c.dst_count(), dtype);
    d.out_norm = norm_table(seed + 20, c.channels);
    d.out_gradient = random_reals(seed + 6, 2 * c.channels, FW_F32, 0.0f, 0.1f);
    d.diff = random_reals(seed + 7, c.dst_count(), dtype);
    d.gate = random_reals(seed + 8, c.batch * c.channels, FW_F32, 0.5f, 0.2f);
    d.pool_gradient = random_reals(seed + 9, c.batch * c.channels, FW_F32, 0.0f, 0.1f);
    return d;
  }
  int64_t workspace_bytes(const fw_fused_depthwise& p) const {
    int64_t bytes = 0;
    EXPECT_FW_OK(fw_fused_depthwise_workspace(stream(), &p, &bytes));
    return bytes;
  }
  // An absent table has the address 0.
  static fw_address address(const Buffer& buffer) { return buffer.count() == 0 ? 0 : buffer.address(); }

  Forward forward(const fw_fused_depthwise& p, const DepthwiseCase& c, const FusedDepthwiseData& data,
                  int64_t misalignment = 0) {
    const Buffer src(stream(), p.conv.dtype, data.src, misalignment);
    const Buffer dst(stream(), p.conv.dtype, c.dst_count(), misalignment);
    const Buffer weights(stream(), FW_F32, data.weights, misalignment);
    const Buffer in_norm(stream(), FW_F32, data.in_norm, misalignment);
    const Buffer gamma(stream(), FW_F32, data.gamma, misalignment);
    const Buffer beta(stream(), FW_F32, data.beta, misalignment);
    const Buffer out_norm(stream(), FW_F32, 4 * c.channels, misalignment);
    const Buffer mean = buffer(FW_F32, data.running_mean);
    const Buffer var = buffer(FW_F32, data.running_var);
    const Bytes workspace(stream(), workspace_bytes(p));
    EXPECT_FW_OK(fw_fused_depthwise_forward(stream(), &p, src.address(), address(in_norm), weights.address(),
                                            gamma.address(), beta.address(), address(mean), address(var), dst.address(),
                                            out_norm.address(), workspace.address(), workspace.bytes()));
    return {dst.download(), out_norm.download(), mean.download(), var.download()};
  }

  Backward backward(const fw_fused_depthwise& p, const DepthwiseCase& c, const FusedDepthwiseData& data,
                    int64_t misalignment = 0) {
    const Buffer src(stream(), p.conv.dtype, data.src, misalignment);
    const Buffer dst(stream(), p.conv.dtype, data.dst, misalignment);
    const Buffer diff(stream(), p.conv.dtype, data.diff, misalignment);
    const Buffer diff_src(stream(), p.conv.dtype, c.src_count(), misalignment);
    const Buffer weights(stream(), FW_F32, data.weights, misalignment);
    const Buffer in_norm(stream(), FW_F32, data.in_norm, misalignment);
    const Buffer out_norm(stream(), FW_F32, data.out_norm, misalignment);
    const Buffer out_gradient(stream(), FW_F32, data.out_gradient, misalignment);
    const Buffer gate(stream(), FW_F32, data.gate, misalignment);
    const Buffer pool_gradient(stream(), FW_F32, data.pool_gradient, misalignment);
    const Buffer diff_weights(stream(), FW_F32, c.weights_count(), misalignment);
    const int64_t channels = data.in_norm.empty() ? 0 : c.channels;
    const Buffer diff_gamma = buffer(FW_F32, channels);
    const Buffer diff_beta = buffer(FW_F32, channels);
    const Buffer in_gradient = buffer(FW_F32, 2 * channels);
    const Bytes workspace(stream(), workspace_bytes(p));
    EXPECT_FW_OK(fw_fused_depthwise_backward(stream(), &p, src.address(), address(in_norm), weights.address(),
                                             dst.address(), out_norm.address(), out_gradient.address(), diff.address(),
                                             address(gate), address(pool_gradient), diff_src.address(),
                                             diff_weights.address(), address(diff_gamma), address(diff_beta),
                                             address(in_gradient), workspace.address(), workspace.bytes()));
    return {diff_src.download(), diff_weights.download(), diff_gamma.download(), diff_beta.download(),
            in_gradient.download()};
  }

  void expect_backward(const DepthwiseCase& c, const fw_fused_depthwise& p, const FusedDepthwiseData& data,
                       int64_t misalignment = 0) {
    SCOPED_TRACE(c.text() + " " + dtype_name(p.conv.dtype) + " activations " + std::to_string(p.conv.activation) +
                 ", " + std::to_string(p.out_activation));
    const Backward got = backward(p, c, data, misalignment);
    const FusedBackwardReference ref = fused_backward_reference(c, p, data, got.diff_src);
    EXPECT_TRUE(rule_of_two(p.conv.dtype, ref.diff_src, got.diff_src, 3)) << "diff_src";
    EXPECT_TRUE(rule_of_two(FW_F32, ref.diff_weights, got.diff_weights, 3)) << "diff_weights";
    if (!data.in_norm.empty()) {
      EXPECT_TRUE(rule_of_two(FW_F32, ref.diff_gamma, got.diff_gamma, 3)) << "diff_gamma";
      EXPECT_TRUE(rule_of_two(FW_F32, ref.diff_beta, got.diff_beta, 3)) << "diff_beta";
      EXPECT_TRUE(rule_of_two(FW_F32, ref.in_gradient, got.in_gradient, 3)) << "in_gradient";
    }
  }

  void expect_forward(const DepthwiseCase& c, const fw_fused_depthwise& p, const FusedDepthwiseData& data,
                      int64_t misalignment = 0) {
    SCOPED_TRACE(c.text() + " " + dtype_name(p.conv.dtype) + " activation " + std::to_string(p.conv.activation));
    const Forward got = forward(p, c, data, misalignment);
    const FusedForwardReference ref = fused_forward_reference(c, p, data, got.dst);
    EXPECT_TRUE(rule_of_two(p.conv.dtype, ref.dst, got.dst)) << "dst";
    EXPECT_TRUE(close_to(ref.out_norm, got.out_norm, 2e-5, 1e-5)) << "out_norm";
    if (!data.running_mean.empty()) {
      EXPECT_TRUE(close_to(ref.running_mean, got.running_mean, 1e-5, 1e-5)) << "running_mean";
      EXPECT_TRUE(close_to(ref.running_var, got.running_var, 1e-5, 1e-5)) << "running_var";
    }
  }
};
FUSEWIRE_ON_EVERY_DEVICE(FusedDepthwiseTest);

// Tuned kernels at their edges: channels below, at and beyond a vector and a block's group, one row or column, odd and
// even sizes with stride 2, parts of tiles, bands and runs of images that do not divide theirs.
std::vector<DepthwiseCase> tuned_cases(bool slow) {
  std::vector<DepthwiseCase> cases;
  for (const int64_t kernel : {3, 5, 7}) {
    for (const int64_t stride : {1, 2}) {
      cases.push_back(same_padded(2, 1, 1, 16, kernel, stride));
      cases.push_back(same_padded(2, 1, 9, 24, kernel, stride));
      cases.push_back(same_padded(1, 9, 1, 8, kernel, stride));
      cases.push_back(same_padded(1, 7, 7, 40, kernel, stride));
      cases.push_back(same_padded(3, 8, 6, 33, kernel, stride));
      cases.push_back(same_padded(1, 15, 17, 4, kernel, stride));
      cases.push_back(same_padded(2, 5, 31, 3, kernel, stride));
      cases.push_back(same_padded(1, 16, 16, 1, kernel, stride));
      cases.push_back(same_padded(1, 4, 5, slow ? 72 : 272, kernel, stride));
    }
  }
  cases.push_back(same_padded(slow ? 5 : 40, 7, 7, 144, 5, 1));
  cases.push_back(same_padded(1100, 2, 2, 8, 3, 2));  // several images to a block
  cases.push_back(same_padded(1, slow ? 12 : 112, 112, 32, 3, 1));
  cases.push_back(same_padded(1, slow ? 12 : 75, 260, 16, 3, 2));
  return cases;
}

std::vector<DepthwiseCase> unusual_cases() {
  return {
      DepthwiseCase{2, 6, 7, 16, 1, 1},                            // k 1
      DepthwiseCase{2, 6, 7, 20, 2, 2, 2, 2},                      // even
      DepthwiseCase{1, 9, 8, 16, 4, 6, 1, 2, 1, 1, 1, 2, 3, 2},    // even, rectangular
      DepthwiseCase{1, 11, 12, 16, 3, 3, 1, 1, 2, 3, 2, 2, 3, 3},  // dilation
      DepthwiseCase{1, 13, 12, 9, 3, 3, 2, 2, 3, 2, 0, 3, 1, 2},   // dilation and stride
      DepthwiseCase{1, 9, 10, 16, 3, 3, 3, 4, 1, 1, 1, 1, 1, 1},   // stride beyond the kernel
      DepthwiseCase{1, 6, 5, 16, 5, 5, 1, 1, 1, 1, 0, 0, 0, 0},    // no padding
      DepthwiseCase{1, 2, 3, 16, 3, 3, 1, 1, 1, 1, 4, 5, 6, 3},    // padding beyond the kernel
      DepthwiseCase{1, 3, 2, 16, 5, 5, 2, 2, 1, 1, 7, 6, 8, 9},    // the same with stride 2
      DepthwiseCase{1, 6, 6, 16, 3, 3, 2, 2, 1, 1, 1, 0, 1, 0},    // asymmetric
      DepthwiseCase{1, 8, 8, 16, 7, 7, 2, 2, 1, 1, 3, 0, 0, 3},    //
      DepthwiseCase{1, 10, 10, 16, 3, 3, 2, 1, 1, 1, 1, 1, 1, 1},  // unequal strides
      DepthwiseCase{1, 6, 6, 16, 9, 9, 1, 1, 1, 1, 4, 4, 4, 4},    // beyond the tuned sizes
  };
}

TEST_P(FusedDepthwiseTest, ForwardOfTunedShapes) {
  for (const DepthwiseCase& c : tuned_cases(slow())) {
    for (const int32_t dtype : kAllDtypes) {
      expect_forward(c, problem(c, dtype), random_data(c, dtype));
    }
  }
}

TEST_P(FusedDepthwiseTest, ForwardOfUnusualShapes) {
  for (const DepthwiseCase& c : unusual_cases()) {
    for (const int32_t dtype : kAllDtypes) {
      expect_forward(c, problem(c, dtype), random_data(c, dtype));
    }
  }
}

TEST_P(FusedDepthwiseTest, ForwardWithEveryActivation) {
  for (const DepthwiseCase& c : {same_padded(2, 9, 10, 24, 3, 1), DepthwiseCase{2, 9, 10, 24, 2, 3}}) {
    for (const int32_t activation : {FW_IDENTITY, FW_SILU, FW_RELU, FW_RELU6}) {
      expect_forward(c, problem(c, FW_F32, activation), random_data(c, FW_F32));
    }
  }
}

TEST_P(FusedDepthwiseTest, ForwardWithoutNormOrRunningAverages) {
  for (const DepthwiseCase& c : {same_padded(2, 9, 10, 24, 5, 2), DepthwiseCase{2, 9, 10, 24, 2, 3}}) {
    FusedDepthwiseData data = random_data(c, FW_F32);
    data.in_norm.clear();
    expect_forward(c, problem(c, FW_F32, FW_IDENTITY), data);
    expect_forward(c, problem(c, FW_F32, FW_SILU), data);
    data.running_mean.clear();
    data.running_var.clear();
    expect_forward(c, problem(c, FW_F32, FW_SILU), data);
  }
}

TEST_P(FusedDepthwiseTest, BackwardOfTunedShapes) {
  for (const DepthwiseCase& c : tuned_cases(slow())) {
    for (const int32_t dtype : kAllDtypes) {
      expect_backward(c, problem(c, dtype), random_data(c, dtype));
    }
  }
}

TEST_P(FusedDepthwiseTest, BackwardOfUnusualShapes) {
  for (const DepthwiseCase& c : unusual_cases()) {
    for (const int32_t dtype : kAllDtypes) {
      expect_backward(c, problem(c, dtype), random_data(c, dtype));
    }
  }
}

// Seeded random shapes; a failure prints the case to paste into unusual_cases().
TEST_P(FusedDepthwiseTest, RandomShapes) {
  const uint64_t seeds = slow() ? 6 : 60;
  for (uint64_t seed = 1; seed <= seeds; seed++) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    const auto between = [&](int64_t low, int64_t high) { return low + int64_t(random() % uint64_t(high - low + 1)); };
    DepthwiseCase c{between(2, 3), between(1, 20), between(1, 20), between(1, slow() ? 40 : 70), 0, 0};
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
    const int32_t dtype = pick<int32_t>(random, {FW_F32, FW_BF16, FW_F16});
    const FusedDepthwiseData data = random_data(c, dtype, seed);
    expect_forward(c, problem(c, dtype), data);
    expect_backward(c, problem(c, dtype), data);
  }
}

TEST_P(FusedDepthwiseTest, BackwardWithEveryActivation) {
  for (const DepthwiseCase& c : {same_padded(2, 9, 10, 24, 3, 1), DepthwiseCase{2, 9, 10, 24, 2, 3}}) {
    for (const int32_t in : {FW_IDENTITY, FW_SILU, FW_RELU, FW_RELU6}) {
      for (const int32_t out : {FW_IDENTITY, FW_SILU, FW_RELU, FW_RELU6}) {
        expect_backward(c, problem(c, FW_F32, in, out), random_data(c, FW_F32));
      }
    }
  }
}

TEST_P(FusedDepthwiseTest, BackwardWithoutNormOrGate) {
  for (const DepthwiseCase& c : {same_padded(2, 9, 10, 24, 5, 2), DepthwiseCase{2, 9, 10, 24, 2, 3}}) {
    for (const int32_t dtype : kAllDtypes) {
      FusedDepthwiseData data = random_data(c, dtype);
      data.in_norm.clear();
      expect_backward(c, problem(c, dtype, FW_IDENTITY), data);
      data.gate.clear();
      data.pool_gradient.clear();
      expect_backward(c, problem(c, dtype, FW_IDENTITY), data);
      data.in_norm = random_data(c, dtype).in_norm;
      expect_backward(c, problem(c, dtype), data);
    }
  }
}

// The mean of dst lies far from 0 beside its deviation, in every block.
TEST_P(FusedDepthwiseTest, StatisticsOfLargeMeans) {
  const DepthwiseCase c = same_padded(slow() ? 2 : 6, 14, 14, 48, 3, 1);
  FusedDepthwiseData data = random_data(c, FW_F32);
  data.in_norm.clear();
  data.src = random_reals(3, c.src_count(), FW_F32, 100.0f, 0.1f);
  // Only the middle tap: dst is src, without the borders' smaller sums.
  for (size_t i = 0; i < data.weights.size(); i++) {
    data.weights[i] = int64_t(i) / c.channels == 4 ? 1.0f : 0.0f;
  }
  const fw_fused_depthwise p = problem(c, FW_F32, FW_IDENTITY);
  const Forward got = forward(p, c, data);
  const FusedForwardReference ref = fused_forward_reference(c, p, data, got.dst);
  EXPECT_TRUE(close_to(ref.out_norm, got.out_norm, 1e-4, 1e-5));
}

// Vectors need alignment; without it the result is as good.
TEST_P(FusedDepthwiseTest, MisalignedAddresses) {
  for (const DepthwiseCase& c : {same_padded(1, 9, 10, 32, 3, 2), DepthwiseCase{1, 9, 10, 32, 2, 3}}) {
    for (const int32_t dtype : kAllDtypes) {
      expect_forward(c, problem(c, dtype), random_data(c, dtype), 1);
      expect_backward(c, problem(c, dtype), random_data(c, dtype), 1);
    }
  }
}

TEST_P(FusedDepthwiseTest, SameBitsForAnyNumberOfThreads) {
  for (const DepthwiseCase& c : {same_padded(2, 28, 28, 40, 5, 1), same_padded(3, 15, 15, 56, 3, 2),
                                 DepthwiseCase{2, 11, 12, 24, 3, 3, 1, 1, 2, 2, 2, 2, 2, 2}}) {
    const FusedDepthwiseData data = random_data(c, FW_F32);
    const fw_fused_depthwise p = problem(c, FW_F32);
    expect_deterministic([&] { return forward(p, c, data).all(); });
    expect_deterministic([&] { return backward(p, c, data).all(); });
  }
}

TEST_P(FusedDepthwiseTest, ForwardRefusesWhatDoesNotFit) {
  const DepthwiseCase c = same_padded(1, 8, 8, 16, 3, 1);
  const Buffer tensor = buffer(FW_F32, c.src_count());
  const Buffer tables = buffer(FW_F32, 9 * c.channels);
  const fw_address x = tensor.address();
  const fw_address t = tables.address();
  const auto refused = [&](const fw_fused_depthwise& p, const char* text) {
    int64_t bytes = 0;
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_fused_depthwise_workspace(stream(), &p, &bytes), text);
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT,
                    fw_fused_depthwise_forward(stream(), &p, x, t, t, t, t, 0, 0, x, t, x, 1 << 20), text);
  };
  const fw_fused_depthwise good = problem(c, FW_F32);
  fw_fused_depthwise p = good;
  p.conv.dtype = 9;
  refused(p, "dtype is 9");
  p = good;
  p.conv.activation = -2;
  refused(p, "activation is -2");
  p = good;
  p.out_activation = 77;
  refused(p, "activation is 77");
  p = good;
  p.conv.out_channels = 17;
  refused(p, "in_channels is 16 and out_channels is 17");
  p = good;
  p.conv.kernel_height = 50;
  refused(p, "the kernel spans 50 pixels of height");
  p = good;
  p.epsilon = -1;
  refused(p, "epsilon is -1");
  p = good;
  p.momentum = NAN;
  refused(p, "momentum is nan; 0 to 1 fits");
  p = good;
  p.conv.batch = 0;
  refused(p, "the result has 0 pixels per channel; at least 2 fit");
  p = problem(same_padded(1, 1, 1, 16, 3, 1), FW_F32);
  refused(p, "the result has 1 pixels per channel; at least 2 fit");

  const auto call = [&](fw_address src, fw_address in_norm, fw_address weights, fw_address gamma, fw_address beta,
                        fw_address mean, fw_address var, fw_address dst, fw_address norm, fw_address workspace,
                        int64_t bytes) {
    return fw_fused_depthwise_forward(stream(), &good, src, in_norm, weights, gamma, beta, mean, var, dst, norm,
                                      workspace, bytes);
  };
  const fw_status bad = FW_INVALID_ARGUMENT;
  EXPECT_FW_ERROR(bad, call(0, t, t, t, t, 0, 0, x, t, x, 0), "address of src is 0");
  EXPECT_FW_ERROR(bad, call(x, t + 2, t, t, t, 0, 0, x, t, x, 0), "address of in_norm");
  EXPECT_FW_ERROR(bad, call(x, t, 0, t, t, 0, 0, x, t, x, 0), "address of weights is 0");
  EXPECT_FW_ERROR(bad, call(x, t, t, 0, t, 0, 0, x, t, x, 0), "address of gamma is 0");
  EXPECT_FW_ERROR(bad, call(x, t, t, t, 0, 0, 0, x, t, x, 0), "address of beta is 0");
  EXPECT_FW_ERROR(bad, call(x, t, t, t, t, 0, 0, 0, t, x, 0), "address of dst is 0");
  EXPECT_FW_ERROR(bad, call(x, t, t, t, t, 0, 0, x, 0, x, 0), "address of out_norm is 0");
  EXPECT_FW_ERROR(bad, call(x, t, t, t, t, t, 0, x, t, x, 0), "of running_mean and running_var only one is given");
  EXPECT_FW_ERROR(bad, call(x, t, t, t, t, 0, 0, x, t, 0, 1 << 20), "the workspace has 0 bytes");
  EXPECT_FW_ERROR(bad, call(x, t, t, t, t, 0, 0, x, t, x, workspace_bytes(good) - 1), "are needed");
  EXPECT_FW_ERROR(bad, fw_fused_depthwise_workspace(stream(), &good, nullptr), "bytes is null");
  EXPECT_FW_ERROR(bad, fw_fused_depthwise_workspace(stream(), nullptr, nullptr), "problem is null");
}

TEST_P(FusedDepthwiseTest, BackwardRefusesWhatDoesNotFit) {
  const DepthwiseCase c = same_padded(1, 8, 8, 16, 3, 1);
  const Buffer tensor = buffer(FW_F32, c.src_count());
  const Buffer tables = buffer(FW_F32, 9 * c.channels);
  const fw_address x = tensor.address();
  const fw_address t = tables.address();
  struct Arguments {
    fw_address src, in_norm, weights, dst, out_norm, out_gradient, diff, gate, pool_gradient, diff_src, diff_weights,
        diff_gamma, diff_beta, in_gradient, workspace;
    int64_t bytes;
  };
  const Arguments good = {x, t, t, x, t, t, x, t, t, x, t, t, t, t, x, 1 << 20};
  fw_fused_depthwise p = problem(c, FW_F32);
  const auto refused = [&](const Arguments& a, const char* text) {
    EXPECT_FW_ERROR(
        FW_INVALID_ARGUMENT,
        fw_fused_depthwise_backward(stream(), &p, a.src, a.in_norm, a.weights, a.dst, a.out_norm, a.out_gradient,
                                    a.diff, a.gate, a.pool_gradient, a.diff_src, a.diff_weights, a.diff_gamma,
                                    a.diff_beta, a.in_gradient, a.workspace, a.bytes),
        text);
  };
  const auto changed = [&](fw_address Arguments::*field, fw_address value) {
    Arguments a = good;
    a.*field = value;
    return a;
  };
  refused(changed(&Arguments::src, 0), "address of src is 0");
  refused(changed(&Arguments::in_norm, t + 1), "address of in_norm");
  refused(changed(&Arguments::weights, 0), "address of weights is 0");
  refused(changed(&Arguments::dst, 0), "address of dst is 0");
  refused(changed(&Arguments::out_norm, 0), "address of out_norm is 0");
  refused(changed(&Arguments::out_gradient, 0), "address of out_gradient is 0");
  refused(changed(&Arguments::diff, x + 2), "address of diff,");
  refused(changed(&Arguments::gate, 0), "of gate and pool_gradient only one is given");
  refused(changed(&Arguments::pool_gradient, 0), "of gate and pool_gradient only one is given");
  refused(changed(&Arguments::diff_src, 0), "address of diff_src is 0");
  refused(changed(&Arguments::diff_weights, 0), "address of diff_weights is 0");
  refused(changed(&Arguments::diff_gamma, 0), "address of diff_gamma is 0");
  refused(changed(&Arguments::diff_beta, 0), "address of diff_beta is 0");
  refused(changed(&Arguments::in_gradient, 0), "address of in_gradient is 0");
  refused(changed(&Arguments::workspace, 0), "the workspace has 0 bytes");
  Arguments a = good;
  a.bytes = workspace_bytes(p) - 1;
  refused(a, "are needed");
  refused(changed(&Arguments::in_norm, 0), "without in_norm only the identity");
  p.conv.activation = FW_IDENTITY;
  refused(changed(&Arguments::in_norm, 0), "without in_norm there is no diff_gamma, diff_beta or in_gradient");
  p.conv.stride_width = 0;
  refused(good, "stride_width is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT,
                  fw_fused_depthwise_backward(stream(), nullptr, x, t, t, x, t, t, x, t, t, x, t, t, t, t, x, 0),
                  "problem is null");
}

}  // namespace
}  // namespace fusewire::test
