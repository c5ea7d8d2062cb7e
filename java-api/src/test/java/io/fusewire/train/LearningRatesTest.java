// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fusewire.model.Architecture;
import io.fusewire.model.EfficientNet;
import io.fusewire.model.Parameters;
import org.junit.jupiter.api.Test;

final class LearningRatesTest {
  private static final Parameters B0 = EfficientNet.b0().build().parameters();

  private static float factor(LearningRates rates, String name) {
    return rates.factor(B0.get(name));
  }

  @Test
  void groupsAreStemStagesAndHead() {
    LearningRates rates = new LearningRates(B0, 0.5, 1);
    assertEquals(9, rates.groups());
    assertEquals(1f / 256, factor(rates, "conv_stem.weight"));
    assertEquals(1f / 256, factor(rates, "bn1.bias"));
    assertEquals(1f / 128, factor(rates, "blocks.0.0.conv_dw.weight"));
    assertEquals(1f / 64, factor(rates, "blocks.1.0.conv_pw.weight"));
    assertEquals(1f / 64, factor(rates, "blocks.1.1.se.conv_reduce.bias"));
    assertEquals(1f / 2, factor(rates, "blocks.6.0.bn3.weight"));
    assertEquals(1f, factor(rates, "conv_head.weight"));
    assertEquals(1f, factor(rates, "classifier.weight"));
  }

  @Test
  void featuresHaveAFactorOfTheirOwn() {
    LearningRates rates = new LearningRates(B0, 0.5, 0.25);
    assertEquals(1f, factor(rates, "classifier.bias"));
    assertEquals(0.25f, factor(rates, "bn2.weight"));
    assertEquals(0.25f / 256, factor(rates, "conv_stem.weight"));
  }

  @Test
  void withoutEitherAllAreTheSame() {
    LearningRates rates = new LearningRates(B0, 1, 1);
    B0.all().stream()
        .filter(p -> p.kind().trained())
        .forEach(p -> assertEquals(1f, rates.factor(p), p.name()));
  }

  @Test
  void everyFamilyHasItsStages() {
    for (String name : new String[] {"resnet18", "xresnet18", "v2_s", "lite0"}) {
      Parameters parameters = Architecture.byName(name).build().parameters();
      int stages = name.equals("v2_s") ? 6 : name.equals("lite0") ? 7 : 4;
      assertEquals(stages + 2, new LearningRates(parameters, 0.5, 1).groups(), name);
    }
  }
}
