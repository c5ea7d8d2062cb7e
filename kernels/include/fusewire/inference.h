/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Inference of an inverted residual block with squeeze-and-excite (MBConv, arXiv 1905.11946) in three operations, with
 * BatchNorm folded into weights and biases: depthwise convolution with the squeeze in its epilogue and, if wanted, the
 * expansion before it made on chip and never stored; the gate; the projection with the gate on load. Besides, dense
 * convolution with weights packed once and a residual in its epilogue. All conventions of fusewire.h hold.
 */
#ifndef FUSEWIRE_INFERENCE_H
#define FUSEWIRE_INFERENCE_H

#include "fusewire/fusewire.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A depthwise convolution that sums its result over pixels, alone or with the expansion before it. */
typedef struct fw_squeezed_depthwise {
  fw_conv conv;              /**< the depthwise one: in_channels == out_channels; activation applied to its result */
  int64_t expand_from;       /**< channels of src that are expanded to conv.in_channels; 0: src has conv.in_channels */
  int32_t expand_activation; /**< after the expansion */
  int32_t reserved;
} fw_squeezed_depthwise;

/**
 * Chunks that an image's pixels are summed in. With expand_from > 0 the convolution must be 3x3, 5x5 or 7x7 of stride 1
 * or 2 without dilation, else FW_UNSUPPORTED.
 */
FW_API fw_status fw_squeezed_depthwise_chunks(fw_stream stream, const fw_squeezed_depthwise* problem, int64_t* chunks);
/**
 * dst = act(bias + depthwise(x)), x = src or, with expand_from > 0, expand_activation(src * expand_weights^T +
 * expand_bias). src (batch, h, w, expand_from or channels); expand_weights (channels, expand_from) as fw_pointwise_pack
 * writes them, expand_bias (channels), both 0 without expansion; weights (kernel_height, kernel_width, channels), bias
 * (channels); dst (batch, p, q, channels). sums f32 (batch, chunks, channels): sums of dst over each chunk's pixels.
 */
FW_API fw_status fw_squeezed_depthwise_forward(fw_stream stream, const fw_squeezed_depthwise* problem, fw_address src,
                                               fw_address expand_weights, fw_address expand_bias, fw_address weights,
                                               fw_address bias, fw_address dst, fw_address sums);
/**
 * gate (batch, channels) of fw_squeeze_excite_forward from sums (batch, chunks, channels) instead of src; pooled
 * (batch, channels) and hidden (batch, squeezed) are written as there. problem->dtype is not looked at.
 */
FW_API fw_status fw_squeezed_gate_forward(fw_stream stream, const fw_squeeze_excite* problem, fw_address sums,
                                          int64_t chunks, fw_address reduce_weights, fw_address reduce_bias,
                                          fw_address expand_weights, fw_address expand_bias, fw_address pooled,
                                          fw_address hidden, fw_address gate);

/** A pointwise convolution with a gate on load. */
typedef struct fw_gated_pointwise {
  int32_t dtype;
  int32_t activation;
  int64_t batch;
  int64_t pixels; /**< height*width */
  int64_t in_channels, out_channels;
} fw_gated_pointwise;

/**
 * dst = act((src*gate[image]) * weights^T + bias) + residual; src (batch, pixels, in_channels), gate f32 (batch,
 * in_channels) or 0, packed: weights as fw_pointwise_pack writes them, bias (out_channels) or 0, residual (as dst) or
 * 0, which may be dst.
 */
FW_API fw_status fw_gated_pointwise_forward(fw_stream stream, const fw_gated_pointwise* problem, fw_address src,
                                            fw_address gate, fw_address packed, fw_address bias, fw_address residual,
                                            fw_address dst);

/** Bytes of a dense convolution's packed weights; the layout is the device's own and that of conv->dtype. */
FW_API fw_status fw_conv_packed_bytes(fw_stream stream, const fw_conv* conv, int64_t* bytes);
/** Packs weights (out_channels, kernel_height, kernel_width, in_channels) once for many calls of the next function. */
FW_API fw_status fw_conv_pack(fw_stream stream, const fw_conv* conv, fw_address weights, fw_address packed);
/**
 * raw = dense convolution of src + bias; dst = act(raw) + residual, or act(raw + residual) where residual_first is 1.
 * packed: what fw_conv_pack wrote on this device; bias (out_channels) or 0; residual (as dst) or 0, which may be dst.
 */
FW_API fw_status fw_conv_forward_packed(fw_stream stream, const fw_conv* conv, fw_address src, fw_address packed,
                                        fw_address bias, fw_address residual, int32_t residual_first, fw_address dst);

#ifdef __cplusplus
}
#endif

#endif
