// SPDX-License-Identifier: Apache-2.0
package io.fusewire.data;

import io.fusewire.data.ImageDecoder.Window;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;

/**
 * Images of a folder with one folder per class (Imagenette's layout), decoded when asked for. For
 * training an image gives a random window of 35 to 100 % of its area (arXiv 1409.4842); for
 * evaluation the middle 7/8 of its shorter side.
 */
public final class ImageFolder implements Dataset {
  private static final double SMALLEST_AREA = 0.35;
  private static final double WIDEST_RATIO = 4.0 / 3;
  private static final double CENTRE_SHARE = 0.875;
  private static final int TRIES = 10;

  private final List<Path> files;
  private final int[] labels;
  private final List<String> classNames;
  private final int resolution;
  private final int channels;
  private final boolean training;
  private final SkippedFiles skipped;

  private ImageFolder(
      List<Path> files,
      int[] labels,
      List<String> classNames,
      int resolution,
      int channels,
      boolean training,
      SkippedFiles skipped) {
    this.files = files;
    this.labels = labels;
    this.classNames = List.copyOf(classNames);
    this.resolution = resolution;
    this.channels = channels;
    this.training = training;
    this.skipped = skipped;
  }

  /**
   * Lists a folder. Empty files and files that start like neither JPEG nor PNG are left out and
   * reported.
   *
   * @param directory has one folder per class
   * @param classNames the classes in order; empty: the folders' names, sorted
   * @param resolution height and width of the images delivered
   * @param channels 1 or 3
   * @param training whether to draw random windows
   * @param skipped is told which files are left out
   * @return the data set
   * @throws IOException if the folder cannot be read, has an unknown class or no usable image
   */
  public static ImageFolder open(
      Path directory,
      List<String> classNames,
      int resolution,
      int channels,
      boolean training,
      SkippedFiles skipped)
      throws IOException {
    if (!Files.isDirectory(directory)) {
      throw new IOException(directory + " is not a folder");
    }
    List<String> found = new ArrayList<>();
    try (Stream<Path> entries = Files.list(directory)) {
      entries
          .filter(Files::isDirectory)
          .map(p -> p.getFileName().toString())
          .filter(n -> !n.startsWith("."))
          .sorted()
          .forEach(found::add);
    }
    if (found.isEmpty()) {
      throw new IOException(directory + " has no folders; one per class is needed");
    }
    List<String> names = classNames.isEmpty() ? found : classNames;
    List<Path> files = new ArrayList<>();
    List<Integer> labels = new ArrayList<>();
    for (String name : found) {
      int label = names.indexOf(name);
      if (label < 0) {
        throw new IOException(
            "%s has the class '%s', which is none of %s".formatted(directory, name, names));
      }
      for (Path file : imagesOf(directory.resolve(name), skipped)) {
        files.add(file);
        labels.add(label);
      }
    }
    if (files.isEmpty()) {
      throw new IOException(
          "%s has no usable image (%d files left out)".formatted(directory, skipped.count()));
    }
    int[] labelArray = labels.stream().mapToInt(Integer::intValue).toArray();
    return new ImageFolder(files, labelArray, names, resolution, channels, training, skipped);
  }

  private static List<Path> imagesOf(Path directory, SkippedFiles skipped) throws IOException {
    List<Path> all;
    try (Stream<Path> entries = Files.list(directory)) {
      all =
          entries
              .filter(p -> !Files.isDirectory(p) && !p.getFileName().toString().startsWith("."))
              .sorted()
              .toList();
    }
    List<Path> usable = new ArrayList<>(all.size());
    for (Path file : all) {
      String problem;
      try {
        problem =
            ImageDecoder.hasImageName(file)
                ? ImageDecoder.firstLook(file)
                : "is not named .jpg, .jpeg or .png";
      } catch (IOException e) {
        problem = "cannot be read: " + e.getMessage();
      }
      if (problem == null) {
        usable.add(file);
      } else {
        skipped.add(file, problem);
      }
    }
    return usable;
  }

  /**
   * File of an image.
   *
   * @param index the image, from 0
   * @return its path
   */
  public Path file(int index) {
    return files.get(index);
  }

  @Override
  public int size() {
    return files.size();
  }

  @Override
  public int height() {
    return resolution;
  }

  @Override
  public int width() {
    return resolution;
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
    return labels[index];
  }

  @Override
  public boolean read(int index, long random, byte[] target, int offset) {
    Path file = files.get(index);
    try {
      BufferedImage image = ImageDecoder.decode(file);
      Window window = training ? randomWindow(image, random) : centre(image);
      ImageDecoder.copyPixels(
          ImageDecoder.resample(image, window, resolution, resolution), channels, target, offset);
      return true;
    } catch (IOException e) {
      String message = String.valueOf(e.getMessage());
      String prefix = file + ": ";
      skipped.add(file, message.startsWith(prefix) ? message.substring(prefix.length()) : message);
      return false;
    }
  }

  /**
   * Decodes one file for a prediction.
   *
   * @param file JPEG or PNG
   * @param height height of the result
   * @param width width of the result
   * @param channels 1 or 3
   * @param wholeImage whether to resample the whole image, or the middle 7/8 of its shorter side as
   *     evaluation does
   * @return (height, width, channels) as uint8
   * @throws IOException if it is not a whole image
   */
  public static byte[] readForPrediction(
      Path file, int height, int width, int channels, boolean wholeImage) throws IOException {
    BufferedImage image = ImageDecoder.decode(file);
    Window window =
        wholeImage ? new Window(0, 0, image.getWidth(), image.getHeight()) : centre(image);
    byte[] pixels = new byte[height * width * channels];
    ImageDecoder.copyPixels(
        ImageDecoder.resample(image, window, height, width), channels, pixels, 0);
    return pixels;
  }

  private static Window centre(BufferedImage image) {
    int side =
        Math.max(1, (int) Math.round(CENTRE_SHARE * Math.min(image.getWidth(), image.getHeight())));
    return new Window((image.getWidth() - side) / 2, (image.getHeight() - side) / 2, side, side);
  }

  private static Window randomWindow(BufferedImage image, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    double area = (double) image.getWidth() * image.getHeight();
    double logRatio = StrictMath.log(WIDEST_RATIO);
    for (int i = 0; i < TRIES; i++) {
      double size = area * (SMALLEST_AREA + (1 - SMALLEST_AREA) * random.nextDouble());
      double ratio = StrictMath.exp((2 * random.nextDouble() - 1) * logRatio);
      int width = (int) Math.round(Math.sqrt(size * ratio));
      int height = (int) Math.round(Math.sqrt(size / ratio));
      if (width >= 1 && height >= 1 && width <= image.getWidth() && height <= image.getHeight()) {
        return new Window(
            random.nextInt(image.getWidth() - width + 1),
            random.nextInt(image.getHeight() - height + 1),
            width,
            height);
      }
    }
    return centre(image);
  }

  @Override
  public String toString() {
    return "%d images in %d classes"
        .formatted(files.size(), Arrays.stream(labels).distinct().count());
  }
}
