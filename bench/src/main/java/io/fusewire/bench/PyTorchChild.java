// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import io.fusewire.bench.peer.PeerException;
import io.fusewire.bench.peer.PyTorch;
import io.fusewire.ops.DType;
import io.fusewire.ops.Device;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** PyTorch's process for as long as a command runs; nobody where it was not asked for. */
final class PyTorchChild implements AutoCloseable {
  private final PyTorch process;
  private final List<String> modes;
  private final PrintWriter err;
  private Map<String, String> facts = Map.of();

  private PyTorchChild(PyTorch process, List<String> modes, PrintWriter err) {
    this.process = process;
    this.modes = modes;
    this.err = err;
  }

  /** Starts it if the user wants it; says in one line if that fails. */
  static PyTorchChild of(PeerChoice choice, Device device, int threads, PrintWriter err)
      throws IOException {
    if (!choice.withPyTorch()) {
      return new PyTorchChild(null, List.of(), err);
    }
    PyTorchChild child = new PyTorchChild(choice.open(device, threads), choice.modes(device), err);
    try {
      child.facts = child.process.facts();
    } catch (PeerException e) {
      // Every case repeats the reason, so that a result file says it as well.
      PeerChoice.say(err, "pytorch takes no part: " + e.getMessage());
    }
    return child;
  }

  /** Its versions, for the header of a result file. */
  Map<String, String> facts() {
    Map<String, String> named = new LinkedHashMap<>();
    facts.keySet().stream().sorted().forEach(name -> named.put("pytorch " + name, facts.get(name)));
    return named;
  }

  /** What measures cases with it; null for nobody. */
  PyTorchCases cases() {
    return process == null ? null : new PyTorchCases(process, modes);
  }

  /** The limits, or those with its product if that is faster. */
  Limits orFaster(Limits limits, DType dtype) {
    if (facts.isEmpty()) {
      return limits;
    }
    try {
      double rate = process.product(dtype.name().toLowerCase(Locale.ROOT));
      return limits.withPeak(new Peak(rate, "PyTorch's product"));
    } catch (PeerException e) {
      PeerChoice.say(err, "pytorch's product is not measured: " + e.getMessage());
      return limits;
    }
  }

  @Override
  public void close() {
    if (process != null) {
      process.close();
    }
  }
}
