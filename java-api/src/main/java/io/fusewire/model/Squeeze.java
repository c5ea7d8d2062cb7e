// SPDX-License-Identifier: Apache-2.0
package io.fusewire.model;

/**
 * Squeeze-and-excite (arXiv 1709.01507) within a block, between its last convolution and the one
 * before: mean over pixels, 1x1 with bias, activation, 1x1 with bias, sigmoid, times the tensor.
 *
 * @param name of the whole, for tables
 * @param reduce name of the first 1x1 convolution, without {@code .weight}
 * @param expand name of the second
 * @param channels of the tensor
 * @param squeezed channels between the two
 */
public record Squeeze(String name, String reduce, String expand, int channels, int squeezed) {}
