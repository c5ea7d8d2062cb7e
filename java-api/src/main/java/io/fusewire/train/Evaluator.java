// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import io.fusewire.data.Batch;
import io.fusewire.data.BatchLoader;
import io.fusewire.data.Dataset;
import io.fusewire.graph.ExpansionPolicy;
import io.fusewire.graph.ImageInput;
import io.fusewire.graph.InferenceNetwork;
import io.fusewire.ops.Stream;
import io.fusewire.ops.Tensor;
import java.io.IOException;
import java.util.function.BooleanSupplier;
import java.util.stream.IntStream;

/**
 * Measures weights on the evaluation set, with BatchNorm folded, in the memory that training uses
 * between its steps. Nothing is measured to decide how, so that a resumed training finds the same
 * bits.
 */
final class Evaluator implements AutoCloseable {
  private final RunPlan plan;
  private final Stream stream;
  private final InferenceNetwork network;

  /** Is told how far an evaluation is. */
  interface Listener {
    void evaluated(long done, long total);
  }

  Evaluator(RunPlan plan, Stream stream, Tensor shared) {
    this.plan = plan;
    this.stream = stream;
    network =
        InferenceNetwork.open(
            stream,
            plan.net,
            plan.choices.batch,
            plan.choices.dtype,
            ImageInput.plain(plan.preprocessing),
            shared,
            ExpansionPolicy.STORED);
  }

  /** Returns the sums over all images; null if stopped before the end. */
  Tally evaluate(float[] weights, Listener listener, BooleanSupplier stopped)
      throws IOException, InterruptedException {
    network.load(weights);
    Dataset data = plan.split.evaluation();
    int[] order = IntStream.range(0, data.size()).toArray();
    Tally tally = new Tally();
    try (BatchLoader loader =
        new BatchLoader(data, order, plan.choices.batch, 0, false, plan.decodeThreads(), 0)) {
      for (Batch batch = loader.next(); batch != null; batch = loader.next()) {
        if (stopped.getAsBoolean()) {
          return null;
        }
        network.images().copyFrom(stream, batch.images());
        network.labels().copyFrom(stream, batch.labels());
        network.run();
        network.score();
        tally.add(
            network.losses().toFloats(stream), network.correct().toInts(stream), batch.labels());
        loader.recycle(batch);
        listener.evaluated(tally.images(), data.size());
      }
    }
    if (tally.images() == 0) {
      throw new IOException(
          "no evaluation image could be used (%d files left out)"
              .formatted(plan.split.skipped().count()));
    }
    return tally;
  }

  @Override
  public void close() {
    network.close();
  }
}
