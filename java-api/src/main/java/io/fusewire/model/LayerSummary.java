// SPDX-License-Identifier: Apache-2.0
package io.fusewire.model;

/**
 * One row of a {@link ModelSummary}.
 *
 * @param name timm's name of the layer
 * @param type what it does, such as "depthwise 5x5 /2" or "BatchNorm + SiLU"
 * @param input height, width and channels of its input, such as "112x112x32"
 * @param output height, width and channels of its output
 * @param parameters trained parameters
 * @param macs multiply-adds of one image
 * @param bytes bytes read and written for one image in the given storage type, with its parameters
 *     in f32, if it stood alone
 */
public record LayerSummary(
    String name,
    String type,
    String input,
    String output,
    long parameters,
    long macs,
    long bytes) {}
