// SPDX-License-Identifier: Apache-2.0
// Fused training forward of the depthwise convolution for any kernel, stride, dilation, padding and number of channels:
// what fused_forward.cu does not take. A thread computes one vector of a pixel at a time and evaluates norm and
// activation as often as a value is used. The block's part of the result is a chunk of rows of columns.h, whose sums
// are the moments.
#include "core/columns.h"
#include "depthwise/fused.h"

namespace fusewire::FW_EXEC {
namespace {

template <class T, int N>
struct FusedForwardAnyKernel {
  static constexpr int kThreads = kColumnThreads;

  struct Params {
    ColumnGrid grid;  // rows: batch*out_height*out_width
    DepthwiseShape shape;
    Norm in;
    const T* src;
    const float* weights;
    T* dst;
    Moments moments;

    FW_DEVICE void add(const RowChunk& chunk, const RowRun& run, int lanes, Vec<N>* sums) const {
      const NormVector<N> norm = norm_or_identity<N>(in, run.channel, lanes);
      const Vec<N> shift = as_stored<T>(pixel(chunk.begin, run.channel, lanes, norm));
      for (int64_t row = run.row; row < run.end; row += run.step) {
        const Vec<N> x = pixel(row, run.channel, lanes, norm);
        store_part<N>(dst + row * grid.channels + run.channel, x, lanes);
        const Vec<N> d = as_stored<T>(x) - shift;
        sums[0] += d;
        sums[1] = fma(d, d, sums[1]);
      }
    }
    FW_DEVICE void finish(const RowChunk& chunk, int64_t channel, int lanes, const Vec<N>* sums) const {
      const Vec<N> shift = as_stored<T>(pixel(chunk.begin, channel, lanes, norm_or_identity<N>(in, channel, lanes)));
      const float count = float(chunk.end - chunk.begin);
      moments.template set<N>(chunk.chunk, channel, lanes, shift, sums[0], sums[1], count);
      if (channel == 0) {
        moments.set_count(chunk.chunk, count);
      }
    }

    FW_DEVICE Vec<N> pixel(int64_t row, int64_t channel, int lanes, const NormVector<N>& norm) const {
      const DepthwiseShape& s = shape;
      const int64_t column = row % s.out_width;
      const int64_t line = row / s.out_width;
      const T* image = src + line / s.out_height * s.in_height * s.in_width * s.channels + channel;
      Vec<N> sum(0.0f);
      for (int r = 0; r < s.kernel_height; r++) {
        const int64_t h = line % s.out_height * s.stride_height - s.pad_top + int64_t(r) * s.dilation_height;
        if (h < 0 || h >= s.in_height) {
          continue;
        }
        for (int t = 0; t < s.kernel_width; t++) {
          const int64_t w = column * s.stride_width - s.pad_left + int64_t(t) * s.dilation_width;
          if (w < 0 || w >= s.in_width) {
            continue;
          }
          const Vec<N> x = load_part<N>(image + (h * s.in_width + w) * s.channels, lanes);
          const float* tap = weights + (int64_t(r) * s.kernel_width + t) * s.channels + channel;
          sum = fma(activate(in.activation, norm.apply(x)), load_part<N>(tap, lanes), sum);
        }
      }
      return sum;
    }
  };

  FW_DEVICE static void run(const Params& p, Block& block) { sum_columns<N, 2>(p.grid, block, p); }
};

template <int N>
ColumnGrid grid_of(const DepthwiseShape& s) {
  return column_grid<N>(1, int64_t(s.batch) * s.out_height * s.out_width, s.channels);
}

fw_address address(const void* p) { return fw_address(reinterpret_cast<uintptr_t>(p)); }

}  // namespace

int64_t fused_forward_any_chunks(const DepthwiseShape& s, int32_t dtype) {
  int64_t chunks = 0;
  with_dtype(dtype, [&](auto t) {
    chunks = grid_of<kLanes<decltype(t)>>(s).chunks;
    if constexpr (!kOneThread) {
      chunks = std::max(chunks, grid_of<1>(s).chunks);
    }
    return FW_OK;
  });
  return chunks;
}

fw_status fused_forward_any(const Launcher& launcher, int32_t dtype, FusedForward* problem) {
  const DepthwiseShape& s = problem->shape;
  return with_dtype(dtype, [&](auto t) {
    using T = decltype(t);
    const fw_address all = address(problem->src) | address(problem->weights) | address(problem->dst) |
                           address(problem->in.table) | address(problem->moments.values);
    return with_lanes<T>(s.channels, all, [&](auto lanes) {
      constexpr int N = decltype(lanes)::value;
      using Kernel = FusedForwardAnyKernel<T, N>;
      typename Kernel::Params p;
      p.grid = grid_of<N>(s);
      p.shape = s;
      p.in = problem->in;
      p.src = static_cast<const T*>(problem->src);
      p.weights = problem->weights;
      p.dst = static_cast<T*>(problem->dst);
      problem->moments.chunks = p.grid.chunks;
      p.moments = problem->moments;
      return launch<Kernel>(launcher, p.grid.grid(), sum_columns_shared<N, 2>(p.grid), p);
    });
  });
}

}  // namespace fusewire::FW_EXEC
