// SPDX-License-Identifier: Apache-2.0

/** Benchmarks of operations and models against their peers. */
module io.fusewire.bench {
  requires io.fusewire;
}
