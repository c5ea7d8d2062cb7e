// SPDX-License-Identifier: Apache-2.0
package io.fusewire.cli;

import io.fusewire.ops.DType;
import java.util.Locale;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** The option that says how activations are stored. */
final class DTypeOption {
  @Option(
      names = "--dtype",
      paramLabel = "TYPE",
      defaultValue = "f32",
      converter = Converter.class,
      description = "Storage of activations: f32, bf16 or f16 (default: ${DEFAULT-VALUE}).")
  private DType dtype;

  DType value() {
    return dtype;
  }

  String name() {
    return dtype.name().toLowerCase(Locale.ROOT);
  }

  /** Only what activations can be stored in. */
  static final class Converter implements ITypeConverter<DType> {
    @Override
    public DType convert(String name) {
      for (DType dtype : DType.values()) {
        if (dtype.isFloating() && dtype.name().equalsIgnoreCase(name)) {
          return dtype;
        }
      }
      throw new TypeConversionException(
          "there is no dtype '" + name + "'; there are f32, bf16, f16");
    }
  }
}
