// SPDX-License-Identifier: Apache-2.0
package io.fusewire.io;

import java.io.IOException;
import java.nio.file.Path;

/**
 * A file that is not what it should be. The message names the file, what was found and what would
 * fit.
 */
public class FileFormatException extends IOException {
  private static final long serialVersionUID = 1L;

  /**
   * Makes the exception.
   *
   * @param file the file
   * @param problem what is wrong with it, as the end of a sentence that starts with its name
   */
  public FileFormatException(Path file, String problem) {
    super(file + ": " + problem);
  }

  /**
   * Makes the exception with what led to it.
   *
   * @param file the file
   * @param problem what is wrong with it, as the end of a sentence that starts with its name
   * @param cause what led to it
   */
  public FileFormatException(Path file, String problem, Throwable cause) {
    super(file + ": " + problem, cause);
  }
}
