// SPDX-License-Identifier: Apache-2.0
// Tuned depthwise correlation, K x K taps, stride S:
//   dst[n,p,q,c] = act(bias[c] + sum_{r,s<K} src[n, p*S-pad_top+r, q*S-pad_left+s, c] * weights[r,s,c])
// src (n,h,w,c), dst (n,p,q,c), NHWC. Must move: src once, dst once.
// A thread owns N channels, keeps their K*K weights in registers and slides along a strip of R output rows: every step
// loads the next S input columns and adds each value to all the outputs it belongs to, which wait in R*A accumulators
// (A = ceil(K/S) outputs of a row are open at a time). So an input value is loaded once per group of R rows, not K
// times. Rows are shared between the groups through the cache.
#include "depthwise/shape.h"

namespace fusewire::FW_EXEC {
namespace {

template <class T, int K, int S>
struct CorrelationKernel {
  static constexpr int kThreads = 128;
  static constexpr int N = kTunedLanes<T, K>;
  static constexpr int kOpen = (K + S - 1) / S;
  static constexpr int kRows = K == 3 ? 2 : 1;  // 1 or 2; larger kernels need the registers for their weights
  static constexpr int kInputRows = (kRows - 1) * S + K;

  struct Params {
    DepthwiseShape shape;
    Cut cut;
    const T* src;
    const float* weights;
    const float* bias;
    T* dst;
    int activation;
    int first_tap, tap_step;  // 0 and 1, or K*K-1 and -1 for flipped weights
  };

  FW_DEVICE static void run(const Params& p, Block& block) {
    const Share share(p.cut, block.x);
    const int items = share.items(p.cut);
    const int ahead = block.threads * items_ahead(p.cut);
    for (int i = block.thread; i < items; i += block.threads) {
      run_strip(p, share, Item(p.cut, share, i), Item(p.cut, share, i + ahead));
    }
  }

  // `next` is an item to come, which memory is asked for meanwhile.
  FW_DEVICE static void run_strip(const Params& p, const Share& share, const Item& item, const Item& next) {
    const DepthwiseShape& shape = p.shape;
    const int64_t channels = shape.channels;
    const int channel = vector_channel<N>(item.vector, shape.channels);
    Vec<N> weights[K][K];
    FW_UNROLL
    for (int r = 0; r < K; r++) {
      FW_UNROLL
      for (int s = 0; s < K; s++) {
        weights[r][s] = load<N>(p.weights + (p.first_tap + p.tap_step * (r * K + s)) * channels + channel);
      }
    }
    const Vec<N> bias = p.bias != nullptr ? load<N>(p.bias + channel) : Vec<N>(0.0f);
    Vec<N> open[kRows][kOpen];
    FW_UNROLL
    for (int row = 0; row < kRows; row++) {
      FW_UNROLL
      for (int a = 0; a < kOpen; a++) {
        open[row][a] = bias;
      }
    }
    const int out_row = item.row * kRows;
    const int in_row = out_row * S - shape.pad_top;
    unsigned present = 0;  // bit i: input row in_row + i exists
    FW_UNROLL
    for (int i = 0; i < kInputRows; i++) {
      present |= unsigned(in_row + i) < unsigned(shape.in_height) ? 1u << i : 0u;
    }
    const int64_t in_stride = shape.in_width * channels;
    const int64_t out_stride = shape.out_width * channels;
    const T* src = p.src + (int64_t(share.image) * shape.in_height + in_row) * in_stride + channel;
    T* dst = p.dst + (int64_t(share.image) * shape.out_height + out_row) * out_stride + channel;
    const int64_t rows_ahead = int64_t(next.row - item.row) * kRows;
    const int64_t channels_ahead = vector_channel<N>(next.vector, shape.channels) - channel;
    const int64_t src_ahead = rows_ahead * S * in_stride + channels_ahead;
    const int64_t dst_ahead = rows_ahead * out_stride + channels_ahead;
    const bool all_ahead = next.row == share.first_row;  // below the first row, all but the last rows were read before
    const bool last_row_exists = out_row + kRows <= shape.out_height;
    int column = item.first * S - shape.pad_left;
    for (int step = 0; step < item.width + kOpen - 1; step++) {
      FW_UNROLL
      for (int j = 0; j < S; j++, column++) {
        if (unsigned(column) >= unsigned(shape.in_width)) {
          continue;
        }
        FW_UNROLL
        for (int i = 0; i < kInputRows; i++) {
          const T* at = src + i * in_stride + column * channels;
          if (i >= kInputRows - kRows * S || all_ahead) {
            prefetch(at + src_ahead);
          }
          if ((present >> i & 1u) != 0) {
            const Vec<N> x = load<N>(at);
            FW_UNROLL
            for (int row = 0; row < kRows; row++) {
              FW_UNROLL
              for (int a = 0; a < kOpen; a++) {
                const int r = i - row * S;
                const int s = a * S + j;
                if (r >= 0 && r < K && s < K) {
                  open[row][a] = fma(x, weights[r][s], open[row][a]);
                }
              }
            }
          }
        }
      }
      if (step >= kOpen - 1) {
        T* out = dst + (item.first + step - (kOpen - 1)) * channels;
        FW_UNROLL
        for (int row = 0; row < kRows; row++) {
          prefetch_for_store(out + row * out_stride + dst_ahead);
          if (row == 0 || last_row_exists) {
            store<N>(out + row * out_stride, activate(p.activation, open[row][kOpen - 1]));
          }
        }
      }
      FW_UNROLL
      for (int row = 0; row < kRows; row++) {
        FW_UNROLL
        for (int a = kOpen - 1; a > 0; a--) {
          open[row][a] = open[row][a - 1];
        }
        open[row][0] = bias;
      }
    }
  }
};

template <class T, int K, int S>
fw_status run_tuned(const Launcher& launcher, const Correlation& problem) {
  using Kernel = CorrelationKernel<T, K, S>;
  const DepthwiseShape& s = problem.shape;
  typename Kernel::Params p;
  p.shape = s;
  p.cut = cut_image(s.batch, int(ceil_div(s.out_height, Kernel::kRows)), s.out_width,
                    int(ceil_div(s.channels, Kernel::N)), Kernel::kThreads);
  p.src = static_cast<const T*>(problem.src);
  p.weights = problem.weights;
  p.bias = problem.bias;
  p.dst = static_cast<T*>(problem.dst);
  p.activation = problem.activation;
  p.first_tap = problem.flipped ? K * K - 1 : 0;
  p.tap_step = problem.flipped ? -1 : 1;
  return launch<Kernel>(launcher, {p.cut.blocks}, 0, p);
}

template <class T, int K>
fw_status run_size(const Launcher& launcher, int32_t dtype, const Correlation& problem) {
  const fw_address addresses = fw_address(uintptr_t(problem.src) | uintptr_t(problem.dst) | uintptr_t(problem.weights) |
                                          uintptr_t(problem.bias));
  if (!whole_vectors<T, kTunedLanes<T, K>>(problem.shape.channels, addresses)) {
    return depthwise_correlate_any(launcher, dtype, problem);
  }
  return problem.shape.stride_height == 1 ? run_tuned<T, K, 1>(launcher, problem)
                                          : run_tuned<T, K, 2>(launcher, problem);
}

}  // namespace

fw_status depthwise_correlate(const Launcher& launcher, int32_t dtype, const Correlation& problem) {
  if (problem.shape.batch == 0) {
    return FW_OK;
  }
  return with_dtype(dtype, [&](auto t) {
    using T = decltype(t);
    switch (tuned_kernel(problem.shape)) {
      case 3:
        return run_size<T, 3>(launcher, dtype, problem);
      case 5:
        return run_size<T, 5>(launcher, dtype, problem);
      case 7:
        return run_size<T, 7>(launcher, dtype, problem);
      default:
        return depthwise_correlate_any(launcher, dtype, problem);
    }
  });
}

}  // namespace fusewire::FW_EXEC
