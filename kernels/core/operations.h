// SPDX-License-Identifier: Apache-2.0
// The operations of one execution (cpu_v3, cpu_v4, checked, cuda) as function pointers. The C API checks the arguments
// once, in <operation>/<operation>_api.cc, and calls through this table; the kernels' launch code behind it may assume
// that shapes, dtypes, addresses and workspace fit. Signatures follow fusewire.h with a Launcher for the stream.
#pragma once

#include "core/launcher.h"
#include "fusewire/fused.h"
#include "fusewire/fusewire.h"
#include "fusewire/inference.h"

namespace fusewire {

struct Operations {
  // convert
  fw_status (*convert)(const Launcher&, int32_t src_dtype, fw_address src, int32_t dst_dtype, fw_address dst,
                       int64_t count);
  // random
  fw_status (*random_uniform)(const Launcher&, uint64_t seed, uint32_t sample, uint32_t step, uint32_t layer,
                              fw_address dst, int64_t count);
  // depthwise
  int64_t (*depthwise_workspace)(const fw_conv&);
  fw_status (*depthwise_forward)(const Launcher&, const fw_conv&, fw_address src, fw_address weights, fw_address bias,
                                 fw_address dst);
  fw_status (*depthwise_backward_data)(const Launcher&, const fw_conv&, fw_address diff_dst, fw_address weights,
                                       fw_address diff_src);
  fw_status (*depthwise_backward_weights)(const Launcher&, const fw_conv&, fw_address src, fw_address diff_dst,
                                          fw_address diff_weights, fw_address diff_bias, fw_address workspace);
  // fused depthwise
  int64_t (*fused_depthwise_workspace)(const fw_fused_depthwise&);
  fw_status (*fused_depthwise_forward)(const Launcher&, const fw_fused_depthwise&, fw_address src, fw_address in_norm,
                                       fw_address weights, fw_address gamma, fw_address beta, fw_address running_mean,
                                       fw_address running_var, fw_address dst, fw_address out_norm,
                                       fw_address workspace);
  fw_status (*fused_depthwise_backward)(const Launcher&, const fw_fused_depthwise&, fw_address src, fw_address in_norm,
                                        fw_address weights, fw_address dst, fw_address out_norm,
                                        fw_address out_gradient, fw_address diff, fw_address gate,
                                        fw_address pool_gradient, fw_address diff_src, fw_address diff_weights,
                                        fw_address diff_gamma, fw_address diff_beta, fw_address in_gradient,
                                        fw_address workspace);
  // conv
  int64_t (*conv_workspace)(const fw_conv&);
  fw_status (*conv_forward)(const Launcher&, const fw_conv&, fw_address src, fw_address weights, fw_address bias,
                            fw_address dst, fw_address workspace);
  fw_status (*conv_backward_data)(const Launcher&, const fw_conv&, fw_address diff_dst, fw_address weights,
                                  fw_address diff_src, fw_address workspace);
  fw_status (*conv_backward_weights)(const Launcher&, const fw_conv&, fw_address src, fw_address diff_dst,
                                     fw_address diff_weights, fw_address diff_bias, fw_address workspace);
  int64_t (*conv_packed_bytes)(const fw_conv&);
  fw_status (*conv_pack)(const Launcher&, const fw_conv&, fw_address weights, fw_address packed);
  fw_status (*conv_forward_packed)(const Launcher&, const fw_conv&, fw_address src, fw_address packed, fw_address bias,
                                   fw_address residual, bool residual_first, fw_address dst);
  int64_t (*fused_conv_workspace)(const fw_conv&);
  fw_status (*fused_conv_forward)(const Launcher&, const fw_conv&, float epsilon, float momentum, fw_address src,
                                  fw_address in_norm, fw_address weights, fw_address gamma, fw_address beta,
                                  fw_address running_mean, fw_address running_var, fw_address dst, fw_address out_norm,
                                  fw_address workspace);
  fw_status (*fused_conv_backward_data)(const Launcher&, const fw_conv&, fw_address diff_out, fw_address image_scale,
                                        fw_address dst, fw_address out_norm, fw_address out_gradient,
                                        fw_address weights, fw_address addend, fw_address diff_src,
                                        fw_address workspace);
  fw_status (*fused_conv_backward_weights)(const Launcher&, const fw_conv&, fw_address src, fw_address in_norm,
                                           fw_address diff_out, fw_address image_scale, fw_address dst,
                                           fw_address out_norm, fw_address out_gradient, fw_address diff_weights,
                                           fw_address workspace);
  // pointwise
  int64_t (*pointwise_workspace)(const fw_pointwise&);
  int64_t (*pointwise_packed_bytes)(const fw_pointwise&);
  fw_status (*pointwise_pack)(const Launcher&, const fw_pointwise&, fw_address weights, fw_address packed);
  fw_status (*pointwise_forward)(const Launcher&, const fw_pointwise&, fw_address src, fw_address weights,
                                 fw_address bias, fw_address residual, fw_address dst, fw_address raw,
                                 fw_address workspace);
  fw_status (*pointwise_backward_data)(const Launcher&, const fw_pointwise&, fw_address diff_dst, fw_address weights,
                                       fw_address raw, fw_address addend, fw_address diff_src, fw_address workspace);
  fw_status (*pointwise_backward_weights)(const Launcher&, const fw_pointwise&, fw_address src, fw_address diff_dst,
                                          fw_address raw, fw_address diff_weights, fw_address diff_bias,
                                          fw_address workspace);
  int64_t (*fused_pointwise_workspace)(const fw_fused_pointwise&);
  fw_status (*fused_pointwise_forward)(const Launcher&, const fw_fused_pointwise&, fw_address src, fw_address in_norm,
                                       fw_address gate, fw_address weights, fw_address gamma, fw_address beta,
                                       fw_address running_mean, fw_address running_var, fw_address dst,
                                       fw_address out_norm, fw_address workspace);
  fw_status (*fused_pointwise_backward_data)(const Launcher&, const fw_fused_pointwise&, fw_address diff_out,
                                             fw_address image_scale, fw_address dst, fw_address out_norm,
                                             fw_address out_gradient, fw_address weights, fw_address addend,
                                             fw_address diff_src, fw_address workspace);
  fw_status (*fused_pointwise_backward_weights)(const Launcher&, const fw_fused_pointwise&, fw_address src,
                                                fw_address in_norm, fw_address gate, fw_address diff_out,
                                                fw_address image_scale, fw_address dst, fw_address out_norm,
                                                fw_address out_gradient, fw_address diff_weights, fw_address workspace);
  fw_status (*fused_pointwise_backward)(const Launcher&, const fw_fused_pointwise&, fw_address src, fw_address in_norm,
                                        fw_address gate, fw_address diff_out, fw_address image_scale, fw_address dst,
                                        fw_address out_norm, fw_address out_gradient, fw_address weights,
                                        fw_address addend, fw_address diff_src, fw_address diff_weights,
                                        fw_address workspace);
  // batchnorm
  int64_t (*batchnorm_workspace)(const fw_batchnorm&);
  fw_status (*batchnorm_forward_training)(const Launcher&, const fw_batchnorm&, fw_address src, fw_address gamma,
                                          fw_address beta, fw_address running_mean, fw_address running_var,
                                          fw_address saved_mean, fw_address saved_inv_std, fw_address dst,
                                          fw_address workspace);
  fw_status (*batchnorm_forward_inference)(const Launcher&, const fw_batchnorm&, fw_address src, fw_address gamma,
                                           fw_address beta, fw_address running_mean, fw_address running_var,
                                           fw_address dst);
  fw_status (*batchnorm_backward)(const Launcher&, const fw_batchnorm&, fw_address src, fw_address diff_dst,
                                  fw_address gamma, fw_address beta, fw_address saved_mean, fw_address saved_inv_std,
                                  fw_address diff_src, fw_address diff_gamma, fw_address diff_beta,
                                  fw_address workspace);
  // squeeze_excite
  int64_t (*squeeze_excite_workspace)(const fw_squeeze_excite&);
  fw_status (*squeeze_excite_forward)(const Launcher&, const fw_squeeze_excite&, fw_address src,
                                      fw_address reduce_weights, fw_address reduce_bias, fw_address expand_weights,
                                      fw_address expand_bias, fw_address pooled, fw_address hidden, fw_address gate,
                                      fw_address dst, fw_address workspace);
  fw_status (*squeeze_excite_backward)(const Launcher&, const fw_squeeze_excite&, fw_address src, fw_address diff_dst,
                                       fw_address reduce_weights, fw_address expand_weights, fw_address pooled,
                                       fw_address hidden, fw_address gate, fw_address diff_src,
                                       fw_address diff_reduce_weights, fw_address diff_reduce_bias,
                                       fw_address diff_expand_weights, fw_address diff_expand_bias,
                                       fw_address workspace);
  int64_t (*fused_squeeze_excite_workspace)(const fw_fused_squeeze_excite&);
  fw_status (*fused_squeeze_excite_forward)(const Launcher&, const fw_fused_squeeze_excite&, fw_address src,
                                            fw_address in_norm, fw_address reduce_weights, fw_address reduce_bias,
                                            fw_address expand_weights, fw_address expand_bias, fw_address pooled,
                                            fw_address hidden, fw_address gate, fw_address workspace);
  fw_status (*fused_squeeze_excite_backward)(const Launcher&, const fw_fused_squeeze_excite&, fw_address src,
                                             fw_address in_norm, fw_address diff, fw_address reduce_weights,
                                             fw_address expand_weights, fw_address pooled, fw_address hidden,
                                             fw_address gate, fw_address pool_gradient, fw_address diff_reduce_weights,
                                             fw_address diff_reduce_bias, fw_address diff_expand_weights,
                                             fw_address diff_expand_bias, fw_address diff_gamma, fw_address diff_beta,
                                             fw_address in_gradient, fw_address workspace);
  // residual
  fw_status (*residual_forward)(const Launcher&, const fw_residual&, fw_address step, fw_address branch,
                                fw_address skip, fw_address dst);
  fw_status (*residual_backward)(const Launcher&, const fw_residual&, fw_address step, fw_address diff_dst,
                                 fw_address diff_branch);
  fw_status (*drop_connect_scales)(const Launcher&, const fw_residual&, fw_address step, fw_address scales);
  fw_status (*fused_residual_forward)(const Launcher&, const fw_fused_residual&, fw_address branch, fw_address norm,
                                      fw_address image_scale, fw_address skip, fw_address skip_norm, fw_address dst);
  fw_status (*fused_residual_backward)(const Launcher&, const fw_fused_residual&, fw_address dst, fw_address diff_dst,
                                       fw_address diff_sum);
  // pool
  fw_status (*pool_forward)(const Launcher&, const fw_pool&, fw_address src, fw_address in_norm, fw_address dst);
  fw_status (*pool_backward)(const Launcher&, const fw_pool&, fw_address src, fw_address in_norm, fw_address diff_dst,
                             fw_address addend, fw_address diff_src);
  // norm
  int64_t (*normed_workspace)(const fw_normed&);
  fw_status (*norm_gradient)(const Launcher&, const fw_normed&, fw_address src, fw_address norm, fw_address diff,
                             fw_address image_scale, fw_address diff_norm, fw_address diff_gamma, fw_address diff_beta,
                             fw_address gradient, fw_address workspace);
  // head
  int64_t (*mean_pool_workspace)(const fw_mean_pool&);
  fw_status (*mean_pool_forward)(const Launcher&, const fw_mean_pool&, fw_address src, fw_address dst,
                                 fw_address workspace);
  fw_status (*mean_pool_backward)(const Launcher&, const fw_mean_pool&, fw_address diff_dst, fw_address diff_src);
  fw_status (*fused_mean_pool_forward)(const Launcher&, const fw_normed&, fw_address src, fw_address norm,
                                       fw_address pooled, fw_address workspace);
  fw_status (*fused_mean_pool_backward)(const Launcher&, const fw_normed&, fw_address src, fw_address norm,
                                        fw_address diff_pooled, fw_address diff_src, fw_address diff_gamma,
                                        fw_address diff_beta, fw_address gradient, fw_address workspace);
  int64_t (*dropout_head_workspace)(const fw_dropout_head&);
  fw_status (*dropout_head_forward)(const Launcher&, const fw_dropout_head&, fw_address step, fw_address pooled,
                                    fw_address weights, fw_address bias, fw_address labels, fw_address losses,
                                    fw_address correct, fw_address diff_logits, fw_address workspace);
  fw_status (*dropout_head_backward)(const Launcher&, const fw_dropout_head&, fw_address step, fw_address loss_scale,
                                     fw_address pooled, fw_address weights, fw_address diff_logits,
                                     fw_address diff_pooled, fw_address diff_weights, fw_address diff_bias,
                                     fw_address workspace);
  fw_status (*dropout_head_inference)(const Launcher&, const fw_dropout_head&, fw_address pooled, fw_address weights,
                                      fw_address bias, fw_address logits, fw_address probabilities,
                                      fw_address workspace);
  fw_status (*cross_entropy)(const Launcher&, const fw_dropout_head&, fw_address logits, fw_address labels,
                             fw_address losses, fw_address correct);
  // mbconv
  int64_t (*squeezed_depthwise_chunks)(const fw_squeezed_depthwise&);
  fw_status (*squeezed_depthwise_forward)(const Launcher&, const fw_squeezed_depthwise&, fw_address src,
                                          fw_address expand_weights, fw_address expand_bias, fw_address weights,
                                          fw_address bias, fw_address dst, fw_address sums);
  fw_status (*squeezed_gate_forward)(const Launcher&, const fw_squeeze_excite&, fw_address sums, int64_t chunks,
                                     fw_address reduce_weights, fw_address reduce_bias, fw_address expand_weights,
                                     fw_address expand_bias, fw_address pooled, fw_address hidden, fw_address gate);
  fw_status (*gated_pointwise_forward)(const Launcher&, const fw_gated_pointwise&, fw_address src, fw_address gate,
                                       fw_address packed, fw_address bias, fw_address residual, fw_address dst);
  // optimizer
  int64_t (*optimizer_workspace)(int64_t blocks);
  fw_status (*optimizer_gradients)(const Launcher&, const fw_optimizer&, fw_address table, int64_t parameters,
                                   int64_t blocks, fw_address loss_scale, fw_address workspace);
  fw_status (*optimizer_step)(const Launcher&, const fw_optimizer&, fw_address table, int64_t parameters,
                              int64_t blocks, fw_address step, fw_address loss_scale);
  // image
  fw_status (*image_batch_forward)(const Launcher&, const fw_image_batch&, fw_address step, fw_address src,
                                   fw_address dst);
};

}  // namespace fusewire
