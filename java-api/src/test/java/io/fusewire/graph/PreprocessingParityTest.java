// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.data.ImageFolder;
import io.fusewire.data.Photographs;
import io.fusewire.model.Interpolation;
import io.fusewire.model.Preprocessing;
import io.fusewire.ops.DType;
import io.fusewire.ops.Device;
import io.fusewire.ops.Stream;
import io.fusewire.ops.Tensor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What a network sees of a photograph is what torchvision's transforms would show it. */
final class PreprocessingParityTest {
  private static final List<Float> MEAN = List.of(0.485f, 0.456f, 0.406f);
  private static final List<Float> STD = List.of(0.229f, 0.224f, 0.225f);

  static List<Photographs.Case> cases() throws IOException {
    return Photographs.cases();
  }

  @ParameterizedTest
  @MethodSource("cases")
  void pixelsAreWithinOneGreyLevel(Photographs.Case photograph) throws IOException {
    byte[] ours = ImageFolder.readForPrediction(photograph.file(), how(photograph));
    byte[] expected = photograph.expected();
    assertEquals(expected.length, ours.length);
    int worst = 0;
    for (int i = 0; i < ours.length; i++) {
      worst = Math.max(worst, Math.abs((ours[i] & 0xFF) - (expected[i] & 0xFF)));
    }
    // Of a PNG's pixels not one differs; JPEG decoders may.
    boolean lossless = photograph.file().toString().endsWith(".png");
    assertTrue(worst <= (lossless ? 0 : 1), "off by " + worst + " levels");
  }

  @ParameterizedTest
  @MethodSource("cases")
  void normalisedValuesAreWithinOneGreyLevel(Photographs.Case photograph) throws IOException {
    int side = photograph.resolution();
    byte[] pixels = ImageFolder.readForPrediction(photograph.file(), how(photograph));
    try (Stream stream = Stream.open(Device.cpu());
        Tensor images = Tensor.allocate(Device.cpu(), DType.U8, 1, side, side, 3);
        Tensor input = Tensor.allocate(Device.cpu(), DType.F32, 1, side, side, 3)) {
      images.copyFrom(stream, ByteBuffer.allocateDirect(pixels.length).put(pixels).flip());
      ImageInput.plain(how(photograph))
          .operation(1, side, DType.F32, 0)
          .forward(stream, null, images, input);
      float[] values = input.toFloats(stream);
      byte[] expected = photograph.expected();
      for (int i = 0; i < values.length; i++) {
        double reference = ((expected[i] & 0xFF) / 255.0 - MEAN.get(i % 3)) / STD.get(i % 3);
        double level = 1 / 255.0 / STD.get(i % 3);
        assertEquals(reference, values[i], level * 1.001, "value " + i);
      }
    }
  }

  private static Preprocessing how(Photographs.Case photograph) {
    return Preprocessing.ofPhotographs(
        photograph.resolution(), photograph.interpolation(), photograph.fraction(), MEAN, STD);
  }

  /** timm's and torchvision's own sizes. */
  @ParameterizedTest
  @MethodSource("sides")
  void theShorterSideIsTimms(Side side) {
    Preprocessing how =
        Preprocessing.ofPhotographs(
            side.resolution, Interpolation.BICUBIC, side.fraction, MEAN, STD);
    assertEquals(side.expected, how.shorterSide());
  }

  private record Side(int resolution, double fraction, int expected) {}

  static List<Side> sides() {
    return List.of(
        new Side(224, 0.875, 256),
        new Side(240, 0.882, 272),
        new Side(260, 0.890, 292),
        new Side(300, 0.904, 331),
        new Side(380, 0.922, 412),
        new Side(456, 0.934, 488),
        new Side(528, 0.942, 560),
        new Side(600, 0.949, 632),
        new Side(672, 0.954, 704),
        new Side(240, 240.0 / 255, 255),
        new Side(288, 1.0, 288));
  }
}
