// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

/** One call. A name ends in {@code ?} where null is allowed; "workspace" is the workspace. */
final class OperationCall {
  /** Runs an operation's method on a stream with tensors in the order of the names. */
  interface Run {
    void run(Stream stream, Tensor[] tensors);
  }

  private final String method;
  private final String[] names;
  private final Tensor[] tensors;
  private final Run run;

  /**
   * Creates one.
   *
   * @param method such as DepthwiseConv.forward
   * @param names names of the tensors
   * @param tensors tensors that fit
   * @param run the call
   */
  OperationCall(String method, String[] names, Tensor[] tensors, Run run) {
    this.method = method;
    this.names = names;
    this.tensors = tensors;
    this.run = run;
  }

  String method() {
    return method;
  }

  Tensor[] tensors() {
    return tensors;
  }

  Run run() {
    return run;
  }

  String name(int i) {
    return names[i].replace("?", "");
  }

  boolean optional(int i) {
    return names[i].endsWith("?");
  }

  @Override
  public String toString() {
    return method;
  }
}
