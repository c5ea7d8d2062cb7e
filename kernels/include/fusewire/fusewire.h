/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file fusewire.h
 * The C API of Fusewire: EfficientNet's operations, forward and backward, on CPU and NVIDIA GPU.
 *
 * Conventions, valid for every function unless it says otherwise:
 *  - Every call returns a ::fw_status; fw_last_error() gives the calling thread's message, which names what was given
 *    and what fits. All arguments are checked before any launch: a call that returns an error has changed nothing.
 *  - Activations are NHWC, dense, in the storage type of the problem (f32, bf16 or f16); arithmetic accumulates in f32.
 *    Parameters (weights, biases, BatchNorm), their gradients, statistics and pooled features are always f32.
 *  - All sizes are in elements and all strides and dilations in pixels, as 64-bit integers; bytes are called bytes.
 *  - An ::fw_address is memory of the stream's device (on a CPU: a plain pointer), aligned to its element type. The
 *    16-byte-aligned case is the fast one. Address 0 means "absent" and is allowed only where a parameter says "or 0".
 *  - Outputs never overlap inputs, except where "in place" is allowed.
 *  - Nothing is allocated inside an operation: where one needs a workspace, ask its `..._workspace` function first.
 *    A workspace's content is undefined before and after.
 *  - On a GPU every operation is asynchronous in its stream; on a CPU it has finished on return. What goes wrong on a
 *    GPU is therefore found by a later call. Its message names all operations since the stream was last synchronized;
 *    with FUSEWIRE_LAUNCH_BLOCKING=1 in the environment every call waits for its own work and names itself.
 *  - Results are bitwise repeatable on one device, and for any number of CPU threads. No floating-point atomics.
 *  - Handles are checked: a closed or invented one is refused, never dereferenced.
 */
#ifndef FUSEWIRE_FUSEWIRE_H
#define FUSEWIRE_FUSEWIRE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define FW_API __attribute__((visibility("default")))
#else
#define FW_API
#endif

/** Address in the memory of the stream's device; 0 is absent. */
typedef uint64_t fw_address;
/** A stream made by fw_stream_create(). */
typedef uint64_t fw_stream;
/** An event made by fw_event_create(). */
typedef uint64_t fw_event;
/** A graph made by fw_graph_end(). */
typedef uint64_t fw_graph;

/** What a call returns. */
typedef enum fw_status {
  FW_OK = 0,
  FW_INVALID_ARGUMENT = 1, /**< shape, dtype, address or handle that does not fit */
  FW_UNSUPPORTED = 2,      /**< valid, but this build or device cannot do it */
  FW_OUT_OF_MEMORY = 3,
  FW_DEVICE_UNAVAILABLE = 4,
  FW_DEVICE_ERROR = 5, /**< reported by the device, possibly by an earlier operation of the stream */
  FW_INTERNAL = 6,
  FW_DEVICE_LOST = 7 /**< the device failed and is of no more use to this process; freeing and destroying still work */
} fw_status;

/** Storage type of activations. */
typedef enum fw_dtype { FW_F32 = 0, FW_BF16 = 1, FW_F16 = 2 } fw_dtype;

/** SiLU x*sigmoid(x) (arXiv 1702.03118), ReLU max(x,0), ReLU6 min(max(x,0),6). */
typedef enum fw_activation { FW_IDENTITY = 0, FW_SILU = 1, FW_RELU = 2, FW_RELU6 = 3 } fw_activation;

/** Gate of squeeze-and-excite: 1/(1+exp(-x)), or min(max(x/6+1/2,0),1). */
typedef enum fw_gate { FW_SIGMOID = 0, FW_HARD_SIGMOID = 1 } fw_gate;

/** How a multi-sample-dropout head combines its samples. */
typedef enum fw_sample_mode {
  FW_AVERAGE_LOSSES = 0, /**< mean over samples of the cross-entropy (arXiv 1905.09788) */
  FW_AVERAGE_LOGITS = 1  /**< cross-entropy of the mean over samples of the logits */
} fw_sample_mode;

/** SGD with momentum; TensorFlow's RMSProp (epsilon inside the root, learning rate in the momentum buffer); AdamW. */
typedef enum fw_optimizer_kind { FW_SGD = 0, FW_RMSPROP = 1, FW_ADAMW = 2 } fw_optimizer_kind;

/** How products of f32 tensors are made. TF32: tensor cores, from operands rounded to 11 significant bits. */
typedef enum fw_math { FW_MATH_F32 = 0, FW_MATH_TF32 = 1 } fw_math;

typedef enum fw_device_kind {
  FW_CPU = 0,
  FW_CUDA = 1,
  FW_CHECKED = 2, /**< CPU emulation of GPU blocks for tests; only in builds made with FUSEWIRE_CHECKED */
  FW_METERED = 3  /**< the CPU with every byte counted, see meter.h; only in builds made with FUSEWIRE_METERED */
} fw_device_kind;

/* ------------------------------------------------------------------------------------------------------------------
 * Library, devices, memory, streams, events, graphs
 * --------------------------------------------------------------------------------------------------------------- */

/** One device. Strings are UTF-8, zero-terminated. */
typedef struct fw_device_info {
  int32_t kind;               /**< ::fw_device_kind */
  int32_t compute_capability; /**< major*10+minor, 0 on a CPU */
  int32_t processors;         /**< cores, or streaming multiprocessors */
  int32_t reserved;
  int64_t total_memory; /**< bytes */
  int64_t free_memory;  /**< bytes */
  char name[256];       /**< such as "AMD EPYC 9R14" */
  char level[64];       /**< instruction set in use, such as "x86-64-v4" or "sm_90" */
} fw_device_info;

/** The calling thread's last error message; "" if there was none. Valid until the thread's next failing call. */
FW_API const char* fw_last_error(void);
/** Version, such as "0.1.0". Static. */
FW_API const char* fw_version(void);
/** One line on how the library was built: compilers, CPU levels, GPU architectures or why there are none. Static. */
FW_API const char* fw_build_info(void);
/** Why no CUDA device can be used here, as a sentence with the one thing to do about it; "" where one can. Static. */
FW_API const char* fw_cuda_unavailable_reason(void);
/** NVIDIA driver's CUDA version as major*1000+minor*10, 0 without a driver. */
FW_API int32_t fw_cuda_driver_version(void);

/**
 * Number of devices: device 0 is the CPU, CUDA devices follow, then the checked device (if built), and the metered one
 * (if built) is last. Never fails.
 */
FW_API int32_t fw_device_count(void);
FW_API fw_status fw_device_info_get(int32_t device, fw_device_info* info);

/**
 * Allocates at least `bytes` (> 0) aligned to 256 bytes; content undefined. On a GPU from a stream-ordered pool that
 * keeps what was freed for the next allocation. Refused while the calling thread captures a graph.
 */
FW_API fw_status fw_memory_allocate(int32_t device, int64_t bytes, fw_address* address);
/** Frees what fw_memory_allocate() gave, once the work given to the device's streams so far is done; anything else is
 * refused. */
FW_API fw_status fw_memory_free(int32_t device, fw_address address);
/** Bytes and number of live allocations of fw_memory_allocate() on a device. */
FW_API fw_status fw_memory_live(int32_t device, int64_t* bytes, int64_t* allocations);
/** How often fw_memory_allocate() has given memory of a device so far, freed or not. */
FW_API fw_status fw_memory_allocations(int32_t device, int64_t* allocations);

/**
 * Pins host memory that the caller owns, so that fw_copy_from_host_async() can read it at full speed beside other work.
 * The memory must stay until fw_host_unpin(); memory that is pinned already is refused. Pages are pinned whole: no two
 * pieces of one page. On a CPU there is nothing to pin.
 */
FW_API fw_status fw_host_pin(int32_t device, void* memory, int64_t bytes);
/** Ends what fw_host_pin() did, once the device's work is done. */
FW_API fw_status fw_host_unpin(int32_t device, void* memory);

FW_API fw_status fw_stream_create(int32_t device, fw_stream* stream);
/** Waits for the stream's work and destroys it; a capture is cancelled. */
FW_API fw_status fw_stream_destroy(fw_stream stream);
/** Waits for the stream's work; reports what went wrong in it, naming the operations in question. */
FW_API fw_status fw_stream_synchronize(fw_stream stream);
/** CPU streams: number of threads operations may use, 0 for all cores. Ignored on a GPU. */
FW_API fw_status fw_stream_set_threads(fw_stream stream, int32_t threads);
/** Checked streams: the order in which a block's threads run: 0 ascending, 1 descending, else a seed. Ignored
 * elsewhere. */
FW_API fw_status fw_stream_set_order(fw_stream stream, uint64_t order);
/**
 * Whether later operations of the stream may make products of f32 tensors (pointwise and dense convolutions, their
 * gradients, and operations with one of these inside) on tensor cores as TF32: an ::fw_math, FW_MATH_F32 at first.
 *
 * With FW_MATH_TF32 both factors of a product are rounded to 10 bits of mantissa, halves away from zero; tensors and
 * sums stay f32. So a sum of products a*b is off by at most (2^-10 + 2^-22) times the sum of |a*b|, besides f32's own
 * rounding, where no factor is subnormal; a factor over (2 - 2^-11) * 2^127 becomes infinite. It takes a GPU of compute
 * capability 8.0 or later, or the checked device standing for one. Everywhere else the setting is kept and products are
 * f32's. Workspaces and packed weights serve both. A graph keeps what was set when it was captured.
 */
FW_API fw_status fw_stream_set_math(fw_stream stream, int32_t math);
FW_API fw_status fw_stream_device(fw_stream stream, int32_t* device);

FW_API fw_status fw_event_create(int32_t device, fw_event* event);
FW_API fw_status fw_event_destroy(fw_event event);
FW_API fw_status fw_event_record(fw_event event, fw_stream stream);
FW_API fw_status fw_event_synchronize(fw_event event);
/** Later work of `stream` waits for `event`. */
FW_API fw_status fw_stream_wait(fw_stream stream, fw_event event);
FW_API fw_status fw_event_elapsed(fw_event start, fw_event end, float* milliseconds);

/**
 * Starts to capture what follows in `stream` into a graph: calls check their arguments as ever, but nothing runs. A
 * graph holds operations, fw_copy() and fw_fill() with the addresses and sizes they were given, and reads all else from
 * device memory when it is launched; so a training step's seed, number and rates (::fw_step) and the loss scale may
 * change between launches. What would wait for the device, copy between it and the host, touch events, or allocate is
 * refused meanwhile and leaves the capture as it was. One capture per thread at a time; the thread that began it ends
 * it. On a GPU it is a CUDA graph. Other devices keep the launches with their parameters and run them again.
 * name: for messages, such as "training step"; copied.
 */
FW_API fw_status fw_graph_begin(fw_stream stream, const char* name);
/** Ends the capture and makes a graph of it. Fails, and ends the capture all the same, if an operation failed in it. */
FW_API fw_status fw_graph_end(fw_stream stream, fw_graph* graph);
/** Ends the capture and forgets it. */
FW_API fw_status fw_graph_cancel(fw_stream stream);
/** Runs a graph's work in a stream of the same device, which need not be the captured one. */
FW_API fw_status fw_graph_launch(fw_graph graph, fw_stream stream);
/** Number of launches, copies and fills in a graph. */
FW_API fw_status fw_graph_launches(fw_graph graph, int64_t* launches);
/** Waits for the work of the device's streams and destroys the graph. */
FW_API fw_status fw_graph_destroy(fw_graph graph);

/** Host memory to device; returns when the host memory may be reused. */
FW_API fw_status fw_copy_from_host(fw_stream stream, fw_address dst, const void* src, int64_t bytes);
/**
 * Host memory to device, within what fw_host_pin() pinned for it; returns at once. The host memory must not change
 * before an event that is recorded behind the copy.
 */
FW_API fw_status fw_copy_from_host_async(fw_stream stream, fw_address dst, const void* src, int64_t bytes);
/** Writes up to 256 bytes to the device that are taken from host memory at the call; waits for nothing. */
FW_API fw_status fw_write(fw_stream stream, fw_address dst, const void* src, int64_t bytes);
/** Device to host memory; returns when the data is there. */
FW_API fw_status fw_copy_to_host(fw_stream stream, void* dst, fw_address src, int64_t bytes);
/** Device to device, same device. */
FW_API fw_status fw_copy(fw_stream stream, fw_address dst, fw_address src, int64_t bytes);
FW_API fw_status fw_fill(fw_stream stream, fw_address dst, uint8_t value, int64_t bytes);
/** dst[i] = src[i] converted, rounding to nearest even. */
FW_API fw_status fw_convert(fw_stream stream, int32_t src_dtype, fw_address src, int32_t dst_dtype, fw_address dst,
                            int64_t count);

/* ------------------------------------------------------------------------------------------------------------------
 * Randomness and the training step
 * --------------------------------------------------------------------------------------------------------------- */

/**
 * What changes from step to step. Lives in device memory, so that a captured step can be replayed; written by
 * fw_write(). Random numbers are Philox4x32-10 (Salmon et al. 2011) with key = seed and counter = (element/4, sample,
 * step, layer).
 */
typedef struct fw_step {
  uint64_t seed;
  uint32_t step;           /**< number of the training step, from 0 */
  float learning_rate;     /**< of this step */
  float momentum;          /**< SGD's and RMSProp's momentum, AdamW's beta1 */
  float ema_decay;         /**< ema = decay*ema + (1-decay)*parameter */
  float bias_correction_1; /**< AdamW: 1-beta1^t */
  float bias_correction_2; /**< AdamW: 1-beta2^t */
} fw_step;

/** Loss scaling's state, in device memory. Start: {scale, 0, 0, 0, 0}. Without loss scaling scale is 1. */
typedef struct fw_loss_scale {
  float scale;         /**< the loss is multiplied by this */
  int32_t good_steps;  /**< steps since the last overflow or growth */
  int32_t overflow;    /**< 1 if the last gradients had an infinity or NaN: the optimizer then changes nothing */
  int32_t skipped;     /**< steps skipped so far */
  float gradient_norm; /**< 2-norm of the last gradients, unscaled */
} fw_loss_scale;

/** Fills dst[i], i < count (f32), with Philox uniforms in [0,1) for counter (i/4, sample, step, layer): word i%4. */
FW_API fw_status fw_random_uniform(fw_stream stream, uint64_t seed, uint32_t sample, uint32_t step, uint32_t layer,
                                   fw_address dst, int64_t count);

/* ------------------------------------------------------------------------------------------------------------------
 * Convolutions
 * --------------------------------------------------------------------------------------------------------------- */

/**
 * A 2-D convolution (cross-correlation) problem.
 * out = (in + pad_before + pad_after - dilation*(kernel-1) - 1) / stride + 1 per axis; src is (batch, in_height,
 * in_width, in_channels), dst is (batch, out_height, out_width, out_channels).
 */
typedef struct fw_conv {
  int32_t dtype;      /**< ::fw_dtype of src, dst and their gradients */
  int32_t activation; /**< ::fw_activation applied to the result in forward */
  int64_t batch, in_height, in_width, in_channels, out_channels;
  int64_t kernel_height, kernel_width;
  int64_t stride_height, stride_width;
  int64_t dilation_height, dilation_width;
  int64_t pad_top, pad_bottom, pad_left, pad_right;
} fw_conv;

/** Output height and width; refuses a problem whose output is empty in space. */
FW_API fw_status fw_conv_output(const fw_conv* conv, int64_t* out_height, int64_t* out_width);

/** Bytes of workspace that serve every depthwise call on this problem (may be 0). */
FW_API fw_status fw_depthwise_workspace(fw_stream stream, const fw_conv* conv, int64_t* bytes);
/**
 * Depthwise convolution: dst[n,p,q,c] = act(bias[c] + sum_{r,s} src[n, p*sh-pt+r*dh, q*sw-pl+s*dw, c] *
 * weights[r,s,c]). in_channels == out_channels. weights: (kernel_height, kernel_width, channels); bias: (channels) or
 * 0.
 */
FW_API fw_status fw_depthwise_forward(fw_stream stream, const fw_conv* conv, fw_address src, fw_address weights,
                                      fw_address bias, fw_address dst);
/** diff_src from diff_dst, the gradient before the activation (conv->activation is not looked at). */
FW_API fw_status fw_depthwise_backward_data(fw_stream stream, const fw_conv* conv, fw_address diff_dst,
                                            fw_address weights, fw_address diff_src);
/** diff_weights (kernel_height, kernel_width, channels) and diff_bias (channels) or 0; both are overwritten. */
FW_API fw_status fw_depthwise_backward_weights(fw_stream stream, const fw_conv* conv, fw_address src,
                                               fw_address diff_dst, fw_address diff_weights, fw_address diff_bias,
                                               fw_address workspace, int64_t workspace_bytes);

/** Bytes of workspace that serve every dense-convolution call on this problem (may be 0). */
FW_API fw_status fw_conv_workspace(fw_stream stream, const fw_conv* conv, int64_t* bytes);
/**
 * Dense convolution: dst[n,p,q,k] = act(bias[k] + sum_{r,s,c} src[n, .., c] * weights[k,r,s,c]).
 * weights: (out_channels, kernel_height, kernel_width, in_channels); bias: (out_channels) or 0.
 */
FW_API fw_status fw_conv_forward(fw_stream stream, const fw_conv* conv, fw_address src, fw_address weights,
                                 fw_address bias, fw_address dst, fw_address workspace, int64_t workspace_bytes);
/** diff_src from diff_dst, the gradient before the activation (conv->activation is not looked at). */
FW_API fw_status fw_conv_backward_data(fw_stream stream, const fw_conv* conv, fw_address diff_dst, fw_address weights,
                                       fw_address diff_src, fw_address workspace, int64_t workspace_bytes);
/** diff_weights (as weights) and diff_bias (out_channels) or 0; both are overwritten. */
FW_API fw_status fw_conv_backward_weights(fw_stream stream, const fw_conv* conv, fw_address src, fw_address diff_dst,
                                          fw_address diff_weights, fw_address diff_bias, fw_address workspace,
                                          int64_t workspace_bytes);

/** A pointwise (1x1) convolution, a product of (rows, in_channels) with weights (out_channels, in_channels) transposed.
 */
typedef struct fw_pointwise {
  int32_t dtype;
  int32_t activation;
  int64_t rows; /**< batch*height*width */
  int64_t in_channels, out_channels;
  int32_t packed; /**< forward: 1 if `weights` is what fw_pointwise_pack() wrote on this device, 0 if (out, in) */
  int32_t residual_first; /**< forward: 1 adds the residual before the activation, 0 after it */
} fw_pointwise;

/** Bytes of workspace that serve every pointwise call on this problem (may be 0). */
FW_API fw_status fw_pointwise_workspace(fw_stream stream, const fw_pointwise* problem, int64_t* bytes);
/**
 * Bytes of packed weights, for forward with constant weights. The layout is the device's own and that of products of
 * problem->dtype: weights are packed for the dtype that they will be multiplied in, f32 for either ::fw_math.
 */
FW_API fw_status fw_pointwise_packed_bytes(fw_stream stream, const fw_pointwise* problem, int64_t* bytes);
/** Packs weights (out_channels, in_channels) once for many forward calls with problem->packed = 1. */
FW_API fw_status fw_pointwise_pack(fw_stream stream, const fw_pointwise* problem, fw_address weights,
                                   fw_address packed);
/**
 * raw = src * weights^T + bias; dst = act(raw) + residual, or act(raw + residual) where problem->residual_first is 1.
 * bias (out_channels) or 0; residual (rows, out_channels) or 0, in place allowed (residual == dst);
 * raw (rows, out_channels) or 0 receives the value before the activation, which the backward calls of an activated
 * product need.
 */
FW_API fw_status fw_pointwise_forward(fw_stream stream, const fw_pointwise* problem, fw_address src, fw_address weights,
                                      fw_address bias, fw_address residual, fw_address dst, fw_address raw,
                                      fw_address workspace, int64_t workspace_bytes);
/**
 * diff_src = (diff_dst .* act'(raw)) * weights + addend. raw or 0 (0: the identity is meant, whatever
 * problem->activation); addend (rows, in_channels) or 0, in place allowed (addend == diff_src).
 */
FW_API fw_status fw_pointwise_backward_data(fw_stream stream, const fw_pointwise* problem, fw_address diff_dst,
                                            fw_address weights, fw_address raw, fw_address addend, fw_address diff_src,
                                            fw_address workspace, int64_t workspace_bytes);
/** diff_weights = (diff_dst .* act'(raw))^T * src, diff_bias (out_channels) or 0 its column sums; overwritten. */
FW_API fw_status fw_pointwise_backward_weights(fw_stream stream, const fw_pointwise* problem, fw_address src,
                                               fw_address diff_dst, fw_address raw, fw_address diff_weights,
                                               fw_address diff_bias, fw_address workspace, int64_t workspace_bytes);

/* ------------------------------------------------------------------------------------------------------------------
 * BatchNorm + activation
 * --------------------------------------------------------------------------------------------------------------- */

/** Batch normalisation (arXiv 1502.03167) over (rows, channels) with a fused activation. */
typedef struct fw_batchnorm {
  int32_t dtype;
  int32_t activation;
  int64_t rows; /**< batch*height*width; training needs at least 2 */
  int64_t channels;
  float epsilon;
  float momentum; /**< running = (1-momentum)*running + momentum*batch; the variance kept is the unbiased one */
} fw_batchnorm;

FW_API fw_status fw_batchnorm_workspace(fw_stream stream, const fw_batchnorm* problem, int64_t* bytes);
/**
 * dst = act(gamma*(src-mean)*inv_std+beta) with the batch's statistics (shifted sums, merged as in Chan et al. 1979).
 * saved_mean, saved_inv_std (channels) are written for the backward call; running_mean, running_var are updated
 * (both or none: 0).
 */
FW_API fw_status fw_batchnorm_forward_training(fw_stream stream, const fw_batchnorm* problem, fw_address src,
                                               fw_address gamma, fw_address beta, fw_address running_mean,
                                               fw_address running_var, fw_address saved_mean, fw_address saved_inv_std,
                                               fw_address dst, fw_address workspace, int64_t workspace_bytes);
/** dst = act(gamma*(src-running_mean)/sqrt(running_var+epsilon)+beta); in place allowed. */
FW_API fw_status fw_batchnorm_forward_inference(fw_stream stream, const fw_batchnorm* problem, fw_address src,
                                                fw_address gamma, fw_address beta, fw_address running_mean,
                                                fw_address running_var, fw_address dst);
/** Gradients from the raw input; the normalised value and the activation are recomputed. diff_src == diff_dst allowed.
 */
FW_API fw_status fw_batchnorm_backward(fw_stream stream, const fw_batchnorm* problem, fw_address src,
                                       fw_address diff_dst, fw_address gamma, fw_address beta, fw_address saved_mean,
                                       fw_address saved_inv_std, fw_address diff_src, fw_address diff_gamma,
                                       fw_address diff_beta, fw_address workspace, int64_t workspace_bytes);

/* ------------------------------------------------------------------------------------------------------------------
 * Squeeze-and-excite
 * --------------------------------------------------------------------------------------------------------------- */

/**
 * Squeeze-and-excite (arXiv 1709.01507): pooled = mean over pixels of src; hidden = reduce_weights*pooled+reduce_bias;
 * gate = g(expand_weights*act(hidden)+expand_bias); dst = src*gate.
 * reduce_weights (squeezed, channels), reduce_bias (squeezed), expand_weights (channels, squeezed), expand_bias
 * (channels).
 */
typedef struct fw_squeeze_excite {
  int32_t dtype;
  int32_t activation; /**< inside: FW_SILU (EfficientNet) or FW_RELU (the paper) */
  int32_t gate;       /**< ::fw_gate */
  int32_t reserved;
  int64_t batch;
  int64_t pixels; /**< height*width */
  int64_t channels, squeezed;
} fw_squeeze_excite;

FW_API fw_status fw_squeeze_excite_workspace(fw_stream stream, const fw_squeeze_excite* problem, int64_t* bytes);
/** pooled (batch, channels), hidden (batch, squeezed) and gate (batch, channels), all f32, are written for backward. */
FW_API fw_status fw_squeeze_excite_forward(fw_stream stream, const fw_squeeze_excite* problem, fw_address src,
                                           fw_address reduce_weights, fw_address reduce_bias, fw_address expand_weights,
                                           fw_address expand_bias, fw_address pooled, fw_address hidden,
                                           fw_address gate, fw_address dst, fw_address workspace,
                                           int64_t workspace_bytes);
/** All gradients, overwritten. diff_src == diff_dst allowed. */
FW_API fw_status fw_squeeze_excite_backward(fw_stream stream, const fw_squeeze_excite* problem, fw_address src,
                                            fw_address diff_dst, fw_address reduce_weights, fw_address expand_weights,
                                            fw_address pooled, fw_address hidden, fw_address gate, fw_address diff_src,
                                            fw_address diff_reduce_weights, fw_address diff_reduce_bias,
                                            fw_address diff_expand_weights, fw_address diff_expand_bias,
                                            fw_address workspace, int64_t workspace_bytes);

/* ------------------------------------------------------------------------------------------------------------------
 * Residual with drop-connect
 * --------------------------------------------------------------------------------------------------------------- */

/**
 * dst = branch*keep/(1-drop_rate) + skip, keep in {0,1} drawn once per sample (stochastic depth, arXiv 1603.09382):
 * image n is kept when uniform number n of (sample 0, step, layer) is >= drop_rate.
 */
typedef struct fw_residual {
  int32_t dtype;
  uint32_t layer; /**< which random stream */
  int64_t batch;
  int64_t elements; /**< per sample */
  float drop_rate;  /**< 0 <= drop_rate < 1; 0 is a plain sum */
  int32_t reserved;
} fw_residual;

/** step: fw_step in device memory, or 0 when drop_rate is 0. dst may be branch or skip. */
FW_API fw_status fw_residual_forward(fw_stream stream, const fw_residual* problem, fw_address step, fw_address branch,
                                     fw_address skip, fw_address dst);
/** diff_branch = diff_dst*keep/(1-drop_rate); the skip's gradient is diff_dst itself. In place allowed. */
FW_API fw_status fw_residual_backward(fw_stream stream, const fw_residual* problem, fw_address step,
                                      fw_address diff_dst, fw_address diff_branch);

/* ------------------------------------------------------------------------------------------------------------------
 * Head: mean pool, multi-sample dropout, classifier, loss
 * --------------------------------------------------------------------------------------------------------------- */

/** Mean over pixels: src (batch, pixels, channels) in dtype to dst (batch, channels) in f32. */
typedef struct fw_mean_pool {
  int32_t dtype;
  int32_t reserved;
  int64_t batch, pixels, channels;
} fw_mean_pool;

FW_API fw_status fw_mean_pool_workspace(fw_stream stream, const fw_mean_pool* problem, int64_t* bytes);
FW_API fw_status fw_mean_pool_forward(fw_stream stream, const fw_mean_pool* problem, fw_address src, fw_address dst,
                                      fw_address workspace, int64_t workspace_bytes);
FW_API fw_status fw_mean_pool_backward(fw_stream stream, const fw_mean_pool* problem, fw_address diff_dst,
                                       fw_address diff_src);

/**
 * Multi-sample-dropout head (arXiv 1905.09788): `samples` dropout masks over the same pooled features, one shared
 * classifier, softmax cross-entropy with label smoothing. Element i = n*channels+c of sample m is kept when its Philox
 * uniform (counter (i/4, m, step, layer), word i%4) is >= dropout; kept values are scaled by 1/(1-dropout).
 * samples == 1 is ordinary dropout. Everything is f32.
 */
typedef struct fw_dropout_head {
  int32_t mode;   /**< ::fw_sample_mode */
  uint32_t layer; /**< which random stream */
  int64_t batch;
  int64_t channels, classes, samples;
  float dropout;         /**< 0 <= dropout < 1 */
  float label_smoothing; /**< 0 <= e < 1: target = (1-e)*onehot + e/classes */
} fw_dropout_head;

FW_API fw_status fw_dropout_head_workspace(fw_stream stream, const fw_dropout_head* problem, int64_t* bytes);
/**
 * pooled (batch, channels), weights (classes, channels), bias (classes), labels int32 (batch); a negative label means
 * "ignore this image": no loss, no gradient, not correct. A label >= classes gives a NaN loss.
 * Writes losses f32 (batch), correct int32 (batch; 1 if the mean of the samples' logits has its maximum at the label)
 * and diff_logits f32 (sets, batch, classes) with sets = samples, or 1 for FW_AVERAGE_LOGITS: the gradient of the mean
 * over the images that count (label >= 0) of losses, before loss scaling.
 */
FW_API fw_status fw_dropout_head_forward(fw_stream stream, const fw_dropout_head* problem, fw_address step,
                                         fw_address pooled, fw_address weights, fw_address bias, fw_address labels,
                                         fw_address losses, fw_address correct, fw_address diff_logits,
                                         fw_address workspace, int64_t workspace_bytes);
/** Gradients (overwritten), multiplied by loss_scale->scale; loss_scale (fw_loss_scale in device memory) or 0 for 1. */
FW_API fw_status fw_dropout_head_backward(fw_stream stream, const fw_dropout_head* problem, fw_address step,
                                          fw_address loss_scale, fw_address pooled, fw_address weights,
                                          fw_address diff_logits, fw_address diff_pooled, fw_address diff_weights,
                                          fw_address diff_bias, fw_address workspace, int64_t workspace_bytes);
/** No dropout: logits (batch, classes) and probabilities (batch, classes) or 0. */
FW_API fw_status fw_dropout_head_inference(fw_stream stream, const fw_dropout_head* problem, fw_address pooled,
                                           fw_address weights, fw_address bias, fw_address logits,
                                           fw_address probabilities, fw_address workspace, int64_t workspace_bytes);
/**
 * Evaluation without dropout from logits (batch, classes): losses (batch) with label smoothing, correct int32 (batch).
 * Labels as above.
 */
FW_API fw_status fw_cross_entropy(fw_stream stream, const fw_dropout_head* problem, fw_address logits,
                                  fw_address labels, fw_address losses, fw_address correct);

/* ------------------------------------------------------------------------------------------------------------------
 * Optimizers
 * --------------------------------------------------------------------------------------------------------------- */

/** One parameter tensor (f32), an entry of a table in device memory. */
typedef struct fw_parameter {
  fw_address value;
  fw_address gradient; /**< 0: only the EMA is updated (BatchNorm's running statistics) */
  fw_address state_0;  /**< momentum buffer; AdamW: first moment; 0 if the optimizer has none */
  fw_address state_1;  /**< RMSProp: mean square (start at 1); AdamW: second moment; else 0 */
  fw_address ema;      /**< exponential moving average of value, or 0 */
  int64_t count;       /**< elements */
  float weight_decay;  /**< SGD, RMSProp: added to the gradient times value; AdamW: decoupled */
  float learning_rate_scale;
  int64_t first_block; /**< sum over earlier entries of ceil(count / FW_PARAMETER_BLOCK) */
} fw_parameter;

/** Elements of a parameter handled by one block. */
#define FW_PARAMETER_BLOCK 16384

typedef struct fw_optimizer {
  int32_t kind; /**< ::fw_optimizer_kind */
  int32_t nesterov;
  float decay;                /**< RMSProp: decay of the mean square; AdamW: beta2 */
  float epsilon;              /**< RMSProp: inside the root; AdamW: outside */
  float clip_norm;            /**< > 0: gradients are scaled down to this 2-norm */
  int32_t dynamic_loss_scale; /**< 1: fw_optimizer_gradients grows and backs off the scale */
  float growth_factor;        /**< such as 2 */
  float backoff_factor;       /**< such as 0.5 */
  int32_t growth_interval;    /**< steps without overflow before growth, such as 2000 */
  int32_t reserved;
} fw_optimizer;

FW_API fw_status fw_optimizer_workspace(fw_stream stream, int64_t blocks, int64_t* bytes);
/**
 * Examines all gradients: overflow and 2-norm (unscaled, that is divided by scale) into loss_scale. Leaves
 * loss_scale->scale as it is until fw_optimizer_step. table: fw_parameter[parameters] in device memory, blocks: the
 * total of blocks.
 */
FW_API fw_status fw_optimizer_gradients(fw_stream stream, const fw_optimizer* optimizer, fw_address table,
                                        int64_t parameters, int64_t blocks, fw_address loss_scale, fw_address workspace,
                                        int64_t workspace_bytes);
/**
 * One step over all parameters: gradients are divided by loss_scale->scale and clipped; nothing changes when
 * loss_scale->overflow is 1. Then the scale is updated (dynamic_loss_scale).
 * SGD:     g += wd*p; v = momentum*v + g; p -= lr*(nesterov ? g + momentum*v : v)
 * RMSProp: g += wd*p; s = decay*s + (1-decay)*g*g; v = momentum*v + lr*g/sqrt(s+eps); p -= v
 * AdamW:   m = b1*m+(1-b1)*g; s = b2*s+(1-b2)*g*g; p -= lr*(m/c1/(sqrt(s/c2)+eps) + wd*p)   (arXiv 1711.05101)
 */
FW_API fw_status fw_optimizer_step(fw_stream stream, const fw_optimizer* optimizer, fw_address table,
                                   int64_t parameters, int64_t blocks, fw_address step, fw_address loss_scale);

/* ------------------------------------------------------------------------------------------------------------------
 * Image batch
 * --------------------------------------------------------------------------------------------------------------- */

/**
 * uint8 images (batch, in_height, in_width, channels) to normalised NHWC: dst = (bilinear(src)/255 - mean)/std.
 * A window of crop_height x crop_width is resampled (bilinear, half-pixel centres) to out_height x out_width. Its
 * corner is centred, or with `random` drawn uniformly from [-padding, in-crop+padding] per axis; pixels outside are 0
 * before normalisation. With `flip` an image is mirrored left-right with probability 1/2. Image n uses Philox words 0
 * (y), 1 (x) and 2 (flip) of counter (n, 0, step, layer).
 */
typedef struct fw_image_batch {
  int32_t dtype; /**< of dst */
  int32_t random;
  int32_t flip;
  uint32_t layer;
  int64_t batch, in_height, in_width, channels; /**< channels 1 to 4 */
  int64_t crop_height, crop_width, out_height, out_width, padding;
  float mean[4];
  float std[4];
} fw_image_batch;

/** step: fw_step in device memory, or 0 when neither random nor flip is set. */
FW_API fw_status fw_image_batch_forward(fw_stream stream, const fw_image_batch* problem, fw_address step,
                                        fw_address src, fw_address dst);

#ifdef __cplusplus
}
#endif

#endif
