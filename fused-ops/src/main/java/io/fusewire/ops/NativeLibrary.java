// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.Fusewire;
import org.bytedeco.javacpp.Loader;

/** Loads the native library, or says in words why it does not load. */
final class NativeLibrary {
  private static volatile boolean loaded;

  private NativeLibrary() {}

  static void load() {
    if (loaded) {
      return;
    }
    try {
      Loader.load(Fusewire.class);
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
}
