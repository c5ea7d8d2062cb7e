// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import io.fusewire.bench.peer.Installed;
import io.fusewire.bench.peer.PeerNetwork;
import io.fusewire.bench.peer.TorchEfficientNet;
import io.fusewire.graph.TrainingNetwork;
import io.fusewire.graph.TrainingState;
import io.fusewire.model.Architecture;
import io.fusewire.model.Padding;
import io.fusewire.ops.DType;
import io.fusewire.ops.OptimizerSettings;
import io.fusewire.ops.Stream;
import java.io.IOException;
import java.io.PrintWriter;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * Measures the most memory that a process training Architecture ever has resident. Every contender
 * gets a process of its own, this command with a hidden option.
 */
@Command(
    name = "memory",
    mixinStandardHelpOptions = true,
    description = {
      "The peak resident memory of a process that trains in f32 on the CPU, beside libtorch's.",
      "Each is a JVM of its own that makes two steps. Linux only: the peak is VmHWM."
    })
final class MemoryCommand implements Callable<Integer> {
  private static final double MEGA = 1e6;
  private static final double KIBI = 1024;
  private static final double AIM = 0.5;
  private static final String PREFIX = "peak-kib ";

  @Spec private CommandSpec spec;
  @Mixin private Settings settings;
  @Mixin private ModelChoice model;

  @Option(
      names = "--batch",
      paramLabel = "N",
      defaultValue = "32",
      description = "Images of a training step (default: ${DEFAULT-VALUE}).")
  private int batch;

  @Option(names = "--contender", hidden = true)
  private Contender contender;

  /** Who trains in this process. */
  enum Contender {
    FUSEWIRE,
    LIBTORCH
  }

  @Override
  public Integer call() throws Exception {
    settings.check(spec);
    Settings.atLeastOne(spec, "--batch", batch);
    Architecture net =
        model.builder(spec).padding(Padding.SYMMETRIC).dropout(0).dropConnect(0).samples(1).build();
    PrintWriter out = spec.commandLine().getOut();
    if (contender != null) {
      if (contender == Contender.FUSEWIRE) {
        trainOurs(net);
      } else {
        trainTheirs(net);
      }
      out.println(PREFIX + peakKibibytes());
      out.flush();
      return 0;
    }
    String name = "%s@%d/train/batch%d/f32".formatted(net.name(), net.resolution(), batch);
    Installed libtorch = Installed.LIBTORCH;
    PrintWriter err = spec.commandLine().getErr();
    libtorch.absence().ifPresent(why -> PeerChoice.say(err, why));
    if (!PeerNetwork.has(net)) {
      PeerChoice.say(err, "libtorch has b0 to b8 and l2 here, not " + net.title());
    }
    boolean beside = libtorch.present() && PeerNetwork.has(net);
    double ours = peakOfProcess(Contender.FUSEWIRE, net);
    out.printf(Locale.ROOT, "%s: %.0f MB resident at most", name, ours);
    double theirs = Double.NaN;
    if (beside) {
      theirs = peakOfProcess(Contender.LIBTORCH, net);
      out.printf(
          Locale.ROOT,
          ", libtorch %.0f MB, ratio %.2f (aim: at most %.1f)",
          theirs,
          ours / theirs,
          AIM);
    }
    out.println();
    String peer = beside ? libtorch.label() : null;
    Figure figure = new Figure(name, "peak resident memory", ours, "MB", peer, theirs);
    settings.write(settings.facts(spec, settings.rounds()), List.of(figure));
    settings.sayWritten(out);
    return 0;
  }

  private double peakOfProcess(Contender who, Architecture net)
      throws IOException, InterruptedException {
    spec.commandLine().getErr().println("measuring: " + who.name().toLowerCase(Locale.ROOT));
    spec.commandLine().getErr().flush();
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
    command.addAll(
        List.of(
            "-cp",
            System.getProperty("java.class.path"),
            Main.class.getName(),
            "memory",
            "--contender=" + who,
            "--model=" + model.name(),
            "--resolution=" + net.resolution(),
            "--batch=" + batch,
            "--threads=" + settings.threads()));
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    process.getOutputStream().close();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    int exit = process.waitFor();
    return said.lines()
            .filter(line -> line.startsWith(PREFIX))
            .mapToDouble(line -> Double.parseDouble(line.substring(PREFIX.length())))
            .findFirst()
            .orElseThrow(
                () ->
                    new IllegalStateException(
                        "the process of " + who + " ended with exit code " + exit + ": " + said))
        * KIBI
        / MEGA;
  }

  private static double peakKibibytes() throws IOException {
    try (var lines = Files.lines(Path.of("/proc/self/status"))) {
      return lines
          .filter(line -> line.startsWith("VmHWM:"))
          .mapToDouble(line -> Double.parseDouble(line.replaceAll("[^0-9]", "")))
          .findFirst()
          .orElseThrow(() -> new IOException("/proc/self/status has no line VmHWM"));
    }
  }

  private void trainOurs(Architecture net) {
    try (Stream stream = settings.open();
        TrainingState state =
            new TrainingState(stream, net.parameters(), OptimizerSettings.Kind.SGD, false, 1);
        TrainingNetwork network =
            TrainingNetwork.open(stream, net, batch, DType.F32, null, 0, state)) {
      state.values().load(stream, net.parameters().initialValues(1));
      network.images().copyFrom(stream, images(net));
      network.labels().copyFrom(stream, new int[batch]);
      for (int step = 0; step < 2; step++) {
        network.run();
        stream.synchronize();
      }
    }
  }

  private void trainTheirs(Architecture net) {
    PeerNetwork architecture = PeerNetwork.of(net, net.parameters().initialValues(1));
    var theirs = new TorchEfficientNet(architecture, 0.1, settings.threads());
    theirs.train(images(net), batch, net.resolution(), 2);
  }

  private float[] images(Architecture net) {
    float[] images = new float[Math.multiplyExact(batch, net.resolution() * net.resolution() * 3)];
    for (int i = 0; i < images.length; i++) {
      images[i] = i % 255 / 128.0f - 1;
    }
    return images;
  }
}
