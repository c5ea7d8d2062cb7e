// SPDX-License-Identifier: Apache-2.0
// Tuned depthwise correlation, K x K taps, stride S:
//   dst[n,p,q,c] = act(bias[c] + sum_{r,s<K} src[n, p*S-pad_top+r, q*S-pad_left+s, c] * weights[r,s,c])
// src (n,h,w,c), dst (n,p,q,c), NHWC. Must move: src once, dst once.
// A thread owns N channels, keeps their K*K weights in registers and slides along a strip of R output rows: every step
// loads the next S input columns and adds each value to all the outputs it belongs to, which wait in R*A accumulators
// (A = ceil(K/S) outputs of a row are open at a time). So an input value is loaded once per group of R rows, not K
// times. Rows are shared between the groups through the cache. Where N channels are less than 16 bytes, neighbouring
// threads load rows and store pixels for each other (core/wide_columns.h).
#include "core/pixel_sums.h"
#include "depthwise/shape.h"
#include "norm/norm.h"

namespace fusewire::FW_EXEC {
namespace {

template <class T, int K, int S, bool kSums>
struct CorrelationKernel {
  static constexpr int kThreads = 128;
  static constexpr int N = kTunedLanes<T, K>;
  static constexpr int kGroup = kColumnGroup<T, N>;
  static constexpr int kLeastResident = kGroup > 1 ? 3 : 1;  // a few registers more would make it two; without spills
  static constexpr int kOpen = (K + S - 1) / S;
  static constexpr int kRows = K == 3 ? 2 : 1;  // 1 or 2; larger kernels need the registers for their weights
  static constexpr int kInputRows = (kRows - 1) * S + K;
  static_assert(kGroup == 1 || kRows == 1, "results are kept of one row");

  struct Kept {
    ColumnPart<T, N> part[kGroup == 1 ? 1 : kGroup - 1];
  };

  struct Params {
    DepthwiseShape shape;
    Cut cut;
    const T* src;
    const float* weights;
    const float* bias;
    T* dst;
    float* sums;  // (images, bands, channels); with kSums
    int activation;
    int first_tap, tap_step;  // 0 and 1, or K*K-1 and -1 for flipped weights
  };

  FW_DEVICE static void run(const Params& p, Block& block) {
    const Share share(p.cut, block.x);
    const int items = share.items(p.cut);
    const int ahead = block.threads * items_ahead(p.cut);
    // A place for every item's sum; one thread adds all items of a vector in one place.
    float* totals = block.template shared<float>(kSums ? places(p.cut) * N : 0);
    if constexpr (kSums && kOneThread) {
      for (int v = 0; v < share.vectors; v++) {
        store<N>(totals + v * N, Vec<N>(0.0f));
      }
    }
    for (int i = block.thread; i < items; i += block.threads) {
      float* place = totals + (kSums ? (kOneThread ? i % share.vectors : i) * N : 0);
      const Vec<N> total = run_strip(p, block, share, Item(p.cut, share, i), Item(p.cut, share, i + ahead), place);
      if constexpr (kSums && kGroup == 1) {
        store<N>(place, kOneThread ? load<N>(place) + total : total);
      }
    }
    if constexpr (kSums) {
      block.sync();
      write_sums(p, block, share, items, totals);
    }
  }

  // Items of a block, or its vectors where one thread adds their sums up.
  static FW_HOST_DEVICE int64_t places(const Cut& cut) {
    return kOneThread ? cut.group : int64_t(cut.band) * cut.strips * cut.group;
  }

  FW_DEVICE static void write_sums(const Params& p, const Block& block, const Share& share, int items,
                                   const float* totals) {
    const int64_t chunk = block.x / p.cut.groups;
    for (int v = block.thread; v < share.vectors; v += block.threads) {
      Vec<N> total(0.0f);
      for (int i = v; i < (kOneThread ? share.vectors : items); i += share.vectors) {
        total += load<N>(totals + i * N);
      }
      store<N>(p.sums + chunk * p.shape.channels + vector_channel<N>(share.first_vector + v, p.shape.channels), total);
    }
  }

  // `next` is an item to come, which memory is asked for meanwhile. Returns the sum of the strip, with kSums;
  // a group of threads leaves it in `place`.
  FW_DEVICE static Vec<N> run_strip(const Params& p, const Block& block, const Share& share, const Item& item,
                                    const Item& next, float* place) {
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
    const Vec<N> bias = start_of(p, channel);
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
    Vec<N> total(0.0f);
    if constexpr (kSums && kGroup > 1) {
      store<N>(place, total);
    }
    Kept kept = {};
    int column = item.first * S - shape.pad_left;
    for (int step = 0; step < item.width + kOpen - 1; step++) {
      FW_UNROLL
      for (int j = 0; j < S; j++, column++) {
        if (unsigned(column) >= unsigned(shape.in_width)) {
          continue;
        }
        const auto use = [&](int i, Vec<N> x) {
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
        };
        if constexpr (kGroup > 1) {
          load_columns<N, kInputRows>(block, src + column * channels, in_stride, in_row, shape.in_height, N, use);
        } else {
          FW_UNROLL
          for (int i = 0; i < kInputRows; i++) {
            const T* at = src + i * in_stride + column * channels;
            if (i >= kInputRows - kRows * S || all_ahead) {
              prefetch(at + src_ahead);
            }
            if ((present >> i & 1u) != 0) {
              use(i, load<N>(at));
            }
          }
        }
      }
      if (step >= kOpen - 1) {
        const int done = step - (kOpen - 1);
        T* out = dst + (item.first + done) * channels;
        FW_UNROLL
        for (int row = 0; row < kRows; row++) {
          prefetch_for_store(out + row * out_stride + dst_ahead);
          if (row == 0 || last_row_exists) {
            const Vec<N> y = activate(p.activation, open[row][kOpen - 1]);
            if constexpr (kGroup > 1) {
              keep(block, y, done, item.width, out, channels, kept);
            } else {
              store<N>(out + row * out_stride, y);
            }
            if constexpr (kSums && kGroup == 1) {
              total += as_stored<T>(y);
            } else if constexpr (kSums) {  // for want of registers
              store<N>(place, load<N>(place) + as_stored<T>(y));
            }
          }
        }
      }
      FW_UNROLL
      for (int row = 0; row < kRows; row++) {
        FW_UNROLL
        for (int a = kOpen - 1; a > 0; a--) {
          open[row][a] = open[row][a - 1];
        }
        open[row][0] = kGroup == 1 ? bias : start_of(p, channel);
      }
    }
    return total;
  }

  FW_DEVICE static Vec<N> start_of(const Params& p, int channel) {
    return p.bias != nullptr ? load<N>(p.bias + channel) : Vec<N>(0.0f);
  }

  // Takes result number `done` of a strip, which belongs at `out`. A group of threads stores as many at a time as it
  // has members, so the ones before wait in `kept`, the latest first.
  FW_DEVICE static void keep(const Block& block, Vec<N> y, int done, int width, T* out, int64_t channels, Kept& kept) {
    using Part = ColumnPart<T, N>;
    Part parts[kGroup] = {Part::of(y)};
    FW_UNROLL
    for (int m = 1; m < kGroup; m++) {
      parts[m] = kept.part[m - 1];
    }
    FW_UNROLL
    for (int m = 1; m < kGroup; m++) {
      kept.part[m - 1] = parts[m - 1];
    }
    if (done % kGroup == kGroup - 1 || done == width - 1) {
      store_parts(block, column_of_member<N>(block, out, -channels), block.thread % kGroup <= done % kGroup, parts);
    }
  }
};

template <class T, int K>
Cut correlation_cut(const DepthwiseShape& s) {
  using Kernel = CorrelationKernel<T, K, 1, false>;
  return cut_image(s.batch, int(ceil_div(s.out_height, Kernel::kRows)), s.out_width,
                   int(ceil_div(s.channels, Kernel::N)), Kernel::kThreads, Kernel::kGroup);
}

template <class T, int K, int S, bool kSums>
fw_status run_tuned(const Launcher& launcher, const Correlation& problem) {
  using Kernel = CorrelationKernel<T, K, S, kSums>;
  typename Kernel::Params p;
  p.shape = problem.shape;
  p.cut = correlation_cut<T, K>(problem.shape);
  p.src = static_cast<const T*>(problem.src);
  p.weights = problem.weights;
  p.bias = problem.bias;
  p.dst = static_cast<T*>(problem.dst);
  p.sums = problem.sums;
  p.activation = problem.activation;
  p.first_tap = problem.flipped ? K * K - 1 : 0;
  p.tap_step = problem.flipped ? -1 : 1;
  const int64_t shared = kSums ? shared_bytes<float>(Kernel::places(p.cut) * Kernel::N) : 0;
  return launch<Kernel>(launcher, {p.cut.blocks}, shared, p);
}

// Sums of what any_shape.cu has stored, by pixels instead of rows but in as many chunks.
template <class T>
fw_status sum_any(const Launcher& launcher, const Correlation& problem, int64_t chunks) {
  const DepthwiseShape& s = problem.shape;
  const fw_address all = fw_address(uintptr_t(problem.dst) | uintptr_t(problem.sums));
  return with_lanes<T>(s.channels, all, [&](auto lanes) {
    constexpr int N = decltype(lanes)::value;
    ColumnGrid grid = column_grid<N>(s.batch, int64_t(s.out_height) * s.out_width, s.channels);
    grid.chunks = chunks;
    grid.chunk_rows = ceil_div(grid.rows, chunks);
    return launch<PixelSumsKernel<T, N>>(launcher, grid.grid(), sum_columns_shared<N, 1>(grid),
                                         {grid, static_cast<const T*>(problem.dst), nullptr, problem.sums, 1.0f});
  });
}

template <class T>
fw_status run_any(const Launcher& launcher, int32_t dtype, const Correlation& problem) {
  FW_TRY(depthwise_correlate_any(launcher, dtype, problem));
  return problem.sums == nullptr ? FW_OK : sum_any<T>(launcher, problem, correlation_chunks(problem.shape, dtype));
}

template <class T, int K>
fw_status run_size(const Launcher& launcher, int32_t dtype, const Correlation& problem) {
  const fw_address addresses = fw_address(uintptr_t(problem.src) | uintptr_t(problem.dst) | uintptr_t(problem.weights) |
                                          uintptr_t(problem.bias) | uintptr_t(problem.sums));
  if (!whole_vectors<T, kTunedLanes<T, K>>(problem.shape.channels, addresses)) {
    return run_any<T>(launcher, dtype, problem);
  }
  const bool one = problem.shape.stride_height == 1;
  if (problem.sums == nullptr) {
    return one ? run_tuned<T, K, 1, false>(launcher, problem) : run_tuned<T, K, 2, false>(launcher, problem);
  }
  return one ? run_tuned<T, K, 1, true>(launcher, problem) : run_tuned<T, K, 2, true>(launcher, problem);
}

}  // namespace

int64_t correlation_chunks(const DepthwiseShape& s, int32_t dtype) {
  if (s.batch == 0) {
    return 1;  // nothing to cut
  }
  int64_t chunks = 0;
  with_dtype(dtype, [&](auto t) {
    using T = decltype(t);
    const int k = tuned_kernel(s);
    chunks = k == 7   ? correlation_cut<T, 7>(s).bands
             : k == 5 ? correlation_cut<T, 5>(s).bands
                      : correlation_cut<T, 3>(s).bands;
    return FW_OK;
  });
  return chunks;
}

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
        return run_any<T>(launcher, dtype, problem);
    }
  });
}

}  // namespace fusewire::FW_EXEC
