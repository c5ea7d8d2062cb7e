// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.layers;

import io.fusewire.ops.DType;
import io.fusewire.ops.Device;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * An F32 tensor that both contenders use in place, once for every place that their calls go
 * through. Ours is dense in the kernels' layout; libtorch has a view of it with the axes in
 * libtorch's order, which for images is what it calls channels-last.
 */
final class SharedTensor {
  /** What the axes are in the kernels' layout, and so what they are for libtorch. */
  enum Form {
    /** (batch, height, width, channels). */
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
  private final long[] shape;
  private final double scale;
  private final List<io.fusewire.ops.Tensor> ours = new ArrayList<>();
  private final List<Tensor> theirs = new ArrayList<>();

  /**
   * Plans a tensor.
   *
   * @param scale standard deviation of its content; 0 leaves it as NaN, to be overwritten
   * @param shape sizes in the kernels' layout
   */
  SharedTensor(Form form, double scale, long... shape) {
    this.form = form;
    this.scale = scale;
    this.shape = shape.clone();
  }

  /** Sizes in the kernels' layout. */
  long[] shape() {
    return shape.clone();
  }

  /** Bytes at one place. */
  long bytes() {
    long bytes = Float.BYTES;
    for (long size : shape) {
      bytes *= size;
    }
    return bytes;
  }

  /** Allocates all places and fills the first. */
  void allocate(Device device, int places) {
    long[] all = new long[shape.length + 1];
    all[0] = places;
    System.arraycopy(shape, 0, all, 1, shape.length);
    Tensor memory = torch.empty(all);
    for (int place = 0; place < places; place++) {
      Tensor part = memory.select(0, place);
      long address = part.data_ptr().address();
      ours.add(io.fusewire.ops.Tensor.view(device, DType.F32, address, memory, shape));
      theirs.add(arranged(part));
    }
    Tensor first = memory.select(0, 0);
    if (scale == 0) {
      first.fill_(new Scalar(Double.NaN));
    } else {
      first.copy_(torch.randn(shape).mul_(new Scalar(scale)));
    }
  }

  private Tensor arranged(Tensor part) {
    return switch (form) {
      case IMAGE, DENSE_WEIGHTS -> part.permute(0, 3, 1, 2);
      case POINTWISE_WEIGHTS -> part.unsqueeze(-1).unsqueeze(-1);
      case DEPTHWISE_WEIGHTS -> part.permute(2, 0, 1).unsqueeze(1);
      case PLAIN -> part;
    };
  }

  /**
   * Gives the other places the first one's content. What of libtorch's views is not in an order
   * that libtorch would choose becomes a copy that is, so that no call has to reorder it.
   *
   * @param result whether libtorch's views are only looked at
   */
  void spread(boolean result) {
    for (Tensor place : theirs.subList(1, theirs.size())) {
      place.copy_(theirs.get(0));
    }
    if (form == Form.DEPTHWISE_WEIGHTS && !result) {
      theirs.replaceAll(Tensor::contiguous);
    }
  }

  /** For our calls. */
  io.fusewire.ops.Tensor ours(int place) {
    return ours.get(place);
  }

  /** For libtorch's. */
  Tensor torch(int place) {
    return theirs.get(place);
  }
}
