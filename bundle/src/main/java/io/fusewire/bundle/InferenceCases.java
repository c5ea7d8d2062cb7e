// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bundle;

import io.fusewire.ops.Activation;
import io.fusewire.ops.DType;
import io.fusewire.ops.GatedPointwise;
import io.fusewire.ops.PointwiseConv;
import io.fusewire.ops.SqueezedDepthwise;
import io.fusewire.ops.Stream;
import io.fusewire.ops.Tensor;

/** Cases of an inverted residual block's inference. */
final class InferenceCases {
  private static final Activation SILU = Activation.SILU;

  private InferenceCases() {}

  static void add(OperationCases cases) {
    Dimensions d = cases.dimensions;
    SqueezedDepthwise depthwise = new SqueezedDepthwise(d.depthwise(), cases.dtype, SILU);
    cases.add(
        "SqueezedDepthwise.forward",
        "src@NHWC weights:RRC bias:C dst@NPQC total:NC",
        OperationCases.NONE,
        (q, step, t, space) ->
            summed(
                q,
                depthwise,
                t[4],
                sums -> depthwise.forward(q, t[0], null, null, t[1], t[2], t[3], sums)));
    SqueezedDepthwise expanding =
        SqueezedDepthwise.expanding(
            d.expandedDepthwise(), cases.dtype, SILU, d.denseChannels(), SILU);
    PointwiseConv expansion =
        new PointwiseConv(
            d.batch() * d.pixels(), d.denseChannels(), d.outChannels(), cases.dtype, SILU);
    cases.add(
        "SqueezedDepthwise.forward expanding",
        "src@NHWD expandWeights:KD expandBias:K weights:RRK bias:K dst@NPQK total:NK",
        OperationCases.NONE,
        (q, step, t, space) -> {
          try (Tensor packed = ConvolutionCases.packed(q, expansion, t[1])) {
            summed(
                q,
                expanding,
                t[6],
                sums -> expanding.forward(q, t[0], packed, t[2], t[3], t[4], t[5], sums));
          }
        });
    GatedPointwise projection =
        new GatedPointwise(
            d.batch(), d.pixels(), d.inChannels(), d.outChannels(), cases.dtype, SILU);
    PointwiseConv product =
        new PointwiseConv(
            d.batch() * d.pixels(), d.inChannels(), d.outChannels(), cases.dtype, SILU);
    cases.add(
        "GatedPointwise.forward",
        "src@NXC gate:NC weights:KC bias:K residual@NXK dst@NXK",
        OperationCases.NONE,
        (q, step, t, space) -> {
          try (Tensor packed = ConvolutionCases.packed(q, product, t[2])) {
            projection.forward(q, t[0], t[1], packed, t[3], t[4], t[5]);
            q.synchronize();
          }
        });
  }

  private interface Forward {
    void run(Tensor sums);
  }

  /** Adds up the sums of an image's chunks, of which each device makes its own number. */
  private static void summed(Stream stream, SqueezedDepthwise op, Tensor total, Forward forward) {
    int batch = (int) total.size(0);
    int channels = (int) total.size(1);
    int chunks = (int) op.chunks(stream);
    try (Tensor sums = Tensor.allocate(stream.device(), DType.F32, batch, chunks, channels)) {
      forward.run(sums);
      float[] parts = sums.toFloats(stream);
      float[] totals = new float[batch * channels];
      for (int i = 0; i < parts.length; i++) {
        totals[i / (chunks * channels) * channels + i % channels] += parts[i];
      }
      total.copyFrom(stream, totals);
    }
  }
}
