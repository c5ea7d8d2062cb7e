// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import io.fusewire.ops.Device;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Model.CommandSpec;

/** What a measurement must be read with: commit, command, machine, compilers. */
final class Machine {
  private Machine() {}

  /** Facts by name, in the order they are written. */
  static Map<String, String> facts(Device device, int threads, CommandSpec command) {
    Map<String, String> facts = new LinkedHashMap<>();
    facts.put("commit", commit());
    facts.put("date", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
    facts.put("command", words(command));
    facts.put("device", device.description() + ", " + device.level());
    facts.put("threads", Integer.toString(threads));
    facts.put("native", Device.libraryVersion() + "; " + Device.libraryBuildInfo());
    facts.put("java", System.getProperty("java.vm.version"));
    facts.put("system", System.getProperty("os.name") + " " + System.getProperty("os.version"));
    facts.put("libtorch", version("org.bytedeco.pytorch.Tensor"));
    facts.put("onnxruntime", version("ai.onnxruntime.OrtEnvironment"));
    return facts;
  }

  /** The command line after bench, which are also all of the settings that are not defaults. */
  private static String words(CommandSpec command) {
    return "bench "
        + String.join(" ", command.root().commandLine().getParseResult().originalArgs());
  }

  private static String version(String className) {
    try {
      String version = Class.forName(className).getPackage().getImplementationVersion();
      return version == null ? "unknown" : version;
    } catch (ClassNotFoundException e) {
      return "absent";
    }
  }

  /** The source tree's commit, with "+" where it has changes; "unknown" outside of one. */
  private static String commit() {
    String commit = git("rev-parse", "--short=12", "HEAD");
    if (commit.isEmpty()) {
      return "unknown";
    }
    return git("status", "--porcelain", "--untracked-files=no").isEmpty() ? commit : commit + "+";
  }

  private static String git(String... arguments) {
    String[] command = new String[arguments.length + 1];
    command[0] = "git";
    System.arraycopy(arguments, 0, command, 1, arguments.length);
    try {
      Process process =
          new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
      String text =
          new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
      return process.waitFor(10, TimeUnit.SECONDS) && process.exitValue() == 0 ? text : "";
    } catch (IOException e) {
      return "";
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return "";
    }
  }
}
