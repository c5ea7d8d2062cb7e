// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

@Tag("unit")
class TensorTest {
  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devicesAndTypes")
  void floatsGoInAndComeOutRounded(Device device, DType dtype) {
    float[] values = Numbers.floats(Numbers.reals(new Random(1), DType.F32, 200_001));
    try (Lab lab = new Lab(device)) {
      Tensor tensor = lab.out(dtype, values.length);
      tensor.copyFrom(lab.stream, values);
      float[] back = tensor.toFloats(lab.stream);
      for (int i = 0; i < values.length; i++) {
        assertEquals((float) Numbers.round(dtype, values[i]), back[i]);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void intsBytesAndBuffersGoInAndComeOut(Device device) {
    try (Lab lab = new Lab(device)) {
      int[] ints = new Random(1).ints(70_001).toArray();
      assertArrayEquals(ints, lab.in(ints, ints.length).toInts(lab.stream));
      byte[] bytes = new byte[300_001];
      new Random(2).nextBytes(bytes);
      Tensor tensor = lab.in(bytes, bytes.length);
      byte[] back = new byte[bytes.length];
      tensor.copyTo(lab.stream, back);
      assertArrayEquals(bytes, back);
      for (boolean direct : new boolean[] {false, true}) {
        ByteBuffer buffer =
            direct
                ? ByteBuffer.allocateDirect(bytes.length + 3)
                : ByteBuffer.allocate(bytes.length + 3);
        buffer.order(ByteOrder.nativeOrder()).position(3);
        tensor.copyTo(lab.stream, buffer);
        assertEquals(3, buffer.position());
        for (int i = 0; i < bytes.length; i++) {
          assertEquals(bytes[i], buffer.get(i + 3));
        }
        Tensor copy = lab.out(DType.U8, bytes.length).copyFrom(lab.stream, buffer);
        copy.copyTo(lab.stream, back);
        assertArrayEquals(bytes, back);
      }
      Tensor twin = lab.out(DType.U8, bytes.length).copyFrom(lab.stream, tensor);
      twin.copyTo(lab.stream, back);
      assertArrayEquals(bytes, back);
    }
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void slicesSeeTheirPart(Device device) {
    try (Lab lab = new Lab(device)) {
      Tensor tensor = lab.in(DType.F32, new double[] {0, 1, 2, 3, 4, 5}, 2, 3);
      Tensor slice = tensor.slice(8, DType.F32, 3);
      assertArrayEquals(new double[] {2, 3, 4}, lab.read(slice));
      assertArrayEquals(new double[] {3}, lab.read(slice.slice(4, DType.F32, 1)));
      assertArrayEquals(new long[] {3, 2}, tensor.reshape(3, 2).shape());
      assertEquals(3, tensor.size(-1));
      assertEquals(2, tensor.size(0));
      assertEquals(24, tensor.bytes());
      refused("not within", () -> tensor.slice(8, DType.F32, 5));
      refused("not within", () -> tensor.slice(-4, DType.F32, 1));
      refused("not within", () -> tensor.slice(Long.MAX_VALUE, DType.F32, 1));
      refused("not a multiple", () -> tensor.slice(2, DType.F32, 1));
      refused("6 elements", () -> tensor.reshape(4, 2));
    }
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void closingIsOnceAndUseAfterwardsIsRefused(Device device) {
    long before = device.liveAllocations();
    Tensor tensor = Tensor.allocate(device, DType.F32, 10);
    assertEquals(before + 1, device.liveAllocations());
    Tensor slice = tensor.slice(4, DType.F32, 2);
    tensor.close();
    tensor.close();
    assertEquals(before, device.liveAllocations());
    assertTrue(tensor.isClosed());
    assertTrue(slice.isClosed());
    IllegalStateException e = assertThrows(IllegalStateException.class, slice::address);
    assertTrue(e.getMessage().contains("closed"), e.getMessage());
    assertThrows(IllegalStateException.class, () -> tensor.slice(0, DType.F32, 1));
    try (Lab lab = new Lab(device)) {
      assertThrows(IllegalStateException.class, () -> tensor.fill(lab.stream, 0));
      assertThrows(IllegalStateException.class, () -> tensor.toFloats(lab.stream));
    }
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void aSliceKeepsItsParentReachable(Device device) throws InterruptedException {
    try (Lab lab = new Lab(device)) {
      long before = device.liveAllocations();
      Tensor[] slice = {sliceOfForgotten(lab)};
      System.gc();
      Thread.sleep(50);
      System.gc();
      assertEquals(before + 1, device.liveAllocations());
      assertArrayEquals(new double[] {7}, lab.read(slice[0]));
      slice[0] = null;
      Logger.getLogger("io.fusewire.ops").setUseParentHandlers(false);
      awaitLive(device, before);
    }
  }

  private static Tensor sliceOfForgotten(Lab lab) {
    Tensor parent = Tensor.allocate(lab.device, DType.F32, 4);
    parent.copyFrom(lab.stream, new float[] {5, 6, 7, 8});
    return parent.slice(8, DType.F32, 1);
  }

  private static void awaitLive(Device device, long count) throws InterruptedException {
    for (int i = 0; i < 200 && device.liveAllocations() > count; i++) {
      System.gc();
      Thread.sleep(20);
    }
    assertEquals(count, device.liveAllocations());
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void aForgottenTensorIsFreedAndReported(Device device) throws InterruptedException {
    Logger logger = Logger.getLogger("io.fusewire.ops");
    Queue<String> messages = new ConcurrentLinkedQueue<>();
    Queue<String> origins = new ConcurrentLinkedQueue<>();
    Handler handler =
        new Handler() {
          @Override
          public void publish(LogRecord record) {
            messages.add(record.getMessage());
            if (record.getThrown() != null) {
              for (StackTraceElement frame : record.getThrown().getStackTrace()) {
                origins.add(frame.getMethodName());
              }
            }
          }

          @Override
          public void flush() {}

          @Override
          public void close() {}
        };
    logger.addHandler(handler);
    logger.setUseParentHandlers(false);
    System.setProperty(Allocation.TRACE_PROPERTY, "true");
    try {
      long before = device.liveAllocations();
      forget(device);
      awaitLive(device, before);
      for (int i = 0; i < 100 && messages.isEmpty(); i++) {
        Thread.sleep(10);
      }
      assertTrue(messages.toString().contains("4004 bytes"), messages.toString());
      assertTrue(messages.toString().contains("never closed"), messages.toString());
      assertTrue(origins.toString().contains("forget"), origins.toString());
    } finally {
      System.clearProperty(Allocation.TRACE_PROPERTY);
      logger.removeHandler(handler);
      logger.setUseParentHandlers(true);
    }
  }

  private static void forget(Device device) {
    assertFalse(Tensor.allocate(device, DType.F32, 1001).isClosed());
  }

  @Test
  void aViewUsesForeignMemoryInPlace() {
    ByteBuffer owner = ByteBuffer.allocateDirect(64).order(ByteOrder.nativeOrder());
    long address = new org.bytedeco.javacpp.BytePointer(owner).address();
    try (Lab lab = new Lab(Device.cpu())) {
      Tensor view = Tensor.view(Device.cpu(), DType.F32, address, owner, 4, 4);
      assertEquals(address, view.address());
      view.copyFrom(lab.stream, new float[16]);
      owner.putFloat(20, 3.5f);
      assertEquals(3.5f, view.toFloats(lab.stream)[5]);
      view.close();
      assertThrows(IllegalStateException.class, view::address);
      assertEquals(3.5f, owner.getFloat(20));
    }
    refused("address is 0", () -> Tensor.view(Device.cpu(), DType.F32, 0, null, 4));
    refused("not a multiple", () -> Tensor.view(Device.cpu(), DType.F32, address + 1, null, 4));
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void impossibleShapesAreRefused(Device device) {
    refused("negative", () -> Tensor.allocate(device, DType.F32, 2, -1));
    refused("2^63-1", () -> Tensor.allocate(device, DType.F32, 1L << 31, 1L << 31));
    refused("device is null", () -> Tensor.allocate(null, DType.F32, 1));
    refused("dtype is null", () -> Tensor.allocate(device, null, 1));
    try (Tensor empty = Tensor.allocate(device, DType.F32, 0, 1L << 62, 1L << 62)) {
      assertEquals(0, empty.bytes());
    }
    FusewireException e =
        assertThrows(
            DeviceMemoryException.class, () -> Tensor.allocate(device, DType.U8, 1L << 60));
    assertTrue(e.getMessage().contains(Long.toString(1L << 60)), e.getMessage());
  }

  @ParameterizedTest
  @MethodSource("io.fusewire.ops.Lab#devices")
  void wrongCopiesAreRefused(Device device) {
    try (Lab lab = new Lab(device)) {
      Tensor floats = lab.out(DType.F32, 4);
      Tensor ints = lab.out(DType.I32, 4);
      refused("3 floats given, 4 fit", () -> floats.copyFrom(lab.stream, new float[3]));
      refused("5 floats given, 4 fit", () -> floats.copyTo(lab.stream, new float[5]));
      refused("float[] fits", () -> ints.copyFrom(lab.stream, new float[4]));
      refused("is F32 but I32 fits", () -> floats.copyFrom(lab.stream, new int[4]));
      refused("byte[] fits", () -> floats.copyFrom(lab.stream, new byte[16]));
      refused("15 bytes given, 16 fit", () -> floats.copyFrom(lab.stream, ByteBuffer.allocate(15)));
      refused(
          "read-only", () -> floats.copyTo(lab.stream, ByteBuffer.allocate(16).asReadOnlyBuffer()));
      refused("source is null", () -> floats.copyFrom(lab.stream, (float[]) null));
      refused("stream is null", () -> floats.copyFrom(null, new float[4]));
      refused("value is 256", () -> floats.fill(lab.stream, 256));
    }
  }

  private static void refused(String part, org.junit.jupiter.api.function.Executable call) {
    IllegalArgumentException e = assertThrows(IllegalArgumentException.class, call);
    assertTrue(e.getMessage().contains(part), e.getMessage());
  }
}
