// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import java.util.List;
import java.util.Map;

/**
 * The names of a file's tensors, cleaned.
 *
 * @param byName the file's keys by the library's names
 * @param remarks what was left out or stripped, as whole sentences
 */
record SourceKeys(Map<String, String> byName, List<String> remarks) {}
