// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

/**
 * A block of an EfficientNet as its parameters' names tell of it.
 *
 * @param stage stage from 0
 * @param index number within the stage from 0
 * @param number number within the network from 0
 * @param depthwise whether it has a depthwise convolution; a fused block has none
 * @param expands whether a convolution comes before the depthwise one, or after a fused block's
 * @param gated whether it has squeeze-and-excite
 */
record BlockPlace(
    int stage, int index, int number, boolean depthwise, boolean expands, boolean gated) {}
