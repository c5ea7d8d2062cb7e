// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution with BatchNorm and activation worked in, forward: against float64, at all edges, deterministic,
// and clear about bad arguments. Alignment and determinism of backward as well.
#include "fused_depthwise_fixture.h"

namespace fusewire::test {
namespace {

FUSEWIRE_ON_EVERY_DEVICE(FusedDepthwiseTest);

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
  const FusedForwardResult got = forward(p, c, data);
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

}  // namespace
}  // namespace fusewire::test
