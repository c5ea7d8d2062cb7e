// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.format;

import com.google.protobuf.CodedInputStream;
import io.fusewire.io.ElementType;
import io.fusewire.io.FileFormatException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * A tensor of an ONNX file: the message {@code TensorProto} of onnx/onnx.proto. Its elements stay
 * where they are; only their place is kept.
 */
final class OnnxTensor {
  private static final int MAX_NAME_BYTES = 4096;
  private static final int MAX_RANK = 64;

  /** The fields that hold elements, as bytes or as numbers of a kind. */
  private enum Field {
    RAW,
    FLOATS,
    INT32S,
    INT64S,
    DOUBLES,
    UINT64S
  }

  private final Region whole;
  private final List<Long> shape = new ArrayList<>();
  private String name = "";
  private int type;
  private boolean external;
  private Field field;
  private Region data;

  private OnnxTensor(Region whole) {
    this.whole = whole;
  }

  /** Reads a message up to the stream's limit. */
  static OnnxTensor parse(CodedInputStream in, Region whole) throws IOException {
    OnnxTensor tensor = new OnnxTensor(whole);
    for (int tag = in.readTag(); tag != 0; tag = in.readTag()) {
      tensor.field(in, tag);
    }
    return tensor;
  }

  private void field(CodedInputStream in, int tag) throws IOException {
    switch (tag) {
      case 1 << 3 -> extent(in.readInt64());
      case 1 << 3 | 2 -> {
        int limit = in.pushLimit(in.readRawVarint32());
        while (in.getBytesUntilLimit() > 0) {
          extent(in.readInt64());
        }
        in.popLimit(limit);
      }
      case 2 << 3 -> type = in.readInt32();
      case 4 << 3 | 2 -> place(in, Field.FLOATS);
      case 5 << 3 | 2 -> place(in, Field.INT32S);
      case 7 << 3 | 2 -> place(in, Field.INT64S);
      case 8 << 3 | 2 -> name = OnnxFile.text(in, MAX_NAME_BYTES);
      case 9 << 3 | 2 -> place(in, Field.RAW);
      case 10 << 3 | 2 -> place(in, Field.DOUBLES);
      case 11 << 3 | 2 -> place(in, Field.UINT64S);
      case 13 << 3 | 2 -> {
        external = true;
        BundleEntry.skip(in, tag);
      }
      case 14 << 3 -> external |= in.readEnum() == 1;
      case 4 << 3 | 5, 5 << 3, 7 << 3, 10 << 3 | 1, 11 << 3 ->
          throw new IOException("a tensor's elements are not packed, which ONNX asks for");
      default -> BundleEntry.skip(in, tag);
    }
  }

  private void extent(long extent) throws IOException {
    shape.add(extent);
    if (shape.size() > MAX_RANK) {
      throw new IOException("a tensor of more than " + MAX_RANK + " dimensions");
    }
  }

  private void place(CodedInputStream in, Field kind) throws IOException {
    int bytes = in.readRawVarint32();
    Region region = whole.part(in.getTotalBytesRead(), bytes & 0xFFFFFFFFL, "a tensor");
    in.skipRawBytes(bytes);
    if (bytes > 0) {
      if (data != null) {
        throw new IOException("a tensor's elements stand there twice");
      }
      field = kind;
      data = region;
    }
  }

  String name() {
    return name;
  }

  List<Long> shape() {
    return shape;
  }

  Region data() {
    return data;
  }

  /** Element type, by the numbers of {@code TensorProto.DataType}; null for what is no number. */
  ElementType elementType() {
    return switch (type) {
      case 1 -> ElementType.F32;
      case 2 -> ElementType.U8;
      case 3 -> ElementType.I8;
      case 4 -> ElementType.U16;
      case 5 -> ElementType.I16;
      case 6 -> ElementType.I32;
      case 7 -> ElementType.I64;
      case 9 -> ElementType.BOOL;
      case 10 -> ElementType.F16;
      case 11 -> ElementType.F64;
      case 12 -> ElementType.U32;
      case 13 -> ElementType.U64;
      case 16 -> ElementType.BF16;
      default -> null;
    };
  }

  /** Checks that the elements are there, and gives what reads them. */
  TensorTable.Values values() throws IOException {
    String quoted = "initialiser '" + Elements.shorten(name) + "'";
    if (external) {
      throw new FileFormatException(
          whole.file(),
          quoted + " lies in a file of its own; export the model without external data");
    }
    ElementType element = elementType();
    long count = Elements.count(whole.file(), name, shape);
    if (count == 0 && data == null) {
      return () -> new float[0];
    }
    boolean fits =
        data != null
            && switch (field) {
              case RAW -> data.length() == count * element.bytes();
              case FLOATS -> element == ElementType.F32 && data.length() == 4 * count;
              case DOUBLES -> element == ElementType.F64 && data.length() == 8 * count;
              case INT32S, INT64S, UINT64S -> count <= data.length();
            };
    if (!fits) {
      throw new FileFormatException(
          whole.file(),
          "%s of %s %s does not have its elements in %s bytes"
              .formatted(quoted, element, shape, data == null ? "0" : data.length()));
    }
    Field kind = field;
    return () -> {
      try (InputStream stream = data.stream()) {
        return switch (kind) {
          case RAW, FLOATS, DOUBLES ->
              Elements.floats(whole.file(), stream, element, ByteOrder.LITTLE_ENDIAN, count);
          case INT32S, INT64S, UINT64S -> numbers(stream, element, (int) count, quoted);
        };
      }
    };
  }

  /** Elements as numbers of variable length; 16-bit floating-point ones by their bits. */
  private float[] numbers(InputStream stream, ElementType element, int count, String quoted)
      throws IOException {
    CodedInputStream in = CodedInputStream.newInstance(stream);
    float[] result = new float[count];
    ByteBuffer bits = ByteBuffer.allocate(Short.BYTES);
    for (int i = 0; i < count; i++) {
      long number = in.readInt64();
      result[i] =
          switch (element) {
            case F16, BF16 -> (float) element.get(bits.putShort(0, (short) number), 0);
            default -> number;
          };
    }
    if (!in.isAtEnd()) {
      throw new FileFormatException(
          whole.file(), "%s of %s has more elements".formatted(quoted, shape));
    }
    return result;
  }
}
