// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import static io.fusewire.ops.TorchMemory.assertSame;
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
 * What training ends and begins with, on libtorch's own tensors in place, against libtorch in
 * double: pooling, the head and its loss, optimizers, image batches.
 */
@Tag("oracle")
class TorchTrainingOracleTest {
  private final TorchMemory memory = new TorchMemory();

  static List<Device> devices() {
    return Device.all().stream().filter(d -> d.kind() != Device.Kind.CUDA).toList();
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
