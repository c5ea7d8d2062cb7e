// SPDX-License-Identifier: Apache-2.0
package io.fusewire.data;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;

/**
 * A training set and an evaluation set of the same classes.
 *
 * @param name what they are called
 * @param train the training set
 * @param evaluation the evaluation set
 * @param skipped files that could not be used
 * @param tight whether images fill their frame, as MNIST's do, so that a prediction uses the whole
 *     image
 */
public record Split(
    String name, Dataset train, Dataset evaluation, SkippedFiles skipped, boolean tight) {
  /** Name that stands for Fashion-MNIST. */
  public static final String FASHION_MNIST = "fashion-mnist";

  /**
   * Whether data are images of a fixed small size rather than a folder of pictures.
   *
   * @param data a name or path as {@link #open} takes
   * @return true for Fashion-MNIST and folders of IDX files
   */
  public static boolean isIdx(String data) {
    return data.equals(FASHION_MNIST) || IdxDataset.find(Path.of(data), TRAIN_IMAGES) != null;
  }

  /** System property with the folder of Fashion-MNIST's files, where a bundle has them. */
  private static final String BUNDLED_DATA = "fusewire.data";

  private static final String TRAIN_IMAGES = "train-images-idx3-ubyte";

  /**
   * Opens data by name or path.
   *
   * @param data {@code fashion-mnist}; a folder with {@code train/<class>/*} and {@code
   *     val/<class>/*} (or {@code test}); or a folder with IDX files of MNIST's names
   * @param framing how pictures of a folder become squares
   * @param messages receives lines on what is fetched and left out
   * @return both sets
   * @throws IOException if there is no usable data; the message says what was looked for
   */
  public static Split open(String data, Framing framing, Consumer<String> messages)
      throws IOException {
    SkippedFiles skipped = new SkippedFiles(messages);
    if (data.equals(FASHION_MNIST)) {
      String bundled = System.getProperty(BUNDLED_DATA);
      if (bundled != null) {
        return openIdx("Fashion-MNIST", Path.of(bundled), FashionMnist.CLASSES, skipped);
      }
      Path directory = FashionMnist.ensure(FashionMnist.cacheDirectory(), messages);
      return openIdx("Fashion-MNIST", directory, FashionMnist.CLASSES, skipped);
    }
    Path directory = Path.of(data);
    if (!Files.isDirectory(directory)) {
      throw new IOException(
          "there is no folder '%s' (data is %s, an image folder or a folder of IDX files)"
              .formatted(data, FASHION_MNIST));
    }
    String name = directory.toAbsolutePath().normalize().getFileName().toString();
    if (isIdx(data)) {
      return openIdx(name, directory, List.of(), skipped);
    }
    Path train = directory.resolve("train");
    if (!Files.isDirectory(train)) {
      throw new IOException(
          "%s has neither a folder 'train' nor the file %s[.gz]".formatted(data, TRAIN_IMAGES));
    }
    Path evaluation = null;
    for (String candidate : List.of("val", "valid", "validation", "test")) {
      if (evaluation == null && Files.isDirectory(directory.resolve(candidate))) {
        evaluation = directory.resolve(candidate);
      }
    }
    if (evaluation == null) {
      throw new IOException(data + " has no folder 'val' (or 'test') beside 'train'");
    }
    ImageFolder trainSet = ImageFolder.open(train, List.of(), framing, 3, true, skipped);
    return new Split(
        name,
        trainSet,
        ImageFolder.open(evaluation, trainSet.classNames(), framing, 3, false, skipped),
        skipped,
        false);
  }

  private static Split openIdx(
      String name, Path directory, List<String> classes, SkippedFiles skipped) throws IOException {
    IdxDataset train =
        IdxDataset.read(
            required(directory, TRAIN_IMAGES),
            required(directory, "train-labels-idx1-ubyte"),
            classes);
    IdxDataset test =
        IdxDataset.read(
            required(directory, "t10k-images-idx3-ubyte"),
            required(directory, "t10k-labels-idx1-ubyte"),
            train.classNames());
    if (train.height() != test.height()
        || train.width() != test.width()
        || train.channels() != test.channels()) {
      throw new IOException(
          "%s: training images are %dx%dx%d, test images %dx%dx%d"
              .formatted(
                  directory,
                  train.height(),
                  train.width(),
                  train.channels(),
                  test.height(),
                  test.width(),
                  test.channels()));
    }
    return new Split(name, train, test, skipped, true);
  }

  private static Path required(Path directory, String name) throws IOException {
    Path file = IdxDataset.find(directory, name);
    if (file == null) {
      throw new IOException("%s lacks the file %s[.gz]".formatted(directory, name));
    }
    return file;
  }
}
