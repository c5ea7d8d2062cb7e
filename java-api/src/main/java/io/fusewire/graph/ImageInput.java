// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.model.Preprocessing;
import io.fusewire.ops.DType;
import io.fusewire.ops.ImageBatch;
import java.util.List;

/**
 * How uint8 images come into a network.
 *
 * @param preprocessing size and normalisation
 * @param jitter how many pixels the window may lie beside its centre in training; negative for no
 *     random crop
 * @param flip whether to mirror at random
 */
public record ImageInput(Preprocessing preprocessing, int jitter, boolean flip) {

  /**
   * Images as evaluation sees them, without anything random.
   *
   * @param preprocessing size and normalisation
   * @return the input
   */
  public static ImageInput plain(Preprocessing preprocessing) {
    return new ImageInput(preprocessing, -1, false);
  }

  /** The value that receives a batch of images. */
  Value value(long batch) {
    return new Value(
        "images",
        DType.U8,
        batch,
        preprocessing.height(),
        preprocessing.width(),
        preprocessing.mean().size());
  }

  /** The operation that makes a network's input of it. */
  ImageBatch operation(long batch, int resolution, DType dtype, int layer) {
    int channels = preprocessing.mean().size();
    float[] mean = new float[channels];
    float[] std = new float[channels];
    for (int c = 0; c < channels; c++) {
      mean[c] = preprocessing.mean().get(c);
      std[c] = preprocessing.std().get(c);
    }
    ImageBatch.Builder builder =
        ImageBatch.builder(batch, preprocessing.height(), preprocessing.width(), channels)
            .dtype(dtype)
            .crop(preprocessing.window(), preprocessing.window())
            .size(resolution, resolution)
            .layer(layer)
            .normalise(mean, std);
    if (jitter >= 0) {
      // The corner is drawn from [-padding, in-crop+padding], which is to be the centred one give
      // or take the jitter.
      int margin =
          (preprocessing.window() - Math.min(preprocessing.height(), preprocessing.width()) + 1)
              / 2;
      builder.randomCrop(Math.max(0, margin + jitter));
    }
    if (flip) {
      builder.randomFlip();
    }
    return builder.build();
  }

  /** The step that does it in training. */
  Step step(Context context, Value images, Value input, int layer) {
    ImageBatch operation =
        operation(context.batch(), context.net().resolution(), context.dtype(), layer);
    return new Step(
        "images",
        List.of(images),
        List.of(input),
        0,
        m -> {
          var x = m.of(images);
          var y = m.of(input);
          var step = random() ? context.state().step() : null;
          return () -> operation.forward(context.stream(), step, x, y);
        });
  }

  /** Whether anything is drawn at random. */
  boolean random() {
    return jitter >= 0 || flip;
  }
}
