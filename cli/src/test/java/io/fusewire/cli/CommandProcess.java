// SPDX-License-Identifier: Apache-2.0
package io.fusewire.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** The command in a process of its own, with these tests' class path. */
final class CommandProcess {
  private CommandProcess() {}

  /** Starts it with additional environment variables; its standard output is thrown away. */
  static Process start(Map<String, String> environment, Object... arguments) throws IOException {
    String classPath =
        String.join(
            System.getProperty("path.separator"),
            Arrays.asList(
                System.getProperty("jdk.module.path", ""),
                System.getProperty("java.class.path", "")));
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add(
        "-Dorg.bytedeco.javacpp.cachedir=" + System.getProperty("org.bytedeco.javacpp.cachedir"));
    command.addAll(List.of("-cp", classPath, Main.class.getName()));
    for (Object argument : arguments) {
      command.add(argument.toString());
    }
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectOutput(ProcessBuilder.Redirect.DISCARD);
    builder.environment().putAll(environment);
    return builder.start();
  }

  /** Starts training on {@link TinyImages}, on the CPU. */
  static Process train(Map<String, String> environment, Path data, int epochs, Path run)
      throws IOException {
    return start(
        environment,
        "train",
        "--data",
        data,
        "--resolution",
        TinyImages.SIDE,
        "--batch",
        8,
        "--epochs",
        epochs,
        "--samples",
        2,
        "--device",
        "cpu",
        "--out",
        run);
  }
}
