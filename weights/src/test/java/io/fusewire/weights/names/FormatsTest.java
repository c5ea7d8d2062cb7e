// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fusewire.io.SafeTensorsWriter;
import io.fusewire.io.TensorInfo;
import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.zip.Deflater;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Whole networks under every library's names from real files of several formats, opened as a user
 * opens them: the same weights, bit for bit, as those whose logits {@link LogitsTest} compares.
 */
final class FormatsTest {
  @TempDir Path folder;

  @ParameterizedTest(name = "{0} as {1}")
  @CsvSource({
    "torchvision-efficientnet_b0, torchvision",
    "timm-tf_efficientnet_b0, timm:tf_efficientnet_b0",
    "timm-tf_efficientnet_lite0, timm:tf_efficientnet_lite0",
    "lukemelas-efficientnet-b0, lukemelas",
    "tensorflow-efficientnet-b0, tensorflow",
    "tensorflow-efficientnet-lite0, tensorflow",
    "keras-efficientnetb0, keras",
    "torchvision-resnet18, torchvision",
  })
  void everyFormatHasTheSameWeights(String golden, String as) throws IOException {
    GoldenFile source = GoldenFile.of(golden);
    ImportOptions options = ImportOptions.defaults().as(as);
    ImportedWeights expected = WeightImport.load(source, options);
    for (Path file : List.of(safeTensors(source), npz(source), pth(source))) {
      ImportedWeights read = WeightImport.load(file, options);
      assertEquals(expected.library(), read.library(), file.toString());
      assertEquals(expected.sourceModel(), read.sourceModel(), file.toString());
      assertEquals(
          expected.model().network().toString(),
          read.model().network().toString(),
          file.toString());
      assertEquals(
          expected.model().network().batchNormEpsilon(), read.model().network().batchNormEpsilon());
      assertEquals(expected.model().preprocessing(), read.model().preprocessing());
      assertArrayEquals(expected.model().weights(), read.model().weights(), file.toString());
    }
  }

  private Path safeTensors(GoldenFile source) throws IOException {
    SafeTensorsWriter writer = new SafeTensorsWriter();
    for (TensorInfo tensor : source.tensors().values()) {
      writer.add(tensor.name(), tensor.shape(), source.readFloats(tensor.name()));
    }
    Path file = folder.resolve("weights.safetensors");
    writer.write(file);
    return file;
  }

  private Path npz(GoldenFile source) throws IOException {
    Path file = folder.resolve("weights.npz");
    try (ZipOutputStream zip = zip(file)) {
      for (TensorInfo tensor : source.tensors().values()) {
        zip.putNextEntry(new ZipEntry(tensor.name() + ".npy"));
        String extents =
            tensor.shape().stream().map(extent -> extent + ",").collect(Collectors.joining());
        String header =
            "{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }\n".formatted(extents);
        zip.write("\u0093NUMPY\1\0".getBytes(StandardCharsets.ISO_8859_1));
        zip.write(header.length());
        zip.write(header.length() >> 8);
        zip.write(header.getBytes(StandardCharsets.ISO_8859_1));
        zip.write(bytes(source.readFloats(tensor.name())));
      }
    }
    return file;
  }

  /** A state dict as {@code torch.save} lays it out: a pickle, and an entry for each storage. */
  private Path pth(GoldenFile source) throws IOException {
    ByteArrayOutputStream pickle = new ByteArrayOutputStream();
    List<String> names = new ArrayList<>(source.tensors().keySet());
    put(pickle, "\u0080\2ccollections\nOrderedDict\n)R(");
    for (int i = 0; i < names.size(); i++) {
      TensorInfo tensor = source.tensors().get(names.get(i));
      text(pickle, tensor.name());
      put(pickle, "ctorch._utils\n_rebuild_tensor_v2\n((");
      text(pickle, "storage");
      put(pickle, "ctorch\nFloatStorage\n");
      text(pickle, Integer.toString(i));
      text(pickle, "cpu");
      number(pickle, tensor.count());
      put(pickle, "tQ");
      number(pickle, 0);
      put(pickle, "(");
      for (long extent : tensor.shape()) {
        number(pickle, extent);
      }
      put(pickle, "t(");
      long stride = tensor.count();
      for (long extent : tensor.shape()) {
        stride /= extent;
        number(pickle, stride);
      }
      put(pickle, "t\u0089ccollections\nOrderedDict\n)RtR");
    }
    put(pickle, "u.");
    Path file = folder.resolve("weights.pth");
    try (ZipOutputStream zip = zip(file)) {
      zip.putNextEntry(new ZipEntry("archive/data.pkl"));
      zip.write(pickle.toByteArray());
      for (int i = 0; i < names.size(); i++) {
        zip.putNextEntry(new ZipEntry("archive/data/" + i));
        zip.write(bytes(source.readFloats(names.get(i))));
      }
    }
    return file;
  }

  private static ZipOutputStream zip(Path file) throws IOException {
    ZipOutputStream zip =
        new ZipOutputStream(new BufferedOutputStream(Files.newOutputStream(file)));
    zip.setLevel(Deflater.NO_COMPRESSION);
    return zip;
  }

  private static byte[] bytes(float[] values) {
    ByteBuffer bytes = ByteBuffer.allocate(values.length * 4).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(values);
    return bytes.array();
  }

  private static void put(OutputStream pickle, String operations) throws IOException {
    pickle.write(operations.getBytes(StandardCharsets.ISO_8859_1));
  }

  private static void text(OutputStream pickle, String text) throws IOException {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    pickle.write('X');
    word(pickle, bytes.length);
    pickle.write(bytes);
  }

  private static void number(OutputStream pickle, long value) throws IOException {
    pickle.write('J');
    word(pickle, Math.toIntExact(value));
  }

  private static void word(OutputStream pickle, int value) throws IOException {
    pickle.write(ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array());
  }
}
