// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import io.fusewire.ops.DType;
import io.fusewire.ops.Device;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** Tells what images show, with a network from {@code model.safetensors}. For use by one thread. */
public final class Predictor implements AutoCloseable {
  private final ModelFile model;

  private Predictor(ModelFile model) {
    this.model = model;
  }

  /**
   * Loads a model and prepares its weights on a device.
   *
   * @param model a {@code model.safetensors}
   * @param device where to run
   * @param dtype storage type of activations
   * @param batch most images run at a time
   * @return a predictor, to be closed
   * @throws IOException if the file cannot be read or is not such a model
   */
  public static Predictor open(Path model, Device device, DType dtype, int batch)
      throws IOException {
    return new Predictor(ModelFile.read(model));
  }

  /**
   * The model.
   *
   * @return architecture, class names and preprocessing
   */
  public ModelFile model() {
    return model;
  }

  /**
   * Tells what images show.
   *
   * @param images JPEG or PNG files
   * @param top how many classes to give for each, at most; the likeliest first
   * @return one list per image
   * @throws IOException if an image cannot be decoded
   */
  public List<List<Prediction>> predict(List<Path> images, int top) throws IOException {
    throw new UnsupportedOperationException();
  }

  @Override
  public void close() {}
}
