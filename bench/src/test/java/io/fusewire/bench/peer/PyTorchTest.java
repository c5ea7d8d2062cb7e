// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.peer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The protocol, and whatever a peer may do wrong. */
final class PyTorchTest {
  private static final Duration PATIENT = Duration.ofSeconds(60);

  @TempDir private Path folder;

  private PyTorch peer(String fault, Duration timeout) throws IOException {
    return new PyTorch(
        List.of(
            ChildJvm.java(), FakePeer.script(folder, fault), "--device", "cpu", "--threads", "1"),
        timeout);
  }

  private static PyTorch.Entrant prepare(PyTorch peer, String mode) throws PeerException {
    return peer.prepare(Map.of("mode", mode, "batch", 3, "rate", 0.5));
  }

  private static String refused(PyTorch peer, String mode) {
    return assertThrows(PeerException.class, () -> prepare(peer, mode)).getMessage();
  }

  @Test
  void casesAreMadeReadyRunAndDropped() throws Exception {
    try (PyTorch peer = peer("nothing", PATIENT)) {
      assertEquals(Map.of("version", "0.fake", "device", "cpu"), peer.facts());
      assertEquals(1e30, peer.product("bf16"));
      PyTorch.Entrant first = prepare(peer, "eager");
      PyTorch.Entrant second = prepare(peer, "graph");
      assertEquals(0.002, first.seconds(), 1e-12);
      assertEquals(0.002, second.seconds(), 1e-12);
      assertEquals(5e6, first.close());
      assertEquals("", second.reason());
      assertEquals("CompileError: \"no\" compiler", refused(peer, "compile"));
    }
  }

  @Test
  void whatIsNotThereIsSaid() {
    try (PyTorch peer = new PyTorch(List.of(folder + "/python9"), PATIENT)) {
      String reason = assertThrows(PeerException.class, peer::facts).getMessage();
      assertTrue(reason.startsWith("cannot be started: "), reason);
      assertEquals(reason, refused(peer, "eager"));
    }
  }

  @Test
  void aPeerWithoutPyTorchIsAskedOnce() throws Exception {
    try (PyTorch peer = peer("uninstalled", PATIENT)) {
      assertEquals(
          "this Python has no usable torch",
          assertThrows(PeerException.class, peer::facts).getMessage());
      assertEquals("this Python has no usable torch", refused(peer, "eager"));
    }
  }

  @Test
  void aDeadPeerLeavesItsLastWordsAndComesBack() throws Exception {
    try (PyTorch peer = peer("dies", PATIENT)) {
      PyTorch.Entrant before = prepare(peer, "eager");
      assertEquals("it ended with exit code 3: out of luck", refused(peer, "graph"));
      assertTrue(Double.isNaN(before.seconds()));
      assertTrue(before.reason().contains("it ended with exit code 3"), before.reason());
      assertTrue(Double.isNaN(before.close()));
      assertEquals(0.002, prepare(peer, "eager").seconds(), 1e-12);
    }
  }

  @Test
  void aHangingPeerIsEnded() throws Exception {
    try (PyTorch peer = peer("hangs", Duration.ofSeconds(3))) {
      prepare(peer, "eager");
      assertEquals("no answer within 3 s; it was ended", refused(peer, "graph"));
    }
  }

  @Test
  void aPeerThatAnswersSomethingElseIsEnded() throws Exception {
    try (PyTorch peer = peer("babbles", PATIENT)) {
      assertEquals("it answered 'Segmentation fault', no line of JSON", refused(peer, "graph"));
      assertEquals(0.002, prepare(peer, "eager").seconds(), 1e-12);
    }
  }

  @Test
  void aCaseThatFailsLaterKeepsItsReason() throws Exception {
    try (PyTorch peer = peer("tires", PATIENT)) {
      PyTorch.Entrant entrant = prepare(peer, "eager");
      assertEquals(0.002, entrant.seconds(), 1e-12);
      assertEquals(0.002, entrant.seconds(), 1e-12);
      assertTrue(Double.isNaN(entrant.seconds()));
      assertTrue(Double.isNaN(entrant.seconds()));
      assertEquals("CUDA out of memory", entrant.reason());
    }
  }

  @Test
  void linesAreFlatObjects() throws IOException {
    String line = JsonLine.of(Map.of("text", "a \"b\"\n"));
    assertEquals("{\"text\":\"a \\\"b\\\"\\n\"}", line);
    assertEquals(Map.of("text", "a \"b\"\n"), JsonLine.parse(line));
    assertEquals(
        Map.of("n", 2.5, "t", true, "e", ""), JsonLine.parse("{\"n\":2.5,\"t\":true,\"e\":null}"));
    for (String wrong : new String[] {"", "[]", "{\"a\":[1]}", "{\"a\":1} {}", "{\"a\"", "x"}) {
      assertThrows(IOException.class, () -> JsonLine.parse(wrong), wrong);
    }
  }
}
