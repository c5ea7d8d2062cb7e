// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bundle;

import io.fusewire.ops.DType;
import io.fusewire.ops.Stream;
import java.util.ArrayList;
import java.util.List;
import java.util.function.ToLongFunction;

/** Collects cases of one size and storage type. */
final class OperationCases {
  /** No workspace. */
  static final ToLongFunction<Stream> NONE = stream -> 0;

  final Dimensions dimensions;
  final DType dtype;
  private final List<OperationCase> cases = new ArrayList<>();

  private OperationCases(Dimensions dimensions, DType dtype) {
    this.dimensions = dimensions;
    this.dtype = dtype;
  }

  /** Every method of every operation, in every size and storage type. */
  static List<OperationCase> all() {
    List<OperationCase> all = new ArrayList<>();
    for (Dimensions dimensions : Dimensions.all()) {
      for (DType dtype : List.of(DType.F32, DType.BF16, DType.F16)) {
        OperationCases cases = new OperationCases(dimensions, dtype);
        ConvolutionCases.add(cases);
        NormCases.add(cases);
        FusedCases.add(cases);
        InferenceCases.add(cases);
        if (dtype == DType.F32) {
          HeadCases.add(cases); // these know no other type
        }
        all.addAll(cases.cases);
      }
    }
    return all;
  }

  void add(
      String method, String tensors, ToLongFunction<Stream> workspace, OperationCase.Call call) {
    cases.add(new OperationCase(method, dimensions, dtype, tensors, workspace, call));
  }
}
