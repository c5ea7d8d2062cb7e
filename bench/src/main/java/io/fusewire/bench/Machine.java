// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import io.fusewire.bench.peer.Installed;
import io.fusewire.ops.Device;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Model.CommandSpec;

/** What a measurement must be read with: commit, command, machine, compilers. */
final class Machine {
  private static final long MEBI = 1L << 20;

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
    facts.put("libtorch", Installed.LIBTORCH.version());
    facts.put("onnxruntime", Installed.ONNXRUNTIME.version());
    if (device.kind() == Device.Kind.CUDA) {
      facts.put("driver", driver());
      facts.put("memory", device.totalMemory() / MEBI + " MiB");
    }
    return facts;
  }

  /** The command line after bench, which are also all of the settings that are not defaults. */
  private static String words(CommandSpec command) {
    return "bench "
        + String.join(" ", command.root().commandLine().getParseResult().originalArgs());
  }

  /**
   * The NVIDIA driver and the CUDA version that it supports. The CUDA runtime is linked into the
   * native library, whose fact names the nvcc that it came with.
   */
  private static String driver() {
    int version = Device.cudaDriverVersion();
    String supports = "supports CUDA " + version / 1000 + "." + version % 1000 / 10;
    try (var lines = Files.lines(Path.of("/proc/driver/nvidia/version"))) {
      return lines.findFirst().map(line -> line.strip().replaceAll("\\s+", " ")).orElse("unknown")
          + "; "
          + supports;
    } catch (IOException e) {
      return supports;
    }
  }

  /**
   * The commit that a bundle was made of, else the source tree's, with "+" where it has changes;
   * "unknown" outside of both.
   */
  private static String commit() {
    String home = System.getProperty("fusewire.home", "");
    if (!home.isEmpty()) {
      return commitOf(Path.of(home, "BUNDLE"));
    }
    String commit = git("rev-parse", "--short=12", "HEAD");
    if (commit.isEmpty()) {
      return "unknown";
    }
    return git("status", "--porcelain", "--untracked-files=no").isEmpty() ? commit : commit + "+";
  }

  private static String commitOf(Path bundle) {
    try (var lines = Files.lines(bundle)) {
      String word = "commit ";
      return lines
          .filter(line -> line.startsWith(word))
          .map(line -> line.substring(word.length()))
          .findFirst()
          .orElse("unknown");
    } catch (IOException e) {
      return "unknown";
    }
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
