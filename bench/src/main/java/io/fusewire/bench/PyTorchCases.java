// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import io.fusewire.bench.layers.Conditions;
import io.fusewire.bench.layers.Operation;
import io.fusewire.bench.layers.Problem;
import io.fusewire.bench.layers.ProblemFile;
import io.fusewire.bench.peer.PeerException;
import io.fusewire.bench.peer.PyTorch;
import io.fusewire.ops.DType;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * PyTorch's modes as contenders. Whatever goes wrong with one of them becomes a reason in the
 * results and disturbs nobody else. They run in the same rounds as we do, each in its turn.
 */
final class PyTorchCases {
  private final PyTorch process;
  private final List<String> modes;

  PyTorchCases(PyTorch process, List<String> modes) {
    this.process = process;
    this.modes = List.copyOf(modes);
  }

  /**
   * What one mode was measured to need.
   *
   * @param peakBytes the most device memory it had; NaN if that is not known
   */
  record Outcome(PeerTime time, double peakBytes) {}

  /**
   * Races an operation's contenders of this process against every mode on the same layer.
   *
   * @param ours contenders of this process
   * @param peers receives what the modes took
   * @return timings of the contenders of this process
   */
  List<Timing> race(
      Problem problem,
      Operation operation,
      int batch,
      Conditions conditions,
      List<Rounds.Contender> ours,
      Rounds rounds,
      List<PeerTime> peers)
      throws Exception {
    Map<String, Object> fields = new LinkedHashMap<>();
    fields.put("kind", "operation");
    fields.put("case", problem.name());
    fields.put("layer", problem.layer().label());
    fields.put("operation", operation.label());
    fields.put("batch", batch);
    fields.put("height", problem.height());
    fields.put("width", problem.width());
    fields.put("in", problem.inChannels());
    fields.put("out", problem.outChannels());
    fields.put("kernel", problem.kernel());
    fields.put("stride", problem.stride());
    if (operation == Operation.INFERENCE_EXPANDED) {
      fields.put("expand_from", ProblemFile.expandedFrom(problem));
    }
    fields.put("allow_tf32", conditions.stream().tf32Allowed());
    fields.put("cold_bytes", conditions.spread());
    List<Outcome> outcomes = new ArrayList<>();
    List<Timing> timings = race(fields, modes, conditions.dtype(), ours, rounds, outcomes);
    outcomes.forEach(outcome -> peers.add(outcome.time()));
    return timings;
  }

  /** All modes; those of a network are raced one at a time, for their memory. */
  List<String> modes() {
    return modes;
  }

  /**
   * Races contenders of this process against some modes on a case.
   *
   * @param fields the case, but for mode and type
   * @param which the modes
   * @param outcomes receives what the modes needed, in their order
   * @return timings of the contenders of this process
   */
  List<Timing> race(
      Map<String, Object> fields,
      List<String> which,
      DType dtype,
      List<Rounds.Contender> ours,
      Rounds rounds,
      List<Outcome> outcomes)
      throws Exception {
    List<PyTorch.Entrant> entrants = new ArrayList<>();
    List<String> refusals = new ArrayList<>();
    List<Rounds.Contender> all = new ArrayList<>(ours);
    for (String mode : which) {
      Map<String, Object> request = new LinkedHashMap<>(fields);
      request.put("dtype", dtype.name().toLowerCase(Locale.ROOT));
      request.put("mode", mode);
      try {
        PyTorch.Entrant entrant = process.prepare(request);
        entrants.add(entrant);
        refusals.add(null);
        all.add(entrant::seconds);
      } catch (PeerException e) {
        entrants.add(null);
        refusals.add(e.getMessage());
      }
    }
    List<Timing> timings;
    double[] peaks = new double[which.size()];
    try {
      timings = rounds.race(all);
    } finally {
      for (int i = 0; i < which.size(); i++) {
        peaks[i] = entrants.get(i) == null ? Double.NaN : entrants.get(i).close();
      }
    }
    int next = ours.size();
    for (int i = 0; i < which.size(); i++) {
      String name = PeerChoice.label(which.get(i));
      PyTorch.Entrant entrant = entrants.get(i);
      outcomes.add(
          new Outcome(
              entrant == null
                  ? PeerTime.missing(name, refusals.get(i))
                  : PeerTime.of(name, timings.get(next++), entrant.reason()),
              peaks[i]));
    }
    return timings.subList(0, ours.size());
  }
}
