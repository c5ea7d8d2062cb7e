// SPDX-License-Identifier: Apache-2.0
package io.fusewire.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.ops.Activation;
import io.fusewire.ops.DType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class EfficientNetTest {

  /**
   * Multiply-adds of convolutions and products. Publications that count BatchNorm, activations and
   * pooling as well, timm's tables and those of EfficientNet-Lite, have one to six per cent more.
   */
  @ParameterizedTest
  @CsvSource({
    "b0, 224, 5288548, 0.386, 0.0005",
    "b1, 240, 7794184, 0.687, 0.0005",
    "b2, 260, 9109994, 0.994, 0.0005",
    "b3, 300, 12233232, 1.83, 0.005",
    "b4, 380, 19341616, 4.39, 0.005",
    "b5, 456, 30389784, 10.3, 0.05",
    "b6, 528, 43040704, 19.1, 0.05",
    "b7, 600, 66347960, 37.7, 0.05",
    "b8, 672, 87413142, 63.48, 0.9",
    "l2, 800, 480309308, 479.1, 3.5",
    "lite0, 224, 4652008, 0.407, 0.023",
    "lite1, 240, 5416680, 0.631, 0.032",
    "lite2, 260, 6092072, 0.899, 0.041",
    "lite3, 280, 8197096, 1.44, 0.06",
    "lite4, 300, 13006568, 2.64, 0.1",
    "v2_s, 384, 21458488, 8.37, 0.05",
    "v2_m, 480, 54139356, 24.58, 0.1",
    "v2_l, 480, 118515272, 56.08, 0.2",
    "v2_b0, 224, 7139704, 0.73, 0.015",
    "v2_b1, 240, 8141052, 1.21, 0.015",
    "v2_b2, 260, 10096086, 1.72, 0.025",
    "v2_b3, 300, 14358406, 3.04, 0.03",
    "resnet18, 224, 11689512, 1.814, 0.001",
    "resnet34, 224, 21797672, 3.664, 0.001",
    "resnet50, 224, 25557032, 4.089, 0.001",
    "xresnet18, 224, 11708744, 2.06, 0.01",
    "xresnet34, 224, 21816904, 3.91, 0.01",
    "xresnet50, 224, 25576264, 4.35, 0.025"
  })
  void hasThePublishedSize(
      String name, int resolution, long parameters, double gigaMacs, double tolerance) {
    Architecture net = Architecture.byName(name).build();
    ModelSummary summary = ModelSummary.of(net, DType.F32);
    assertEquals(resolution, net.resolution());
    assertEquals(parameters, net.parameters().trainedCount());
    assertEquals(parameters, summary.parameters());
    assertEquals(gigaMacs, summary.macs() / 1e9, tolerance);
  }

  @ParameterizedTest
  @CsvSource({"b0, 6.74", "b2, 13.8", "b4, 49.5", "b7, 290"})
  void storesAsManyConvolutionOutputsAsTheDesignCounts(String name, double millions) {
    ModelSummary summary = ModelSummary.of(EfficientNet.byName(name).build(), DType.BF16);
    assertEquals(millions, summary.convolutionOutputs() / 1e6, millions * 0.005);
  }

  @Test
  void b0HasTheTableOfThePaper() {
    List<Block> blocks = EfficientNet.b0().build().blocks();
    assertEquals(16, blocks.size());
    assertEquals(new MBConv(0, 0, 3, 1, 32, 32, 8, 16, Activation.SILU, 0), blocks.get(0));
    assertEquals(new MBConv(1, 0, 3, 2, 16, 96, 4, 24, Activation.SILU, 0.2 / 16), blocks.get(1));
    assertEquals(
        new MBConv(2, 1, 5, 1, 40, 240, 10, 40, Activation.SILU, 0.2 * 4 / 16), blocks.get(4));
    assertEquals(
        new MBConv(6, 0, 3, 1, 192, 1152, 48, 320, Activation.SILU, 0.2 * 15 / 16), blocks.get(15));
    assertTrue(blocks.get(4).residual());
    assertTrue(!blocks.get(3).residual() && !((MBConv) blocks.get(0)).expands());
  }

  @Test
  void namesAreThoseOfTimm() {
    Parameters parameters = EfficientNet.b0().build().parameters();
    assertEquals(List.of(32, 3, 3, 3), parameters.get("conv_stem.weight").shape());
    // The trap of stage 0: conv_pw is the projection there, and bn1 the depthwise BatchNorm.
    assertEquals(List.of(16, 32, 1, 1), parameters.get("blocks.0.0.conv_pw.weight").shape());
    assertEquals(List.of(32), parameters.get("blocks.0.0.bn1.weight").shape());
    assertEquals(List.of(16), parameters.get("blocks.0.0.bn2.running_var").shape());
    assertEquals(List.of(96, 16, 1, 1), parameters.get("blocks.1.0.conv_pw.weight").shape());
    assertEquals(List.of(96, 1, 3, 3), parameters.get("blocks.1.0.conv_dw.weight").shape());
    assertEquals(List.of(4, 96, 1, 1), parameters.get("blocks.1.0.se.conv_reduce.weight").shape());
    assertEquals(List.of(96), parameters.get("blocks.1.0.se.conv_expand.bias").shape());
    assertEquals(List.of(24, 96, 1, 1), parameters.get("blocks.1.0.conv_pwl.weight").shape());
    assertEquals(List.of(1280, 320, 1, 1), parameters.get("conv_head.weight").shape());
    assertEquals(List.of(1280), parameters.get("bn2.bias").shape());
    assertEquals(List.of(1000, 1280), parameters.get("classifier.weight").shape());
    assertThrows(
        IllegalArgumentException.class, () -> parameters.get("blocks.0.0.conv_pwl.weight"));
  }

  @Test
  void parametersDoNotOverlapAndTrainedOnesComeFirst() {
    Parameters parameters = EfficientNet.b1().classes(7).build().parameters();
    long end = 0;
    boolean running = false;
    for (Parameter parameter : parameters.all()) {
      assertTrue(parameter.offset() >= end, parameter.name());
      assertEquals(0, parameter.offset() % 16);
      end = parameter.offset() + parameter.count();
      running |= !parameter.kind().trained();
      assertEquals(running, !parameter.kind().trained(), parameter.name());
      if (parameter.kind().trained()) {
        assertTrue(end <= parameters.trainedElements());
      }
    }
    assertTrue(end <= parameters.elements());
  }

  @Test
  void layoutsAreTransposedThereAndBack() {
    for (Parameter parameter : EfficientNet.b0().classes(3).build().parameters().all()) {
      float[] file = new float[(int) parameter.count()];
      for (int i = 0; i < file.length; i++) {
        file[i] = i;
      }
      float[] kernel = parameter.toKernelLayout(file);
      assertEquals(
          parameter.count(), Arrays.stream(parameter.kernelShape()).reduce(1, (a, b) -> a * b));
      assertArrayEquals(file, parameter.toFileLayout(kernel));
    }
    Parameter stem = new Parameter("x", Parameter.Kind.CONVOLUTION, List.of(2, 3, 1, 2), 0);
    assertArrayEquals(
        new float[] {0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11},
        stem.toKernelLayout(new float[] {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}));
  }

  @Test
  void initialValuesHaveTheRightSpread() {
    Parameters parameters = EfficientNet.b0().build().parameters();
    float[] values = parameters.initialValues(1);
    assertEquals(
        Math.sqrt(2.0 / 1280), deviation(values, parameters.get("conv_head.weight")), 1e-4);
    assertEquals(
        Math.sqrt(2.0 / 25), deviation(values, parameters.get("blocks.5.3.conv_dw.weight")), 0.01);
    assertEquals(
        1 / Math.sqrt(3000.0), deviation(values, parameters.get("classifier.weight")), 1e-4);
    assertEquals(0, deviation(values, parameters.get("blocks.5.3.bn1.weight")), 0);
    assertTrue(Arrays.equals(values, parameters.initialValues(1)));
    assertTrue(!Arrays.equals(values, parameters.initialValues(2)));
  }

  private static double deviation(float[] values, Parameter parameter) {
    double sum = 0;
    double squares = 0;
    for (int i = 0; i < parameter.count(); i++) {
      double value = values[(int) parameter.offset() + i];
      sum += value;
      squares += value * value;
    }
    double mean = sum / parameter.count();
    return Math.sqrt(squares / parameter.count() - mean * mean);
  }

  @ParameterizedTest
  @CsvSource({
    // size, kernel, stride, SAME before, SAME after, SAME out, symmetric out
    "224, 3, 2, 0, 1, 112, 112",
    "225, 3, 2, 1, 1, 113, 113",
    "8, 5, 2, 1, 2, 4, 4",
    "7, 5, 1, 2, 2, 7, 7",
    "1, 3, 2, 1, 1, 1, 1",
    "5, 1, 2, 0, 0, 3, 3"
  })
  void padsAsThePortsDo(
      long size, long kernel, long stride, long before, long after, long same, long symmetric) {
    assertEquals(before, Padding.SAME.before(size, kernel, stride));
    assertEquals(after, Padding.SAME.after(size, kernel, stride));
    assertEquals(same, Padding.SAME.output(size, kernel, stride));
    assertEquals(symmetric, Padding.SYMMETRIC.output(size, kernel, stride));
  }

  @Test
  void takesItsOwnWidthDepthClassesAndChannels() {
    EfficientNet net =
        EfficientNet.builder("tiny")
            .scaling(new Scaling(0.25, 0.1))
            .classes(10)
            .inputChannels(1)
            .resolution(28)
            .build();
    assertEquals(7, net.blocks().size());
    assertEquals(8, net.stemChannels());
    assertEquals(320, net.headChannels());
    assertEquals(1, net.parameters().get("conv_stem.weight").shape().get(1));
    assertEquals(net.parameters().trainedCount(), ModelSummary.of(net, DType.F32).parameters());
  }

  @Test
  void refusesWhatCannotBe() {
    List<Runnable> wrong = new ArrayList<>();
    wrong.add(() -> EfficientNet.byName("b9"));
    wrong.add(() -> EfficientNet.b0().classes(0));
    wrong.add(() -> EfficientNet.b0().resolution(0));
    wrong.add(() -> EfficientNet.b0().dropout(1));
    wrong.add(() -> EfficientNet.b0().dropConnect(Double.NaN));
    wrong.add(() -> EfficientNet.b0().inputChannels(5));
    wrong.add(() -> EfficientNet.b0().stages(List.of()));
    wrong.add(() -> EfficientNet.b0().stages(List.of(new Stage(1, 3, 1, 1, 33, 8))));
    wrong.add(() -> EfficientNet.b0().batchNorm(0, 0.1));
    wrong.add(() -> new Scaling(0, 1));
    wrong.add(() -> new Stage(1, 4, 1, 1, 8, 8));
    wrong.add(() -> new Stage(1_000_000, 3, 1, 1, 8, 8));
    for (Runnable action : wrong) {
      String message = assertThrows(IllegalArgumentException.class, action::run).getMessage();
      assertTrue(message != null && message.length() > 10, message);
    }
  }
}
