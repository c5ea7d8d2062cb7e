// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

/**
 * A function of the library that says how many bytes something takes, such as the workspace of a
 * problem.
 */
interface ByteCount<P> {
  int ask(long stream, P problem, long[] bytes);

  /** Asks for {@code operation}, which is the method that the user called. */
  static <P> long of(String operation, Stream stream, P problem, ByteCount<P> function) {
    long[] bytes = new long[1];
    Status.check(function.ask(Checks.stream(operation, stream), problem, bytes));
    return bytes[0];
  }
}
