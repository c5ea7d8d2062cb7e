// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import io.fusewire.graph.TrainingGraph;
import io.fusewire.ops.DType;
import io.fusewire.ops.Stream;
import io.fusewire.ops.Tensor;

/**
 * Losses and right answers of the last few steps, kept on the device until they are read together,
 * so that the device need not wait for the host after every step.
 */
final class StepResults implements AutoCloseable {
  private static final int STEPS = 16;

  private final Stream stream;
  private final int batch;
  private final Tensor losses;
  private final Tensor correct;
  private final Tensor[] lossSlots = new Tensor[STEPS];
  private final Tensor[] correctSlots = new Tensor[STEPS];
  private final int[][] labels = new int[STEPS][];
  private int filled;

  StepResults(Stream stream, int batch) {
    this.stream = stream;
    this.batch = batch;
    losses = Tensor.allocate(stream.device(), DType.F32, STEPS, batch);
    correct = Tensor.allocate(stream.device(), DType.I32, STEPS, batch);
    for (int s = 0; s < STEPS; s++) {
      lossSlots[s] = losses.slice((long) s * batch * Float.BYTES, DType.F32, batch);
      correctSlots[s] = correct.slice((long) s * batch * Integer.BYTES, DType.I32, batch);
      labels[s] = new int[batch];
    }
  }

  /** Bytes on the device. */
  static long bytes(long batch) {
    return STEPS * batch * (Float.BYTES + Integer.BYTES);
  }

  /** Keeps a step's results; returns whether it is time to {@link #drain}. */
  boolean keep(TrainingGraph network, int[] stepLabels) {
    lossSlots[filled].copyFrom(stream, network.losses());
    correctSlots[filled].copyFrom(stream, network.correct());
    System.arraycopy(stepLabels, 0, labels[filled], 0, batch);
    return ++filled == STEPS;
  }

  /** Adds what was kept, in the order of the steps, and forgets it. */
  void drain(Tally tally) {
    if (filled == 0) {
      return;
    }
    float[] loss = losses.toFloats(stream);
    int[] right = correct.toInts(stream);
    float[] stepLoss = new float[batch];
    int[] stepRight = new int[batch];
    for (int s = 0; s < filled; s++) {
      System.arraycopy(loss, s * batch, stepLoss, 0, batch);
      System.arraycopy(right, s * batch, stepRight, 0, batch);
      tally.add(stepLoss, stepRight, labels[s]);
    }
    filled = 0;
  }

  @Override
  public void close() {
    losses.close();
    correct.close();
  }
}
