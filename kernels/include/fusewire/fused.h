/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Training operations that apply BatchNorm, activation and gate while they load, and sum the next BatchNorm's
 * statistics while they store. Only raw convolution results are ever written: a tensor x is kept as it left its
 * convolution, together with a *norm* table, and its readers take act((x-mean)*scale+shift) on load.
 *
 * Tables, all f32:
 *  - norm (4, channels): mean, 1/std, scale = gamma/std, shift = beta. Written by the operation that writes x.
 *  - gradient (2, channels): slope, offset; the gradient of x is scale*g + slope*(x-mean) + offset, with g the gradient
 *    of (x-mean)*scale+shift. It is BatchNorm's usual gradient (arXiv 1502.03167) with its two means worked in.
 * An ::fw_address of 0 for a norm, gate or scale means: taken as it is; only fw_norm_gradient and the backward passes
 * of squeeze-and-excite and mean pool, which write a BatchNorm's gradient, need their norm. All conventions of
 * fusewire.h hold.
 */
#ifndef FUSEWIRE_FUSED_H
#define FUSEWIRE_FUSED_H

#include "fusewire/fusewire.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------------------------------------------------
 * Pointwise convolution
 * --------------------------------------------------------------------------------------------------------------- */

/** dst = raw product of in(src) with weights (out_channels, in_channels) transposed, without bias. */
typedef struct fw_fused_pointwise {
  int32_t dtype;
  int32_t in_activation; /**< after the source's norm */
  int64_t batch;
  int64_t pixels; /**< height*width; training needs batch*pixels >= 2 */
  int64_t in_channels, out_channels;
  float epsilon, momentum; /**< of the BatchNorm that follows */
} fw_fused_pointwise;

/** Bytes of workspace that serve every call on this problem. */
FW_API fw_status fw_fused_pointwise_workspace(fw_stream stream, const fw_fused_pointwise* problem, int64_t* bytes);
/**
 * in(src) = in_activation(norm(src)) * gate[image]; src (batch, pixels, in_channels); in_norm (4, in_channels) or 0;
 * gate f32 (batch, in_channels) or 0. Writes dst (batch, pixels, out_channels) and out_norm (4, out_channels) from the
 * batch's statistics of dst with gamma, beta (out_channels); updates running_mean and running_var (or both 0).
 */
FW_API fw_status fw_fused_pointwise_forward(fw_stream stream, const fw_fused_pointwise* problem, fw_address src,
                                            fw_address in_norm, fw_address gate, fw_address weights, fw_address gamma,
                                            fw_address beta, fw_address running_mean, fw_address running_var,
                                            fw_address dst, fw_address out_norm, fw_address workspace,
                                            int64_t workspace_bytes);
/**
 * diff_src (batch, pixels, in_channels) = d * weights + addend: the gradient of in(src). d, the gradient of dst, is
 * made on load from diff_out (batch, pixels, out_channels), the gradient of norm(dst): with image_scale f32 (batch) or
 * 0 (drop-connect), d = scale*image_scale*diff_out + slope*(dst-mean) + offset. addend is added if it is not 0, and may
 * be diff_src.
 */
FW_API fw_status fw_fused_pointwise_backward_data(fw_stream stream, const fw_fused_pointwise* problem,
                                                  fw_address diff_out, fw_address image_scale, fw_address dst,
                                                  fw_address out_norm, fw_address out_gradient, fw_address weights,
                                                  fw_address addend, fw_address diff_src, fw_address workspace,
                                                  int64_t workspace_bytes);
/** diff_weights (out_channels, in_channels) f32, overwritten, from in(src) and d as above. */
FW_API fw_status fw_fused_pointwise_backward_weights(fw_stream stream, const fw_fused_pointwise* problem,
                                                     fw_address src, fw_address in_norm, fw_address gate,
                                                     fw_address diff_out, fw_address image_scale, fw_address dst,
                                                     fw_address out_norm, fw_address out_gradient,
                                                     fw_address diff_weights, fw_address workspace,
                                                     int64_t workspace_bytes);
/**
 * Both gradients, as the two functions above give them up to rounding: a CPU loads d once for the two, a GPU takes two
 * passes. diff_src shares no memory with src, diff_out or dst.
 */
FW_API fw_status fw_fused_pointwise_backward(fw_stream stream, const fw_fused_pointwise* problem, fw_address src,
                                             fw_address in_norm, fw_address gate, fw_address diff_out,
                                             fw_address image_scale, fw_address dst, fw_address out_norm,
                                             fw_address out_gradient, fw_address weights, fw_address addend,
                                             fw_address diff_src, fw_address diff_weights, fw_address workspace,
                                             int64_t workspace_bytes);

/* ------------------------------------------------------------------------------------------------------------------
 * Dense convolution
 * --------------------------------------------------------------------------------------------------------------- */

/** Bytes of workspace that serve every fused call on this convolution. */
FW_API fw_status fw_fused_conv_workspace(fw_stream stream, const fw_conv* conv, int64_t* bytes);
/**
 * dst = raw dense convolution of activation(norm(src)) without bias, zeros outside; conv->activation is the one after
 * the source's norm, in_norm (4, in_channels) or 0: src is taken as it is. src (batch, h, w, in_channels), weights
 * (out_channels, kernel_height, kernel_width, in_channels). Writes dst (batch, p, q, out_channels) and out_norm,
 * updates the running averages, as fw_fused_pointwise_forward does.
 */
FW_API fw_status fw_fused_conv_forward(fw_stream stream, const fw_conv* conv, float epsilon, float momentum,
                                       fw_address src, fw_address in_norm, fw_address weights, fw_address gamma,
                                       fw_address beta, fw_address running_mean, fw_address running_var, fw_address dst,
                                       fw_address out_norm, fw_address workspace, int64_t workspace_bytes);
/**
 * diff_src (as src) = transposed convolution of d + addend: the gradient of activation(norm(src)). d, the gradient of
 * dst, is made on load from diff_out (as dst), image_scale, dst, out_norm and out_gradient as in
 * fw_fused_pointwise_backward_data. addend is added if it is not 0, and may be diff_src; diff_src shares no memory with
 * diff_out or dst.
 */
FW_API fw_status fw_fused_conv_backward_data(fw_stream stream, const fw_conv* conv, fw_address diff_out,
                                             fw_address image_scale, fw_address dst, fw_address out_norm,
                                             fw_address out_gradient, fw_address weights, fw_address addend,
                                             fw_address diff_src, fw_address workspace, int64_t workspace_bytes);
/** diff_weights (as weights), overwritten, from activation(norm(src)) and d as above. */
FW_API fw_status fw_fused_conv_backward_weights(fw_stream stream, const fw_conv* conv, fw_address src,
                                                fw_address in_norm, fw_address diff_out, fw_address image_scale,
                                                fw_address dst, fw_address out_norm, fw_address out_gradient,
                                                fw_address diff_weights, fw_address workspace, int64_t workspace_bytes);

/* ------------------------------------------------------------------------------------------------------------------
 * Depthwise convolution
 * --------------------------------------------------------------------------------------------------------------- */

/** Depthwise convolution with a norm on either side; conv.activation is the one after the source's norm. */
typedef struct fw_fused_depthwise {
  fw_conv conv;           /**< in_channels == out_channels; activation: after the source's norm */
  int32_t out_activation; /**< after the result's norm (backward only) */
  int32_t reserved;
  float epsilon, momentum; /**< of the BatchNorm that follows */
} fw_fused_depthwise;

/** Bytes of workspace that serve every call on this problem. */
FW_API fw_status fw_fused_depthwise_workspace(fw_stream stream, const fw_fused_depthwise* problem, int64_t* bytes);
/**
 * dst = raw depthwise convolution of activation(norm(src)), zeros outside; src (batch, h, w, channels), in_norm
 * (4, channels) or 0; weights (kernel_height, kernel_width, channels). Writes dst and out_norm, updates the running
 * averages, as fw_fused_pointwise_forward does.
 */
FW_API fw_status fw_fused_depthwise_forward(fw_stream stream, const fw_fused_depthwise* problem, fw_address src,
                                            fw_address in_norm, fw_address weights, fw_address gamma, fw_address beta,
                                            fw_address running_mean, fw_address running_var, fw_address dst,
                                            fw_address out_norm, fw_address workspace, int64_t workspace_bytes);
/**
 * Everything behind the convolution in one pass over diff, dst and src. With gate and pool_gradient f32 (batch,
 * channels) or both 0, and a = out_activation:
 *   g = (diff*gate + pool_gradient) * a'(norm(dst)),  d = scale*g + slope*(dst-mean) + offset   (out_norm,
 * out_gradient) diff_src = (transposed convolution of d) * activation'(norm(src)): the gradient of norm(src)
 *   diff_weights = sum of d times activation(norm(src)) under each tap, overwritten
 * and from diff_src the source's BatchNorm: diff_gamma, diff_beta (channels) and in_gradient (2, channels). With
 * in_norm 0 (then no activation) these three are 0.
 */
FW_API fw_status fw_fused_depthwise_backward(fw_stream stream, const fw_fused_depthwise* problem, fw_address src,
                                             fw_address in_norm, fw_address weights, fw_address dst,
                                             fw_address out_norm, fw_address out_gradient, fw_address diff,
                                             fw_address gate, fw_address pool_gradient, fw_address diff_src,
                                             fw_address diff_weights, fw_address diff_gamma, fw_address diff_beta,
                                             fw_address in_gradient, fw_address workspace, int64_t workspace_bytes);

/* ------------------------------------------------------------------------------------------------------------------
 * Squeeze-and-excite
 * --------------------------------------------------------------------------------------------------------------- */

/** The gate of a raw tensor, which its readers apply on load. */
typedef struct fw_fused_squeeze_excite {
  fw_squeeze_excite block; /**< activation and gate as there */
  int32_t in_activation;   /**< after the source's norm */
  int32_t reserved;
} fw_fused_squeeze_excite;

FW_API fw_status fw_fused_squeeze_excite_workspace(fw_stream stream, const fw_fused_squeeze_excite* problem,
                                                   int64_t* bytes);
/**
 * pooled = mean over pixels of in_activation(norm(src)), then hidden and gate as fw_squeeze_excite_forward; src is read
 * once and nothing of its size is written. in_norm (4, channels).
 */
FW_API fw_status fw_fused_squeeze_excite_forward(fw_stream stream, const fw_fused_squeeze_excite* problem,
                                                 fw_address src, fw_address in_norm, fw_address reduce_weights,
                                                 fw_address reduce_bias, fw_address expand_weights,
                                                 fw_address expand_bias, fw_address pooled, fw_address hidden,
                                                 fw_address gate, fw_address workspace, int64_t workspace_bytes);
/**
 * diff: gradient of in_activation(norm(src))*gate, as src. One pass over src and diff sums, for every image and
 * channel, all that both the gate and the BatchNorm need: with z = norm(src), h = (src-mean)/std, a = in_activation, S0
 * = sum diff*a(z), S1 = sum diff*a'(z), S2 = sum a'(z), S3 = sum diff*a'(z)*h, S4 = sum a'(z)*h. S0 is the gate's
 * gradient; with pool_gradient (batch, channels) = gradient of pooled / pixels, written here, g = (diff*gate +
 * pool_gradient)*a'(z) has sum g = sum_n gate*S1 + pool_gradient*S2 and likewise sum g*h from S3, S4. Writes all
 * parameters' gradients, diff_gamma and diff_beta (channels) of the source's BatchNorm, and in_gradient (2, channels).
 */
FW_API fw_status fw_fused_squeeze_excite_backward(
    fw_stream stream, const fw_fused_squeeze_excite* problem, fw_address src, fw_address in_norm, fw_address diff,
    fw_address reduce_weights, fw_address expand_weights, fw_address pooled, fw_address hidden, fw_address gate,
    fw_address pool_gradient, fw_address diff_reduce_weights, fw_address diff_reduce_bias,
    fw_address diff_expand_weights, fw_address diff_expand_bias, fw_address diff_gamma, fw_address diff_beta,
    fw_address in_gradient, fw_address workspace, int64_t workspace_bytes);

/* ------------------------------------------------------------------------------------------------------------------
 * Between blocks, and the end of the network
 * --------------------------------------------------------------------------------------------------------------- */

/** A raw tensor (batch, pixels, channels) with its norm and the activation after it. */
typedef struct fw_normed {
  int32_t dtype;
  int32_t activation;
  int64_t batch, pixels, channels;
} fw_normed;

/** scales f32 (batch): keep/(1-drop_rate) of every image, as fw_residual_forward draws it. elements is not looked at.
 */
FW_API fw_status fw_drop_connect_scales(fw_stream stream, const fw_residual* problem, fw_address step,
                                        fw_address scales);
/** A residual sum: branch is the normed branch, the other activations are the skip's and the one after the sum. */
typedef struct fw_fused_residual {
  fw_normed branch;
  int32_t skip_activation; /**< after the skip's norm */
  int32_t out_activation;  /**< after the sum; backward knows identity, ReLU and ReLU6 */
} fw_fused_residual;

/**
 * dst = out_activation(activation(norm(branch))*image_scale + skip_activation(skip_norm(skip))); a norm of 0 leaves its
 * tensor as it is before the activation. image_scale f32 (batch) or 0; dst may be branch or skip.
 */
FW_API fw_status fw_fused_residual_forward(fw_stream stream, const fw_fused_residual* problem, fw_address branch,
                                           fw_address norm, fw_address image_scale, fw_address skip,
                                           fw_address skip_norm, fw_address dst);
/**
 * diff_sum = diff_dst * out_activation'(sum), the gradient of the sum, from dst alone: diff_dst where dst > 0 (and < 6
 * for ReLU6), else 0. All as branch; diff_sum may be diff_dst or dst. SiLU is refused: its derivative needs the sum.
 */
FW_API fw_status fw_fused_residual_backward(fw_stream stream, const fw_fused_residual* problem, fw_address dst,
                                            fw_address diff_dst, fw_address diff_sum);

/** Workspace of the three calls below. */
FW_API fw_status fw_normed_workspace(fw_stream stream, const fw_normed* problem, int64_t* bytes);
/**
 * BatchNorm's gradient table from diff, the gradient of activation(norm(src)) before image_scale (f32 (batch) or 0):
 * with g = image_scale*diff*activation'(norm(src)) writes diff_beta = sum g, diff_gamma = sum g*h and gradient
 * (2, channels), and g itself to diff_norm (as src), unless that is 0; it may be diff. Reads diff and src once.
 */
FW_API fw_status fw_norm_gradient(fw_stream stream, const fw_normed* problem, fw_address src, fw_address norm,
                                  fw_address diff, fw_address image_scale, fw_address diff_norm, fw_address diff_gamma,
                                  fw_address diff_beta, fw_address gradient, fw_address workspace,
                                  int64_t workspace_bytes);
/** pooled f32 (batch, channels) = mean over pixels of activation(norm(src)). */
FW_API fw_status fw_fused_mean_pool_forward(fw_stream stream, const fw_normed* problem, fw_address src, fw_address norm,
                                            fw_address pooled, fw_address workspace, int64_t workspace_bytes);
/**
 * diff_src (as src) = diff_pooled/pixels * activation'(norm(src)), the gradient of norm(src), and its BatchNorm's
 * diff_gamma, diff_beta and gradient, in one pass over src.
 */
FW_API fw_status fw_fused_mean_pool_backward(fw_stream stream, const fw_normed* problem, fw_address src,
                                             fw_address norm, fw_address diff_pooled, fw_address diff_src,
                                             fw_address diff_gamma, fw_address diff_beta, fw_address gradient,
                                             fw_address workspace, int64_t workspace_bytes);

/* ------------------------------------------------------------------------------------------------------------------
 * Pooling of windows
 * --------------------------------------------------------------------------------------------------------------- */

typedef enum fw_pool_kind {
  FW_POOL_MAX = 0,    /**< padding counts as minus infinity */
  FW_POOL_AVERAGE = 1 /**< of the pixels inside: padding is not counted */
} fw_pool_kind;

/**
 * Pooling over windows of (batch, in_height, in_width, channels). The result's height is (in_height + pad_top +
 * pad_bottom - kernel_height) / stride_height + 1, rounded down; every padding is smaller than the kernel, so that each
 * window has a pixel. A "ceil mode" is a larger pad_bottom and pad_right.
 */
typedef struct fw_pool {
  int32_t dtype;
  int32_t kind;          /**< ::fw_pool_kind */
  int32_t in_activation; /**< after the source's norm */
  int32_t reserved;
  int64_t batch, in_height, in_width, channels;
  int64_t kernel_height, kernel_width; /**< 1 to 4096 */
  int64_t stride_height, stride_width;
  int64_t pad_top, pad_bottom, pad_left, pad_right;
} fw_pool;

/** The result's height and width. */
FW_API fw_status fw_pool_output(const fw_pool* pool, int64_t* out_height, int64_t* out_width);
/**
 * dst (batch, p, q, channels) = largest value or mean of in(src) in each window, in(src) = in_activation(norm(src)), or
 * src where in_norm is 0. NaN in a window makes the result NaN. dst shares no memory with src.
 */
FW_API fw_status fw_pool_forward(fw_stream stream, const fw_pool* pool, fw_address src, fw_address in_norm,
                                 fw_address dst);
/**
 * diff_src (as src) = the gradient of in(src) + addend (as src, or 0; may be diff_src). The gradient of a largest value
 * goes to the first pixel of the window, row by row, that has it, or to the last NaN, as in PyTorch; the windows are
 * searched again in src. Of a mean, every pixel inside gets its part, and src and in_norm are not looked at.
 */
FW_API fw_status fw_pool_backward(fw_stream stream, const fw_pool* pool, fw_address src, fw_address in_norm,
                                  fw_address diff_dst, fw_address addend, fw_address diff_src);

#ifdef __cplusplus
}
#endif

#endif
