// SPDX-License-Identifier: Apache-2.0
package io.fusewire.model;

import io.fusewire.ops.Activation;
import java.util.List;
import java.util.Optional;

/**
 * One block of a network: convolutions one after the other, perhaps with squeeze-and-excite before
 * the last, and perhaps a way round them whose result is added. Graphs, tables and file layouts are
 * made from these facts alone; the kinds of blocks differ in how they come by them.
 */
public sealed interface Block permits MBConv, FusedMBConv, ResidualBlock {

  /**
   * Stage the block belongs to.
   *
   * @return from 0
   */
  int stage();

  /**
   * Number within the stage.
   *
   * @return from 0
   */
  int index();

  /**
   * Prefix of the block's parameter names.
   *
   * @return such as {@code blocks.2.1} or {@code layer3.0}
   */
  String prefix();

  /**
   * Stride of the whole block.
   *
   * @return in pixels
   */
  int stride();

  /**
   * Channels of the block's input.
   *
   * @return channels
   */
  int inChannels();

  /**
   * Channels of the block's output.
   *
   * @return channels
   */
  int outChannels();

  /**
   * The convolutions of the main way.
   *
   * @return in order, at least one
   */
  List<ConvNorm> convolutions();

  /**
   * The gate on what the last convolution reads.
   *
   * @return empty if there is none
   */
  default Optional<Squeeze> squeeze() {
    return Optional.empty();
  }

  /**
   * Whether what goes round the block is added to its result.
   *
   * @return true for a residual block
   */
  boolean residual();

  /**
   * What is done on the way round.
   *
   * @return empty if the input itself is added, or if nothing is
   */
  default Optional<Shortcut> shortcut() {
    return Optional.empty();
  }

  /**
   * Activation of the sum.
   *
   * @return {@link Activation#IDENTITY} for none
   */
  default Activation sumActivation() {
    return Activation.IDENTITY;
  }

  /**
   * Probability with which a sample's branch is dropped in training.
   *
   * @return only used with a residual
   */
  double dropConnect();
}
