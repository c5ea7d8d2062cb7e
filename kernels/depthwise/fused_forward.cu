// SPDX-License-Identifier: Apache-2.0
// Fused training forward of the depthwise convolution, K x K taps, stride S, with x = activation(norm(src)), 0 outside:
//   dst[n,p,q,c] = sum_{r,s<K} x[n, p*S-pad_top+r, q*S-pad_left+s, c] * weights[r,s,c], and partial moments of dst
// src (n,h,w,c), dst (n,p,q,c), NHWC. Must move: src once, dst once. The way of a block through its images is in
// walk.h; the ring has rows of x, so that activation and norm are evaluated once per value. A tile of the result waits
// in registers while its K rows of x stream by: each value is loaded once per row of taps and added to the sums it
// belongs to. Every slot keeps shifted sums of what it stored, which are added in the slots' order at the end.
#include "depthwise/fused.h"
#include "depthwise/walk.h"

namespace fusewire::FW_EXEC {
namespace {

template <class T, int K, int S>
struct FusedForwardKernel {
  static constexpr int kThreads = 128;
  static constexpr int N = kLanes<T>;
  static constexpr int kTile = kOneThread || N < 8 ? 7 : 4;  // columns of dst; a GPU thread has few registers
  static constexpr int kAtOnce = kOneThread ? 1 : 4;         // loads that a thread has under way while it stages
  static constexpr int kMomentVectors = 3;                   // shift, sum, squares

  struct Params {
    DepthwiseShape shape;
    Walk walk;
    Norm in;
    const T* src;
    const float* weights;
    T* dst;
    Moments moments;
  };

  static Walk walk(const DepthwiseShape& s) {
    const WalkMemory memory = {(kTile - 1) * S + K, kTile * S, int64_t(K) * K * N * 4,
                               kOneThread ? 0 : int64_t(kThreads) * kMomentVectors * N * 4};
    return walk_images<N>(s.batch, s.out_height, int(ceil_div(s.out_width, kTile)), int(ceil_div(s.channels, N)),
                          kThreads, 1, memory, [](int band) { return (band - 1) * S + K; });
  }
  static int64_t shared(const Walk& w) {
    const int64_t slots = w.slots(kThreads);
    return shared_bytes<float>(w.ring_elements<N>()) + shared_bytes<float>(int64_t(K) * K * w.group * N) +
           shared_bytes<float>(kMomentVectors * slots * N) + shared_bytes<int>(slots);
  }

  // What a block works with.
  struct State {
    const Params& p;
    const Box box;
    const Slots slots;
    const Ring<N> ring;
    float* weights;
    float* moments;         // (3, slots, N)
    int* counts;            // (slots): values in the moments
    int first, begin, end;  // input column of the ring's column 0; columns of the ring inside the image

    FW_DEVICE State(const Params& params, Block& block)
        : p(params),
          box(p.walk, block.x),
          slots(block, box.vectors),
          ring(block, p.walk, box.vectors),
          weights(block.template shared<float>(int64_t(K) * K * p.walk.group * N)),
          moments(block.template shared<float>(int64_t(kMomentVectors) * p.walk.slots(block.threads) * N)),
          counts(block.template shared<int>(p.walk.slots(block.threads))),
          first(box.first_tile * kTile * S - p.shape.pad_left),
          begin(first < 0 ? (-first < ring.columns ? -first : ring.columns) : 0) {
      const int rest = p.shape.in_width - first;
      end = rest < begin ? begin : rest < ring.columns ? rest : ring.columns;
    }
    FW_DEVICE float* moment(int k, int slot) const { return moments + (k * slots.workers * slots.vectors + slot) * N; }
    FW_DEVICE int channel(int v) const { return (box.first_vector + v) * N; }
  };

  FW_DEVICE static void run(const Params& p, Block& block) {
    const State state(p, block);
    const Box& box = state.box;
    for (int i = block.thread; i < K * K * box.vectors; i += block.threads) {
      const int tap = i / box.vectors;
      const int v = i % box.vectors;
      const int channel = state.channel(v);
      store<N>(state.weights + tap_offset<K, N>(tap, v, box.vectors),
               load_part<N>(p.weights + int64_t(tap) * p.shape.channels + channel,
                            vector_lanes<N>(p.shape.channels, channel)));
    }
    state.slots.each(block, [&](int slot, int, int) { state.counts[slot] = 0; });
    state.ring.clear(block);  // columns of padding stay zero
    block.sync();
    for (int i = 0; i < box.images; i++) {
      const int image = box.first_image + i;
      int staged = 0;  // rows of the box's input
      for (int row = 0; row < box.rows; row += p.walk.band) {
        const int rows = box.rows - row < p.walk.band ? box.rows - row : p.walk.band;
        for (const int needed = (row + rows - 1) * S + K; staged < needed; staged++) {
          stage_row(state, block, image, staged);
        }
        block.sync();
        state.slots.each(block,
                         [&](int slot, int v, int worker) { sum_band(state, image, row, rows, slot, v, worker); });
        block.sync();
      }
    }
    write_moments(state, block);
  }

  // Row `row` of the box's input to its place in the ring. Rows of the padding are never looked at.
  FW_DEVICE static void stage_row(const State& state, const Block& block, int image, int row) {
    const Params& p = state.p;
    const DepthwiseShape& s = p.shape;
    const int in_row = state.box.first_row * S - s.pad_top + row;
    if (unsigned(in_row) >= unsigned(s.in_height)) {
      return;
    }
    const int64_t channels = s.channels;
    const int64_t line = s.in_width * channels;
    const T* from = p.src + (int64_t(image) * s.in_height + in_row) * line + state.first * channels;
    // Below the image's last row comes the next image, or the next block's channels.
    const int64_t top = image + 1 < state.box.first_image + state.box.images
                            ? (S - in_row) * line + (s.in_height - S) * line
                            : -in_row * line + state.box.vectors * N;
    const int64_t ahead = in_row + S < s.in_height ? S * line : top;
    const int slot_row = row % state.ring.rows;
    state.slots.each(block, [&](int, int v, int worker) {
      const int channel = state.channel(v);
      const int lanes = vector_lanes<N>(s.channels, channel);
      const NormVector<N> norm = norm_or_identity<N>(p.in, channel, lanes);
      for (int i = state.begin + worker; i < state.end; i += state.slots.workers * kAtOnce) {
        Vec<N> x[kAtOnce];
        FW_UNROLL
        for (int k = 0; k < kAtOnce; k++) {
          const int column = i + k * state.slots.workers;
          if (k == 0 || column < state.end) {
            const T* at = from + column * channels + channel;
            prefetch(at + ahead);
            x[k] = load_part<N>(at, lanes);
          }
        }
        FW_UNROLL
        for (int k = 0; k < kAtOnce; k++) {
          const int column = i + k * state.slots.workers;
          if (k == 0 || column < state.end) {
            store<N>(state.ring.at(slot_row, column, v), activate(p.in.activation, norm.apply(x[k])));
          }
        }
      }
    });
  }

  FW_DEVICE static void sum_band(const State& state, int image, int row, int rows, int slot, int v, int worker) {
    int count = state.counts[slot];
    Vec<N> moments[kMomentVectors];
    FW_UNROLL
    for (int k = 0; k < kMomentVectors; k++) {
      moments[k] = count > 0 ? load<N>(state.moment(k, slot)) : Vec<N>(0.0f);
    }
    for (BandTiles t(worker, state.slots.workers, state.box.tiles); t.row < rows; t.next()) {
      count += sum_tile(state, image, row + t.row, t.tile, v, count == 0, moments);
    }
    FW_UNROLL
    for (int k = 0; k < kMomentVectors; k++) {
      store<N>(state.moment(k, slot), moments[k]);
    }
    state.counts[slot] = count;
  }

  // Returns the number of columns of the tile that exist.
  FW_DEVICE static int sum_tile(const State& state, int image, int row, int tile, int v, bool fresh, Vec<N>* moments) {
    const DepthwiseShape& s = state.p.shape;
    const int in_row = (state.box.first_row + row) * S - s.pad_top;
    const int first_tap = in_row < 0 ? -in_row : 0;
    const int rows_left = s.in_height - in_row;
    Vec<N> sum[kTile];
    FW_UNROLL
    for (int q = 0; q < kTile; q++) {
      sum[q] = Vec<N>(0.0f);
    }
#pragma unroll 1
    for (int r = first_tap; r < K && r < rows_left; r++) {
      const float* x = state.ring.at((row * S + r) % state.ring.rows, tile * kTile * S, v);
      Vec<N> w[K];
      FW_UNROLL
      for (int t = 0; t < K; t++) {
        w[t] = load<N>(state.weights + tap_offset<K, N>(r * K + t, v, state.box.vectors));
      }
      FW_UNROLL
      for (int i = 0; i < (kTile - 1) * S + K; i++) {
        const Vec<N> value = load<N>(x + i * state.ring.column_stride());
        FW_UNROLL
        for (int q = 0; q < kTile; q++) {
          const int t = i - q * S;
          if (t >= 0 && t < K) {
            sum[q] = fma(value, w[t >= 0 && t < K ? t : 0], sum[q]);
          }
        }
      }
    }
    return store_tile(state, image, row, tile, v, fresh, sum, moments);
  }

  FW_DEVICE static int store_tile(const State& state, int image, int row, int tile, int v, bool fresh,
                                  const Vec<N>* sum, Vec<N>* moments) {
    const DepthwiseShape& s = state.p.shape;
    const int channel = state.channel(v);
    const int lanes = vector_lanes<N>(s.channels, channel);
    const int64_t channels = s.channels;
    const int first = (state.box.first_tile + tile) * kTile;
    const int columns = s.out_width - first < kTile ? s.out_width - first : kTile;
    const int64_t line = (int64_t(image) * s.out_height + state.box.first_row + row) * s.out_width;
    T* dst = state.p.dst + (line + first) * channels + channel;
    const int64_t ahead = s.out_width * channels;
    if (fresh) {
      moments[0] = as_stored<T>(sum[0]);
    }
    Vec<N> total(0.0f);
    Vec<N> squares(0.0f);
    FW_UNROLL
    for (int q = 0; q < kTile; q++) {
      if (q < columns) {
        prefetch_for_store(dst + q * channels + ahead);
        store_part<N>(dst + q * channels, sum[q], lanes);
        const Vec<N> d = as_stored<T>(sum[q]) - moments[0];
        total += d;
        squares = fma(d, d, squares);
      }
    }
    moments[1] += total;
    moments[2] += squares;
    return columns;
  }

  // The slots of a vector, brought to the first one's shift.
  FW_DEVICE static void write_moments(const State& state, const Block& block) {
    const Slots& slots = state.slots;
    for (int v = block.thread; v < slots.vectors; v += block.threads) {
      const Vec<N> shift = load<N>(state.moment(0, v));
      Vec<N> total(0.0f);
      Vec<N> squares(0.0f);
      int count = 0;
      for (int worker = 0; worker < slots.workers; worker++) {
        const int slot = worker * slots.vectors + v;
        if (state.counts[slot] > 0) {
          const float values = float(state.counts[slot]);
          const Vec<N> d = load<N>(state.moment(0, slot)) - shift;
          const Vec<N> sum = load<N>(state.moment(1, slot));
          total += fma(d, Vec<N>(values), sum);
          squares += fma(d, fma(d, Vec<N>(values), sum + sum), load<N>(state.moment(2, slot)));
          count += state.counts[slot];
        }
      }
      const int channel = state.channel(v);
      state.p.moments.template set<N>(state.box.chunk, channel, vector_lanes<N>(state.p.shape.channels, channel), shift,
                                      total, squares, float(count));
      if (channel == 0) {
        state.p.moments.set_count(state.box.chunk, float(count));
      }
    }
  }
};

template <class T, int K, int S>
fw_status run_tuned(const Launcher& launcher, FusedForward* problem) {
  using Kernel = FusedForwardKernel<T, K, S>;
  typename Kernel::Params p;
  p.shape = problem->shape;
  p.walk = Kernel::walk(problem->shape);
  p.in = problem->in;
  p.src = static_cast<const T*>(problem->src);
  p.weights = problem->weights;
  p.dst = static_cast<T*>(problem->dst);
  problem->moments.chunks = p.walk.chunks();
  p.moments = problem->moments;
  return launch<Kernel>(launcher, {p.walk.blocks}, Kernel::shared(p.walk), p);
}

fw_address address(const void* p) { return fw_address(reinterpret_cast<uintptr_t>(p)); }

}  // namespace

int64_t fused_forward_chunks(const DepthwiseShape& s, int32_t dtype) {
  int64_t chunks = fused_forward_any_chunks(s, dtype);
  with_dtype(dtype, [&](auto t) {
    with_tuned(
        s,
        [&](auto k, auto stride) {
          using Kernel = FusedForwardKernel<decltype(t), decltype(k)::value, decltype(stride)::value>;
          chunks = std::max(chunks, Kernel::walk(s).chunks());
        },
        [] {});
    return FW_OK;
  });
  return chunks;
}

fw_status fused_forward(const Launcher& launcher, int32_t dtype, FusedForward* problem) {
  const fw_address addresses = address(problem->src) | address(problem->dst) | address(problem->weights) |
                               address(problem->in.table) | address(problem->moments.values);
  return with_dtype(dtype, [&](auto t) {
    using T = decltype(t);
    if (!kOneThread && !lanes_fit<T>(problem->shape.channels, addresses)) {
      return fused_forward_any(launcher, dtype, problem);
    }
    return with_tuned(
        problem->shape,
        [&](auto k, auto stride) {
          return run_tuned<T, decltype(k)::value, decltype(stride)::value>(launcher, problem);
        },
        [&] { return fused_forward_any(launcher, dtype, problem); });
  });
}

}  // namespace fusewire::FW_EXEC
