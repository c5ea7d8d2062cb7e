// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import io.fusewire.bench.peer.Installed;
import io.fusewire.bench.peer.PeerNetwork;
import io.fusewire.graph.Replay;
import io.fusewire.model.Architecture;
import io.fusewire.ops.DType;
import io.fusewire.ops.Device;
import io.fusewire.ops.DeviceException;
import io.fusewire.ops.DeviceLostException;
import io.fusewire.ops.FusewireException;
import io.fusewire.ops.Stream;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Measures a whole network. */
@Command(
    name = "model",
    mixinStandardHelpOptions = true,
    description = {
      "A whole network on any device, and on the CPU B0's depthwise convolutions.",
      "In f32 on the CPU, beside libtorch (channels-last) and ONNX Runtime: training steps, without",
      "optimizer, beside the former, inference beside both, images and logits on the heap; all",
      "threads beside one; depthwise forward beside memcpy of the same bytes. Elsewhere, and beside",
      "the user's PyTorch (--peer): whole training steps, SGD included, and inference, with images",
      "on the device, with images/s, memory, and what share of the measured bandwidth of a copy and",
      "of the measured peak they reach. A ratio is ours over the peer's."
    })
final class ModelCommand implements Callable<Integer> {
  private static final int DEPTHWISE_BATCH = 8;
  private static final int GPU_ROUNDS = 25;

  @Spec private CommandSpec spec;
  @Mixin private Settings settings;
  @Mixin private ModelChoice model;
  @Mixin private DeviceChoice where;
  @Mixin private PeerChoice beside;

  @Option(
      names = "--batch",
      paramLabel = "N",
      split = ",",
      description = {
        "Images of a training step, any number of them (default: 8,32; on a GPU 32,128,256)."
      })
  private List<Integer> batches;

  @Option(
      names = "--infer-batch",
      paramLabel = "N",
      split = ",",
      description = {
        "Images of a forward pass, any number of them (default: 1,8,32; on a GPU 1,32,256)."
      })
  private List<Integer> inferenceBatches;

  /** Whether some case's result was wrong; the others are measured still. */
  private boolean differed;

  @Override
  public Integer call() throws Exception {
    settings.check(spec);
    Device device = where.device(spec);
    DType dtype = where.dtype(spec);
    beside.check(spec, device, dtype, Installed.LIBTORCH, Installed.ONNXRUNTIME);
    boolean gpu = device.kind() == Device.Kind.CUDA;
    batches = batches != null ? batches : gpu ? List.of(32, 128, 256) : List.of(8, 32);
    inferenceBatches =
        inferenceBatches != null ? inferenceBatches : gpu ? List.of(1, 32, 256) : List.of(1, 8, 32);
    // BatchNorm needs more than one value, which a network of any resolution has from two images.
    batches.forEach(n -> Settings.atLeast(spec, "--batch", n, 2));
    inferenceBatches.forEach(n -> Settings.atLeast(spec, "--infer-batch", n, 1));
    Architecture network = model.builder(spec).build();
    PrintWriter err = spec.commandLine().getErr();
    boolean f32 = dtype == DType.F32;
    boolean theirs = PeerNetwork.has(network);
    if (f32 && !theirs) {
      PeerChoice.say(
          err, "libtorch and ONNX Runtime have b0 to b8 and l2 here, not " + network.title());
    }
    boolean libtorch = f32 && theirs && beside.with(Installed.LIBTORCH, device, err);
    boolean onnx = f32 && theirs && beside.with(Installed.ONNXRUNTIME, device, err);
    List<Measurement> measurements = new ArrayList<>();
    List<Report.Entry> more = new ArrayList<>();
    Map<String, String> facts = settings.facts(spec, settings.rounds(device, GPU_ROUNDS), device);
    try (Stream stream = where.set(settings.open(device))) {
      if (libtorch || onnx) {
        inThisProcess(stream, libtorch, onnx, measurements);
      }
      if (beside.withPyTorch() || (!libtorch && !onnx)) {
        onTheDevice(stream, dtype, facts, measurements, more);
      }
    }
    settings.report(facts, measurements, more, spec);
    return differed ? 1 : 0;
  }

  /** Beside libtorch and ONNX Runtime. */
  private void inThisProcess(
      Stream stream, boolean libtorch, boolean onnx, List<Measurement> measurements)
      throws Exception {
    ModelCases cases =
        new ModelCases(
            stream, settings.threads(), settings.rounds(), model.builder(spec), libtorch, onnx);
    for (int images : inferenceBatches) {
      say("inference, batch " + images);
      measurements.addAll(cases.infer(images));
    }
    for (int images : cases.withLibtorch() ? batches : List.<Integer>of()) {
      say("training step, batch " + images);
      measurements.add(cases.train(images));
    }
    if (settings.threads() > 1) {
      say("training step, batch " + batches.get(0) + ", on one thread");
      measurements.add(cases.scaling(batches.get(0)));
    }
    if (model.name().equals("b0")) {
      say("depthwise convolutions");
      measurements.addAll(
          new DepthwiseCases(stream, settings.threads(), DEPTHWISE_BATCH, settings.ownRounds())
              .measure());
    }
  }

  /** Alone or beside PyTorch. */
  private void onTheDevice(
      Stream stream,
      DType dtype,
      Map<String, String> facts,
      List<Measurement> measurements,
      List<Report.Entry> more)
      throws Exception {
    Device device = stream.device();
    Rounds rounds = settings.rounds(device, GPU_ROUNDS);
    try (Clock clock = where.open(stream, false);
        PyTorchChild child =
            PyTorchChild.of(beside, device, settings.threads(), spec.commandLine().getErr())) {
      Limits limits = child.orFaster(Limits.measure(stream, dtype, clock, false), dtype);
      facts.put("clock", where.clock(device));
      boolean graphs = Replay.modeFor(device) == Replay.Mode.GRAPH;
      facts.put("steps run", graphs ? "as graphs" : "operation by operation");
      facts.put("measured peak", limits.toString());
      facts.putAll(child.facts());
      more.addAll(limits.entries(dtype));
      NetworkCases cases =
          new NetworkCases(
              stream, dtype, clock, rounds, limits, child.cases(), model.builder(spec));
      for (int images : inferenceBatches) {
        say("inference, batch " + images);
        keep(() -> cases.infer(images), facts, measurements, more);
      }
      for (int images : batches) {
        say("whole training step, batch " + images);
        keep(() -> cases.train(images), facts, measurements, more);
      }
    }
  }

  /**
   * Keeps a case's results, in the file as well, whatever happens to the next. A case that the
   * device has no memory for, or does not compute, is told, and the others are measured.
   */
  private void keep(
      Callable<NetworkResult> run,
      Map<String, String> facts,
      List<Measurement> measurements,
      List<Report.Entry> more)
      throws Exception {
    try {
      NetworkResult result = run.call();
      measurements.addAll(result.measurements());
      more.addAll(result.figures());
      settings.write(facts, Report.joined(measurements, more));
    } catch (DifferentResults e) {
      PeerChoice.say(spec.commandLine().getErr(), "wrong: " + e.getMessage());
      differed = true;
    } catch (DeviceException | DeviceLostException e) {
      // Whatever comes after it on this device would fail as well.
      throw e;
    } catch (FusewireException e) {
      PeerChoice.say(spec.commandLine().getErr(), "left out: " + e.getMessage());
    }
  }

  private void say(String what) {
    spec.commandLine().getErr().println("measuring: " + what);
    spec.commandLine().getErr().flush();
  }
}
