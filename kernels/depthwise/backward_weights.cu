// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution, gradients of weights and bias, K x K taps, stride S:
//   diff_weights[r,s,c] = sum_{n,p,q} src[n, p*S-pad_top+r, q*S-pad_left+s, c] * diff_dst[n,p,q,c]
//   diff_bias[c] = sum_{n,p,q} diff_dst[n,p,q,c]
// Must move: src once, diff_dst once. Two stages, both in a fixed order. Stage 1: a block sums a chunk of rows; each
// thread keeps the K*K+1 sums of its N channels in registers while it goes through strips of the chunk, one tap row r
// after the other with the K columns in use as a sliding window; then the block's threads that share channels are
// added. Stage 2 adds the chunks.
#include "depthwise/shape.h"

namespace fusewire::FW_EXEC {
namespace {

template <class T, int K, int S>
struct PartialsKernel {
  static constexpr int kThreads = 128;
  static constexpr int N = kTunedLanes<T, K>;
  static constexpr int kGroup = kColumnGroup<T, N>;
  // Rows of taps summed together: three rows give a CPU enough independent sums to hide the latency of its adder; a GPU
  // has other threads for that.
  static constexpr int kRows = kOneThread && K == 3 ? 3 : 1;

  struct Params {
    DepthwiseShape shape;
    Chunks chunks;
    Cut cut;  // its groups and strips
    const T* src;
    const T* diff_dst;
    float* partials;
  };

  struct Sums {
    Vec<N> tap[K][K];
    Vec<N> bias;
  };

  // A row of taps for every thread, or nothing where there is one.
  static constexpr int64_t kScratch = kOneThread ? 0 : int64_t(kThreads) * K * N;

  FW_DEVICE static void run(const Params& p, Block& block) {
    float* scratch = block.template shared<float>(kScratch);
    const int64_t chunk = block.x / p.cut.groups;
    const int first_vector = int(block.x % p.cut.groups) * p.cut.group;
    const int vectors = p.cut.vectors - first_vector < p.cut.group ? p.cut.vectors - first_vector : p.cut.group;
    const int at_once = vectors < block.threads ? vectors : block.threads;
    const int sharers = block.threads / at_once;  // threads per vector
    for (int first = 0; first < vectors; first += at_once) {
      const int vector = first_vector + first + block.thread % at_once;
      const int sharer = block.thread / at_once;
      Sums sums;
      if (sharer < sharers && vector < first_vector + vectors) {
        sum_strips(p, block, chunk, vector, sharer, sharers, sums);
      }
      add_threads(p, block, chunk, first_vector + first, at_once, sharers, sums, scratch);
    }
  }

  FW_DEVICE static void sum_strips(const Params& p, const Block& block, int64_t chunk, int vector, int sharer,
                                   int sharers, Sums& sums) {
    const DepthwiseShape& s = p.shape;
    const int64_t rows = int64_t(s.batch) * s.out_height;
    const int64_t first_row = chunk * p.chunks.rows;
    const int64_t rows_here = rows - first_row < p.chunks.rows ? rows - first_row : p.chunks.rows;
    const int channel = vector_channel<N>(vector, s.channels);
    sums.bias = Vec<N>(0.0f);
    FW_UNROLL
    for (int r = 0; r < K; r++) {
      FW_UNROLL
      for (int t = 0; t < K; t++) {
        sums.tap[r][t] = Vec<N>(0.0f);
      }
    }
    int image = int(first_row / s.out_height);
    int64_t first_of_image = int64_t(image) * s.out_height - first_row;  // relative to the chunk
    const int64_t items = rows_here * p.cut.strips;
    for (int64_t i = sharer; i < items; i += sharers) {
      const int64_t row = p.cut.strips == 1 ? i : i / p.cut.strips;
      const int strip = int(i - row * p.cut.strips);
      while (row - first_of_image >= s.out_height) {
        first_of_image += s.out_height;
        image++;
      }
      sum_strip(p, block, image, int(row - first_of_image), strip * p.cut.strip, channel, sums);
    }
  }

  FW_DEVICE static void sum_strip(const Params& p, const Block& block, int image, int row, int first, int channel,
                                  Sums& sums) {
    const DepthwiseShape& s = p.shape;
    const int64_t channels = s.channels;
    const int last = first + p.cut.strip < s.out_width ? first + p.cut.strip : s.out_width;
    const int64_t in_stride = s.in_width * channels;
    const int64_t out_stride = s.out_width * channels;
    const int in_row = row * S - s.pad_top;
    const T* src = p.src + (int64_t(image) * s.in_height + in_row) * in_stride + channel;
    const T* diff_dst = p.diff_dst + (int64_t(image) * s.out_height + row) * out_stride + channel;
    for (int q = first; q < last; q += kGroup) {
      prefetch(diff_dst + q * channels + out_stride);
      load_columns<N, kGroup>(block, diff_dst + q * channels, channels, 0, last - q, N,
                              [&](int, Vec<N> y) { sums.bias += y; });
    }
    FW_UNROLL
    for (int r = 0; r < K; r += kRows) {
      if constexpr (kGroup > 1) {
        sum_tap_row_together(s, block, src + r * in_stride, in_row + r, diff_dst, first, last, r, sums);
      } else {
        sum_tap_rows(s, src + r * in_stride, in_row + r, diff_dst, first, last, r, sums);
      }
    }
  }

  // kRows rows of taps, from row r on, over one strip; `src` is the input row that tap row r meets.
  FW_DEVICE static void sum_tap_rows(const DepthwiseShape& s, const T* src, int in_row, const T* diff_dst, int first,
                                     int last, int r, Sums& sums) {
    const int64_t channels = s.channels;
    const int64_t in_stride = s.in_width * channels;
    const int64_t ahead = S * in_stride;  // where the next row that this thread will need lies
    Vec<N> window[kRows][K];
    int column = first * S - s.pad_left;
    unsigned present = 0;
    FW_UNROLL
    for (int i = 0; i < kRows; i++) {
      present |= unsigned(in_row + i) < unsigned(s.in_height) ? 1u << i : 0u;
      FW_UNROLL
      for (int t = 0; t < K; t++) {
        window[i][t] = Vec<N>(0.0f);
      }
    }
    if (present == 0) {
      return;
    }
    FW_UNROLL
    for (int t = S; t < K; t++, column++) {
      if (unsigned(column) < unsigned(s.in_width)) {
        FW_UNROLL
        for (int i = 0; i < kRows; i++) {
          if ((present >> i & 1u) != 0) {
            window[i][t] = load<N>(src + i * in_stride + column * channels);
          }
        }
      }
    }
    for (int q = first; q < last; q++) {
      const Vec<N> y = load<N>(diff_dst + q * channels);
      FW_UNROLL
      for (int i = 0; i < kRows; i++) {
        FW_UNROLL
        for (int t = 0; t < K; t++) {
          window[i][t] = t < K - S ? window[i][t < K - S ? t + S : 0] : Vec<N>(0.0f);
        }
        FW_UNROLL
        for (int t = K - S; t < K; t++) {
          const int here = column + t - (K - S);
          if ((present >> i & 1u) != 0 && unsigned(here) < unsigned(s.in_width)) {
            const T* at = src + i * in_stride + here * channels;
            window[i][t] = load<N>(at);
            if (r + i >= K - S) {  // the rows above have been read already
              prefetch(at + ahead);
            }
          }
        }
        FW_UNROLL
        for (int t = 0; t < K; t++) {
          sums.tap[r + i][t] = fma(y, window[i][t], sums.tap[r + i][t]);
        }
      }
      column += S;
    }
  }

  // The same for one row of taps by a group of threads, which load kGroup pixels at a time for each other.
  FW_DEVICE static void sum_tap_row_together(const DepthwiseShape& s, const Block& block, const T* src, int in_row,
                                             const T* diff_dst, int first, int last, int r, Sums& sums) {
    if (unsigned(in_row) >= unsigned(s.in_height)) {
      return;
    }
    constexpr int kKept = K > S ? K - S : 0;  // columns that the next pixel needs again
    constexpr int kNew = kGroup * S;
    const int64_t channels = s.channels;
    Vec<N> window[kKept + kNew];
    FW_UNROLL
    for (int t = 0; t < kKept + kNew; t++) {
      window[t] = Vec<N>(0.0f);
    }
    int column = first * S - s.pad_left;
    load_columns<N, kKept>(block, src + column * channels, channels, column, s.in_width, N,
                           [&](int t, Vec<N> x) { window[t] = x; });
    column += kKept;
    for (int q = first; q < last; q += kGroup, column += kNew) {
      FW_UNROLL
      for (int t = kKept; t < kKept + kNew; t++) {
        window[t] = Vec<N>(0.0f);
      }
      load_columns<N, kNew>(block, src + column * channels, channels, column, s.in_width, N,
                            [&](int t, Vec<N> x) { window[kKept + t] = x; });
      load_columns<N, kGroup>(block, diff_dst + q * channels, channels, 0, last - q, N, [&](int g, Vec<N> y) {
        FW_UNROLL
        for (int t = 0; t < K; t++) {
          sums.tap[r][t] = fma(y, window[g * S + t], sums.tap[r][t]);
        }
      });
      FW_UNROLL
      for (int t = 0; t < kKept; t++) {
        window[t] = window[t + kNew];
      }
    }
  }

  // Tap t of row r; row K is the bias, one "tap".
  FW_DEVICE static Vec<N> sum_of(const Sums& sums, int r, int t) {
    return r < K ? sums.tap[r < K ? r : 0][t] : sums.bias;
  }

  // Adds the sums of the threads that share vectors, in the order of the threads, and writes them.
  FW_DEVICE static void add_threads(const Params& p, Block& block, int64_t chunk, int first_vector, int at_once,
                                    int sharers, const Sums& sums, float* scratch) {
    const int64_t channels = p.shape.channels;
    float* partials = p.partials + chunk * (K * K + 1) * channels;
    FW_UNROLL
    for (int r = 0; r <= K; r++) {
      const int taps = r < K ? K : 1;
      if constexpr (kOneThread) {
        float* out = partials + vector_channel<N>(first_vector, p.shape.channels);
        FW_UNROLL
        for (int t = 0; t < taps; t++) {
          store<N>(out + (r * K + t) * channels, sum_of(sums, r, t));
        }
      } else {
        FW_UNROLL
        for (int t = 0; t < taps; t++) {
          store<N>(scratch + (t * block.threads + block.thread) * N, sum_of(sums, r, t));
        }
        block.sync();
        for (int i = block.thread; i < taps * at_once; i += block.threads) {
          const int t = i / at_once;
          const int v = i - t * at_once;
          Vec<N> sum(0.0f);
          for (int sharer = 0; sharer < sharers; sharer++) {
            sum += load<N>(scratch + (t * block.threads + sharer * at_once + v) * N);
          }
          store<N>(partials + (r * K + t) * channels + vector_channel<N>(first_vector + v, p.shape.channels), sum);
        }
        block.sync();
      }
    }
  }
};

// Adds the chunks' partial sums in their order; one vector per item.
template <int N>
struct AddChunksKernel {
  static constexpr int kThreads = 128;
  static constexpr int kItems = kOneThread ? 64 : kThreads;

  struct Params {
    const float* partials;
    float* diff_weights;
    float* diff_bias;  // or nullptr
    int64_t chunks;
    int64_t weights;  // taps * channels
    int64_t total;    // weights, and channels where the chunks have a bias
  };

  FW_DEVICE static void run(const Params& p, Block& block) {
    for (int i = block.thread; i < kItems; i += block.threads) {
      const int64_t at = (block.x * kItems + i) * N;
      if (at < p.total) {
        add(p, at);
      }
    }
  }

  FW_DEVICE static void add(const Params& p, int64_t at) {
    const int n = vector_lanes<N>(p.total, at);
    Vec<N> sum(0.0f);
    for (int64_t chunk = 0; chunk < p.chunks; chunk++) {
      sum += load_part<N>(p.partials + chunk * p.total + at, n);
    }
    // A vector may hold the last weights and the first biases.
    const int weights = p.weights - at < n ? int(p.weights - at < 0 ? 0 : p.weights - at) : n;
    if (weights == n) {
      store_part<N>(p.diff_weights + at, sum, n);
      return;
    }
    for (int i = 0; i < n; i++) {
      if (i < weights) {
        p.diff_weights[at + i] = sum[i];
      } else if (p.diff_bias != nullptr) {
        p.diff_bias[at + i - p.weights] = sum[i];
      }
    }
  }
};

template <class T, int K, int S>
fw_status run_partials(const Launcher& launcher, int32_t dtype, const WeightsGradient& problem) {
  using Kernel = PartialsKernel<T, K, S>;
  const DepthwiseShape& s = problem.shape;
  const auto addresses =
      fw_address(reinterpret_cast<uintptr_t>(problem.src) | reinterpret_cast<uintptr_t>(problem.diff_dst));
  if (!whole_vectors<T, Kernel::N>(s.channels, addresses)) {
    return depthwise_partials_any(launcher, dtype, problem);
  }
  typename Kernel::Params p;
  p.shape = s;
  p.chunks = depthwise_chunks(s, dtype);
  p.cut = cut_image(s.batch, s.out_height, s.out_width, int(ceil_div(s.channels, Kernel::N)), Kernel::kThreads,
                    Kernel::kGroup);
  p.src = static_cast<const T*>(problem.src);
  p.diff_dst = static_cast<const T*>(problem.diff_dst);
  p.partials = problem.partials;
  return launch<Kernel>(launcher, {p.chunks.count * p.cut.groups}, shared_bytes<float>(Kernel::kScratch), p);
}

template <class T, int K>
fw_status run_size(const Launcher& launcher, int32_t dtype, const WeightsGradient& problem) {
  return problem.shape.stride_height == 1 ? run_partials<T, K, 1>(launcher, dtype, problem)
                                          : run_partials<T, K, 2>(launcher, dtype, problem);
}

fw_status run_stage_1(const Launcher& launcher, int32_t dtype, const WeightsGradient& problem) {
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
        return depthwise_partials_any(launcher, dtype, problem);
    }
  });
}

}  // namespace

Chunks depthwise_chunks(const DepthwiseShape& s, int32_t dtype) {
  // Enough blocks to fill the device together with the groups of vectors, but so few chunks that their partial sums are
  // small beside src and diff_dst.
  const int64_t rows = int64_t(s.batch) * s.out_height;
  const int64_t lanes = kOneThread ? kLanes<float> : 16 / (dtype == FW_F32 ? 4 : 2);
  const int64_t vectors = ceil_div(s.channels, lanes);
  int64_t count = 0;
  if (kOneThread) {
    count = ceil_div(64, std::max<int64_t>(1, std::min<int64_t>(16, vectors / 4)));
  } else {
    constexpr int64_t kBlocks = 1024;
    const int64_t outputs = rows * s.out_width;
    const int64_t taps = int64_t(s.kernel_height) * s.kernel_width;
    count = std::min(ceil_div(kBlocks, ceil_div(vectors, 32)), std::max<int64_t>(1, outputs / (taps * 8)));
  }
  Chunks chunks;
  chunks.rows = std::max<int64_t>(1, ceil_div(rows, count));
  chunks.count = ceil_div(rows, chunks.rows);
  return chunks;
}

fw_status depthwise_weights_gradient(const Launcher& launcher, int32_t dtype, const WeightsGradient& problem) {
  const DepthwiseShape& s = problem.shape;
  const int64_t chunks = depthwise_chunks(s, dtype).count;
  if (chunks > 0) {
    FW_TRY(run_stage_1(launcher, dtype, problem));
  }
  return depthwise_add_chunks(launcher, s, problem.partials, chunks, problem.diff_weights, problem.diff_bias, true);
}

fw_status depthwise_add_chunks(const Launcher& launcher, const DepthwiseShape& s, const float* partials, int64_t chunks,
                               float* diff_weights, float* diff_bias, bool with_bias) {
  const int64_t weights = int64_t(s.kernel_height) * s.kernel_width * s.channels;
  const auto addresses = fw_address(reinterpret_cast<uintptr_t>(partials) | reinterpret_cast<uintptr_t>(diff_weights));
  return with_lanes<float>(s.channels, addresses, [&](auto lanes) {
    using Kernel = AddChunksKernel<decltype(lanes)::value>;
    const int64_t total = weights + (with_bias ? s.channels : 0);
    const int64_t blocks = ceil_div(ceil_div(total, decltype(lanes)::value), Kernel::kItems);
    return launch<Kernel>(launcher, {blocks}, 0, {partials, diff_weights, diff_bias, chunks, weights, total});
  });
}

}  // namespace fusewire::FW_EXEC
