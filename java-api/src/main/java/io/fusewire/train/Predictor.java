// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import io.fusewire.data.ImageFolder;
import io.fusewire.graph.ExpansionPolicy;
import io.fusewire.graph.ImageInput;
import io.fusewire.graph.InferenceNetwork;
import io.fusewire.model.Preprocessing;
import io.fusewire.ops.DType;
import io.fusewire.ops.Device;
import io.fusewire.ops.Stream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/** Tells what images show, with a network from {@code model.safetensors}. For use by one thread. */
public final class Predictor implements AutoCloseable {
  private final ModelFile model;
  private final Stream stream;
  private final InferenceNetwork network;
  private final int batch;

  private Predictor(
      ModelFile model, Stream stream, DType dtype, int batch, ExpansionPolicy expansions) {
    this.model = model;
    this.stream = stream;
    this.batch = batch;
    network =
        InferenceNetwork.open(
            stream,
            model.network(),
            batch,
            dtype,
            ImageInput.plain(model.preprocessing()),
            null,
            expansions);
    network.load(model.weights());
  }

  /**
   * Loads a model and prepares its weights on a device, with {@link ExpansionPolicy#measured}: the
   * first predictor of its sizes on a machine takes a little longer.
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
    return open(model, device, dtype, batch, ExpansionPolicy.measured());
  }

  /**
   * Loads a model and prepares its weights on a device.
   *
   * @param model a {@code model.safetensors}
   * @param device where to run
   * @param dtype storage type of activations
   * @param batch most images run at a time
   * @param expansions which expanded tensors are stored; with {@link ExpansionPolicy#STORED} or
   *     {@link ExpansionPolicy#ON_CHIP} predictions have the same bits in every run
   * @return a predictor, to be closed
   * @throws IOException if the file cannot be read or is not such a model
   */
  public static Predictor open(
      Path model, Device device, DType dtype, int batch, ExpansionPolicy expansions)
      throws IOException {
    return open(ModelFile.read(model), device, dtype, false, batch, expansions);
  }

  /**
   * Prepares a model's weights on a device, with {@link ExpansionPolicy#measured}.
   *
   * @param model architecture, class names, preprocessing and weights
   * @param device where to run
   * @param dtype storage type of activations
   * @param batch most images run at a time
   * @return a predictor, to be closed
   */
  public static Predictor open(ModelFile model, Device device, DType dtype, int batch) {
    return open(model, device, dtype, false, batch);
  }

  /**
   * The same with TF32, if that is allowed.
   *
   * @param model architecture, class names, preprocessing and weights
   * @param device where to run
   * @param dtype storage type of activations
   * @param allowTf32 whether products of F32 may be TF32's, see {@link Stream#allowTf32(boolean)}
   * @param batch most images run at a time
   * @return a predictor, to be closed
   */
  public static Predictor open(
      ModelFile model, Device device, DType dtype, boolean allowTf32, int batch) {
    return open(model, device, dtype, allowTf32, batch, ExpansionPolicy.measured());
  }

  private static Predictor open(
      ModelFile model,
      Device device,
      DType dtype,
      boolean allowTf32,
      int batch,
      ExpansionPolicy expansions) {
    Stream stream = Stream.open(device);
    try {
      stream.allowTf32(allowTf32);
      return new Predictor(model, stream, dtype, batch, expansions);
    } catch (RuntimeException e) {
      stream.close();
      throw e;
    }
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
    if (top < 1) {
      throw new IllegalArgumentException("at least the 1 likeliest class is given, not " + top);
    }
    Preprocessing how = model.preprocessing();
    List<byte[]> pixels = new ArrayList<>();
    for (Path image : images) {
      pixels.add(ImageFolder.readForPrediction(image, how));
    }
    return predictPixels(pixels, top);
  }

  /**
   * Tells what images show that are in memory already.
   *
   * @param images uint8 in (height, width, channels) of the model's {@link Preprocessing}
   * @param top how many classes to give for each, at most; the likeliest first
   * @return one list per image
   */
  public List<List<Prediction>> predictPixels(List<byte[]> images, int top) {
    Preprocessing how = model.preprocessing();
    int bytes = how.height() * how.width() * how.mean().size();
    int classes = model.network().classes();
    ByteBuffer buffer = ByteBuffer.allocateDirect(batch * bytes);
    List<List<Prediction>> result = new ArrayList<>();
    for (int from = 0; from < images.size(); from += batch) {
      int count = Math.min(batch, images.size() - from);
      for (int i = 0; i < count; i++) {
        byte[] image = images.get(from + i);
        if (image.length != bytes) {
          throw new IllegalArgumentException(
              "image %d has %d bytes; %dx%dx%d need %d"
                  .formatted(
                      from + i, image.length, how.height(), how.width(), how.mean().size(), bytes));
        }
        buffer.put(i * bytes, image);
      }
      network.images().copyFrom(stream, buffer);
      network.run();
      float[] probabilities = network.probabilities().toFloats(stream);
      for (int i = 0; i < count; i++) {
        result.add(best(probabilities, i * classes, classes, top));
      }
    }
    return result;
  }

  private List<Prediction> best(float[] probabilities, int from, int classes, int top) {
    return IntStream.range(0, classes)
        .boxed()
        .sorted(Comparator.comparingDouble((Integer c) -> -probabilities[from + c]))
        .limit(top)
        .map(c -> new Prediction(c, model.classNames().get(c), probabilities[from + c]))
        .toList();
  }

  @Override
  public void close() {
    network.close();
    stream.close();
  }
}
