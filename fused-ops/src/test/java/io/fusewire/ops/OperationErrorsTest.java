// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every operation refuses every argument that does not fit, by name, before it touches anything.
 */
@Tag("unit")
class OperationErrorsTest {
  private interface Spoil {
    void spoil(Lab lab, OperationCall call, int argument);
  }

  private static void forEveryArgument(Device device, Spoil spoil) {
    try (Lab lab = new Lab(device);
        StepState step = new StepState(lab.stream)) {
      for (OperationCall call : OperationCalls.all(lab, step)) {
        call.run().run(lab.stream, call.tensors()); // fits
        for (int i = 0; i < call.tensors().length; i++) {
          spoil.spoil(lab, call, i);
        }
      }
    }
  }

  private static Executable with(Lab lab, OperationCall call, int argument, Tensor tensor) {
    Tensor[] tensors = call.tensors().clone();
    tensors[argument] = tensor;
    return () -> call.run().run(lab.stream, tensors);
  }

  private static void refused(
      Class<? extends Exception> type, OperationCall call, int argument, Executable run) {
    Exception e = assertThrows(type, run, call + " with a wrong " + call.name(argument));
    String message = e.getMessage();
    assertTrue(
        message.contains(call.method()) && message.contains(call.name(argument)),
        call + ", " + call.name(argument) + ": " + message);
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void nullIsRefusedWhereItIsNotOptional(Device device) {
    forEveryArgument(
        device,
        (lab, call, i) -> {
          Executable run = with(lab, call, i, null);
          if (call.optional(i)) {
            call.run().run(lab.stream, nulled(call, i));
          } else if (call.name(i).equals("workspace")) {
            if (call.tensors()[i] != null) {
              assertThrows(IllegalArgumentException.class, run, call.method());
            }
          } else {
            refused(IllegalArgumentException.class, call, i, run);
          }
        });
  }

  private static Tensor[] nulled(OperationCall call, int argument) {
    Tensor[] tensors = call.tensors().clone();
    tensors[argument] = null;
    return tensors;
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void anotherTypeIsRefused(Device device) {
    forEveryArgument(
        device,
        (lab, call, i) -> {
          Tensor fits = call.tensors()[i];
          if (fits != null) {
            DType other = fits.dtype() == DType.F32 ? DType.I32 : DType.F32;
            Tensor wrong = lab.out(other, fits.shape());
            refused(IllegalArgumentException.class, call, i, with(lab, call, i, wrong));
          }
        });
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void anotherShapeIsRefused(Device device) {
    forEveryArgument(
        device,
        (lab, call, i) -> {
          Tensor fits = call.tensors()[i];
          if (fits == null || call.name(i).equals("workspace")) {
            return;
          }
          for (int axis = 0; axis < fits.rank(); axis++) {
            long[] shape = fits.shape();
            shape[axis]++;
            Tensor wrong = lab.out(fits.dtype(), shape);
            refused(IllegalArgumentException.class, call, i, with(lab, call, i, wrong));
          }
          Tensor flat = lab.out(fits.dtype(), 1, fits.elements(), 1);
          refused(IllegalArgumentException.class, call, i, with(lab, call, i, flat));
        });
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void aClosedTensorIsRefused(Device device) {
    forEveryArgument(
        device,
        (lab, call, i) -> {
          Tensor fits = call.tensors()[i];
          if (fits != null) {
            Tensor closed = Tensor.allocate(device, fits.dtype(), fits.shape());
            closed.close();
            refused(IllegalStateException.class, call, i, with(lab, call, i, closed));
          }
        });
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void aWorkspaceTooSmallIsRefused(Device device) {
    forEveryArgument(
        device,
        (lab, call, i) -> {
          if (call.name(i).equals("workspace") && call.tensors()[i] != null) {
            long bytes = call.tensors()[i].bytes();
            Tensor small = call.tensors()[i].slice(0, DType.U8, bytes - 1);
            Exception e =
                assertThrows(
                    IllegalArgumentException.class, with(lab, call, i, small), call.method());
            assertTrue(e.getMessage().contains(Long.toString(bytes)), e.getMessage());
          }
        });
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void anotherDeviceIsRefused(Device device) {
    for (Device other : Device.all()) {
      if (other == device) {
        continue;
      }
      forEveryArgument(
          device,
          (lab, call, i) -> {
            Tensor fits = call.tensors()[i];
            if (fits != null) {
              try (Tensor wrong = Tensor.allocate(other, fits.dtype(), fits.shape())) {
                refused(IllegalArgumentException.class, call, i, with(lab, call, i, wrong));
              }
            }
          });
    }
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void aStreamThatIsNullOrClosedIsRefused(Device device) {
    Stream closed = Stream.open(device);
    closed.close();
    forEveryArgument(
        device,
        (lab, call, i) -> {
          Exception e =
              assertThrows(
                  IllegalArgumentException.class, () -> call.run().run(null, call.tensors()));
          assertTrue(e.getMessage().contains("stream is null"), e.getMessage());
          assertThrows(IllegalStateException.class, () -> call.run().run(closed, call.tensors()));
        });
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void randomnessWithoutAStepIsRefused(Device device) {
    try (Lab lab = new Lab(device)) {
      Tensor t = lab.in(DType.F32, new double[6], 2, 3);
      Residual residual = new Residual(2, 3, DType.F32, 0.5f, 0);
      message("step is null", () -> residual.backward(lab.stream, null, t, t));
      ImageBatch images = ImageBatch.builder(1, 1, 2, 3).randomFlip().build();
      Tensor src = lab.out(DType.U8, 1, 1, 2, 3);
      Tensor dst = lab.out(DType.F32, 1, 1, 2, 3);
      message("step is null", () -> images.forward(lab.stream, null, src, dst));
    }
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void overlappingMemoryIsRefused(Device device) {
    try (Lab lab = new Lab(device)) {
      Tensor all = lab.in(DType.F32, new double[100], 100);
      Tensor src = all.slice(0, DType.F32, 1, 3, 3, 4);
      Tensor dst = all.slice(16, DType.F32, 1, 3, 3, 4);
      Tensor weights = lab.in(DType.F32, new double[36], 3, 3, 4);
      ConvShape shape = ConvShape.same(1, 3, 3, 4, 4, 3, 1);
      DepthwiseConv conv = new DepthwiseConv(shape, DType.F32, Activation.IDENTITY);
      message("shares memory", () -> conv.forward(lab.stream, src, weights, null, dst));
      message("shares memory", () -> conv.backwardData(lab.stream, src, weights, src));
      BatchNorm norm = new BatchNorm(9, 4, DType.F32, Activation.SILU, 1e-3f, 0.1f);
      Tensor v = lab.in(DType.F32, new double[4], 4);
      message("shares memory", () -> norm.forwardInference(lab.stream, src, v, v, v, v, dst));
    }
  }

  @Test
  void impossibleProblemsAreRefused() {
    message("would be empty", () -> ConvShape.same(1, 3, 3, 1, 1, 5, 1).withPadding(0, 0, 0, 0));
    message("stride", () -> ConvShape.same(1, 3, 3, 1, 1, 3, 0));
    message("kernel", () -> ConvShape.same(1, 3, 3, 1, 1, 0, 1));
    message("batch is -1", () -> ConvShape.same(-1, 3, 3, 1, 1, 3, 1));
    message("2^63-1", () -> ConvShape.same(1L << 40, 1L << 20, 1L << 20, 1, 1, 3, 1));
    message("2^63-1", () -> ConvShape.same(1, 3, 3, 1, 1, 3, 1).withDilation(Long.MAX_VALUE, 1));
    message(
        "2^63-1", () -> ConvShape.same(1, 3, 3, 1, 1, 3, 1).withPadding(Long.MAX_VALUE, 1, 0, 0));
    ConvShape unequal = ConvShape.same(1, 3, 3, 2, 4, 3, 1);
    message("inChannels is 2", () -> new DepthwiseConv(unequal, DType.F32, Activation.SILU));
    message("dtype is I32", () -> new DenseConv(unequal, DType.I32, Activation.SILU));
    message("activation is null", () -> new DenseConv(unequal, DType.F32, null));
    message("rows is -1", () -> new PointwiseConv(-1, 1, 1, DType.F32, Activation.SILU));
    message("2^63-1", () -> new PointwiseConv(1L << 61, 8, 1, DType.F32, Activation.SILU));
    message("epsilon", () -> new BatchNorm(2, 1, DType.F32, Activation.SILU, -1, 0));
    message("momentum", () -> new BatchNorm(2, 1, DType.F32, Activation.SILU, 1, 2));
    message("rows is 1", () -> new FusedPointwise(1, 1, 1, 1, DType.F32, Activation.SILU, 0, 0));
    message("batch is 0", () -> new FusedPointwise(0, 4, 1, 1, DType.F32, Activation.SILU, 0, 0));
    message("momentum is 2.0", () -> new FusedConv(unequal, DType.F32, Activation.RELU, 0, 2));
    message(
        "epsilon is NaN", () -> new FusedConv(unequal, DType.F32, Activation.RELU, Float.NaN, 0));
    message(
        "outChannels 4",
        () -> new FusedDepthwise(unequal, DType.F32, Activation.SILU, Activation.SILU, 0, 0));
    message("dtype is U8", () -> new NormGradient(1, 1, 1, DType.U8, Activation.SILU));
    message("pixels is 0", () -> new FusedMeanPool(1, 0, 1, DType.F32, Activation.SILU));
    message(
        "dropRate is 1.0", () -> new FusedResidual(1, 1, 1, DType.F32, Activation.IDENTITY, 1, 0));
    message("dropRate is 1.0", () -> new Residual(1, 1, DType.F32, 1, 0));
    message("dropRate is NaN", () -> new Residual(1, 1, DType.F32, Float.NaN, 0));
    message("samples is 0", () -> head(0, 0.5f, 0));
    message("dropout is 1.0", () -> head(1, 1, 0));
    message("labelSmoothing", () -> head(1, 0, -0.1f));
    message("channels is 5", () -> ImageBatch.builder(1, 2, 2, 5));
    message("2 fit", () -> ImageBatch.builder(1, 2, 2, 2).normalise(new float[1], new float[2]));
    message(
        "deviation is 0",
        () -> ImageBatch.builder(1, 2, 2, 1).normalise(new float[1], new float[1]));
    message("decay", () -> OptimizerSettings.rmsProp(1.5f, 0));
    message("growthFactor", () -> OptimizerSettings.sgd(true).withDynamicLossScale(0.5f, 0.5f, 1));
  }

  private static void head(long samples, float dropout, float smoothing) {
    new DropoutHead(1, 1, 1, samples, dropout, smoothing, SampleMode.AVERAGE_LOSSES, 0);
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void anEmptyBatchIsAValidOne(Device device) {
    try (Lab lab = new Lab(device)) {
      ConvShape shape = ConvShape.same(0, 4, 4, 3, 3, 3, 1);
      DepthwiseConv conv = new DepthwiseConv(shape, DType.F32, Activation.SILU);
      Tensor none = lab.out(DType.F32, 0, 4, 4, 3);
      Tensor alsoNone = lab.out(DType.F32, 0, 4, 4, 3);
      Tensor weights = lab.in(DType.F32, new double[27], 3, 3, 3);
      conv.forward(lab.stream, none, weights, null, alsoNone);
      conv.backwardData(lab.stream, alsoNone, weights, none);
      Tensor space = lab.workspace(conv.workspaceBytes(lab.stream));
      Tensor diff = lab.out(DType.F32, 3, 3, 3);
      conv.backwardWeights(lab.stream, none, alsoNone, diff, null, space);
      for (double value : lab.read(diff)) {
        assertTrue(value == 0, "gradient of nothing is " + value);
      }
      PointwiseConv pointwise = new PointwiseConv(0, 3, 3, DType.F32, Activation.SILU);
      pointwise.forward(
          lab.stream,
          none,
          lab.in(DType.F32, new double[9], 3, 3),
          null,
          null,
          alsoNone,
          null,
          lab.workspace(pointwise.workspaceBytes(lab.stream)));
    }
  }

  private static void message(String part, Executable run) {
    IllegalArgumentException e = assertThrows(IllegalArgumentException.class, run);
    assertTrue(e.getMessage().contains(part), e.getMessage());
  }

  @Test
  void statusesBecomeExceptions() {
    List<Class<?>> types =
        List.of(
            UnsupportedException.class,
            DeviceMemoryException.class,
            DeviceUnavailableException.class,
            DeviceException.class);
    int status = 2;
    for (Class<?> type : types) {
      int code = status++;
      Exception e = assertThrows(FusewireException.class, () -> Status.check(code));
      assertTrue(type.isInstance(e), e.toString());
    }
  }
}
