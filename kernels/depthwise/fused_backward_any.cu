// SPDX-License-Identifier: Apache-2.0
// Fused training backward of the depthwise convolution for any kernel, stride, dilation, padding and number of
// channels: what fused_backward.cu does not take. Two kernels, for diff_src with its sums and for the filter gradient;
// a thread computes one vector of a pixel or of a tap at a time, and makes d, the gradient of dst, as often as it is
// used.
#include "core/columns.h"
#include "depthwise/fused.h"

namespace fusewire::FW_EXEC {
namespace {

// diff_src by the definition in fused_backward.cu, in chunks of rows of columns.h whose sums are the partial sums.
template <class T, int N>
struct FusedDataAnyKernel {
  static constexpr int kThreads = kColumnThreads;

  struct Params {
    ColumnGrid grid;  // rows: in_height*in_width of each image
    FusedBackward problem;

    FW_DEVICE void add(const RowChunk& chunk, const RowRun& run, int lanes, Vec<N>* sums) const {
      const FusedBackward& p = problem;
      const int64_t channels = grid.channels;
      const NormVector<N> norm = norm_or_identity<N>(p.in, run.channel, lanes);
      const OutputGradient<N> gradient(p.out, p.out_gradient, p.gate, p.pool_gradient, chunk.image, run.channel, lanes);
      for (int64_t row = run.row; row < run.end; row += run.step) {
        const int64_t at = (chunk.image * grid.rows + row) * channels + run.channel;
        const Vec<N> x = load_part<N>(static_cast<const T*>(p.src) + at, lanes);
        const Vec<N> g =
            pixel(chunk.image, row, run.channel, lanes, gradient) * activate_gradient(p.in.activation, norm.apply(x));
        store_part<N>(static_cast<T*>(p.diff_src) + at, g, lanes);
        const Vec<N> stored = as_stored<T>(g);
        sums[0] += stored;
        sums[1] = fma(stored, x - norm.mean, sums[1]);
      }
    }
    FW_DEVICE void finish(const RowChunk& chunk, int64_t channel, int lanes, const Vec<N>* sums) const {
      float* out = problem.sum_partials + (chunk.image * grid.chunks + chunk.chunk) * 2 * grid.channels + channel;
      store_part<N>(out, sums[0], lanes);
      const Vec<N> inverse =
          problem.in.present() ? problem.in.template inverse_deviation<N>(channel, lanes) : Vec<N>(1.0f);
      store_part<N>(out + grid.channels, sums[1] * inverse, lanes);
    }

    // The transposed correlation of d at one pixel of src.
    FW_DEVICE Vec<N> pixel(int64_t image, int64_t row, int64_t channel, int lanes,
                           const OutputGradient<N>& gradient) const {
      const DepthwiseShape& s = problem.shape;
      const int64_t first = image * s.out_height * s.out_width * s.channels + channel;
      Vec<N> sum(0.0f);
      for (int r = 0; r < s.kernel_height; r++) {
        const int64_t h = row / s.in_width + s.pad_top - int64_t(r) * s.dilation_height;
        if (h < 0 || h % s.stride_height != 0 || h / s.stride_height >= s.out_height) {
          continue;
        }
        for (int t = 0; t < s.kernel_width; t++) {
          const int64_t w = row % s.in_width + s.pad_left - int64_t(t) * s.dilation_width;
          if (w < 0 || w % s.stride_width != 0 || w / s.stride_width >= s.out_width) {
            continue;
          }
          const int64_t at = first + (h / s.stride_height * s.out_width + w / s.stride_width) * s.channels;
          const Vec<N> d = gradient.apply(load_part<N>(static_cast<const T*>(problem.diff) + at, lanes),
                                          load_part<N>(static_cast<const T*>(problem.dst) + at, lanes));
          const float* tap = problem.weights + (int64_t(r) * s.kernel_width + t) * s.channels + channel;
          sum = fma(d, load_part<N>(tap, lanes), sum);
        }
      }
      return sum;
    }
  };

  FW_DEVICE static void run(const Params& p, Block& block) { sum_columns<N, 2>(p.grid, block, p); }
};

// One chunk's sums for one vector of one tap: sum over its pixels of x[.., tap's place, c] * d[n,p,q,c].
template <class T, int N>
struct FusedFilterAnyKernel {
  static constexpr int kThreads = 128;
  static constexpr int kItems = kOneThread ? 16 : kThreads;  // (tap, vector) pairs of a block

  struct Params {
    FusedBackward problem;
    Chunks chunks;
    int64_t items;         // taps * vectors
    int64_t chunk_blocks;  // blocks per chunk
    int vectors;
  };

  FW_DEVICE static void run(const Params& p, Block& block) {
    const int64_t chunk = block.x / p.chunk_blocks;
    const int64_t first = block.x % p.chunk_blocks * kItems;
    for (int i = block.thread; i < kItems && first + i < p.items; i += block.threads) {
      sum_chunk(p, chunk, (first + i) / p.vectors, int((first + i) % p.vectors) * N);
    }
  }

  FW_DEVICE static void sum_chunk(const Params& p, int64_t chunk, int64_t tap, int channel) {
    const DepthwiseShape& s = p.problem.shape;
    const int lanes = vector_lanes<N>(s.channels, channel);
    const int64_t rows = int64_t(s.batch) * s.out_height;
    const int64_t last = (chunk + 1) * p.chunks.rows < rows ? (chunk + 1) * p.chunks.rows : rows;
    Vec<N> sum(0.0f);
    for (int64_t row = chunk * p.chunks.rows; row < last; row++) {
      const int64_t h =
          row % s.out_height * s.stride_height - s.pad_top + tap / s.kernel_width * int64_t(s.dilation_height);
      if (h >= 0 && h < s.in_height) {
        add_row(p.problem, row, h, tap % s.kernel_width, channel, lanes, sum);
      }
    }
    const int64_t taps = int64_t(s.kernel_height) * s.kernel_width;
    store_part<N>(p.problem.filter_partials + (chunk * taps + tap) * s.channels + channel, sum, lanes);
  }

  // A row of dst, of all images' rows, and the row h of src under column t of the taps.
  FW_DEVICE static void add_row(const FusedBackward& p, int64_t row, int64_t h, int64_t t, int channel, int lanes,
                                Vec<N>& sum) {
    const DepthwiseShape& s = p.shape;
    const int64_t image = row / s.out_height;
    const NormVector<N> norm = norm_or_identity<N>(p.in, channel, lanes);
    const OutputGradient<N> gradient(p.out, p.out_gradient, p.gate, p.pool_gradient, image, channel, lanes);
    const T* src = static_cast<const T*>(p.src) + (image * s.in_height + h) * s.in_width * s.channels + channel;
    for (int q = 0; q < s.out_width; q++) {
      const int64_t w = int64_t(q) * s.stride_width - s.pad_left + t * s.dilation_width;
      if (w >= 0 && w < s.in_width) {
        const int64_t at = (row * s.out_width + q) * s.channels + channel;
        const Vec<N> d = gradient.apply(load_part<N>(static_cast<const T*>(p.diff) + at, lanes),
                                        load_part<N>(static_cast<const T*>(p.dst) + at, lanes));
        sum = fma(activate(p.in.activation, norm.apply(load_part<N>(src + w * s.channels, lanes))), d, sum);
      }
    }
  }
};

template <int N>
ColumnGrid grid_of(const DepthwiseShape& s) {
  return column_grid<N>(s.batch, int64_t(s.in_height) * s.in_width, s.channels);
}

}  // namespace

FusedBackwardChunks fused_backward_any_chunks(const DepthwiseShape& s, int32_t dtype) {
  FusedBackwardChunks chunks = {depthwise_chunks(s, dtype).count, 0};
  with_dtype(dtype, [&](auto t) {
    chunks.sums = grid_of<kLanes<decltype(t)>>(s).chunks;
    if constexpr (!kOneThread) {
      chunks.sums = std::max(chunks.sums, grid_of<1>(s).chunks);
    }
    return FW_OK;
  });
  chunks.sums *= s.batch;
  return chunks;
}

fw_status fused_backward_any(const Launcher& launcher, int32_t dtype, FusedBackward* problem) {
  const DepthwiseShape& s = problem->shape;
  const auto address = [](const void* p) { return fw_address(reinterpret_cast<uintptr_t>(p)); };
  const fw_address all = address(problem->src) | address(problem->weights) | address(problem->dst) |
                         address(problem->diff) | address(problem->diff_src) | address(problem->in.table) |
                         address(problem->out.table) | address(problem->out_gradient) | address(problem->gate) |
                         address(problem->pool_gradient) | address(problem->filter_partials) |
                         address(problem->sum_partials);
  return with_dtype(dtype, [&](auto t) {
    using T = decltype(t);
    return with_lanes<T>(s.channels, all, [&](auto lanes) {
      constexpr int N = decltype(lanes)::value;
      const ColumnGrid grid = grid_of<N>(s);
      problem->sum_chunks = s.batch * grid.chunks;
      using Data = FusedDataAnyKernel<T, N>;
      const typename Data::Params data = {grid, *problem};
      const fw_status status = launch<Data>(launcher, grid.grid(), sum_columns_shared<N, 2>(grid), data);
      if (status != FW_OK) {
        return status;
      }
      using Filter = FusedFilterAnyKernel<T, N>;
      typename Filter::Params p;
      p.problem = *problem;
      p.chunks = depthwise_chunks(s, dtype);
      p.vectors = int(ceil_div(s.channels, N));
      p.items = int64_t(s.kernel_height) * s.kernel_width * p.vectors;
      p.chunk_blocks = ceil_div(p.items, Filter::kItems);
      problem->filter_chunks = p.chunks.count;
      return launch<Filter>(launcher, {p.chunks.count * p.chunk_blocks}, 0, p);
    });
  });
}

}  // namespace fusewire::FW_EXEC
