// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import io.fusewire.model.Parameter;
import java.util.Collection;

/** Tells the parameters of ResNets, which timm and torchvision call the same. */
final class ResNetNames {
  private ResNetNames() {}

  /** Whether these are the parameters of a ResNet. */
  static boolean describe(Collection<Parameter> parameters) {
    return parameters.stream().anyMatch(p -> p.name().equals("layer1.0.conv1.weight"));
  }
}
