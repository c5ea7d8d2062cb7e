// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bundle;

import io.fusewire.ops.Activation;
import io.fusewire.ops.DType;
import io.fusewire.ops.DropoutHead;
import io.fusewire.ops.Gate;
import io.fusewire.ops.LossScale;
import io.fusewire.ops.Optimizer;
import io.fusewire.ops.OptimizerSettings;
import io.fusewire.ops.ParameterTable;
import io.fusewire.ops.Philox;
import io.fusewire.ops.SampleMode;
import io.fusewire.ops.SqueezedGate;
import io.fusewire.ops.StepState;
import io.fusewire.ops.Stream;
import io.fusewire.ops.Tensor;
import java.util.Locale;

/** Cases of operations on F32 alone: the head, the optimizers, random numbers. */
final class HeadCases {
  private static final int LAYER = 1;

  private HeadCases() {}

  static void add(OperationCases cases) {
    head(cases);
    optimizer(cases, OptimizerSettings.sgd(true));
    optimizer(cases, OptimizerSettings.rmsProp(0.9f, 1e-3f));
    optimizer(cases, OptimizerSettings.adamW(0.99f, 1e-6f));
    cases.add(
        "Philox.uniform",
        "numbers:KC",
        OperationCases.NONE,
        (q, step, t, space) -> Philox.uniform(q, 7, 1, 2, 3, t[0]));
    Dimensions d = cases.dimensions;
    SqueezedGate gate =
        new SqueezedGate(
            d.batch(), d.pixels(), 3, d.inChannels(), d.squeezed(), Activation.SILU, Gate.SIGMOID);
    cases.add(
        "SqueezedGate.forward",
        "sums:N3C reduceWeights:SC reduceBias:S expandWeights:CS expandBias:C pooled:NC hidden:NS"
            + " gate:NC",
        OperationCases.NONE,
        (q, step, t, space) -> gate.forward(q, t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7]));
  }

  private static void head(OperationCases cases) {
    Dimensions d = cases.dimensions;
    DropoutHead head =
        new DropoutHead(
            d.batch(),
            d.inChannels(),
            d.classes(),
            Dimensions.SAMPLES,
            0.4f,
            0.1f,
            SampleMode.AVERAGE_LOSSES,
            LAYER);
    cases.add(
        "DropoutHead.forward",
        "pooled:NC weights:LC bias:L labels#N losses:N correct#N diffLogits:MNL",
        head::workspaceBytes,
        (q, step, t, space) ->
            head.forward(q, step, t[0], t[1], t[2], t[3], t[4], t[5], t[6], space));
    cases.add(
        "DropoutHead.backward",
        "pooled:NC weights:LC diffLogits:MNL diffPooled:NC diffWeights:LC diffBias:L",
        head::workspaceBytes,
        (q, step, t, space) ->
            head.backward(q, step, null, t[0], t[1], t[2], t[3], t[4], t[5], space));
    cases.add(
        "DropoutHead.inference",
        "pooled:NC weights:LC bias:L logits:NL probabilities:NL",
        head::workspaceBytes,
        (q, step, t, space) -> head.inference(q, t[0], t[1], t[2], t[3], t[4], space));
    cases.add(
        "DropoutHead.crossEntropy",
        "logits:NL labels#N losses:N correct#N",
        OperationCases.NONE,
        (q, step, t, space) -> head.crossEntropy(q, t[0], t[1], t[2], t[3]));
  }

  private static void optimizer(OperationCases cases, OptimizerSettings settings) {
    Optimizer optimizer = new Optimizer(settings.withClipNorm(1));
    boolean two = settings.kind().states() > 1;
    cases.add(
        "Optimizer.examine+step " + settings.kind().name().toLowerCase(Locale.ROOT),
        "value:KC gradient:KC moment:KC square:KC average:KC",
        OperationCases.NONE,
        (q, step, t, space) -> {
          try (LossScale scale = new LossScale(q, 1);
              ParameterTable table =
                  ParameterTable.builder(q)
                      .add(t[0], t[1], t[2], two ? t[3] : null, t[4], 0.01f, 1)
                      .build()) {
            update(q, step, optimizer, table, scale);
          }
        });
  }

  private static void update(
      Stream stream, StepState step, Optimizer optimizer, ParameterTable table, LossScale scale) {
    long bytes = optimizer.workspaceBytes(stream, table);
    try (Tensor space = Tensor.allocate(stream.device(), DType.U8, Math.max(bytes, 1))) {
      optimizer.examine(stream, table, scale, space);
      optimizer.step(stream, table, step, scale);
      stream.synchronize();
    }
  }
}
