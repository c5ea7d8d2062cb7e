// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.format;

import io.fusewire.io.FileFormatException;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.Inflater;
import java.util.zip.InflaterInputStream;
import org.apache.commons.compress.archivers.zip.ZipArchiveEntry;
import org.apache.commons.compress.archivers.zip.ZipFile;

/**
 * The entries of a zip archive. Stored ones are read where they lie; compressed ones may say at
 * most what their bytes can inflate to, and never give more than they said.
 */
final class ZipArchive {
  /** What deflate makes of a byte at most. */
  private static final long MAX_RATIO = 1032;

  private final Map<String, Entry> entries;

  /**
   * An entry.
   *
   * @param name its name
   * @param data its bytes in the file
   * @param size bytes when inflated
   * @param stored whether the bytes are the content itself
   */
  record Entry(String name, Region data, long size, boolean stored) {
    InputStream stream() {
      if (stored) {
        return data.stream();
      }
      Inflater inflater = new Inflater(true);
      InputStream inflated = new InflaterInputStream(data.stream(), inflater);
      return new FilterInputStream(inflated) {
        @Override
        public void close() {
          inflater.end();
        }
      };
    }

    /** The content, which must not be more than a limit. */
    byte[] bytes(int limit) throws IOException {
      if (size > limit) {
        throw new FileFormatException(
            data.file(),
            "'%s' in it has %d bytes, where %d are allowed"
                .formatted(Elements.shorten(name), size, limit));
      }
      byte[] bytes = new byte[(int) size];
      try (InputStream stream = stream()) {
        Elements.readFully(data.file(), stream, bytes, bytes.length);
      }
      return bytes;
    }
  }

  private ZipArchive(Map<String, Entry> entries) {
    this.entries = entries;
  }

  Map<String, Entry> entries() {
    return entries;
  }

  /** Reads the directory. Entries that overlap, repeat a name or are encrypted are refused. */
  static ZipArchive open(Path file, FileChannel channel) throws IOException {
    Map<String, Entry> entries = new LinkedHashMap<>();
    Region whole = Region.whole(file, channel);
    // Not closed: that would close the channel, which is the caller's.
    ZipFile zip;
    try {
      zip = ZipFile.builder().setSeekableByteChannel(new Unclosed(channel)).get();
      List<ZipArchiveEntry> listed = Collections.list(zip.getEntriesInPhysicalOrder());
      for (ZipArchiveEntry entry : listed) {
        Entry known = check(whole, entry);
        if (known != null && entries.putIfAbsent(known.name(), known) != null) {
          throw new FileFormatException(
              file, "has two entries '" + Elements.shorten(known.name()) + "'");
        }
      }
    } catch (FileFormatException e) {
      throw e;
    } catch (IOException | RuntimeException e) {
      throw new FileFormatException(
          file, "is a truncated or damaged zip archive: " + innermost(e).getMessage(), e);
    }
    checkOverlaps(file, entries);
    return new ZipArchive(Collections.unmodifiableMap(entries));
  }

  /** What the outer exceptions say is about the object that reads, not about the file. */
  private static Throwable innermost(Throwable e) {
    return e.getCause() == null || e.getCause().getMessage() == null ? e : innermost(e.getCause());
  }

  private static Entry check(Region whole, ZipArchiveEntry entry) throws IOException {
    String name = entry.getName();
    if (entry.isDirectory()) {
      return null;
    }
    String quoted = "'" + Elements.shorten(name) + "' in it";
    if (entry.getGeneralPurposeBit().usesEncryption()) {
      throw new FileFormatException(whole.file(), quoted + " is encrypted");
    }
    boolean stored = entry.getMethod() == ZipArchiveEntry.STORED;
    if (!stored && entry.getMethod() != ZipArchiveEntry.DEFLATED) {
      throw new FileFormatException(
          whole.file(),
          "%s is compressed by method %d; stored and deflated entries can be read"
              .formatted(quoted, entry.getMethod()));
    }
    long start = entry.getDataOffset();
    if (start < 0) {
      throw new FileFormatException(whole.file(), quoted + " has no place in the file");
    }
    Region data = whole.part(start, entry.getCompressedSize(), quoted);
    long size = entry.getSize();
    boolean possible =
        stored ? size == data.length() : size >= 0 && size <= (data.length() + 1) * MAX_RATIO;
    if (!possible) {
      throw new FileFormatException(
          whole.file(),
          "%s says it has %d bytes in %d, which cannot be".formatted(quoted, size, data.length()));
    }
    return new Entry(name, data, size, stored);
  }

  /** Entries that share bytes are how small archives say they hold endless data. */
  private static void checkOverlaps(Path file, Map<String, Entry> entries)
      throws FileFormatException {
    List<Entry> sorted = new ArrayList<>(entries.values());
    sorted.removeIf(entry -> entry.data().length() == 0);
    sorted.sort(Comparator.comparingLong(entry -> entry.data().offset()));
    for (int i = 1; i < sorted.size(); i++) {
      Region before = sorted.get(i - 1).data();
      if (before.offset() + before.length() > sorted.get(i).data().offset()) {
        throw new FileFormatException(
            file,
            "'%s' and '%s' in it overlap"
                .formatted(
                    Elements.shorten(sorted.get(i - 1).name()),
                    Elements.shorten(sorted.get(i).name())));
      }
    }
  }
}
