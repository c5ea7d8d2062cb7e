// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.layers;

import io.fusewire.ops.DType;
import io.fusewire.ops.Stream;
import io.fusewire.ops.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * A tensor that all contenders of this process use in place, once for every place that their calls
 * go through. Ours is dense in the kernels' layout; where libtorch takes part, the memory is
 * libtorch's, which has a view of it with the axes in its own order, for images what it calls
 * channels-last.
 */
final class SharedTensor {
  /** What the axes are in the kernels' layout, and so what they are for libtorch. */
  enum Form {
    /** (batch, height, width, channels), in the storage type; all others are F32. */
    IMAGE,
    /** (out, kernel, kernel, in). */
    DENSE_WEIGHTS,
    /** (out, in), 1x1. */
    POINTWISE_WEIGHTS,
    /** (kernel, kernel, channels). */
    DEPTHWISE_WEIGHTS,
    /** The same for both. */
    PLAIN
  }

  private final Form form;
  private final DType dtype;
  private final double scale;
  private final long[] shape;
  private final List<Tensor> ours = new ArrayList<>();
  private Tensor memory;
  private TorchViews views;

  /**
   * Plans a tensor.
   *
   * @param dtype storage type of images
   * @param scale standard deviation of its content; 0 leaves it as NaN, to be overwritten
   * @param shape sizes in the kernels' layout
   */
  SharedTensor(Form form, DType dtype, double scale, long... shape) {
    this.form = form;
    this.dtype = form == Form.IMAGE ? dtype : DType.F32;
    this.scale = scale;
    this.shape = shape.clone();
  }

  Form form() {
    return form;
  }

  DType dtype() {
    return dtype;
  }

  /** Sizes in the kernels' layout. */
  long[] shape() {
    return shape.clone();
  }

  /** Bytes at one place. */
  long bytes() {
    long bytes = dtype.bytes();
    for (long size : shape) {
      bytes = Math.multiplyExact(bytes, size);
    }
    return bytes;
  }

  /** Allocates all places and fills the first. */
  void allocate(Stream stream, int places, boolean libtorch, RandomValues random) {
    if (libtorch) {
      views = new TorchViews(this, places, scale);
      for (int place = 0; place < places; place++) {
        ours.add(views.ours(stream.device(), place));
      }
      return;
    }
    long bytes = bytes();
    memory = Tensor.allocate(stream.device(), DType.U8, Math.multiplyExact(bytes, places));
    for (int place = 0; place < places; place++) {
      ours.add(memory.slice(place * bytes, dtype, shape));
    }
    if (scale == 0) {
      ours.get(0).fill(stream, 0xff);
    } else {
      random.fill(stream, ours.get(0), scale);
    }
  }

  /**
   * Gives the other places the first one's content.
   *
   * @param storage type of activations
   * @param result whether libtorch's views are only looked at
   */
  void spread(Stream stream, DType storage, boolean result) {
    if (views != null) {
      views.spread(storage, result);
      return;
    }
    for (Tensor place : ours.subList(1, ours.size())) {
      place.copyFrom(stream, ours.get(0));
    }
  }

  /** For our calls. */
  Tensor ours(int place) {
    return ours.get(place);
  }

  /** For libtorch's. */
  org.bytedeco.pytorch.Tensor torch(int place) {
    return views.torch(place);
  }

  /** Frees memory of ours; libtorch's is its scope's. */
  void close() {
    if (memory != null) {
      memory.close();
    }
  }
}
