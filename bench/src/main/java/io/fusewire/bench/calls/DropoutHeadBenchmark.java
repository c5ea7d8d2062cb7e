// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.calls;

import io.fusewire.ops.DType;
import io.fusewire.ops.DropoutHead;
import io.fusewire.ops.SampleMode;
import io.fusewire.ops.Tensor;
import org.openjdk.jmh.annotations.Benchmark;

/** Calls of {@link DropoutHead} for one image and two classes. */
public class DropoutHeadBenchmark extends CallBenchmark {
  private static final int CLASSES = 2;

  private DropoutHead head;
  private Tensor pooled;
  private Tensor weights;
  private Tensor bias;
  private Tensor labels;
  private Tensor losses;
  private Tensor correct;
  private Tensor diffLogits;
  private Tensor diffPooled;
  private Tensor diffWeights;
  private Tensor diffBias;
  private Tensor logits;
  private Tensor workspace;

  /** Called by JMH. */
  public DropoutHeadBenchmark() {}

  @Override
  void prepare() {
    head = new DropoutHead(1, CHANNELS, CLASSES, 1, 0.5f, 0.1f, SampleMode.AVERAGE_LOSSES, 1);
    pooled = zeros(1, CHANNELS);
    weights = zeros(CLASSES, CHANNELS);
    bias = zeros(CLASSES);
    labels = zeros(DType.I32, 1);
    losses = zeros(1);
    correct = zeros(DType.I32, 1);
    diffLogits = zeros(head.sets(), 1, CLASSES);
    diffPooled = zeros(1, CHANNELS);
    diffWeights = zeros(CLASSES, CHANNELS);
    diffBias = zeros(CLASSES);
    logits = zeros(1, CLASSES);
    workspace = workspace(head.workspaceBytes(stream));
  }

  /** One call. */
  @Benchmark
  public void forward() {
    head.forward(
        stream, step, pooled, weights, bias, labels, losses, correct, diffLogits, workspace);
  }

  /** One call. */
  @Benchmark
  public void backward() {
    head.backward(
        stream,
        step,
        null,
        pooled,
        weights,
        diffLogits,
        diffPooled,
        diffWeights,
        diffBias,
        workspace);
  }

  /** One call. */
  @Benchmark
  public void inference() {
    head.inference(stream, pooled, weights, bias, logits, null, workspace);
  }

  /** One call. */
  @Benchmark
  public void crossEntropy() {
    head.crossEntropy(stream, logits, labels, losses, correct);
  }
}
