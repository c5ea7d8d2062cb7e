// SPDX-License-Identifier: Apache-2.0
package io.fusewire.io;

import java.nio.file.Path;

/** The folder of what can be fetched or measured again. */
public final class CacheFolder {
  private CacheFolder() {}

  /**
   * {@code $FUSEWIRE_CACHE}, or {@code fusewire} in {@code $XDG_CACHE_HOME} or {@code ~/.cache}.
   *
   * @return a path, which need not exist yet
   */
  public static Path path() {
    String own = System.getenv("FUSEWIRE_CACHE");
    if (own != null && !own.isBlank()) {
      return Path.of(own);
    }
    String xdg = System.getenv("XDG_CACHE_HOME");
    return xdg != null && !xdg.isBlank()
        ? Path.of(xdg, "fusewire")
        : Path.of(System.getProperty("user.home"), ".cache", "fusewire");
  }
}
