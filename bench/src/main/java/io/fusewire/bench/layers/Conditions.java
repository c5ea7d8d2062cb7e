// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.layers;

import io.fusewire.ops.DType;
import io.fusewire.ops.Stream;

/**
 * Under what an operation is measured, whichever it is.
 *
 * @param stream where our calls run
 * @param dtype storage type of activations
 * @param libtorch whether libtorch computes the same beside us: only on the CPU, only where it is
 * @param spread bytes that consecutive calls go through before they come back to the same place;
 *     several times the caches' size makes every call miss them, 0 makes all calls use one place
 */
public record Conditions(Stream stream, DType dtype, boolean libtorch, long spread) {}
