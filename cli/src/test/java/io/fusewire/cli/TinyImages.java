// SPDX-License-Identifier: Apache-2.0
package io.fusewire.cli;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Random;
import java.util.TreeSet;
import javax.imageio.ImageIO;

/**
 * Writes a data set that can be learned in seconds: red and blue images in Imagenette's folders.
 */
final class TinyImages {
  static final int SIDE = 32;

  private static final int TRAIN_PER_CLASS = 12;
  private static final int VAL_PER_CLASS = 4;

  private TinyImages() {}

  static Path write(Path folder) throws IOException {
    return write(folder, Map.of("red", 0xc02020, "blue", 0x2020c0));
  }

  /** The same with classes of one's own: colours by name. */
  static Path write(Path folder, Map<String, Integer> classes) throws IOException {
    Random random = new Random(5);
    for (String kind : new String[] {"train", "val"}) {
      int count = kind.equals("train") ? TRAIN_PER_CLASS : VAL_PER_CLASS;
      for (String name : new TreeSet<>(classes.keySet())) {
        for (int i = 0; i < count; i++) {
          Path file = folder.resolve(kind + "/" + name + "/" + i + ".png");
          image(file, classes.get(name), random);
        }
      }
    }
    return folder;
  }

  private static void image(Path file, int colour, Random random) throws IOException {
    BufferedImage image = new BufferedImage(SIDE, SIDE, BufferedImage.TYPE_INT_RGB);
    for (int y = 0; y < SIDE; y++) {
      for (int x = 0; x < SIDE; x++) {
        image.setRGB(x, y, colour + random.nextInt(0x20) * 0x10101);
      }
    }
    Files.createDirectories(file.getParent());
    if (!ImageIO.write(image, "png", file.toFile())) {
      throw new IOException("no PNG writer");
    }
  }
}
