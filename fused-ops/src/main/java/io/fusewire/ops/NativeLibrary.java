// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.Fusewire;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.CRC32;
import org.bytedeco.javacpp.Loader;

/** Loads the native library, or says in words why it does not load. */
final class NativeLibrary {
  private static volatile boolean loaded;
  private static volatile String binding;
  private static volatile String checksum;

  private NativeLibrary() {}

  static void load() {
    if (loaded) {
      return;
    }
    try {
      binding = Loader.load(Fusewire.class);
      loaded = true;
    } catch (LinkageError e) {
      throw new DeviceUnavailableException(
          "Fusewire's native library for "
              + Loader.getPlatform()
              + " did not load: "
              + e.getMessage()
              + ". Put io.fusewire:fusewire-native with the classifier "
              + Loader.getPlatform()
              + " on the class path",
          e);
    }
  }

  /** CRC-32 of the library with the kernels, as hexadecimal digits; "" if it cannot be read. */
  static String checksum() {
    load();
    String known = checksum;
    if (known == null) {
      known = read();
      checksum = known;
    }
    return known;
  }

  private static String read() {
    if (binding == null) {
      return "";
    }
    // JavaCPP unpacks the kernels beside their binding.
    Path kernels = Path.of(binding).resolveSibling(System.mapLibraryName("fusewire"));
    try {
      CRC32 crc = new CRC32();
      crc.update(Files.readAllBytes(kernels));
      return "%08x".formatted(crc.getValue());
    } catch (IOException e) {
      return "";
    }
  }
}
