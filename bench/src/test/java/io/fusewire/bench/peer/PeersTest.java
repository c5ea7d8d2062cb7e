// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.peer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.model.EfficientNet;
import io.fusewire.model.Padding;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * The two peers compute the same network: their graphs are written here, twice, from the block
 * table.
 */
@Tag("oracle")
final class PeersTest {
  private static final int SIDE = 64;
  private static final int BATCH = 2;

  @Test
  void libtorchAndOnnxRuntimeAgree() throws Exception {
    EfficientNet net =
        EfficientNet.b0()
            .resolution(SIDE)
            .classes(10)
            .padding(Padding.SYMMETRIC)
            .batchNorm(1e-5, 0.1)
            .build();
    PeerNetwork architecture = PeerNetwork.of(net, net.parameters().initialValues(3));
    Random random = new Random(4);
    float[] nhwc = new float[BATCH * SIDE * SIDE * 3];
    FloatBuffer nchw =
        ByteBuffer.allocateDirect(nhwc.length * Float.BYTES)
            .order(ByteOrder.nativeOrder())
            .asFloatBuffer();
    for (int n = 0; n < BATCH; n++) {
      for (int p = 0; p < SIDE * SIDE; p++) {
        for (int c = 0; c < 3; c++) {
          float value = (float) random.nextGaussian();
          nhwc[(n * SIDE * SIDE + p) * 3 + c] = value;
          nchw.put((n * 3 + c) * SIDE * SIDE + p, value);
        }
      }
    }
    TorchEfficientNet torch = new TorchEfficientNet(architecture, 0.1, 1);
    float[] expected = torch.predict(torch.images(nhwc, BATCH, SIDE));
    try (OnnxEfficientNet onnx = new OnnxEfficientNet(architecture, BATCH, SIDE, 1)) {
      float[] actual = onnx.predict(nchw);
      assertEquals(BATCH * 10, actual.length);
      double difference = 0;
      double norm = 0;
      for (int i = 0; i < actual.length; i++) {
        difference += Math.pow((double) actual[i] - expected[i], 2);
        norm += Math.pow(expected[i], 2);
      }
      assertTrue(norm > 0);
      assertTrue(Math.sqrt(difference / norm) < 1e-4, "error " + Math.sqrt(difference / norm));
    }
  }

  @Test
  void anotherPaddingIsRefused() {
    EfficientNet net = EfficientNet.b0().padding(Padding.SAME).build();
    assertThrows(IllegalArgumentException.class, () -> PeerNetwork.of(net, new float[0]));
  }
}
