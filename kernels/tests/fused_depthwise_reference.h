// SPDX-License-Identifier: Apache-2.0
// The fused training operations of the depthwise convolution by their definition, in float64.
#pragma once

#include <vector>

#include "depthwise_reference.h"
#include "fusewire/fused.h"

namespace fusewire::test {

using Doubles = std::vector<double>;

// Everything that the operations read; tensors hold values of the storage type. Empty: absent.
struct FusedDepthwiseData {
  std::vector<float> src, in_norm, weights;
  // forward
  std::vector<float> gamma, beta, running_mean, running_var;
  // backward
  std::vector<float> dst, out_norm, out_gradient, diff, gate, pool_gradient;
};

struct FusedForwardReference {
  Doubles dst, out_norm, running_mean, running_var;
};
// `stored`: the values whose statistics are taken, dst as the device stored it; empty for the exact dst.
FusedForwardReference fused_forward_reference(const DepthwiseCase& c, const fw_fused_depthwise& problem,
                                              const FusedDepthwiseData& data, const std::vector<float>& stored);

struct FusedBackwardReference {
  Doubles diff_src, diff_weights;
  Doubles diff_gamma, diff_beta, in_gradient;  // empty without in_norm
};
// `stored` likewise for diff_src.
FusedBackwardReference fused_backward_reference(const DepthwiseCase& c, const fw_fused_depthwise& problem,
                                                const FusedDepthwiseData& data, const std::vector<float>& stored);

}  // namespace fusewire::test
