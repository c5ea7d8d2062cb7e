// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.peer;

import com.google.protobuf.ByteString;
import com.google.protobuf.CodedOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Writes an ONNX graph as protobuf: the few messages of onnx.proto3 that a convolutional network
 * needs, by field number (onnx/onnx.proto3, IR version 8, operator set 17).
 */
final class OnnxWriter {
  private static final int FLOAT = 1;
  private static final int IR_VERSION = 8;
  private static final int OPERATOR_SET = 17;
  private static final int ATTRIBUTE_FLOAT = 1;
  private static final int ATTRIBUTE_INT = 2;
  private static final int ATTRIBUTE_INTS = 7;

  private final List<ByteString> nodes = new ArrayList<>();
  private final List<ByteString> initializers = new ArrayList<>();
  private int values;

  /** Adds a constant tensor. */
  void constant(String name, float[] data, long... shape) {
    ByteBuffer raw = ByteBuffer.allocate(data.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    raw.asFloatBuffer().put(data);
    initializers.add(
        message(
            out -> {
              for (long size : shape) {
                out.writeInt64(1, size);
              }
              out.writeInt32(2, FLOAT);
              out.writeString(8, name);
              out.writeByteArray(9, raw.array());
            }));
  }

  /**
   * Adds a node with one output and returns that output's name. Attributes are float, long or
   * long[].
   */
  String node(String operator, List<String> inputs, Map<String, Object> attributes) {
    String output = "v" + values++;
    nodes.add(
        message(
            out -> {
              for (String input : inputs) {
                out.writeString(1, input);
              }
              out.writeString(2, output);
              out.writeString(3, operator + "_" + output);
              out.writeString(4, operator);
              for (Map.Entry<String, Object> attribute : attributes.entrySet()) {
                out.writeBytes(5, attribute(attribute.getKey(), attribute.getValue()));
              }
            }));
    return output;
  }

  /** The whole model; input and output have the given shapes. */
  byte[] model(String input, long[] inputShape, String output, long[] outputShape) {
    ByteString graph =
        message(
            out -> {
              for (ByteString node : nodes) {
                out.writeBytes(1, node);
              }
              out.writeString(2, "efficientnet");
              for (ByteString initializer : initializers) {
                out.writeBytes(5, initializer);
              }
              out.writeBytes(11, value(input, inputShape));
              out.writeBytes(12, value(output, outputShape));
            });
    ByteString operators =
        message(
            out -> {
              out.writeString(1, "");
              out.writeInt64(2, OPERATOR_SET);
            });
    return message(
            out -> {
              out.writeInt64(1, IR_VERSION);
              out.writeString(2, "fusewire-bench");
              out.writeBytes(7, graph);
              out.writeBytes(8, operators);
            })
        .toByteArray();
  }

  private static ByteString attribute(String name, Object value) {
    return message(
        out -> {
          out.writeString(1, name);
          if (value instanceof Float number) {
            out.writeFloat(2, number);
            out.writeInt32(20, ATTRIBUTE_FLOAT);
          } else if (value instanceof Long number) {
            out.writeInt64(3, number);
            out.writeInt32(20, ATTRIBUTE_INT);
          } else if (value instanceof long[] numbers) {
            for (long number : numbers) {
              out.writeInt64(8, number);
            }
            out.writeInt32(20, ATTRIBUTE_INTS);
          } else {
            throw new IllegalArgumentException(
                "attribute " + name + " has type " + value.getClass());
          }
        });
  }

  private static ByteString value(String name, long[] shape) {
    ByteString dimensions =
        message(
            out -> {
              for (long size : shape) {
                out.writeBytes(1, message(dimension -> dimension.writeInt64(1, size)));
              }
            });
    ByteString tensor =
        message(
            out -> {
              out.writeInt32(1, FLOAT);
              out.writeBytes(2, dimensions);
            });
    ByteString type = message(out -> out.writeBytes(1, tensor));
    return message(
        out -> {
          out.writeString(1, name);
          out.writeBytes(2, type);
        });
  }

  private interface Fields {
    void write(CodedOutputStream out) throws IOException;
  }

  private static ByteString message(Fields fields) {
    ByteString.Output bytes = ByteString.newOutput();
    CodedOutputStream out = CodedOutputStream.newInstance(bytes);
    try {
      fields.write(out);
      out.flush();
    } catch (IOException e) {
      throw new UncheckedIOException(e); // memory does not fail to be written
    }
    return bytes.toByteString();
  }
}
