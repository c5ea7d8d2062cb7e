// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bundle;

import io.fusewire.model.EfficientNet;
import io.fusewire.ops.DType;
import io.fusewire.ops.Stream;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.zip.CRC32;

/** Networks that are kept open and made to compute the same step again and again. */
final class NetworkRepeats implements AutoCloseable {
  private final Stream stream;
  private final Map<String, NetworkSession> sessions = new LinkedHashMap<>();
  private final ByteBuffer gradients;

  NetworkRepeats(Stream stream, boolean tiny) {
    this.stream = stream;
    EfficientNet net = tiny ? NetworkCases.tiny() : NetworkCases.b0();
    for (DType dtype : new DType[] {DType.F32, DType.BF16, DType.F16}) {
      sessions.put(
          net.name() + "/" + dtype.name().toLowerCase(Locale.ROOT),
          new NetworkSession(stream, net, dtype));
    }
    gradients =
        ByteBuffer.allocateDirect(
            Math.toIntExact(sessions.values().iterator().next().gradients().bytes()));
  }

  /** One step of each network: a checksum of losses and all gradients by network. */
  Map<String, Long> run() {
    Map<String, Long> sums = new LinkedHashMap<>();
    sessions.forEach(
        (name, session) -> {
          session.run(1);
          gradients.clear();
          session.gradients().copyTo(stream, gradients);
          CRC32 crc = new CRC32();
          crc.update(gradients.clear());
          sums.put(name, crc.getValue() * 31 + Sketch.of(session.losses()).checksum());
        });
    return sums;
  }

  @Override
  public void close() {
    sessions.values().forEach(NetworkSession::close);
  }
}
