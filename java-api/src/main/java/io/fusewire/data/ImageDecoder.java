// SPDX-License-Identifier: Apache-2.0
package io.fusewire.data;

import io.fusewire.io.FileFormatException;
import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.awt.image.DataBufferInt;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicReference;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.stream.ImageInputStream;

/**
 * Decodes JPEG and PNG files to uint8, through javax.imageio and whatever readers are plugged into
 * it. What is truncated or damaged is refused, also where a reader would fill in grey and carry on.
 */
final class ImageDecoder {
  private static final long MAX_PIXELS = 200_000_000;
  private static final long MAX_FILE_BYTES = 500_000_000;

  static {
    // No temporary files for streams: images fit in memory.
    ImageIO.setUseCache(false);
  }

  private ImageDecoder() {}

  /** Whether a file's name says that it may be an image. */
  static boolean hasImageName(Path file) {
    String name = file.getFileName().toString().toLowerCase(Locale.ROOT);
    return name.endsWith(".jpg") || name.endsWith(".jpeg") || name.endsWith(".png");
  }

  /**
   * What is wrong with a file, judging from its size and first bytes alone; null if nothing is.
   *
   * @throws IOException if it cannot be read
   */
  static String firstLook(Path file) throws IOException {
    byte[] start;
    try (var in = Files.newInputStream(file)) {
      start = in.readNBytes(8);
    }
    if (start.length == 0) {
      return "is empty";
    }
    boolean jpeg =
        start.length >= 3 && start[0] == (byte) 0xFF && start[1] == (byte) 0xD8 && start[2] == -1;
    boolean png =
        start.length >= 4
            && start[0] == (byte) 0x89
            && start[1] == 'P'
            && start[2] == 'N'
            && start[3] == 'G';
    return jpeg || png ? null : "is neither JPEG nor PNG";
  }

  /**
   * Decodes a file.
   *
   * @param file JPEG or PNG
   * @return the image, of type {@link BufferedImage#TYPE_INT_RGB}, transparency on black
   * @throws FileFormatException if it is not a whole image
   * @throws IOException if it cannot be read
   */
  static BufferedImage decode(Path file) throws IOException {
    if (Files.isDirectory(file)) {
      throw new FileFormatException(file, "is a folder, not an image");
    }
    if (Files.size(file) > MAX_FILE_BYTES) {
      throw new FileFormatException(file, "is larger than " + MAX_FILE_BYTES + " bytes");
    }
    String problem = firstLook(file);
    if (problem != null) {
      throw new FileFormatException(file, problem);
    }
    byte[] bytes = Files.readAllBytes(file);
    AtomicReference<String> warning = new AtomicReference<>();
    try (ImageInputStream in = ImageIO.createImageInputStream(new ByteArrayInputStream(bytes))) {
      Iterator<ImageReader> readers = ImageIO.getImageReaders(in);
      if (!readers.hasNext()) {
        throw new FileFormatException(file, "is of no kind that can be decoded");
      }
      ImageReader reader = readers.next();
      try {
        reader.setInput(in, true, true);
        long pixels = (long) reader.getWidth(0) * reader.getHeight(0);
        if (pixels > MAX_PIXELS) {
          throw new FileFormatException(file, "has " + pixels + " pixels, too many to decode");
        }
        reader.addIIOReadWarningListener((source, text) -> warning.compareAndSet(null, text));
        BufferedImage image = reader.read(0);
        String text = warning.get();
        if (text != null && isFatal(text)) {
          throw new FileFormatException(file, "is truncated or damaged: " + text);
        }
        return toRgb(image);
      } finally {
        reader.dispose();
      }
    } catch (FileFormatException e) {
      throw e;
    } catch (IOException | RuntimeException e) {
      // Readers throw all manner of runtime exceptions at damaged files.
      throw new FileFormatException(
          file,
          "cannot be decoded: " + String.valueOf(e.getMessage()).lines().findFirst().orElse(""),
          e);
    }
  }

  private static boolean isFatal(String warning) {
    String text = warning.toLowerCase(Locale.ROOT);
    return text.contains("premature") || text.contains("truncated") || text.contains("corrupt");
  }

  private static BufferedImage toRgb(BufferedImage image) {
    if (image.getType() == BufferedImage.TYPE_INT_RGB) {
      return image;
    }
    BufferedImage rgb =
        new BufferedImage(image.getWidth(), image.getHeight(), BufferedImage.TYPE_INT_RGB);
    Graphics2D graphics = rgb.createGraphics();
    graphics.drawImage(image, 0, 0, Color.BLACK, null);
    graphics.dispose();
    return rgb;
  }

  /** A rectangle of pixels. */
  record Window(int x, int y, int width, int height) {}

  /**
   * Copies an image's pixels as bytes: 3 channels red, green, blue, or 1 channel luma (ITU-R
   * BT.601).
   */
  static void copyPixels(BufferedImage image, int channels, byte[] target, int offset) {
    int width = image.getWidth();
    int height = image.getHeight();
    int[] pixels =
        image.getRaster().getDataBuffer() instanceof DataBufferInt buffer
                && buffer.getData().length == width * height
            ? buffer.getData()
            : image.getRGB(0, 0, width, height, null, 0, width);
    int at = offset;
    for (int i = 0; i < width * height; i++) {
      int red = pixels[i] >> 16 & 0xFF;
      int green = pixels[i] >> 8 & 0xFF;
      int blue = pixels[i] & 0xFF;
      if (channels == 1) {
        target[at++] = (byte) ((299 * red + 587 * green + 114 * blue + 500) / 1000);
      } else {
        target[at++] = (byte) red;
        target[at++] = (byte) green;
        target[at++] = (byte) blue;
      }
    }
  }
}
