// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.layers;

import io.fusewire.bench.peer.LibtorchTypes;
import io.fusewire.ops.DType;
import io.fusewire.ops.Device;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.MemoryFormatOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;

/** A shared tensor's memory where libtorch takes part, and libtorch's views of it. */
final class TorchViews {
  private final SharedTensor of;
  private final Tensor memory;
  private final List<Tensor> views = new ArrayList<>();

  /** Allocates all places and fills the first. */
  TorchViews(SharedTensor of, int places, double scale) {
    this.of = of;
    long[] shape = of.shape();
    long[] all = new long[shape.length + 1];
    all[0] = places;
    System.arraycopy(shape, 0, all, 1, shape.length);
    memory =
        torch.empty(
            all, new TensorOptions(LibtorchTypes.of(of.dtype())), new MemoryFormatOptional());
    for (int place = 0; place < places; place++) {
      views.add(arranged(memory.select(0, place)));
    }
    Tensor first = memory.select(0, 0);
    if (scale == 0) {
      first.fill_(new Scalar(Double.NaN));
    } else {
      first.copy_(torch.randn(shape).mul_(new Scalar(scale)));
    }
  }

  private Tensor arranged(Tensor part) {
    return switch (of.form()) {
      case IMAGE, DENSE_WEIGHTS -> part.permute(0, 3, 1, 2);
      case POINTWISE_WEIGHTS -> part.unsqueeze(-1).unsqueeze(-1);
      case DEPTHWISE_WEIGHTS -> part.permute(2, 0, 1).unsqueeze(1);
      case PLAIN -> part;
    };
  }

  /**
   * Gives the other places the first one's content. What of the views is not in an order or of a
   * type that libtorch would choose becomes a copy that is, so that no call has to convert it.
   *
   * @param storage type of activations, which libtorch's weights share
   * @param result whether the views are only looked at
   */
  void spread(DType storage, boolean result) {
    for (Tensor place : views.subList(1, views.size())) {
      place.copy_(views.get(0));
    }
    if (result) {
      return;
    }
    if (of.form() == SharedTensor.Form.DEPTHWISE_WEIGHTS) {
      views.replaceAll(Tensor::contiguous);
    }
    if (of.form() != SharedTensor.Form.PLAIN && of.dtype() != storage) {
      views.replaceAll(view -> view.to(LibtorchTypes.of(storage)));
    }
  }

  /** Our tensor in the same memory. */
  io.fusewire.ops.Tensor ours(Device device, int place) {
    long address = memory.select(0, place).data_ptr().address();
    return io.fusewire.ops.Tensor.view(device, of.dtype(), address, memory, of.shape());
  }

  Tensor torch(int place) {
    return views.get(place);
  }
}
