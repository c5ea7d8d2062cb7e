// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import io.fusewire.bench.peer.Installed;
import io.fusewire.bench.peer.PyTorch;
import io.fusewire.ops.DType;
import io.fusewire.ops.Device;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/** Options that say who is measured beside us. */
final class PeerChoice {
  static final String PYTORCH = "pytorch";
  private static final String NONE = "none";
  private static final String SCRIPT = "peers/pytorch_peer.py";

  @Option(
      names = "--peer",
      paramLabel = "NAME",
      split = ",",
      description = {
        "libtorch, onnxruntime (networks only), pytorch, or none. The first two run in this",
        "process, on the CPU alone, and are the default there; pytorch is the user's own, in a",
        "Python process beside this one, on the same device. Any number of them."
      })
  private List<String> peers;

  @Option(
      names = "--peer-modes",
      paramLabel = "MODE",
      split = ",",
      description = {
        "How PyTorch runs: eager, compile (torch.compile, max-autotune), graph (eager, captured as",
        "a CUDA graph) (default: all on a GPU, eager on the CPU)."
      })
  private List<String> modes;

  @Option(
      names = "--python",
      paramLabel = "COMMAND",
      defaultValue = "python3",
      description = "A Python that has torch (default: ${DEFAULT-VALUE}).")
  private String python;

  @Option(
      names = "--peer-script",
      paramLabel = "FILE",
      description = "Another script than bench/peers/pytorch_peer.py, of the same protocol.")
  private String script;

  @Option(
      names = "--peer-timeout",
      paramLabel = "SECONDS",
      defaultValue = "900",
      description = {
        "How long PyTorch may take to make a case ready; torch.compile takes minutes for a network",
        "(default: ${DEFAULT-VALUE})."
      })
  private int timeout;

  private Path extracted;

  /** Refuses what cannot be, before anything is measured. */
  void check(CommandSpec command, Device device, DType dtype, Installed... known) {
    List<String> names = new ArrayList<>();
    for (Installed peer : known) {
      names.add(peer.label());
    }
    names.add(PYTORCH);
    names.add(NONE);
    for (String peer : peers == null ? List.<String>of() : peers) {
      if (!names.contains(peer)) {
        throw refusal(command, "--peer is '" + peer + "'; " + String.join(", ", names) + " fit");
      }
      if (peer.equals(NONE) && peers.size() > 1) {
        throw refusal(command, "--peer none fits alone");
      }
      for (Installed inProcess : known) {
        if (peer.equals(inProcess.label()) && device.kind() != Device.Kind.CPU) {
          throw refusal(
              command, "--peer " + peer + " runs on the CPU only; on " + device + " pytorch fits");
        }
      }
    }
    // Only networks have both of them.
    boolean networks = List.of(known).contains(Installed.ONNXRUNTIME);
    for (Installed inProcess : known) {
      if (networks && wants(inProcess) && dtype != DType.F32) {
        throw refusal(
            command, "--peer " + inProcess.label() + ": its networks are measured in f32 only");
      }
    }
    for (String mode : modes == null ? List.<String>of() : modes) {
      if (!PyTorch.MODES.contains(mode)) {
        throw refusal(
            command,
            "--peer-modes is '" + mode + "'; " + String.join(", ", PyTorch.MODES) + " fit");
      }
    }
    Settings.atLeastOne(command, "--peer-timeout", timeout);
    if (script != null && !script.startsWith("@") && !Files.isReadable(Path.of(script))) {
      throw refusal(command, "--peer-script: there is no file " + script);
    }
  }

  private static ParameterException refusal(CommandSpec command, String message) {
    return new ParameterException(command.commandLine(), message);
  }

  private boolean wants(Installed peer) {
    return peers != null && peers.contains(peer.label());
  }

  /**
   * Whether a peer of this process takes part; says in one line why one that was asked for, or
   * would by default, does not.
   */
  boolean with(Installed peer, Device device, PrintWriter err) {
    if (device.kind() != Device.Kind.CPU || (peers != null && !wants(peer))) {
      return false;
    }
    peer.absence().ifPresent(why -> say(err, why));
    return peer.present();
  }

  static void say(PrintWriter err, String line) {
    err.println("bench: " + line);
    err.flush();
  }

  /** Whether the user wants PyTorch. */
  boolean withPyTorch() {
    return peers != null && peers.contains(PYTORCH);
  }

  /** How PyTorch runs what it is given. */
  List<String> modes(Device device) {
    if (modes != null) {
      return modes.stream().distinct().toList();
    }
    return device.kind() == Device.Kind.CUDA ? PyTorch.MODES : List.of("eager");
  }

  /** PyTorch, not started yet. */
  PyTorch open(Device device, int threads) throws IOException {
    String file = script == null ? extract().toString() : script;
    String name = device.kind() == Device.Kind.CUDA ? device.name() : "cpu";
    return new PyTorch(
        List.of(python, file, "--device", name, "--threads", Integer.toString(threads)),
        Duration.ofSeconds(timeout));
  }

  /** The script that this program carries along, wherever it is installed. */
  private Path extract() throws IOException {
    if (extracted == null) {
      extracted = Files.createTempFile("pytorch_peer", ".py");
      extracted.toFile().deleteOnExit();
      try (InputStream from = PeerChoice.class.getResourceAsStream(SCRIPT)) {
        if (from == null) {
          throw new IOException("this build of the benchmarks lacks " + SCRIPT);
        }
        Files.write(extracted, from.readAllBytes());
      }
    }
    return extracted;
  }

  /** A mode's name as a peer, such as {@code pytorch eager}. */
  static String label(String mode) {
    return PYTORCH + " " + mode.toLowerCase(Locale.ROOT);
  }
}
