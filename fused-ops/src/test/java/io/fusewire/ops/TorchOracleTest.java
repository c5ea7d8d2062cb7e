// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import static io.fusewire.ops.TorchMemory.assertSame;
import static io.fusewire.ops.TorchMemory.backward;
import static io.fusewire.ops.TorchMemory.leaf;
import static io.fusewire.ops.TorchMemory.nan;
import static io.fusewire.ops.TorchMemory.view;

import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every operation on libtorch's own tensors, in place, against libtorch in double: outputs and all
 * gradients. Only devices that share the host's memory can use these tensors in place.
 */
@Tag("oracle")
class TorchOracleTest {
  private final TorchMemory memory = new TorchMemory();

  static List<Device> devices() {
    return Device.all().stream().filter(d -> d.kind() != Device.Kind.CUDA).toList();
  }

  private static Tensor activate(Activation activation, Tensor x) {
    return switch (activation) {
      case IDENTITY -> x;
      case SILU -> torch.silu(x);
      case RELU -> torch.relu(x);
      case RELU6 -> torch.relu6(x);
    };
  }

  /** NHWC to libtorch's NCHW, padded as the shape says. */
  private static Tensor padded(ConvShape s, Tensor nhwc) {
    return torch.constant_pad_nd(
        nhwc.permute(0, 3, 1, 2), s.padLeft(), s.padRight(), s.padTop(), s.padBottom());
  }

  private static Tensor torchConv(ConvShape s, Tensor x, Tensor weights, Tensor bias, long groups) {
    return torch
        .conv2d(
            padded(s, x),
            weights,
            new TensorOptional(bias),
            new long[] {s.strideHeight(), s.strideWidth()},
            new long[] {0, 0},
            new long[] {s.dilationHeight(), s.dilationWidth()},
            groups)
        .permute(0, 2, 3, 1);
  }

  @ParameterizedTest
  @MethodSource("devices")
  void depthwise(Device device) {
    for (ConvShape s : ConvCases.depthwise()) {
      Tensor x = memory.randn(s.batch(), s.inHeight(), s.inWidth(), s.inChannels());
      Tensor w = memory.randn(s.kernelHeight(), s.kernelWidth(), s.inChannels());
      Tensor b = memory.randn(s.inChannels());
      Tensor g = memory.randn(s.batch(), s.outHeight(), s.outWidth(), s.inChannels());
      Tensor y = nan(s.batch(), s.outHeight(), s.outWidth(), s.inChannels());
      Tensor dx = nan(s.batch(), s.inHeight(), s.inWidth(), s.inChannels());
      Tensor dw = nan(s.kernelHeight(), s.kernelWidth(), s.inChannels());
      Tensor db = nan(s.inChannels());
      DepthwiseConv op = new DepthwiseConv(s, DType.F32, Activation.SILU);
      try (Lab lab = new Lab(device)) {
        op.forward(lab.stream, view(device, x), view(device, w), view(device, b), view(device, y));
        op.backwardData(lab.stream, view(device, g), view(device, w), view(device, dx));
        op.backwardWeights(
            lab.stream,
            view(device, x),
            view(device, g),
            view(device, dw),
            view(device, db),
            lab.workspace(op.workspaceBytes(lab.stream)));
      }
      Tensor xd = leaf(x);
      Tensor wd = leaf(w);
      Tensor bd = leaf(b);
      Tensor raw = torchConv(s, xd, wd.permute(2, 0, 1).unsqueeze(1), bd, s.inChannels());
      assertSame(s + " dst", torch.silu(raw), y);
      backward(raw, g);
      assertSame(s + " diffSrc", xd.grad(), dx);
      assertSame(s + " diffWeights", wd.grad(), dw);
      assertSame(s + " diffBias", bd.grad(), db);
    }
  }

  @ParameterizedTest
  @MethodSource("devices")
  void dense(Device device) {
    for (ConvShape s : ConvCases.dense()) {
      Tensor x = memory.randn(s.batch(), s.inHeight(), s.inWidth(), s.inChannels());
      Tensor w = memory.randn(s.outChannels(), s.kernelHeight(), s.kernelWidth(), s.inChannels());
      Tensor b = memory.randn(s.outChannels());
      Tensor g = memory.randn(s.batch(), s.outHeight(), s.outWidth(), s.outChannels());
      Tensor y = nan(s.batch(), s.outHeight(), s.outWidth(), s.outChannels());
      Tensor dx = nan(s.batch(), s.inHeight(), s.inWidth(), s.inChannels());
      Tensor dw = nan(s.outChannels(), s.kernelHeight(), s.kernelWidth(), s.inChannels());
      Tensor db = nan(s.outChannels());
      DenseConv op = new DenseConv(s, DType.F32, Activation.RELU);
      try (Lab lab = new Lab(device)) {
        io.fusewire.ops.Tensor space = lab.workspace(op.workspaceBytes(lab.stream));
        op.forward(
            lab.stream, view(device, x), view(device, w), view(device, b), view(device, y), space);
        op.backwardData(lab.stream, view(device, g), view(device, w), view(device, dx), space);
        op.backwardWeights(
            lab.stream,
            view(device, x),
            view(device, g),
            view(device, dw),
            view(device, db),
            space);
      }
      Tensor xd = leaf(x);
      Tensor wd = leaf(w);
      Tensor bd = leaf(b);
      Tensor raw = torchConv(s, xd, wd.permute(0, 3, 1, 2), bd, 1);
      assertSame(s + " dst", torch.relu(raw), y);
      backward(raw, g);
      assertSame(s + " diffSrc", xd.grad(), dx);
      assertSame(s + " diffWeights", wd.grad(), dw);
      assertSame(s + " diffBias", bd.grad(), db);
    }
  }

  @ParameterizedTest
  @MethodSource("devices")
  void pointwise(Device device) {
    for (Activation activation : Activation.values()) {
      Tensor x = memory.randn(77, 40);
      Tensor w = memory.randn(50, 40);
      Tensor b = memory.randn(50);
      Tensor r = memory.randn(77, 50);
      Tensor g = memory.randn(77, 50);
      Tensor y = nan(77, 50);
      Tensor raw = nan(77, 50);
      Tensor dx = nan(77, 40);
      Tensor dw = nan(50, 40);
      Tensor db = nan(50);
      PointwiseConv op = new PointwiseConv(77, 40, 50, DType.F32, activation);
      try (Lab lab = new Lab(device)) {
        io.fusewire.ops.Tensor space = lab.workspace(op.workspaceBytes(lab.stream));
        op.forward(
            lab.stream,
            view(device, x),
            view(device, w),
            view(device, b),
            view(device, r),
            view(device, y),
            view(device, raw),
            space);
        op.backwardData(
            lab.stream,
            view(device, g),
            view(device, w),
            view(device, raw),
            null,
            view(device, dx),
            space);
        op.backwardWeights(
            lab.stream,
            view(device, x),
            view(device, g),
            view(device, raw),
            view(device, dw),
            view(device, db),
            space);
      }
      Tensor xd = leaf(x);
      Tensor wd = leaf(w);
      Tensor bd = leaf(b);
      Tensor rawd = torch.linear(xd, wd, new TensorOptional(bd));
      Tensor yd = activate(activation, rawd).add(r.to(torch.ScalarType.Double));
      assertSame(activation + " dst", yd, y);
      assertSame(activation + " raw", rawd, raw);
      backward(yd, g);
      assertSame(activation + " diffSrc", xd.grad(), dx);
      assertSame(activation + " diffWeights", wd.grad(), dw);
      assertSame(activation + " diffBias", bd.grad(), db);
    }
  }

  @ParameterizedTest
  @MethodSource("devices")
  void batchNorm(Device device) {
    for (Activation activation : Activation.values()) {
      Tensor x = memory.randn(150, 37);
      Tensor gamma = memory.randn(37);
      Tensor beta = memory.randn(37);
      Tensor mean = memory.randn(37);
      Tensor var = memory.randn(37).abs();
      Tensor g = memory.randn(150, 37);
      Tensor y = nan(150, 37);
      Tensor eval = nan(150, 37);
      Tensor dx = nan(150, 37);
      Tensor dgamma = nan(37);
      Tensor dbeta = nan(37);
      Tensor meand = leaf(mean).detach().clone();
      Tensor vard = leaf(var).detach().clone();
      BatchNorm op = new BatchNorm(150, 37, DType.F32, activation, 1e-3f, 0.25f);
      try (Lab lab = new Lab(device)) {
        io.fusewire.ops.Tensor space = lab.workspace(op.workspaceBytes(lab.stream));
        io.fusewire.ops.Tensor savedMean = lab.out(DType.F32, 37);
        io.fusewire.ops.Tensor savedInvStd = lab.out(DType.F32, 37);
        op.forwardInference(
            lab.stream,
            view(device, x),
            view(device, gamma),
            view(device, beta),
            view(device, mean),
            view(device, var),
            view(device, eval));
        op.forwardTraining(
            lab.stream,
            view(device, x),
            view(device, gamma),
            view(device, beta),
            view(device, mean),
            view(device, var),
            savedMean,
            savedInvStd,
            view(device, y),
            space);
        op.backward(
            lab.stream,
            view(device, x),
            view(device, g),
            view(device, gamma),
            view(device, beta),
            savedMean,
            savedInvStd,
            view(device, dx),
            view(device, dgamma),
            view(device, dbeta),
            space);
      }
      Tensor xd = leaf(x);
      Tensor gammad = leaf(gamma);
      Tensor betad = leaf(beta);
      assertSame(
          "inference",
          activate(activation, torchNorm(xd, gammad, betad, meand, vard, false)),
          eval);
      Tensor yd = activate(activation, torchNorm(xd, gammad, betad, meand, vard, true));
      assertSame(activation + " dst", yd, y);
      assertSame("running mean", meand, mean);
      assertSame("running variance", vard, var);
      backward(yd, g);
      assertSame(activation + " diffSrc", xd.grad(), dx);
      assertSame(activation + " diffGamma", gammad.grad(), dgamma);
      assertSame(activation + " diffBeta", betad.grad(), dbeta);
    }
  }

  private static Tensor torchNorm(
      Tensor x, Tensor gamma, Tensor beta, Tensor mean, Tensor var, boolean training) {
    return torch.batch_norm(
        x,
        new TensorOptional(gamma),
        new TensorOptional(beta),
        new TensorOptional(mean),
        new TensorOptional(var),
        training,
        0.25,
        1e-3f,
        false);
  }

  @ParameterizedTest
  @MethodSource("devices")
  void squeezeExcite(Device device) {
    Tensor x = memory.randn(3, 5, 7, 26);
    Tensor rw = memory.randn(9, 26);
    Tensor rb = memory.randn(9);
    Tensor ew = memory.randn(26, 9);
    Tensor eb = memory.randn(26);
    Tensor g = memory.randn(3, 5, 7, 26);
    Tensor y = nan(3, 5, 7, 26);
    Tensor dx = nan(3, 5, 7, 26);
    Tensor[] diffs = {nan(9, 26), nan(9), nan(26, 9), nan(26)};
    SqueezeExcite op = new SqueezeExcite(3, 35, 26, 9, DType.F32, Activation.SILU, Gate.SIGMOID);
    try (Lab lab = new Lab(device)) {
      io.fusewire.ops.Tensor space = lab.workspace(op.workspaceBytes(lab.stream));
      io.fusewire.ops.Tensor pooled = lab.out(DType.F32, 3, 26);
      io.fusewire.ops.Tensor hidden = lab.out(DType.F32, 3, 9);
      io.fusewire.ops.Tensor gate = lab.out(DType.F32, 3, 26);
      op.forward(
          lab.stream,
          view(device, x),
          view(device, rw),
          view(device, rb),
          view(device, ew),
          view(device, eb),
          pooled,
          hidden,
          gate,
          view(device, y),
          space);
      op.backward(
          lab.stream,
          view(device, x),
          view(device, g),
          view(device, rw),
          view(device, ew),
          pooled,
          hidden,
          gate,
          view(device, dx),
          view(device, diffs[0]),
          view(device, diffs[1]),
          view(device, diffs[2]),
          view(device, diffs[3]),
          space);
    }
    Tensor xd = leaf(x);
    Tensor[] weights = {leaf(rw), leaf(rb), leaf(ew), leaf(eb)};
    Tensor hiddend = torch.linear(torch.mean(xd, 1, 2), weights[0], new TensorOptional(weights[1]));
    Tensor gated =
        torch.sigmoid(
            torch.linear(torch.silu(hiddend), weights[2], new TensorOptional(weights[3])));
    Tensor yd = xd.mul(gated.unsqueeze(1).unsqueeze(1));
    assertSame("dst", yd, y);
    backward(yd, g);
    assertSame("diffSrc", xd.grad(), dx);
    String[] names = {"reduce weights", "reduce bias", "expand weights", "expand bias"};
    for (int i = 0; i < 4; i++) {
      assertSame(names[i], weights[i].grad(), diffs[i]);
    }
  }

  @ParameterizedTest
  @MethodSource("devices")
  void poolAndHead(Device device) {
    Tensor x = memory.randn(6, 4, 4, 30);
    Tensor w = memory.randn(11, 30);
    Tensor b = memory.randn(11);
    Tensor labels = torch.tensor(3, 0, -100, 10, 7, 3).to(torch.ScalarType.Int);
    Tensor pooled = nan(6, 30);
    Tensor losses = nan(6);
    Tensor dx = nan(6, 4, 4, 30);
    Tensor dw = nan(11, 30);
    Tensor db = nan(11);
    MeanPool pool = new MeanPool(6, 16, 30, DType.F32);
    DropoutHead head = new DropoutHead(6, 30, 11, 1, 0, 0.1f, SampleMode.AVERAGE_LOSSES, 0);
    try (Lab lab = new Lab(device)) {
      io.fusewire.ops.Tensor space =
          lab.workspace(Math.max(pool.workspaceBytes(lab.stream), head.workspaceBytes(lab.stream)));
      io.fusewire.ops.Tensor diffLogits = lab.out(DType.F32, 1, 6, 11);
      io.fusewire.ops.Tensor diffPooled = lab.out(DType.F32, 6, 30);
      pool.forward(lab.stream, view(device, x), view(device, pooled), space);
      head.forward(
          lab.stream,
          null,
          view(device, pooled),
          view(device, w),
          view(device, b),
          view(device, labels),
          view(device, losses),
          lab.out(DType.I32, 6),
          diffLogits,
          space);
      head.backward(
          lab.stream,
          null,
          null,
          view(device, pooled),
          view(device, w),
          diffLogits,
          diffPooled,
          view(device, dw),
          view(device, db),
          space);
      pool.backward(lab.stream, diffPooled, view(device, dx));
    }
    Tensor xd = leaf(x);
    Tensor wd = leaf(w);
    Tensor bd = leaf(b);
    Tensor pooledd = torch.mean(xd, 1, 2);
    assertSame("pooled", pooledd, pooled);
    Tensor logits = torch.linear(pooledd, wd, new TensorOptional(bd));
    Tensor loss =
        torch.cross_entropy_loss(
            logits, labels.to(torch.ScalarType.Long), new TensorOptional(), 1, -100, 0.1f);
    assertSame("loss", loss.mul(new org.bytedeco.pytorch.Scalar(5)), losses.sum());
    loss.backward();
    assertSame("diffSrc", xd.grad(), dx);
    assertSame("diffWeights", wd.grad(), dw);
    assertSame("diffBias", bd.grad(), db);
  }

  @ParameterizedTest
  @MethodSource("devices")
  void imageBatch(Device device) {
    byte[] pixels = new byte[2 * 9 * 12 * 3];
    new java.util.Random(1).nextBytes(pixels);
    Tensor x = torch.tensor(pixels).to(torch.ScalarType.Byte).view(2, 9, 12, 3).contiguous();
    Tensor y = nan(2, 16, 7, 3);
    try (Lab lab = new Lab(device)) {
      ImageBatch.builder(2, 9, 12, 3)
          .size(16, 7)
          .build()
          .forward(lab.stream, null, view(device, x), view(device, y));
    }
    Tensor resized =
        torch
            .upsample_bilinear2d(
                x.to(torch.ScalarType.Double).permute(0, 3, 1, 2), new long[] {16, 7}, false)
            .permute(0, 2, 3, 1);
    assertSame("image", resized.mul(new org.bytedeco.pytorch.Scalar(1 / 255.0)), y);
  }

  @ParameterizedTest
  @MethodSource("devices")
  void optimizers(Device device) {
    for (boolean adam : new boolean[] {false, true}) {
      Tensor p = memory.randn(100);
      Tensor pd = leaf(p);
      org.bytedeco.pytorch.TensorVector all = new org.bytedeco.pytorch.TensorVector(pd);
      org.bytedeco.pytorch.Optimizer peer;
      OptimizerSettings settings;
      if (adam) {
        org.bytedeco.pytorch.AdamWOptions options = new org.bytedeco.pytorch.AdamWOptions(0.05);
        options.weight_decay().put(0.1);
        peer = new org.bytedeco.pytorch.AdamW(all, options);
        settings = OptimizerSettings.adamW(0.999f, 1e-8f);
      } else {
        org.bytedeco.pytorch.SGDOptions options = new org.bytedeco.pytorch.SGDOptions(0.05);
        options.weight_decay().put(0.1);
        options.momentum().put(0.9);
        options.nesterov().put(true);
        peer = new org.bytedeco.pytorch.SGD(all, options);
        settings = OptimizerSettings.sgd(true);
      }
      try (Lab lab = new Lab(device);
          StepState step = new StepState(lab.stream);
          LossScale scale = new LossScale(lab.stream, 1)) {
        Tensor g = nan(100);
        io.fusewire.ops.Tensor state1 = lab.in(DType.F32, new double[100], 100);
        Optimizer optimizer = new Optimizer(settings);
        try (ParameterTable table =
            ParameterTable.builder(lab.stream)
                .add(
                    view(device, p),
                    view(device, g),
                    lab.in(DType.F32, new double[100], 100),
                    state1,
                    null,
                    0.1f,
                    1)
                .build()) {
          io.fusewire.ops.Tensor space = lab.workspace(optimizer.workspaceBytes(lab.stream, table));
          for (int t = 1; t <= 5; t++) {
            Tensor gradient = memory.randn(100);
            g.copy_(gradient);
            pd.mutable_grad().put(gradient.to(torch.ScalarType.Double));
            peer.step();
            step.set(
                lab.stream,
                0,
                t,
                0.05f,
                0.9f,
                0,
                (float) (1 - Math.pow(0.9, t)),
                (float) (1 - Math.pow(0.999, t)));
            optimizer.examine(lab.stream, table, scale, space);
            optimizer.step(lab.stream, table, step, scale);
          }
        }
      }
      assertSame(settings.kind().toString(), pd, p);
    }
  }
}
