// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.ops.Tensor;

/**
 * A network as a training loop sees it: a batch of images and labels goes in, losses and gradients
 * come out. {@link TrainingNetwork} trains everything, {@link HeadTrainingNetwork} the classifier
 * alone.
 */
public interface TrainingGraph extends AutoCloseable {
  /**
   * Runs images, forward pass, loss and backward pass. On a GPU they are only queued. A {@link
   * Replay} may do it together with an optimizer: what changes from step to step is read from
   * device memory.
   */
  void run();

  /**
   * Where a batch of images goes before {@link #run}.
   *
   * @return (batch, height, width, channels), uint8 or, without an image input, of the storage type
   */
  Tensor images();

  /**
   * Where the labels go before {@link #run}; negative ones do not count.
   *
   * @return (batch), i32
   */
  Tensor labels();

  /**
   * Loss of every image, after {@link #run}.
   *
   * @return (batch), f32
   */
  Tensor losses();

  /**
   * Which images were told rightly, after {@link #run}.
   *
   * @return (batch), i32, 0 or 1
   */
  Tensor correct();

  /**
   * All activation memory. Between two runs nothing in it is needed but images and labels, so
   * others may use it then.
   *
   * @return U8
   */
  Tensor arena();

  @Override
  void close();
}
