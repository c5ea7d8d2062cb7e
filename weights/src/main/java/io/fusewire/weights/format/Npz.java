// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.format;

import io.fusewire.io.ElementType;
import io.fusewire.io.FileFormatException;
import io.fusewire.io.TensorInfo;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * NumPy's archives: a zip of arrays, {@code NAME.npy}, each with a header
 * (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html) before its elements.
 */
final class Npz {
  private static final byte[] MAGIC = {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y'};
  private static final int MAX_HEADER_BYTES = 1 << 16;

  private static final Pattern HEADER =
      Pattern.compile(
          "\\{'descr': '([^'\\\\]{1,20})', 'fortran_order': (True|False), 'shape': \\(([0-9, ]{0,400})\\),? ?\\} *\n?");

  private static final Map<String, ElementType> TYPES =
      Map.ofEntries(
          Map.entry("f2", ElementType.F16),
          Map.entry("f4", ElementType.F32),
          Map.entry("f8", ElementType.F64),
          Map.entry("i1", ElementType.I8),
          Map.entry("i2", ElementType.I16),
          Map.entry("i4", ElementType.I32),
          Map.entry("i8", ElementType.I64),
          Map.entry("u1", ElementType.U8),
          Map.entry("u2", ElementType.U16),
          Map.entry("u4", ElementType.U32),
          Map.entry("u8", ElementType.U64),
          Map.entry("b1", ElementType.BOOL));

  private Npz() {}

  /** Whether an archive is of this kind: all its entries are arrays. */
  static boolean recognizes(ZipArchive zip) {
    return !zip.entries().isEmpty()
        && zip.entries().keySet().stream().allMatch(name -> name.endsWith(".npy"));
  }

  static TensorTable open(Path file, FileChannel channel, ZipArchive zip) throws IOException {
    TensorTable table = new TensorTable(file, "NumPy npz", channel);
    for (ZipArchive.Entry entry : zip.entries().values()) {
      add(table, entry);
    }
    return table;
  }

  private static void add(TensorTable table, ZipArchive.Entry entry) throws IOException {
    Path file = table.file();
    String name = entry.name().substring(0, entry.name().length() - ".npy".length());
    String quoted = "array '" + Elements.shorten(name) + "'";
    int headerBytes;
    String header;
    try (InputStream stream = entry.stream()) {
      byte[] start = stream.readNBytes(12);
      headerBytes = headerBytes(file, quoted, start);
      int rest = Math.max(0, headerBytes - start.length);
      if (entry.size() < headerBytes) {
        throw new FileFormatException(
            file,
            "%s has a header of %d bytes and ends at %d"
                .formatted(quoted, headerBytes, entry.size()));
      }
      byte[] text = new byte[rest];
      Elements.readFully(file, stream, text, rest);
      int before = start[6] == 1 ? 10 : 12;
      header =
          new String(start, before, start.length - before, StandardCharsets.UTF_8)
              + new String(text, StandardCharsets.UTF_8);
    }
    Matcher fields = HEADER.matcher(header);
    if (!fields.matches()) {
      throw new FileFormatException(
          file, "%s has the header %s".formatted(quoted, Elements.shorten(header.strip())));
    }
    String descr = fields.group(1);
    ElementType type = TYPES.get(descr.substring(1));
    if (type == null || "<>|=".indexOf(descr.charAt(0)) < 0) {
      throw new FileFormatException(
          file,
          "%s has elements of type '%s'; %s can be read"
              .formatted(
                  quoted,
                  Elements.shorten(descr),
                  String.join(", ", TYPES.keySet().stream().sorted().toList())));
    }
    List<Long> shape = shape(file, quoted, fields.group(3));
    long count = Elements.count(file, name, shape);
    if (count * type.bytes() != entry.size() - headerBytes) {
      throw new FileFormatException(
          file,
          "%s of shape %s needs %d bytes and has %d"
              .formatted(quoted, shape, count * type.bytes(), entry.size() - headerBytes));
    }
    ByteOrder order = descr.charAt(0) == '>' ? ByteOrder.BIG_ENDIAN : ByteOrder.LITTLE_ENDIAN;
    boolean fortran = fields.group(2).equals("True");
    table.add(
        new TensorInfo(name, type, shape),
        () -> {
          try (InputStream stream = entry.stream()) {
            Elements.skipFully(file, stream, headerBytes);
            float[] values = Elements.floats(file, stream, type, order, count);
            return fortran ? Elements.fromFortranOrder(values, shape) : values;
          }
        });
  }

  /** Bytes before the elements. */
  private static int headerBytes(Path file, String quoted, byte[] start)
      throws FileFormatException {
    boolean magic = start.length == 12;
    for (int i = 0; magic && i < MAGIC.length; i++) {
      magic = start[i] == MAGIC[i];
    }
    if (!magic || start[6] < 1 || start[6] > 3) {
      throw new FileFormatException(file, quoted + " is no NumPy array of version 1 to 3");
    }
    ByteBuffer numbers = ByteBuffer.wrap(start).order(ByteOrder.LITTLE_ENDIAN);
    long length = start[6] == 1 ? numbers.getShort(8) & 0xFFFF : numbers.getInt(8) & 0xFFFFFFFFL;
    if (length > MAX_HEADER_BYTES) {
      throw new FileFormatException(
          file,
          "%s has a header of %d bytes, where %d are allowed"
              .formatted(quoted, length, MAX_HEADER_BYTES));
    }
    return (start[6] == 1 ? 10 : 12) + (int) length;
  }

  private static List<Long> shape(Path file, String quoted, String text)
      throws FileFormatException {
    List<Long> shape = new ArrayList<>();
    for (String extent : text.split(",", -1)) {
      if (!extent.isBlank()) {
        try {
          shape.add(Long.parseLong(extent.strip()));
        } catch (NumberFormatException e) {
          throw new FileFormatException(
              file, "%s has the shape (%s)".formatted(quoted, Elements.shorten(text)), e);
        }
      }
    }
    return shape;
  }
}
