// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import io.fusewire.model.Parameter;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** How one library names and orders the tensors of a network. */
interface NamingScheme {
  /** Whose names these are. */
  Library library();

  /**
   * What the library calls the first convolution of its networks: a quick way to tell whose names a
   * file's are.
   *
   * @return one name for each family of networks
   */
  Set<String> stems();

  /**
   * What the library calls each parameter of a network.
   *
   * @param parameters the parameters of the whole network
   * @return by Fusewire's name, in the parameters' order; empty if the library has no such network
   */
  Optional<Map<String, SourceName>> names(List<Parameter> parameters);

  /**
   * The keys of a file without what the library or its users put around the names.
   *
   * @param keys all keys of the file
   * @return the names, with the keys they come from
   */
  SourceKeys keys(Iterable<String> keys);
}
