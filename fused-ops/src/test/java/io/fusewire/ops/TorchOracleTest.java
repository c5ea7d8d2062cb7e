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
}
