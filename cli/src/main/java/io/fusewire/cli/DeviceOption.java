// SPDX-License-Identifier: Apache-2.0
package io.fusewire.cli;

import io.fusewire.ops.Device;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The options that say where to compute. */
final class DeviceOption {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec spec;

  @Option(
      names = "--device",
      paramLabel = "NAME",
      description = "cpu, cuda, cuda:N or best (the default); see 'fusewire doctor'.")
  private String name;

  @Option(
      names = "--threads",
      paramLabel = "N",
      defaultValue = "0",
      description = "CPU threads; 0 is one per core (default: ${DEFAULT-VALUE}).")
  private int threads;

  /** Whether one was asked for. */
  boolean given() {
    return name != null;
  }

  /** The device; an unknown one is wrong usage. */
  Device device() {
    try {
      return name == null ? Device.best() : Device.of(name);
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), e.getMessage(), e);
    }
  }

  /** CPU threads, 0 for all. */
  int threads() {
    if (threads < 0) {
      throw new ParameterException(
          spec.commandLine(), "--threads: " + threads + " is not a number of at least 0");
    }
    return threads;
  }
}
