// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.layers;

import static io.fusewire.bench.layers.SharedTensor.Form.IMAGE;
import static io.fusewire.bench.layers.SharedTensor.Form.PLAIN;

import java.util.List;
import java.util.function.IntConsumer;
import java.util.function.IntFunction;
import org.bytedeco.pytorch.Tensor;

/**
 * What a convolution of fused training leaves: its raw result and the norm table of the BatchNorm
 * that follows, which has parameters of its own.
 *
 * @param gamma (channels)
 * @param beta (channels)
 * @param raw the result
 * @param table (4, channels)
 */
record NormedResult(SharedTensor gamma, SharedTensor beta, SharedTensor raw, SharedTensor table) {

  static NormedResult of(Scene scene, long... image) {
    long channels = image[3];
    return new NormedResult(
        scene.in(PLAIN, channels),
        scene.in(PLAIN, channels),
        scene.out(IMAGE, image),
        scene.out(PLAIN, 4, channels));
  }

  /** A contest of convolutions that leave this; of the tables it compares the means. */
  Contest contest(
      Runnable prepare, IntConsumer ours, IntFunction<Tensor> convolution, double operations) {
    return new Contest(
        ours,
        place -> {
          Tensor result = convolution.apply(place);
          return new Tensor[] {result, Torch.statistics(result).get0()};
        },
        prepare,
        operations,
        List.of(raw::torch, place -> table.torch(place).select(0, 0)));
  }
}
