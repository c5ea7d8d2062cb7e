// SPDX-License-Identifier: Apache-2.0

/**
 * JavaCPP binding of Fusewire's C API, {@code kernels/include/fusewire/fusewire.h}. Empty of logic:
 * applications use {@code io.fusewire.ops} or {@code io.fusewire}.
 */
module io.fusewire.binding {
  requires transitive org.bytedeco.javacpp;

  exports io.fusewire.binding;
}
