// SPDX-License-Identifier: Apache-2.0
// What the tests of the fused depthwise operations share: data, the two operations with all their buffers, and the
// comparison with float64; shapes that reach every edge.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "device_fixture.h"
#include "fused_depthwise_reference.h"

namespace fusewire::test {

struct FusedForwardResult {
  std::vector<float> dst, out_norm, running_mean, running_var;

  std::vector<float> all() const {
    std::vector<float> values = dst;
    for (const std::vector<float>* more : {&out_norm, &running_mean, &running_var}) {
      values.insert(values.end(), more->begin(), more->end());
    }
    return values;
  }
};

struct FusedBackwardResult {
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

  FusedForwardResult forward(const fw_fused_depthwise& p, const DepthwiseCase& c, const FusedDepthwiseData& data,
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

  FusedBackwardResult backward(const fw_fused_depthwise& p, const DepthwiseCase& c, const FusedDepthwiseData& data,
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
    const FusedBackwardResult got = backward(p, c, data, misalignment);
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
    const FusedForwardResult got = forward(p, c, data, misalignment);
    const FusedForwardReference ref = fused_forward_reference(c, p, data, got.dst);
    EXPECT_TRUE(rule_of_two(p.conv.dtype, ref.dst, got.dst)) << "dst";
    EXPECT_TRUE(close_to(ref.out_norm, got.out_norm, 2e-5, 1e-5)) << "out_norm";
    if (!data.running_mean.empty()) {
      EXPECT_TRUE(close_to(ref.running_mean, got.running_mean, 1e-5, 1e-5)) << "running_mean";
      EXPECT_TRUE(close_to(ref.running_var, got.running_var, 1e-5, 1e-5)) << "running_var";
    }
  }
};
// Tuned kernels at their edges: channels below, at and beyond a vector and a block's group, one row or column, odd and
// even sizes with stride 2, parts of tiles, bands and runs of images that do not divide theirs.
inline std::vector<DepthwiseCase> tuned_cases(bool slow) {
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
  cases.push_back(same_padded(1, 3, 30, 64, 5, 1));  // as many vectors as a block takes, in a row that is long for them
  cases.push_back(same_padded(1100, 2, 2, 8, 3, 2));  // several images to a block
  cases.push_back(same_padded(1, slow ? 12 : 112, 112, 32, 3, 1));
  cases.push_back(same_padded(1, slow ? 12 : 75, 260, 16, 3, 2));
  return cases;
}

inline std::vector<DepthwiseCase> unusual_cases() {
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

}  // namespace fusewire::test
