// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.peer;

import org.bytedeco.openblas.presets.openblas_nolapack;
import org.bytedeco.pytorch.global.torch;

/**
 * How many threads libtorch works with: its own, and those of the OpenBLAS that it leaves products
 * to, which has a pool of its own and would take every core.
 */
public final class LibtorchThreads {
  private LibtorchThreads() {}

  /**
   * Sets the number of threads for the whole process.
   *
   * @param threads at least 1
   */
  public static void set(int threads) {
    torch.set_num_threads(threads);
    openblas_nolapack.blas_set_num_threads(threads);
  }
}
