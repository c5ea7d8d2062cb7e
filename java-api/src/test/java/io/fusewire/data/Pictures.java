// SPDX-License-Identifier: Apache-2.0
package io.fusewire.data;

import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.SplittableRandom;
import javax.imageio.ImageIO;

/** Makes small picture files for tests. */
public final class Pictures {
  private Pictures() {}

  /**
   * Writes a picture of one colour with a little noise.
   *
   * @param file where
   * @param format such as {@code png}
   * @param width pixels
   * @param height pixels
   * @param rgb the colour, 0xRRGGBB
   * @return the file
   * @throws IOException if it cannot be written
   */
  public static Path write(Path file, String format, int width, int height, int rgb)
      throws IOException {
    Files.createDirectories(file.getParent());
    BufferedImage image = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
    Graphics2D graphics = image.createGraphics();
    graphics.setColor(new Color(rgb));
    graphics.fillRect(0, 0, width, height);
    graphics.dispose();
    SplittableRandom random = new SplittableRandom(file.getFileName().hashCode());
    for (int i = 0; i < width * height / 8; i++) {
      int grey = random.nextInt(256);
      image.setRGB(random.nextInt(width), random.nextInt(height), grey << 16 | grey << 8 | grey);
    }
    if (!ImageIO.write(image, format, file.toFile())) {
      throw new IOException("no writer for " + format);
    }
    return file;
  }

  /**
   * Writes {@code train} and {@code val} with a red and a blue class.
   *
   * @param directory where
   * @param perClass pictures of each class
   * @throws IOException if they cannot be written
   */
  public static void folder(Path directory, int perClass) throws IOException {
    for (String split : new String[] {"train", "val"}) {
      for (int i = 0; i < perClass; i++) {
        Path at = directory.resolve(split);
        write(at.resolve("blue/" + i + ".png"), "png", 40 + i % 5, 36, 0x1428C8);
        write(at.resolve("red/" + i + ".JPEG"), "jpg", 36, 40 + i % 7, 0xC82814);
      }
    }
  }
}
