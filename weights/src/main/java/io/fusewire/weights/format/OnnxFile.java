// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.format;

import com.google.protobuf.CodedInputStream;
import io.fusewire.io.FileFormatException;
import io.fusewire.io.TensorInfo;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * The initialisers of an ONNX model's graph, under the names that they were exported with: messages
 * of onnx/onnx.proto in protobuf's wire format. Texts and quantised types are left out.
 */
final class OnnxFile {
  private static final int MAX_TEXT_BYTES = 1000;

  private final Region whole;
  private final TensorTable table;
  private boolean graph;

  private OnnxFile(Region whole, TensorTable table) {
    this.whole = whole;
    this.table = table;
  }

  /**
   * Whether a file can be of this kind, which has no magic number: it begins with a version of the
   * format and a field that may follow it.
   */
  static boolean recognizes(ByteBuffer head) {
    if (head.limit() < 4 || head.get(0) != 1 << 3 || head.get(1) < 1) {
      return false;
    }
    int tag = head.get(2) & 0xFF;
    return tag == (2 << 3 | 2) || tag == (7 << 3 | 2) || tag == (8 << 3 | 2);
  }

  static TensorTable open(Path file, FileChannel channel) throws IOException {
    Region whole = Region.whole(file, channel);
    if (whole.length() > Integer.MAX_VALUE) {
      throw new FileFormatException(file, "is larger than 2 GiB, which no ONNX file is");
    }
    TensorTable table = new TensorTable(file, "ONNX", channel);
    OnnxFile reader = new OnnxFile(whole, table);
    try (InputStream stream = whole.stream()) {
      CodedInputStream in = CodedInputStream.newInstance(stream);
      in.setSizeLimit(Integer.MAX_VALUE);
      reader.model(in);
    } catch (FileFormatException e) {
      throw e;
    } catch (IOException | RuntimeException e) {
      throw new FileFormatException(
          file, "is a truncated or damaged ONNX file: " + e.getMessage(), e);
    }
    if (!reader.graph) {
      throw new FileFormatException(file, "is no ONNX file: it has no graph");
    }
    return table;
  }

  /** A {@code ModelProto}. */
  private void model(CodedInputStream in) throws IOException {
    for (int tag = in.readTag(); tag != 0; tag = in.readTag()) {
      switch (tag) {
        case 2 << 3 | 2 -> table.say("producer", text(in, MAX_TEXT_BYTES));
        case 7 << 3 | 2 -> {
          graph = true;
          int limit = push(in);
          graph(in);
          in.popLimit(limit);
        }
        case 14 << 3 | 2 -> {
          int limit = push(in);
          property(in);
          in.popLimit(limit);
        }
        default -> BundleEntry.skip(in, tag);
      }
    }
  }

  /** A {@code GraphProto}, of which the initialisers are read. */
  private void graph(CodedInputStream in) throws IOException {
    for (int tag = in.readTag(); tag != 0; tag = in.readTag()) {
      if (tag == (5 << 3 | 2)) {
        int limit = push(in);
        OnnxTensor tensor = OnnxTensor.parse(in, whole);
        in.popLimit(limit);
        if (tensor.elementType() != null) {
          table.add(
              new TensorInfo(tensor.name(), tensor.elementType(), tensor.shape()), tensor.values());
        }
      } else {
        BundleEntry.skip(in, tag);
      }
    }
  }

  /** A {@code StringStringEntryProto} of the model's own properties. */
  private void property(CodedInputStream in) throws IOException {
    String key = "";
    String value = "";
    for (int tag = in.readTag(); tag != 0; tag = in.readTag()) {
      switch (tag) {
        case 1 << 3 | 2 -> key = text(in, MAX_TEXT_BYTES);
        case 2 << 3 | 2 -> value = text(in, MAX_TEXT_BYTES);
        default -> BundleEntry.skip(in, tag);
      }
    }
    table.say(key, value);
  }

  /** Enters a message, which must end in the file. */
  private int push(CodedInputStream in) throws IOException {
    int bytes = in.readRawVarint32();
    whole.part(in.getTotalBytesRead(), bytes & 0xFFFFFFFFL, "a message");
    return in.pushLimit(bytes);
  }

  /** A text; of a longer one nothing is kept. */
  static String text(CodedInputStream in, int maxBytes) throws IOException {
    int bytes = in.readRawVarint32();
    if (bytes < 0 || bytes > maxBytes) {
      in.skipRawBytes(bytes);
      return "";
    }
    return new String(in.readRawBytes(bytes), StandardCharsets.UTF_8);
  }
}
