// SPDX-License-Identifier: Apache-2.0
// Backward of the depthwise convolution with BatchNorm and activation worked in: both gradients and the source's
// BatchNorm against float64, at all edges, and clear about bad arguments.
#include "fused_depthwise_fixture.h"

namespace fusewire::test {
namespace {

class FusedDepthwiseBackwardTest : public FusedDepthwiseTest {};
FUSEWIRE_ON_EVERY_DEVICE(FusedDepthwiseBackwardTest);

TEST_P(FusedDepthwiseBackwardTest, BackwardOfTunedShapes) {
  for (const DepthwiseCase& c : tuned_cases(slow())) {
    for (const int32_t dtype : kAllDtypes) {
      expect_backward(c, problem(c, dtype), random_data(c, dtype));
    }
  }
}

TEST_P(FusedDepthwiseBackwardTest, BackwardOfUnusualShapes) {
  for (const DepthwiseCase& c : unusual_cases()) {
    for (const int32_t dtype : kAllDtypes) {
      expect_backward(c, problem(c, dtype), random_data(c, dtype));
    }
  }
}

// Seeded random shapes; a failure prints the case to paste into unusual_cases().
TEST_P(FusedDepthwiseBackwardTest, RandomShapes) {
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

TEST_P(FusedDepthwiseBackwardTest, BackwardWithEveryActivation) {
  for (const DepthwiseCase& c : {same_padded(2, 9, 10, 24, 3, 1), DepthwiseCase{2, 9, 10, 24, 2, 3}}) {
    for (const int32_t in : {FW_IDENTITY, FW_SILU, FW_RELU, FW_RELU6}) {
      for (const int32_t out : {FW_IDENTITY, FW_SILU, FW_RELU, FW_RELU6}) {
        expect_backward(c, problem(c, FW_F32, in, out), random_data(c, FW_F32));
      }
    }
  }
}

TEST_P(FusedDepthwiseBackwardTest, BackwardWithoutNormOrGate) {
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

TEST_P(FusedDepthwiseBackwardTest, BackwardRefusesWhatDoesNotFit) {
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
