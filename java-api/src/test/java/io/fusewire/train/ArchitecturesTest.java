// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.model.Architecture;
import io.fusewire.model.EfficientNet;
import io.fusewire.model.Padding;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class ArchitecturesTest {
  static List<String> names() {
    return Architecture.names();
  }

  @ParameterizedTest
  @MethodSource("names")
  void everyModelComesBackFromAFile(String name) {
    Architecture net =
        Architecture.byName(name)
            .resolution(96)
            .classes(7)
            .inputChannels(1)
            .dropout(0.3)
            .samples(4)
            .averageLogits(true)
            .dropConnect(0.1)
            .padding(Padding.SYMMETRIC)
            .batchNorm(1e-4, 0.05)
            .build();
    Map<String, String> metadata = new HashMap<>();
    Architectures.encode(net, metadata::put);
    Architecture again = Architectures.decode(metadata);
    Map<String, String> same = new HashMap<>();
    Architectures.encode(again, same::put);
    assertEquals(metadata, same);
    assertEquals(net.parameters().all(), again.parameters().all());
    assertEquals(net.blocks(), again.blocks());
    assertEquals(net.toString(), again.toString());
  }

  /** The metadata that the first files had. */
  @Test
  void readsFilesOfBeforeThereWereFamilies() {
    Map<String, String> metadata = new HashMap<>();
    Architectures.encode(EfficientNet.b2().build(), metadata::put);
    List.of("family", "round_limit", "stem", "head", "fixed_ends", "activation")
        .forEach(metadata::remove);
    Architecture net = Architectures.decode(metadata);
    assertEquals(EfficientNet.b2().build().parameters().all(), net.parameters().all());
  }

  @ParameterizedTest
  @ValueSource(strings = {"family=vit", "stages=1,2,3", "stages=1,3,1,1,32,16,CONE", "width=x"})
  void refusesWhatCannotBe(String change) {
    Map<String, String> metadata = new HashMap<>();
    Architectures.encode(EfficientNet.b0().build(), metadata::put);
    metadata.put(change.split("=", -1)[0], change.split("=", -1)[1]);
    String message =
        assertThrows(IllegalArgumentException.class, () -> Architectures.decode(metadata))
            .getMessage();
    assertTrue(message.length() > 10, message);
  }
}
