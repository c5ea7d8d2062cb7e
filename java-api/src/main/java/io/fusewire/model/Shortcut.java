// SPDX-License-Identifier: Apache-2.0
package io.fusewire.model;

/**
 * What the way round a block does where the sizes on both ends differ.
 *
 * @param averagePool whether the mean of 2x2 pixels with stride 2 comes first (ceil_mode: what
 *     hangs over the edge does not count)
 * @param conv a 1x1 convolution and its BatchNorm, without activation
 */
public record Shortcut(boolean averagePool, ConvNorm conv) {}
