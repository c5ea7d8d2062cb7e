// SPDX-License-Identifier: Apache-2.0
package io.fusewire.data;

import io.fusewire.io.FileFormatException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Images and labels of a pair of IDX files, held in memory. */
public final class IdxDataset implements Dataset {
  private final int height;
  private final int width;
  private final int channels;
  private final byte[] pixels;
  private final byte[] labels;
  private final List<String> classNames;

  private IdxDataset(
      int height, int width, int channels, byte[] pixels, byte[] labels, List<String> classNames) {
    this.height = height;
    this.width = width;
    this.channels = channels;
    this.pixels = pixels;
    this.labels = labels;
    this.classNames = List.copyOf(classNames);
  }

  /**
   * Reads a pair of files.
   *
   * @param images (images, height, width) or (images, height, width, channels)
   * @param labels (images)
   * @param classNames names of the classes; empty: the numbers from 0 to the highest label
   * @return the data set
   * @throws FileFormatException if a file is damaged or the two do not belong together
   * @throws IOException if one cannot be read
   */
  public static IdxDataset read(Path images, Path labels, List<String> classNames)
      throws IOException {
    IdxFile imageFile = IdxFile.read(images);
    IdxFile labelFile = IdxFile.read(labels);
    int[] shape = imageFile.shape();
    int channels = shape.length == 4 ? shape[3] : 1;
    if (shape.length < 3 || (channels != 1 && channels != 3)) {
      throw new FileFormatException(
          images,
          "holds %s, where (images, height, width) or (images, height, width, 1 or 3) is needed"
              .formatted(Arrays.toString(shape)));
    }
    if (labelFile.shape().length != 1 || labelFile.count() != imageFile.count()) {
      throw new FileFormatException(
          labels,
          "holds labels of shape %s for %d images"
              .formatted(Arrays.toString(labelFile.shape()), imageFile.count()));
    }
    if (imageFile.data().length == 0) {
      throw new FileFormatException(images, "holds no image");
    }
    int highest = 0;
    for (byte label : labelFile.data()) {
      highest = Math.max(highest, label & 0xFF);
    }
    List<String> names = new ArrayList<>(classNames);
    if (names.isEmpty()) {
      for (int i = 0; i <= highest; i++) {
        names.add(Integer.toString(i));
      }
    } else if (highest >= names.size()) {
      throw new FileFormatException(
          labels, "has label %d, but there are only %d classes".formatted(highest, names.size()));
    }
    return new IdxDataset(shape[1], shape[2], channels, imageFile.data(), labelFile.data(), names);
  }

  /**
   * Finds a file of MNIST's naming, plain or gzipped.
   *
   * @param directory where
   * @param name such as {@code train-images-idx3-ubyte}
   * @return the file, or null if there is none
   */
  static Path find(Path directory, String name) {
    for (String candidate :
        List.of(
            name,
            name + ".gz",
            name.replace("-idx", ".idx"),
            name.replace("-idx", ".idx") + ".gz")) {
      Path file = directory.resolve(candidate);
      if (Files.isRegularFile(file)) {
        return file;
      }
    }
    return null;
  }

  @Override
  public int size() {
    return labels.length;
  }

  @Override
  public int height() {
    return height;
  }

  @Override
  public int width() {
    return width;
  }

  @Override
  public int channels() {
    return channels;
  }

  @Override
  public List<String> classNames() {
    return classNames;
  }

  @Override
  public int label(int index) {
    return labels[index] & 0xFF;
  }

  @Override
  public boolean read(int index, long random, byte[] target, int offset) {
    int bytes = height * width * channels;
    System.arraycopy(pixels, index * bytes, target, offset, bytes);
    return true;
  }
}
