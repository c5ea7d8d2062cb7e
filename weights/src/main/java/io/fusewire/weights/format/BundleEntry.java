// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.format;

import com.google.protobuf.CodedInputStream;
import io.fusewire.io.ElementType;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * What a TensorFlow checkpoint's index says of one tensor: the message {@code BundleEntryProto} of
 * tensorflow/core/protobuf/tensor_bundle.proto.
 *
 * @param type element type; null for texts and others that are no numbers
 * @param shape extents
 * @param shard number of the data file
 * @param offset first byte there
 * @param bytes its size
 * @param sum masked CRC-32C of its bytes
 * @param sliced whether its parts are entries of their own
 */
record BundleEntry(
    ElementType type,
    List<Long> shape,
    int shard,
    long offset,
    long bytes,
    int sum,
    boolean sliced) {
  private static final int MAX_RANK = 254;

  /** What the index says of the data files: {@code BundleHeaderProto}. */
  record Header(int shards, boolean bigEndian) {
    static Header parse(byte[] message) throws IOException {
      CodedInputStream in = CodedInputStream.newInstance(message);
      int shards = 0;
      boolean bigEndian = false;
      for (int tag = in.readTag(); tag != 0; tag = in.readTag()) {
        switch (tag) {
          case 1 << 3 -> shards = in.readInt32();
          case 2 << 3 -> bigEndian = in.readEnum() == 1;
          default -> skip(in, tag);
        }
      }
      return new Header(shards, bigEndian);
    }
  }

  static BundleEntry parse(byte[] message) throws IOException {
    CodedInputStream in = CodedInputStream.newInstance(message);
    int type = 0;
    List<Long> shape = new ArrayList<>();
    int shard = 0;
    long offset = 0;
    long bytes = 0;
    int sum = 0;
    boolean sliced = false;
    for (int tag = in.readTag(); tag != 0; tag = in.readTag()) {
      switch (tag) {
        case 1 << 3 -> type = in.readEnum();
        case 2 << 3 | 2 -> shape(in, shape);
        case 3 << 3 -> shard = in.readInt32();
        case 4 << 3 -> offset = in.readInt64();
        case 5 << 3 -> bytes = in.readInt64();
        case 6 << 3 | 5 -> sum = in.readFixed32();
        case 7 << 3 | 2 -> {
          sliced = true;
          skip(in, tag);
        }
        default -> skip(in, tag);
      }
    }
    return new BundleEntry(elementType(type), shape, shard, offset, bytes, sum, sliced);
  }

  private static void shape(CodedInputStream in, List<Long> shape) throws IOException {
    int outer = in.pushLimit(in.readRawVarint32());
    for (int tag = in.readTag(); tag != 0; tag = in.readTag()) {
      if (tag != (2 << 3 | 2)) {
        skip(in, tag);
        continue;
      }
      int inner = in.pushLimit(in.readRawVarint32());
      long extent = 0;
      for (int field = in.readTag(); field != 0; field = in.readTag()) {
        if (field == 1 << 3) {
          extent = in.readInt64();
        } else {
          skip(in, field);
        }
      }
      in.popLimit(inner);
      shape.add(extent);
      if (shape.size() > MAX_RANK) {
        throw new IOException("a tensor of more than " + MAX_RANK + " dimensions");
      }
    }
    in.popLimit(outer);
  }

  /**
   * Skips a field, of which groups, that nobody writes any more, could be nested without an end.
   */
  static void skip(CodedInputStream in, int tag) throws IOException {
    int kind = tag & 7;
    if (kind == 3 || kind == 4 || !in.skipField(tag)) {
      throw new IOException("a field of kind " + kind);
    }
  }

  /** By the numbers of tensorflow/core/framework/types.proto. */
  private static ElementType elementType(int type) {
    return switch (type) {
      case 1 -> ElementType.F32;
      case 2 -> ElementType.F64;
      case 3 -> ElementType.I32;
      case 4 -> ElementType.U8;
      case 5 -> ElementType.I16;
      case 6 -> ElementType.I8;
      case 9 -> ElementType.I64;
      case 10 -> ElementType.BOOL;
      case 14 -> ElementType.BF16;
      case 17 -> ElementType.U16;
      case 19 -> ElementType.F16;
      case 22 -> ElementType.U32;
      case 23 -> ElementType.U64;
      default -> null;
    };
  }
}
