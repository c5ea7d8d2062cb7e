// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.format;

import io.fusewire.io.ElementType;
import io.fusewire.io.FileFormatException;
import io.jhdf.FractalHeap;
import io.jhdf.GlobalHeap;
import io.jhdf.GroupSymbolTableNode;
import io.jhdf.LocalHeap;
import io.jhdf.ObjectHeader;
import io.jhdf.Superblock;
import io.jhdf.SymbolTableEntry;
import io.jhdf.Utils;
import io.jhdf.btree.BTreeV1;
import io.jhdf.btree.BTreeV2;
import io.jhdf.btree.record.LinkNameForIndexedGroupRecord;
import io.jhdf.exceptions.HdfException;
import io.jhdf.object.datatype.DataType;
import io.jhdf.object.datatype.FixedPoint;
import io.jhdf.object.datatype.FloatingPoint;
import io.jhdf.object.datatype.OrderedDataType;
import io.jhdf.object.datatype.StringData;
import io.jhdf.object.datatype.VariableLength;
import io.jhdf.object.message.AttributeMessage;
import io.jhdf.object.message.DataLayoutMessage;
import io.jhdf.object.message.DataLayoutMessage.CompactDataLayoutMessage;
import io.jhdf.object.message.DataLayoutMessage.ContiguousDataLayoutMessage;
import io.jhdf.object.message.DataSpaceMessage;
import io.jhdf.object.message.DataTypeMessage;
import io.jhdf.object.message.LinkInfoMessage;
import io.jhdf.object.message.LinkMessage;
import io.jhdf.object.message.SymbolTableMessage;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The groups, attributes and datasets of an HDF5 file. jHDF knows the format; the steps from object
 * to object are taken here, so that each can be bounded. Links to other places are not followed.
 */
final class HdfObjects {
  private static final int MAX_STRINGS = 100_000;

  private final Region region;
  private final HdfStorage storage;
  private final Map<Long, GlobalHeap> heaps = new HashMap<>();

  HdfObjects(Region region) throws IOException {
    this.region = region;
    this.storage = new HdfStorage(region);
  }

  /** A dataset. */
  record Dataset(ElementType type, ByteOrder order, List<Long> shape, Opener data) {}

  /** Opens a dataset's bytes. */
  @FunctionalInterface
  interface Opener {
    InputStream open() throws IOException;
  }

  /** What jHDF does with an object; fails as it likes. */
  @FunctionalInterface
  private interface Step<T> {
    T take() throws IOException;
  }

  private <T> T step(Step<T> step) throws IOException {
    storage.nextObject();
    try {
      return step.take();
    } catch (FileFormatException e) {
      throw e;
    } catch (RuntimeException | StackOverflowError e) {
      // jHDF follows some pointers by recursion; nothing of what it made so far is kept.
      throw new FileFormatException(region.file(), "is a damaged HDF5 file: " + reason(e), e);
    }
  }

  static String reason(Throwable e) {
    Throwable cause = e;
    while (cause.getCause() != null && cause.getCause() != cause) {
      cause = cause.getCause();
    }
    return cause instanceof StackOverflowError
        ? "its structure is endless"
        : Elements.shorten(String.valueOf(cause.getMessage()));
  }

  ObjectHeader root() throws IOException {
    return step(
        () -> {
          if (storage.getSuperblock() instanceof Superblock.SuperblockV0V1 old) {
            return header(
                new SymbolTableEntry(storage, old.getRootGroupSymbolTableAddress())
                    .getObjectHeaderAddress());
          }
          return header(
              ((Superblock.SuperblockV2V3) storage.getSuperblock())
                  .getRootGroupObjectHeaderAddress());
        });
  }

  ObjectHeader object(long address) throws IOException {
    return step(() -> header(address));
  }

  private ObjectHeader header(long address) {
    return ObjectHeader.readObjectHeader(storage, address);
  }

  boolean isDataset(ObjectHeader object) {
    return object.hasMessageOfType(DataSpaceMessage.class);
  }

  /** Addresses of a group's members by name, in the file's order. */
  Map<String, Long> members(ObjectHeader group) throws IOException {
    return step(
        () -> {
          Map<String, Long> members = new LinkedHashMap<>();
          if (group.hasMessageOfType(SymbolTableMessage.class)) {
            oldMembers(group.getMessageOfType(SymbolTableMessage.class), members);
          } else {
            for (LinkMessage link : links(group)) {
              if (link.getLinkType() == LinkMessage.LinkType.HARD) {
                members.put(link.getLinkName(), link.getHardLinkAddress());
              }
            }
          }
          return members;
        });
  }

  private void oldMembers(SymbolTableMessage table, Map<String, Long> members) {
    ByteBuffer names = new LocalHeap(storage, table.getLocalHeapAddress()).getDataBuffer();
    BTreeV1 tree = BTreeV1.createGroupBTree(storage, table.getBTreeAddress());
    for (long node : tree.getChildAddresses()) {
      // A node has few entries, each of which jHDF reads by itself.
      storage.nextObject();
      for (SymbolTableEntry entry :
          new GroupSymbolTableNode(storage, node).getSymbolTableEntries()) {
        // 2 is a soft link.
        if (entry.getCacheType() != 2) {
          names.position(entry.getLinkNameOffset());
          members.put(Utils.readUntilNull(names), entry.getObjectHeaderAddress());
        }
      }
    }
  }

  private List<LinkMessage> links(ObjectHeader group) {
    List<LinkMessage> links = new ArrayList<>(group.getMessagesOfType(LinkMessage.class));
    if (group.hasMessageOfType(LinkInfoMessage.class)) {
      LinkInfoMessage info = group.getMessageOfType(LinkInfoMessage.class);
      if (info.getBTreeNameIndexAddress() != -1) {
        FractalHeap heap = new FractalHeap(storage, info.getFractalHeapAddress());
        BTreeV2<LinkNameForIndexedGroupRecord> tree =
            new BTreeV2<>(storage, info.getBTreeNameIndexAddress());
        for (LinkNameForIndexedGroupRecord record : tree.getRecords()) {
          links.add(LinkMessage.fromBuffer(heap.getId(record.getId()), storage.getSuperblock()));
        }
      }
    }
    return links;
  }

  /** An attribute of texts; null if the object has no such attribute. */
  List<String> strings(ObjectHeader object, String name) throws IOException {
    return step(
        () -> {
          for (AttributeMessage attribute : object.getMessagesOfType(AttributeMessage.class)) {
            if (attribute.getName().equals(name)) {
              return strings(attribute);
            }
          }
          return null;
        });
  }

  private List<String> strings(AttributeMessage attribute) {
    List<String> result = new ArrayList<>();
    DataType type = attribute.getDataType();
    ByteBuffer data = attribute.getDataBuffer();
    if (data == null) {
      return result;
    }
    data = data.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    long count = attribute.getDataSpace().getTotalLength();
    if (count > MAX_STRINGS) {
      throw new HdfException("an attribute of " + count + " texts");
    }
    for (int i = 0; i < count; i++) {
      if (type instanceof StringData) {
        byte[] text = new byte[type.getSize()];
        data.get(text);
        result.add(text(text));
      } else if (type instanceof VariableLength variable && variable.isVariableLengthString()) {
        int length = data.getInt();
        long address = Utils.readBytesAsUnsignedLong(data, storage.getSizeOfOffsets());
        int index = data.getInt();
        result.add(length == 0 ? "" : text(shared(address, index, length)));
      } else {
        throw new HdfException("an attribute '" + attribute.getName() + "' that is no text");
      }
    }
    return result;
  }

  /** A text that lies in a heap of many. */
  private byte[] shared(long address, int index, int length) {
    ByteBuffer content =
        heaps.computeIfAbsent(address, a -> new GlobalHeap(storage, a)).getObjectData(index);
    if (length < 0 || length > content.remaining()) {
      throw new HdfException("a text of %d bytes in %d".formatted(length, content.remaining()));
    }
    byte[] text = new byte[length];
    content.get(text);
    return text;
  }

  private static String text(byte[] bytes) {
    int end = 0;
    while (end < bytes.length && bytes[end] != 0) {
      end++;
    }
    return new String(bytes, 0, end, StandardCharsets.UTF_8);
  }

  /** A dataset's type, shape and data; checked against the file. */
  Dataset dataset(ObjectHeader object, String name) throws IOException {
    String quoted = "dataset '" + Elements.shorten(name) + "'";
    return step(
        () -> {
          DataType type = object.getMessageOfType(DataTypeMessage.class).getDataType();
          ElementType element = elementType(type);
          if (element == null) {
            throw new FileFormatException(
                region.file(),
                "%s has elements of HDF5 class %d and %d bytes, which are no plain numbers"
                    .formatted(quoted, type.getDataClass(), type.getSize()));
          }
          int[] extents =
              object.getMessageOfType(DataSpaceMessage.class).getDataSpace().getDimensions();
          List<Long> shape = Arrays.stream(extents).asLongStream().boxed().toList();
          long bytes = Elements.count(region.file(), name, shape) * element.bytes();
          ByteOrder order = ((OrderedDataType) type).getByteOrder();
          DataLayoutMessage layout = object.getMessageOfType(DataLayoutMessage.class);
          return new Dataset(element, order, shape, data(layout, quoted, bytes));
        });
  }

  private Opener data(DataLayoutMessage layout, String quoted, long bytes)
      throws FileFormatException {
    if (bytes == 0) {
      return InputStream::nullInputStream;
    }
    if (layout instanceof ContiguousDataLayoutMessage contiguous) {
      return region.part(contiguous.getAddress(), bytes, quoted)::stream;
    }
    if (layout instanceof CompactDataLayoutMessage compact) {
      ByteBuffer data = compact.getDataBuffer();
      if (data.remaining() < bytes) {
        throw new FileFormatException(
            region.file(),
            "%s needs %d bytes and has %d".formatted(quoted, bytes, data.remaining()));
      }
      byte[] content = new byte[(int) bytes];
      data.get(content);
      return () -> new ByteArrayInputStream(content);
    }
    throw new FileFormatException(
        region.file(),
        quoted + " is stored in chunks, perhaps compressed; h5repack -l CONTI -f NONE rewrites it");
  }

  private static ElementType elementType(DataType type) {
    if (type instanceof FixedPoint number) {
      return switch (number.getSize()) {
        case 1 -> number.isSigned() ? ElementType.I8 : ElementType.U8;
        case 2 -> number.isSigned() ? ElementType.I16 : ElementType.U16;
        case 4 -> number.isSigned() ? ElementType.I32 : ElementType.U32;
        case 8 -> number.isSigned() ? ElementType.I64 : ElementType.U64;
        default -> null;
      };
    }
    if (type instanceof FloatingPoint number) {
      return switch (number.getSize() * 100 + number.getExponentSize()) {
        case 205 -> ElementType.F16;
        case 208 -> ElementType.BF16;
        case 408 -> ElementType.F32;
        case 811 -> ElementType.F64;
        default -> null;
      };
    }
    return null;
  }
}
