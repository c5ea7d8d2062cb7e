// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution, gradient of the input. Stride 1 is the forward correlation with flipped weights. The tuned
// kernel here is for stride 2, K x K taps:
//   diff_src[n,h,w,c] = sum over the (r,s) with h+pad_top-r = 2p, w+pad_left-s = 2q of diff_dst[n,p,q,c]*weights[r,s,c]
// Must move: diff_dst once, diff_src once. Rows of diff_src come in pairs h = 2m-pad_top+e, e = 0 or 1, and columns
// likewise: only taps r = 2a+e hit row e of a pair, from row p = m-a of diff_dst. A thread owns N channels of a pair of
// rows and slides along diff_dst: each value is added to the K columns it reaches, which wait in 2*K accumulators; two
// columns are complete after every step. Where N channels are less than 16 bytes, neighbouring threads load rows and
// store columns for each other (core/wide_columns.h).
#include "depthwise/shape.h"

namespace fusewire::FW_EXEC {
namespace {

template <class T, int K>
struct StridedDataKernel {
  static constexpr int kThreads = 128;
  static constexpr int N = kTunedLanes<T, K>;
  static constexpr int kGroup = kColumnGroup<T, N>;
  static constexpr int kSourceRows = (K + 1) / 2;

  struct Params {
    DepthwiseShape shape;
    Cut cut;  // in pairs of rows and pairs of columns of diff_src
    const T* diff_dst;
    const float* weights;
    T* diff_src;
    int first_row, first_column;  // m and n of the first pairs
  };

  FW_DEVICE static void run(const Params& p, Block& block) {
    const Share share(p.cut, block.x);
    const int items = share.items(p.cut);
    const int ahead = block.threads * items_ahead(p.cut);
    for (int i = block.thread; i < items; i += block.threads) {
      run_strip(p, block, share, Item(p.cut, share, i), Item(p.cut, share, i + ahead));
    }
  }

  FW_DEVICE static void run_strip(const Params& p, const Block& block, const Share& share, const Item& item,
                                  const Item& next) {
    const DepthwiseShape& shape = p.shape;
    const int64_t channels = shape.channels;
    const int channel = vector_channel<N>(item.vector, shape.channels);
    Vec<N> weights[K][K];
    Vec<N> open[2][K];
    FW_UNROLL
    for (int r = 0; r < K; r++) {
      FW_UNROLL
      for (int s = 0; s < K; s++) {
        weights[r][s] = load<N>(p.weights + (r * K + s) * channels + channel);
      }
      open[0][r] = Vec<N>(0.0f);
      open[1][r] = Vec<N>(0.0f);
    }
    const int m = p.first_row + item.row;
    unsigned present = 0;  // bit a: row m - a of diff_dst exists
    FW_UNROLL
    for (int a = 0; a < kSourceRows; a++) {
      present |= unsigned(m - a) < unsigned(shape.out_height) ? 1u << a : 0u;
    }
    const int row = 2 * m - shape.pad_top;
    const int64_t in_stride = shape.in_width * channels;
    const int64_t out_stride = shape.out_width * channels;
    const T* diff_dst = p.diff_dst + (int64_t(share.image) * shape.out_height + m) * out_stride + channel;
    T* diff_src = p.diff_src + (int64_t(share.image) * shape.in_height + row) * in_stride + channel;
    const int64_t rows_ahead = next.row - item.row;
    const int64_t channels_ahead = vector_channel<N>(next.vector, shape.channels) - channel;
    const int64_t dst_ahead = rows_ahead * out_stride + channels_ahead;
    const int64_t src_ahead = rows_ahead * 2 * in_stride + channels_ahead;
    const bool all_ahead = next.row == share.first_row;  // below the first row, all but the last rows were read before
    const int first = p.first_column + item.first;
    for (int q = first - (kSourceRows - 1); q < first + item.width; q++) {
      const auto use = [&](int a, Vec<N> y) {
        FW_UNROLL
        for (int e = 0; e < 2; e++) {
          FW_UNROLL
          for (int s = 0; s < K; s++) {
            if (2 * a + e < K) {
              open[e][s] = fma(y, weights[2 * a + e][s], open[e][s]);
            }
          }
        }
      };
      if (unsigned(q) < unsigned(shape.out_width)) {
        if constexpr (kGroup > 1) {
          // From the last row up, so that rows count upwards as load_columns() takes them.
          constexpr int kLast = kSourceRows - 1;
          load_columns<N, kSourceRows>(block, diff_dst - kLast * out_stride + q * channels, out_stride, m - kLast,
                                       shape.out_height, N, [&](int i, Vec<N> y) { use(kLast - i, y); });
        } else {
          FW_UNROLL
          for (int a = 0; a < kSourceRows; a++) {
            if (a == 0 || all_ahead) {
              prefetch(diff_dst - a * out_stride + q * channels + dst_ahead);
            }
            if ((present >> a & 1u) != 0) {
              use(a, load<N>(diff_dst - a * out_stride + q * channels));
            }
          }
        }
      }
      if (q >= first) {
        FW_UNROLL
        for (int e = 0; e < 2; e++) {
          const int pair = 2 * q - shape.pad_left;
          if (unsigned(row + e) >= unsigned(shape.in_height)) {
            continue;
          }
          T* at = diff_src + e * in_stride + pair * channels;
          if constexpr (kGroup > 1) {
            store_columns<N, 2>(block, at, channels, pair, shape.in_width, N, [&](int s) { return open[e][s]; });
          } else {
            FW_UNROLL
            for (int s = 0; s < 2; s++) {
              if (unsigned(pair + s) < unsigned(shape.in_width)) {
                prefetch_for_store(at + s * channels + src_ahead);
                store<N>(at + s * channels, open[e][s]);
              }
            }
          }
        }
      }
      FW_UNROLL
      for (int e = 0; e < 2; e++) {
        FW_UNROLL
        for (int s = 0; s < K; s++) {
          open[e][s] = s + 2 < K ? open[e][s + 2 < K ? s + 2 : 0] : Vec<N>(0.0f);
        }
      }
    }
  }
};

template <class T, int K>
fw_status run_strided(const Launcher& launcher, int32_t dtype, const DataGradient& problem) {
  using Kernel = StridedDataKernel<T, K>;
  const DepthwiseShape& s = problem.shape;
  const auto addresses =
      fw_address(reinterpret_cast<uintptr_t>(problem.diff_dst) | reinterpret_cast<uintptr_t>(problem.weights) |
                 reinterpret_cast<uintptr_t>(problem.diff_src));
  if (!whole_vectors<T, Kernel::N>(s.channels, addresses)) {
    return depthwise_data_gradient_any(launcher, dtype, problem);
  }
  typename Kernel::Params p;
  p.shape = s;
  p.first_row = s.pad_top / 2;
  p.first_column = s.pad_left / 2;
  const int rows = (s.in_height - 1 + s.pad_top) / 2 + 1 - p.first_row;
  const int columns = (s.in_width - 1 + s.pad_left) / 2 + 1 - p.first_column;
  p.cut = cut_image(s.batch, rows, columns, int(ceil_div(s.channels, Kernel::N)), Kernel::kThreads, Kernel::kGroup);
  p.diff_dst = static_cast<const T*>(problem.diff_dst);
  p.weights = problem.weights;
  p.diff_src = static_cast<T*>(problem.diff_src);
  return launch<Kernel>(launcher, {p.cut.blocks}, 0, p);
}

// The forward problem whose result is diff_src: stride 1, flipped weights, padding that gives the input's size.
fw_status run_flipped(const Launcher& launcher, int32_t dtype, const DataGradient& problem) {
  const DepthwiseShape& s = problem.shape;
  Correlation flipped;
  flipped.shape = s;
  flipped.shape.in_height = s.out_height;
  flipped.shape.in_width = s.out_width;
  flipped.shape.out_height = s.in_height;
  flipped.shape.out_width = s.in_width;
  flipped.shape.pad_top = s.dilation_height * (s.kernel_height - 1) - s.pad_top;
  flipped.shape.pad_left = s.dilation_width * (s.kernel_width - 1) - s.pad_left;
  flipped.activation = FW_IDENTITY;
  flipped.flipped = true;
  flipped.src = problem.diff_dst;
  flipped.weights = problem.weights;
  flipped.bias = nullptr;
  flipped.dst = problem.diff_src;
  return depthwise_correlate(launcher, dtype, flipped);
}

}  // namespace

fw_status depthwise_data_gradient(const Launcher& launcher, int32_t dtype, const DataGradient& problem) {
  const DepthwiseShape& s = problem.shape;
  if (s.batch == 0) {
    return FW_OK;
  }
  if (s.stride_height == 1 && s.stride_width == 1) {
    return run_flipped(launcher, dtype, problem);
  }
  return with_dtype(dtype, [&](auto t) {
    using T = decltype(t);
    switch (tuned_kernel(s)) {
      case 3:
        return run_strided<T, 3>(launcher, dtype, problem);
      case 5:
        return run_strided<T, 5>(launcher, dtype, problem);
      case 7:
        return run_strided<T, 7>(launcher, dtype, problem);
      default:
        return depthwise_data_gradient_any(launcher, dtype, problem);
    }
  });
}

}  // namespace fusewire::FW_EXEC
