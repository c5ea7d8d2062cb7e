// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bundle;

import io.fusewire.data.FashionMnist;
import java.io.IOException;
import java.nio.file.Path;

/** Makes sure that Fashion-MNIST is in a cache folder, for {@code bundle --data}. */
public final class FetchData {
  private FetchData() {}

  /**
   * Fetches what is missing.
   *
   * @param arguments the cache folder
   * @throws IOException if it cannot be fetched
   */
  public static void main(String[] arguments) throws IOException {
    FashionMnist.ensure(
        Path.of(arguments[0]), message -> System.err.println("fusewire: " + message));
  }
}
