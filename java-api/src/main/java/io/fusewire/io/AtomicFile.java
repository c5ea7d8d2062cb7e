// SPDX-License-Identifier: Apache-2.0
package io.fusewire.io;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

/**
 * Replaces a file whole or not at all: the new content goes to a temporary file beside it, is
 * forced to the disk and then renamed over the old one. A full disk or a kill at any moment leaves
 * the old file as it was.
 */
public final class AtomicFile {
  private AtomicFile() {}

  /** What writes the content. */
  @FunctionalInterface
  public interface Content {
    /**
     * Writes all of the content.
     *
     * @param channel open for writing, empty
     * @throws IOException if it cannot be written
     */
    void writeTo(FileChannel channel) throws IOException;
  }

  /**
   * Replaces a file.
   *
   * @param target the file; its directory is made if needed
   * @param content writes the content
   * @throws IOException if the content could not be written whole; the old file is then untouched
   */
  public static void replace(Path target, Content content) throws IOException {
    Path absolute = target.toAbsolutePath();
    Path directory = absolute.getParent();
    Files.createDirectories(directory);
    Path temporary = directory.resolve(absolute.getFileName() + ".writing");
    try {
      try (FileChannel channel =
          FileChannel.open(
              temporary,
              StandardOpenOption.CREATE,
              StandardOpenOption.WRITE,
              StandardOpenOption.TRUNCATE_EXISTING)) {
        content.writeTo(channel);
        channel.force(true);
      }
      Files.move(
          temporary, absolute, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } catch (AccessDeniedException e) {
      Files.deleteIfExists(temporary);
      // Who asked for the file knows nothing of the temporary one.
      AccessDeniedException denied = new AccessDeniedException(target.toString());
      denied.initCause(e);
      throw denied;
    } catch (IOException | RuntimeException e) {
      Files.deleteIfExists(temporary);
      throw e;
    }
    // The rename itself is only safe from a power cut once the directory is on the disk too.
    try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
      channel.force(true);
    } catch (IOException e) {
      // Some file systems cannot force a directory; the rename has happened all the same.
      return;
    }
  }
}
