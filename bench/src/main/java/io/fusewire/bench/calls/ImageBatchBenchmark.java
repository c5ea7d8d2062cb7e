// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.calls;

import io.fusewire.ops.DType;
import io.fusewire.ops.ImageBatch;
import io.fusewire.ops.Tensor;
import org.openjdk.jmh.annotations.Benchmark;

/** Calls of {@link ImageBatch} for an image of one pixel. */
public class ImageBatchBenchmark extends CallBenchmark {
  private ImageBatch images;
  private Tensor src;
  private Tensor dst;

  /** Called by JMH. */
  public ImageBatchBenchmark() {}

  @Override
  void prepare() {
    images = ImageBatch.builder(1, 1, 1, 3).randomFlip().build();
    src = zeros(DType.U8, 1, 1, 1, 3);
    dst = zeros(1, 1, 1, 3);
  }

  /** One call. */
  @Benchmark
  public void forward() {
    images.forward(stream, step, src, dst);
  }
}
