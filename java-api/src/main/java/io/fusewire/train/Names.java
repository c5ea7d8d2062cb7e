// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/** Finds an enum's constant by the name a user would type. */
final class Names {
  private Names() {}

  static <E extends Enum<E>> E find(Class<E> type, String what, String name) {
    String key = name.replaceAll("[-_ ]", "");
    for (E constant : type.getEnumConstants()) {
      if (constant.name().replace("_", "").equalsIgnoreCase(key)) {
        return constant;
      }
    }
    throw new IllegalArgumentException(
        "there is no %s '%s'; there are %s"
            .formatted(
                what,
                name,
                Arrays.stream(type.getEnumConstants())
                    .map(c -> c.name().toLowerCase(Locale.ROOT).replace('_', '-'))
                    .collect(Collectors.joining(", "))));
  }
}
