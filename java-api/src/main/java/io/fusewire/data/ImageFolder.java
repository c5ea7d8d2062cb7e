// SPDX-License-Identifier: Apache-2.0
package io.fusewire.data;

import io.fusewire.data.ImageDecoder.Window;
import io.fusewire.model.Preprocessing;
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
 * evaluation the middle of the whole, as torchvision's Resize and CenterCrop have it.
 */
public final class ImageFolder implements Dataset {
  private static final double SMALLEST_AREA = 0.35;
  private static final double WIDEST_RATIO = 4.0 / 3;
  private static final int TRIES = 10;

  private final List<Path> files;
  private final int[] labels;
  private final List<String> classNames;
  private final Framing framing;
  private final int channels;
  private final boolean training;
  private final SkippedFiles skipped;

  private ImageFolder(
      List<Path> files,
      int[] labels,
      List<String> classNames,
      Framing framing,
      int channels,
      boolean training,
      SkippedFiles skipped) {
    this.files = files;
    this.labels = labels;
    this.classNames = List.copyOf(classNames);
    this.framing = framing;
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
   * @param framing size of the images delivered and how they are made
   * @param channels 1 or 3
   * @param training whether to draw random windows
   * @param skipped is told which files are left out
   * @return the data set
   * @throws IOException if the folder cannot be read, has an unknown class or no usable image
   */
  public static ImageFolder open(
      Path directory,
      List<String> classNames,
      Framing framing,
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
    return new ImageFolder(files, labelArray, names, framing, channels, training, skipped);
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
    return framing.resolution();
  }

  @Override
  public int width() {
    return framing.resolution();
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
      BufferedImage framed =
          training ? framing.fill(image, randomWindow(image, random)) : framing.centre(image);
      ImageDecoder.copyPixels(framed, channels, target, offset);
      return true;
    } catch (IOException e) {
      String message = String.valueOf(e.getMessage());
      String prefix = file + ": ";
      skipped.add(file, message.startsWith(prefix) ? message.substring(prefix.length()) : message);
      return false;
    }
  }

  /**
   * Decodes one file for a prediction, as evaluation does.
   *
   * @param file JPEG or PNG
   * @param how size, filter and crop; 1 or 3 channels
   * @return (height, width, channels) as uint8
   * @throws IOException if it is not a whole image
   */
  public static byte[] readForPrediction(Path file, Preprocessing how) throws IOException {
    BufferedImage image = ImageDecoder.decode(file);
    BufferedImage framed =
        how.wholeImage()
            ? Resampler.resample(
                image,
                Framing.whole(image),
                Resampler.Part.whole(how.width(), how.height()),
                how.interpolation())
            : new Framing(how.height(), how.shorterSide(), how.interpolation()).centre(image);
    int channels = how.mean().size();
    byte[] pixels = new byte[how.height() * how.width() * channels];
    ImageDecoder.copyPixels(framed, channels, pixels, 0);
    return pixels;
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
    int side = Math.min(image.getWidth(), image.getHeight());
    return new Window((image.getWidth() - side) / 2, (image.getHeight() - side) / 2, side, side);
  }

  @Override
  public String toString() {
    return "%d images in %d classes"
        .formatted(files.size(), Arrays.stream(labels).distinct().count());
  }
}
