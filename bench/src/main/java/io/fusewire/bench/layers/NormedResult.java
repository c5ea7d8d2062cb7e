// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.layers;

import static io.fusewire.bench.layers.SharedTensor.Form.IMAGE;
import static io.fusewire.bench.layers.SharedTensor.Form.PLAIN;

import java.util.List;
import java.util.function.IntConsumer;
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
      Runnable prepare, IntConsumer ours, Contest.LibtorchValue convolution, double operations) {
    return new Contest(
        ours,
        place -> {
          Tensor result = (Tensor) convolution.at(place);
          return new Tensor[] {result, Torch.statistics(result).get0()};
        },
        prepare,
        operations,
        List.of(Result.of(raw), new Result(table, Result.Part.FIRST_ROW)));
  }
}
