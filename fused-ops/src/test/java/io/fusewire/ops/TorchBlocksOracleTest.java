// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import static io.fusewire.ops.TorchMemory.assertSame;
import static io.fusewire.ops.TorchMemory.backward;
import static io.fusewire.ops.TorchMemory.leaf;
import static io.fusewire.ops.TorchMemory.nan;
import static io.fusewire.ops.TorchMemory.view;

import java.util.List;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What residual networks and fused MBConv blocks need, against libtorch in double. */
@Tag("oracle")
class TorchBlocksOracleTest {
  private static final double EPSILON = 1e-3;

  private final TorchMemory memory = new TorchMemory();

  static List<Device> devices() {
    return Device.all().stream().filter(d -> d.kind() != Device.Kind.CUDA).toList();
  }

  @ParameterizedTest
  @MethodSource("devices")
  void pools(Device device) {
    pool(device, PoolShape.symmetric(2, 9, 8, 20, 3, 2, 1), PoolKind.MAX);
    pool(device, PoolShape.symmetric(2, 8, 7, 5, 2, 1, 0), PoolKind.MAX);
    pool(device, PoolShape.ceil(2, 7, 8, 20, 2, 2), PoolKind.AVERAGE);
    pool(device, PoolShape.ceil(1, 9, 10, 3, 3, 2), PoolKind.AVERAGE);
  }

  private void pool(Device device, PoolShape s, PoolKind kind) {
    // Whole numbers: many windows have their largest value twice.
    Tensor x = memory.randn(s.batch(), s.inHeight(), s.inWidth(), s.channels()).round();
    Tensor g = memory.randn(s.batch(), s.outHeight(), s.outWidth(), s.channels());
    Tensor y = nan(s.batch(), s.outHeight(), s.outWidth(), s.channels());
    Tensor dx = nan(s.batch(), s.inHeight(), s.inWidth(), s.channels());
    Pool op = new Pool(s, kind, DType.F32, Activation.IDENTITY);
    try (Lab lab = new Lab(device)) {
      op.forward(lab.stream, view(device, x), null, view(device, y));
      op.backward(lab.stream, view(device, x), null, view(device, g), null, view(device, dx));
    }
    Tensor leaf = leaf(x);
    long[] kernel = {s.kernelHeight(), s.kernelWidth()};
    long[] stride = {s.strideHeight(), s.strideWidth()};
    long[] padding = {s.padTop(), s.padLeft()};
    Tensor nchw = leaf.permute(0, 3, 1, 2);
    Tensor expected =
        kind == PoolKind.MAX
            ? torch.max_pool2d(nchw, kernel, stride, padding, new long[] {1, 1}, false)
            : torch.avg_pool2d(
                nchw, kernel, stride, new long[] {0, 0}, true, true, new LongOptional());
    expected = expected.permute(0, 2, 3, 1);
    assertSame(s + " dst", expected, y);
    backward(expected, g);
    assertSame(s + " diffSrc", leaf.grad(), dx);
  }

  /** relu(conv(relu(norm(src))) normed + skip), forward and back to the normed source. */
  @ParameterizedTest
  @MethodSource("devices")
  void residualBlock(Device device) {
    ConvShape s = ConvShape.symmetric(2, 6, 7, 12, 12, 3, 1);
    Tensor x = memory.randn(2, 6, 7, 12);
    Tensor skip = memory.randn(2, 6, 7, 12);
    Tensor w = memory.randn(12, 3, 3, 12);
    Tensor gamma = memory.randn(12).add(new Scalar(2)).contiguous();
    Tensor beta = memory.randn(12);
    Tensor g = memory.randn(2, 6, 7, 12);
    Tensor dst = nan(2, 6, 7, 12);
    Tensor diffRead = nan(2, 6, 7, 12);
    Tensor diffSum = nan(2, 6, 7, 12);
    Tensor dw = nan(12, 3, 3, 12);
    Tensor dGamma = nan(12);
    Tensor dBeta = nan(12);
    // The source's norm by its own scale and shift, of mean 0 and deviation 1.
    Tensor table =
        torch
            .tensor(new float[48])
            .view(4, 12)
            .add(torch.tensor(0f, 1f, 1.5f, 0.25f).view(4, 1))
            .contiguous();
    FusedConv conv = new FusedConv(s, DType.F32, Activation.RELU, (float) EPSILON, 0.1f);
    FusedResidual sum =
        new FusedResidual(
            2, 42, 12, DType.F32, Activation.IDENTITY, Activation.IDENTITY, Activation.RELU, 0, 1);
    NormGradient gradient = new NormGradient(2, 42, 12, DType.F32, Activation.IDENTITY);
    try (Lab lab = new Lab(device)) {
      Stream q = lab.stream;
      io.fusewire.ops.Tensor raw = lab.out(DType.F32, 2, 6, 7, 12);
      io.fusewire.ops.Tensor norm = lab.out(DType.F32, 4, 12);
      io.fusewire.ops.Tensor slopes = lab.out(DType.F32, 2, 12);
      io.fusewire.ops.Tensor space =
          lab.workspace(Math.max(conv.workspaceBytes(q), gradient.workspaceBytes(q)));
      var src = view(device, x);
      var in = view(device, table);
      var weights = view(device, w);
      var diff = view(device, diffSum);
      conv.forward(
          q,
          src,
          in,
          weights,
          view(device, gamma),
          view(device, beta),
          null,
          null,
          raw,
          norm,
          space);
      sum.forward(q, raw, norm, null, view(device, skip), null, view(device, dst));
      sum.backward(q, view(device, dst), view(device, g), diff);
      gradient.run(
          q, raw, norm, diff, null, view(device, dGamma), view(device, dBeta), slopes, space);
      conv.backwardWeights(q, src, in, diff, null, raw, norm, slopes, view(device, dw), space);
      conv.backwardData(
          q, diff, null, raw, norm, slopes, weights, null, view(device, diffRead), space);
    }
    Tensor read = leaf(torch.relu(x.mul(new Scalar(1.5)).add(new Scalar(0.25))));
    Tensor leafSkip = leaf(skip);
    Tensor leafWeights = leaf(w);
    Tensor leafGamma = leaf(gamma);
    Tensor leafBeta = leaf(beta);
    Tensor convolved =
        torch.conv2d(
            read.permute(0, 3, 1, 2),
            leafWeights.permute(0, 3, 1, 2),
            new TensorOptional(),
            new long[] {1, 1},
            new long[] {1, 1},
            new long[] {1, 1},
            1);
    Tensor normed =
        torch.batch_norm(
            convolved,
            new TensorOptional(leafGamma),
            new TensorOptional(leafBeta),
            new TensorOptional(),
            new TensorOptional(),
            true,
            0.1,
            EPSILON,
            false);
    Tensor expected = torch.relu(normed.permute(0, 2, 3, 1).add(leafSkip));
    assertSame("dst", expected, dst);
    backward(expected, g);
    assertSame("diffSkip", leafSkip.grad(), diffSum);
    assertSame("diffSrc", read.grad(), diffRead);
    assertSame("diffWeights", leafWeights.grad(), dw);
    assertSame("diffGamma", leafGamma.grad(), dGamma);
    assertSame("diffBeta", leafBeta.grad(), dBeta);
  }
}
