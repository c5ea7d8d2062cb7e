// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import io.fusewire.data.IdxFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.SplittableRandom;

/** A small set of grey images that is easy to learn: stripes one way, the other way, both, none. */
final class Stripes {
  static final int SIDE = 16;
  static final int CLASSES = 4;

  private Stripes() {}

  /** Writes four IDX files. */
  static void write(Path directory, int train, int test) throws IOException {
    write(directory, "train", train, 1);
    write(directory, "t10k", test, 2);
  }

  private static void write(Path directory, String name, int count, long seed) throws IOException {
    SplittableRandom random = new SplittableRandom(seed);
    byte[] images = new byte[count * SIDE * SIDE];
    byte[] labels = new byte[count];
    for (int n = 0; n < count; n++) {
      labels[n] = (byte) (n % CLASSES);
      for (int y = 0; y < SIDE; y++) {
        for (int x = 0; x < SIDE; x++) {
          boolean light =
              (labels[n] % 2 == 1 && y / 2 % 2 == 0) || (labels[n] >= 2 && x / 2 % 2 == 0);
          images[(n * SIDE + y) * SIDE + x] = (byte) ((light ? 150 : 40) + random.nextInt(60));
        }
      }
    }
    new IdxFile(new int[] {count, SIDE, SIDE}, images)
        .write(directory.resolve(name + "-images-idx3-ubyte"));
    new IdxFile(new int[] {count}, labels).write(directory.resolve(name + "-labels-idx1-ubyte"));
  }
}
