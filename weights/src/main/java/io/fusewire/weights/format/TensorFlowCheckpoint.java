// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.format;

import io.fusewire.io.FileFormatException;
import io.fusewire.io.TensorInfo;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import java.util.zip.CheckedInputStream;

/**
 * TensorFlow's checkpoints (of 0.12 and later): {@code PREFIX.index}, a sorted table of tensors,
 * and {@code PREFIX.data-00000-of-00001} and so on with their bytes. Texts in it are left out.
 */
final class TensorFlowCheckpoint {
  private static final String SUFFIX = ".index";
  private static final int MAX_SHARDS = 1000;
  private static final int MAX_STATE_BYTES = 1 << 20;
  private static final Pattern STATE =
      Pattern.compile("^\\s*model_checkpoint_path:\\s*\"([^\"\\\\]+)\"", Pattern.MULTILINE);

  private TensorFlowCheckpoint() {}

  /**
   * The index of what a user may mean by a path: a prefix, as TensorFlow's functions take it, or a
   * folder with a checkpoint or a saved model; null if it is none of these.
   */
  static Path index(Path given) throws IOException {
    if (Files.isDirectory(given)) {
      return inFolder(given);
    }
    Path name = given.getFileName();
    if (name == null || Files.exists(given)) {
      return null;
    }
    Path index = given.resolveSibling(name + SUFFIX);
    return Files.exists(index) ? index : null;
  }

  private static Path inFolder(Path folder) throws IOException {
    Path state = folder.resolve("checkpoint");
    if (Files.isRegularFile(state)) {
      if (Files.size(state) > MAX_STATE_BYTES) {
        throw new FileFormatException(state, "is too large for the list of a folder's checkpoints");
      }
      Matcher latest = STATE.matcher(new String(Files.readAllBytes(state), StandardCharsets.UTF_8));
      if (!latest.find()) {
        throw new FileFormatException(state, "names no model_checkpoint_path");
      }
      // Paths in it may be those of the machine that wrote it: the name alone counts.
      String path = latest.group(1);
      return folder.resolve(path.substring(path.lastIndexOf('/') + 1) + SUFFIX);
    }
    Path saved = folder.resolve("variables").resolve("variables" + SUFFIX);
    if (Files.isRegularFile(saved)) {
      return saved;
    }
    try (Stream<Path> files = Files.list(folder)) {
      List<Path> indices = files.filter(f -> f.toString().endsWith(SUFFIX)).limit(2).toList();
      if (indices.size() == 1) {
        return indices.get(0);
      }
    }
    throw new FileFormatException(
        folder,
        "is a folder without a TensorFlow checkpoint: no 'checkpoint', no variables/ and not one"
            + " *.index in it");
  }

  static TensorTable open(Path file, FileChannel channel) throws IOException {
    String name = file.getFileName().toString();
    if (!name.endsWith(SUFFIX)) {
      throw new FileFormatException(
          file,
          "is a table of TensorFlow's, but no checkpoint's *.index; checkpoints of before 0.12"
              + " cannot be read");
    }
    String prefix = name.substring(0, name.length() - SUFFIX.length());
    Map<String, byte[]> entries = SortedTable.read(Region.whole(file, channel));
    BundleEntry.Header header = header(file, entries);
    Shards shards = new Shards(file, prefix, channel, header);
    try {
      TensorTable table = new TensorTable(file, "TensorFlow checkpoint", shards);
      ByteOrder order = header.bigEndian() ? ByteOrder.BIG_ENDIAN : ByteOrder.LITTLE_ENDIAN;
      List<Region> places = new ArrayList<>();
      for (Map.Entry<String, byte[]> entry : entries.entrySet()) {
        if (!entry.getKey().isEmpty()) {
          add(table, shards, order, entry, places);
        }
      }
      checkOverlaps(file, places);
      return table;
    } catch (IOException | RuntimeException e) {
      shards.close();
      throw e;
    }
  }

  private static BundleEntry.Header header(Path file, Map<String, byte[]> entries)
      throws IOException {
    byte[] message = entries.get("");
    if (message == null) {
      throw new FileFormatException(file, "is no checkpoint's index: it has no header");
    }
    BundleEntry.Header header;
    try {
      header = BundleEntry.Header.parse(message);
    } catch (IOException e) {
      throw new FileFormatException(file, "has a damaged header: " + e.getMessage(), e);
    }
    if (header.shards() < 1 || header.shards() > MAX_SHARDS) {
      throw new FileFormatException(
          file,
          "says that it has %d data files, where 1 to %d are allowed"
              .formatted(header.shards(), MAX_SHARDS));
    }
    return header;
  }

  private static void add(
      TensorTable table,
      Shards shards,
      ByteOrder order,
      Map.Entry<String, byte[]> named,
      List<Region> places)
      throws IOException {
    Path file = table.file();
    String name = named.getKey();
    String quoted = "tensor '" + Elements.shorten(name) + "'";
    BundleEntry entry;
    try {
      entry = BundleEntry.parse(named.getValue());
    } catch (IOException e) {
      throw new FileFormatException(file, quoted + " is damaged: " + e.getMessage(), e);
    }
    if (entry.type() == null) {
      return;
    }
    if (entry.sliced()) {
      throw new FileFormatException(
          file, quoted + " is stored in slices, of a partitioned variable; they cannot be read");
    }
    long count = Elements.count(file, name, entry.shape());
    if (count * entry.type().bytes() != entry.bytes()) {
      throw new FileFormatException(
          file,
          "%s of %s %s needs %d bytes and has %d"
              .formatted(
                  quoted,
                  entry.type(),
                  entry.shape(),
                  count * entry.type().bytes(),
                  entry.bytes()));
    }
    Region data = shards.shard(entry.shard()).part(entry.offset(), entry.bytes(), quoted);
    if (data.length() > 0) {
      places.add(data);
    }
    table.add(
        new TensorInfo(name, entry.type(), entry.shape()),
        () -> {
          CRC32C sum = new CRC32C();
          try (InputStream stream = new CheckedInputStream(data.stream(), sum)) {
            float[] values = Elements.floats(data.file(), stream, entry.type(), order, count);
            if (SortedTable.masked((int) sum.getValue()) != entry.sum()) {
              throw new FileFormatException(data.file(), quoted + " has a wrong checksum");
            }
            return values;
          }
        });
  }

  private static void checkOverlaps(Path file, List<Region> places) throws FileFormatException {
    places.sort(Comparator.comparing(Region::file).thenComparingLong(Region::offset));
    for (int i = 1; i < places.size(); i++) {
      Region before = places.get(i - 1);
      Region place = places.get(i);
      if (before.file().equals(place.file())
          && before.offset() + before.length() > place.offset()) {
        throw new FileFormatException(
            file,
            "has tensors that overlap at byte %d of %s"
                .formatted(place.offset(), place.file().getFileName()));
      }
    }
  }

  /** The data files, opened as they are needed. */
  private static final class Shards implements Closeable {
    private final Path index;
    private final String prefix;
    private final FileChannel channel;
    private final int count;
    private final Map<Integer, Region> open = new TreeMap<>();

    Shards(Path index, String prefix, FileChannel channel, BundleEntry.Header header) {
      this.index = index;
      this.prefix = prefix;
      this.channel = channel;
      this.count = header.shards();
    }

    Region shard(int number) throws IOException {
      if (number < 0 || number >= count) {
        throw new FileFormatException(index, "names data file %d of %d".formatted(number, count));
      }
      Region region = open.get(number);
      if (region == null) {
        Path file = index.resolveSibling("%s.data-%05d-of-%05d".formatted(prefix, number, count));
        try {
          region = Region.whole(file, FileChannel.open(file, StandardOpenOption.READ));
        } catch (NoSuchFileException e) {
          throw new FileFormatException(
              index, "needs %s beside it".formatted(file.getFileName()), e);
        }
        open.put(number, region);
      }
      return region;
    }

    @Override
    public void close() throws IOException {
      try (channel) {
        for (Region shard : open.values()) {
          shard.channel().close();
        }
      }
    }
  }
}
