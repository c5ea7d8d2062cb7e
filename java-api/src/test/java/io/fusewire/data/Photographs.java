// SPDX-License-Identifier: Apache-2.0
package io.fusewire.data;

import io.fusewire.model.Interpolation;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The photographs of the tests, and what Pillow and torchvision make of them. */
public final class Photographs {
  private Photographs() {}

  /**
   * A photograph, resampled and centre-cropped.
   *
   * @param file the photograph
   * @param resolution side of the crop, in pixels
   * @param fraction share of the shorter side that the crop takes
   * @param interpolation the filter
   * @param expected torchvision's result, uint8 in (height, width, channel)
   */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  public record Case(
      Path file, int resolution, double fraction, Interpolation interpolation, byte[] expected) {
    @Override
    public String toString() {
      return "%s to %d of %s, %s"
          .formatted(file.getFileName(), resolution, fraction, interpolation);
    }
  }

  /**
   * All of them: shrunk a lot, shrunk a little, enlarged; wide and tall.
   *
   * @return each with both filters
   * @throws IOException if a file cannot be read
   */
  public static List<Case> cases() throws IOException {
    List<Case> cases = new ArrayList<>();
    for (Interpolation filter : Interpolation.values()) {
      cases.add(read("raccoon.jpg", 64, 0.875, filter));
      cases.add(read("raccoon.jpg", 57, 1.0, filter));
      cases.add(read("cat.png", 72, 0.934, filter));
      cases.add(read("coffee.png", 80, 0.882, filter));
    }
    return cases;
  }

  private static Case read(String photograph, int resolution, double fraction, Interpolation filter)
      throws IOException {
    String stem = photograph.substring(0, photograph.indexOf('.'));
    Path golden = file("%s-%d-%s-%s.png".formatted(stem, resolution, fraction, filter));
    return new Case(
        file(photograph), resolution, fraction, filter, bytes(ImageDecoder.decode(golden)));
  }

  static Path file(String name) {
    try {
      return Path.of(Photographs.class.getResource("photographs/" + name).toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  static byte[] bytes(BufferedImage image) {
    byte[] bytes = new byte[image.getWidth() * image.getHeight() * 3];
    ImageDecoder.copyPixels(image, 3, bytes, 0);
    return bytes;
  }
}
