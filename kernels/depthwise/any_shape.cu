// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution and its gradients for any kernel, stride, dilation, padding and number of channels; what the
// tuned kernels do not take. A thread computes one vector of a pixel (or, for the weights' gradient, of a tap) at a
// time, reading every input from the cache as often as it is used.
#include "depthwise/shape.h"

namespace fusewire::FW_EXEC {
namespace {

// dst[n,p,q,c] = act(bias[c] + sum_{r,s} src[n, p*sh-pt+r*dh, q*sw-pl+s*dw, c] * weights[r,s,c])
template <class T, int N>
struct AnyCorrelationKernel {
  static constexpr int kThreads = 128;

  struct Params {
    DepthwiseShape shape;
    Cut cut;
    const T* src;
    const float* weights;
    const float* bias;
    T* dst;
    int activation;
    int first_tap, tap_step;
  };

  FW_DEVICE static void run(const Params& p, Block& block) {
    const DepthwiseShape& s = p.shape;
    const Share share(p.cut, block.x);
    const int items = share.items(p.cut);
    for (int i = block.thread; i < items; i += block.threads) {
      const Item item(p.cut, share, i);
      const int channel = item.vector * N;
      const int n = vector_lanes<N>(s.channels, channel);
      const Vec<N> bias = p.bias != nullptr ? load_part<N>(p.bias + channel, n) : Vec<N>(0.0f);
      const T* src = p.src + int64_t(share.image) * s.in_height * s.in_width * s.channels + channel;
      T* dst = p.dst + (int64_t(share.image) * s.out_height + item.row) * s.out_width * s.channels + channel;
      for (int q = item.first; q < item.first + item.width; q++) {
        store_part<N>(dst + int64_t(q) * s.channels,
                      activate(p.activation, pixel(p, src, channel, n, item.row, q, bias)), n);
      }
    }
  }

  FW_DEVICE static Vec<N> pixel(const Params& p, const T* src, int channel, int n, int row, int column, Vec<N> sum) {
    const DepthwiseShape& s = p.shape;
    for (int r = 0; r < s.kernel_height; r++) {
      const int64_t h = int64_t(row) * s.stride_height - s.pad_top + int64_t(r) * s.dilation_height;
      if (h < 0 || h >= s.in_height) {
        continue;
      }
      for (int t = 0; t < s.kernel_width; t++) {
        const int64_t w = int64_t(column) * s.stride_width - s.pad_left + int64_t(t) * s.dilation_width;
        if (w < 0 || w >= s.in_width) {
          continue;
        }
        const int64_t tap = p.first_tap + int64_t(p.tap_step) * (r * s.kernel_width + t);
        sum = fma(load_part<N>(src + (h * s.in_width + w) * s.channels, n),
                  load_part<N>(p.weights + tap * s.channels + channel, n), sum);
      }
    }
    return sum;
  }
};

// diff_src[n,h,w,c] = sum over the (r,s) with h+pt-r*dh = p*sh, w+pl-s*dw = q*sw of diff_dst[n,p,q,c] * weights[r,s,c]
template <class T, int N>
struct AnyDataGradientKernel {
  static constexpr int kThreads = 128;

  struct Params {
    DepthwiseShape shape;
    Cut cut;
    const T* diff_dst;
    const float* weights;
    T* diff_src;
  };

  FW_DEVICE static void run(const Params& p, Block& block) {
    const DepthwiseShape& s = p.shape;
    const Share share(p.cut, block.x);
    const int items = share.items(p.cut);
    for (int i = block.thread; i < items; i += block.threads) {
      const Item item(p.cut, share, i);
      const int channel = item.vector * N;
      const int n = vector_lanes<N>(s.channels, channel);
      const T* diff_dst = p.diff_dst + int64_t(share.image) * s.out_height * s.out_width * s.channels + channel;
      T* diff_src = p.diff_src + (int64_t(share.image) * s.in_height + item.row) * s.in_width * s.channels + channel;
      for (int w = item.first; w < item.first + item.width; w++) {
        store_part<N>(diff_src + int64_t(w) * s.channels, pixel(p, diff_dst, channel, n, item.row, w), n);
      }
    }
  }

  FW_DEVICE static Vec<N> pixel(const Params& p, const T* diff_dst, int channel, int n, int row, int column) {
    const DepthwiseShape& s = p.shape;
    Vec<N> sum(0.0f);
    for (int r = 0; r < s.kernel_height; r++) {
      const int64_t h = int64_t(row) + s.pad_top - int64_t(r) * s.dilation_height;
      const int out_row = h < 0 ? -1 : source(int(h), s.stride_height);
      if (out_row < 0 || out_row >= s.out_height) {
        continue;
      }
      for (int t = 0; t < s.kernel_width; t++) {
        const int64_t w = int64_t(column) + s.pad_left - int64_t(t) * s.dilation_width;
        const int out_column = w < 0 ? -1 : source(int(w), s.stride_width);
        if (out_column < 0 || out_column >= s.out_width) {
          continue;
        }
        sum = fma(load_part<N>(diff_dst + (int64_t(out_row) * s.out_width + out_column) * s.channels, n),
                  load_part<N>(p.weights + (int64_t(r) * s.kernel_width + t) * s.channels + channel, n), sum);
      }
    }
    return sum;
  }

  // position / stride, or -1 where it is not a multiple.
  FW_DEVICE static int source(int position, int stride) {
    const int quotient = position / stride;
    return quotient * stride == position ? quotient : -1;
  }
};

// One chunk's sums for one vector of one tap: sum over its pixels of src[.., tap's place, c] * diff_dst[n,p,q,c]; for
// the tap after the last, of diff_dst alone.
template <class T, int N>
struct AnyPartialsKernel {
  static constexpr int kThreads = 128;
  static constexpr int kItems = kOneThread ? 16 : kThreads;  // (tap, vector) pairs of a block

  struct Params {
    DepthwiseShape shape;
    Chunks chunks;
    const T* src;
    const T* diff_dst;
    float* partials;
    int64_t items;         // (taps + 1) * vectors
    int64_t chunk_blocks;  // blocks per chunk
    int vectors;
  };

  FW_DEVICE static void run(const Params& p, Block& block) {
    const int64_t chunk = block.x / p.chunk_blocks;
    const int64_t first = block.x % p.chunk_blocks * kItems;
    for (int i = block.thread; i < kItems && first + i < p.items; i += block.threads) {
      const int64_t tap = (first + i) / p.vectors;
      const int vector = int((first + i) % p.vectors);
      sum_chunk(p, chunk, tap, vector * N);
    }
  }

  FW_DEVICE static void sum_chunk(const Params& p, int64_t chunk, int64_t tap, int channel) {
    const DepthwiseShape& s = p.shape;
    const int n = vector_lanes<N>(s.channels, channel);
    const int64_t taps = int64_t(s.kernel_height) * s.kernel_width;
    const int64_t rows = int64_t(s.batch) * s.out_height;
    const int64_t last = (chunk + 1) * p.chunks.rows < rows ? (chunk + 1) * p.chunks.rows : rows;
    const int r = int(tap / s.kernel_width);
    const int64_t column_offset = tap % s.kernel_width * s.dilation_width - s.pad_left;
    Vec<N> sum(0.0f);
    for (int64_t row = chunk * p.chunks.rows; row < last; row++) {
      const T* diff_dst = p.diff_dst + row * s.out_width * s.channels + channel;
      if (tap == taps) {
        for (int q = 0; q < s.out_width; q++) {
          sum += load_part<N>(diff_dst + int64_t(q) * s.channels, n);
        }
        continue;
      }
      const int64_t h = row % s.out_height * s.stride_height - s.pad_top + int64_t(r) * s.dilation_height;
      if (h < 0 || h >= s.in_height) {
        continue;
      }
      const T* src = p.src + (row / s.out_height * s.in_height + h) * s.in_width * s.channels + channel;
      for (int q = 0; q < s.out_width; q++) {
        const int64_t w = int64_t(q) * s.stride_width + column_offset;
        if (w >= 0 && w < s.in_width) {
          sum = fma(load_part<N>(src + w * s.channels, n), load_part<N>(diff_dst + int64_t(q) * s.channels, n), sum);
        }
      }
    }
    store_part<N>(p.partials + (chunk * (taps + 1) + tap) * s.channels + channel, sum, n);
  }
};

fw_address address(const void* p) { return fw_address(reinterpret_cast<uintptr_t>(p)); }

}  // namespace

fw_status depthwise_correlate_any(const Launcher& launcher, int32_t dtype, const Correlation& problem) {
  const DepthwiseShape& s = problem.shape;
  return with_dtype(dtype, [&](auto t) {
    using T = decltype(t);
    const fw_address all =
        address(problem.src) | address(problem.weights) | address(problem.bias) | address(problem.dst);
    return with_lanes<T>(s.channels, all, [&](auto lanes) {
      using Kernel = AnyCorrelationKernel<T, decltype(lanes)::value>;
      typename Kernel::Params p;
      p.shape = s;
      p.cut = cut_image(s.batch, s.out_height, s.out_width, int(ceil_div(s.channels, decltype(lanes)::value)),
                        Kernel::kThreads, 1);
      p.src = static_cast<const T*>(problem.src);
      p.weights = problem.weights;
      p.bias = problem.bias;
      p.dst = static_cast<T*>(problem.dst);
      p.activation = problem.activation;
      p.first_tap = problem.flipped ? s.kernel_height * s.kernel_width - 1 : 0;
      p.tap_step = problem.flipped ? -1 : 1;
      return launch<Kernel>(launcher, {p.cut.blocks}, 0, p);
    });
  });
}

fw_status depthwise_data_gradient_any(const Launcher& launcher, int32_t dtype, const DataGradient& problem) {
  const DepthwiseShape& s = problem.shape;
  return with_dtype(dtype, [&](auto t) {
    using T = decltype(t);
    const fw_address all = address(problem.diff_dst) | address(problem.weights) | address(problem.diff_src);
    return with_lanes<T>(s.channels, all, [&](auto lanes) {
      using Kernel = AnyDataGradientKernel<T, decltype(lanes)::value>;
      typename Kernel::Params p;
      p.shape = s;
      p.cut = cut_image(s.batch, s.in_height, s.in_width, int(ceil_div(s.channels, decltype(lanes)::value)),
                        Kernel::kThreads, 1);
      p.diff_dst = static_cast<const T*>(problem.diff_dst);
      p.weights = problem.weights;
      p.diff_src = static_cast<T*>(problem.diff_src);
      return launch<Kernel>(launcher, {p.cut.blocks}, 0, p);
    });
  });
}

fw_status depthwise_partials_any(const Launcher& launcher, int32_t dtype, const WeightsGradient& problem) {
  const DepthwiseShape& s = problem.shape;
  return with_dtype(dtype, [&](auto t) {
    using T = decltype(t);
    const fw_address all = address(problem.src) | address(problem.diff_dst) | address(problem.partials);
    return with_lanes<T>(s.channels, all, [&](auto lanes) {
      using Kernel = AnyPartialsKernel<T, decltype(lanes)::value>;
      typename Kernel::Params p;
      p.shape = s;
      p.chunks = depthwise_chunks(s, dtype);
      p.src = static_cast<const T*>(problem.src);
      p.diff_dst = static_cast<const T*>(problem.diff_dst);
      p.partials = problem.partials;
      p.vectors = int(ceil_div(s.channels, decltype(lanes)::value));
      p.items = (int64_t(s.kernel_height) * s.kernel_width + 1) * p.vectors;
      p.chunk_blocks = ceil_div(p.items, Kernel::kItems);
      return launch<Kernel>(launcher, {p.chunks.count * p.chunk_blocks}, 0, p);
    });
  });
}

}  // namespace fusewire::FW_EXEC
