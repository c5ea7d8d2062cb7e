// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

/** What a layer does in an EfficientNet, whatever it is called. */
enum Part {
  STEM,
  STEM_NORM,
  /** 1x1 before a depthwise convolution, or the dense convolution of a fused block. */
  EXPAND,
  EXPAND_NORM,
  DEPTHWISE,
  DEPTHWISE_NORM,
  /** First 1x1 of squeeze-and-excite. */
  REDUCE,
  /** Second 1x1 of squeeze-and-excite. */
  EXCITE,
  /** Last 1x1 of a block, or the one dense convolution of a fused block without expansion. */
  PROJECT,
  PROJECT_NORM,
  HEAD,
  HEAD_NORM,
  CLASSIFIER;

  /** Whether it is a BatchNorm. */
  boolean norm() {
    return switch (this) {
      case STEM_NORM, EXPAND_NORM, DEPTHWISE_NORM, PROJECT_NORM, HEAD_NORM -> true;
      default -> false;
    };
  }
}
