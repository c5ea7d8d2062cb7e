// SPDX-License-Identifier: Apache-2.0
// Fused training backward of the depthwise convolution, K x K taps, stride S, in one pass. With d the gradient of dst,
// made on load from diff and dst (fusewire/fused.h), and x = activation(norm(src)):
//   diff_src[n,h,w,c] = activation'(norm(src)) * sum over the (r,s) with h+pad_top-r = S*p, w+pad_left-s = S*q of
//                       d[n,p,q,c]*weights[r,s,c]
//   diff_weights[r,s,c] = sum over the same (h,w), (p,q) of x[n,h,w,c]*d[n,p,q,c]
// and the sums of diff_src and diff_src*(src-mean)/std. Must move: diff, dst and src once, diff_src once. The way of a
// block through its images is in walk.h; results are rows of src, and the ring has rows of d, made once per value. A
// tile of diff_src, kSteps*S columns, waits in registers beside x while its rows of d stream by: each d is loaded once
// per row of taps, and goes to the columns and to the taps it belongs to. Only taps r with (h+pad_top-r) % S == 0 hit
// row h; columns come in steps of S, each with the taps of its phase. Every slot sums its own filter gradient. Where a
// thread's channels are less than 16 bytes, rows of d are made by vectors of 16 bytes, and neighbouring slots access
// src and diff_src for each other (core/wide_columns.h).
#include "core/wide_columns.h"
#include "depthwise/fused.h"
#include "depthwise/walk.h"

namespace fusewire::FW_EXEC {
namespace {

template <class T, int K, int S>
struct FusedBackwardKernel {
  static constexpr int kThreads = K == 3 ? 128 : 64;
  static constexpr int N = kOneThread ? kLanes<T> : K == 7 ? 2 : 4;  // taps in registers and shared memory have to fit
  static constexpr int kGroup = kColumnGroup<T, N>;
  static constexpr int kSteps = S == 1 ? 7 : 4;
  static constexpr int kTile = kSteps * S;                      // columns of diff_src
  static constexpr int kBack = (K - 1) / S;                     // columns of d before a tile's first step
  static constexpr int kAtOnce = kOneThread || K == 7 ? 1 : 4;  // loads of a tensor that a thread has under way

  struct Params {
    DepthwiseShape shape;
    Walk walk;
    Norm in;
    Norm out;
    const float* out_gradient;
    const T* src;
    const float* weights;
    const T* dst;
    const T* diff;
    const float* gate;
    const float* pool_gradient;
    T* diff_src;
    float* filter_partials;
    float* sum_partials;
  };

  static Walk walk(const DepthwiseShape& s) {
    const int64_t vector = int64_t(N) * 4;
    const int64_t slot_bytes = (K * K + 2) * vector;
    const WalkMemory memory = {kSteps + kBack, kSteps, (kOneThread ? slot_bytes : 0) + K * K * vector,
                               kOneThread ? kTile * vector : kThreads * (slot_bytes + kTile * vector)};
    const int steps = (s.pad_left + s.in_width - 1) / S - s.pad_left / S + 1;
    return walk_images<N>(s.batch, s.in_height, int(ceil_div(steps, kSteps)), int(ceil_div(s.channels, N)), kThreads,
                          kGroup, memory, [](int band) { return int(ceil_div(band + K - 2, S)) + 1; });
  }
  static int64_t shared(const Walk& w) {
    const int64_t slots = w.slots(kThreads);
    return shared_bytes<float>(w.ring_elements<N>()) + shared_bytes<float>(int64_t(K) * K * w.group * N) +
           shared_bytes<float>(int64_t(K) * K * slots * N) + shared_bytes<float>(2 * slots * N) +
           shared_bytes<float>(int64_t(kTile) * (kOneThread ? 1 : kThreads) * N);
  }

  // What a block works with.
  struct State {
    const Params& p;
    const Box box;
    const Slots slots;
    const Ring<N> ring;
    float* weights;
    float* taps;            // (K*K, slots, N): the filter gradient of each slot
    float* sums;            // (2, slots, N)
    float* gradients;       // (kTile, threads, N): activation'(norm(src)) of a tile, until its sums are complete
    int first_row;          // row of dst that is the ring's row 0
    int first, begin, end;  // column of dst that is the ring's column 0; columns of the ring inside dst

    FW_DEVICE State(const Params& params, Block& block)
        : p(params),
          box(p.walk, block.x),
          slots(block, box.vectors),
          ring(block, p.walk, box.vectors),
          weights(block.template shared<float>(int64_t(K) * K * p.walk.group * N)),
          taps(block.template shared<float>(int64_t(K) * K * p.walk.slots(block.threads) * N)),
          sums(block.template shared<float>(int64_t(2) * p.walk.slots(block.threads) * N)),
          gradients(block.template shared<float>(int64_t(kTile) * block.threads * N)),
          first_row((box.first_row + p.shape.pad_top + S * K - (K - 1)) / S - K),
          first(p.shape.pad_left / S + box.first_tile * kSteps - kBack),
          begin(first < 0 ? (-first < ring.columns ? -first : ring.columns) : 0) {
      const int rest = p.shape.out_width - first;
      end = rest < begin ? begin : rest < ring.columns ? rest : ring.columns;
    }
    FW_DEVICE int all_slots() const { return slots.workers * slots.vectors; }
    FW_DEVICE float* tap(int tap, int slot) const { return taps + tap_offset<K, N>(tap, slot, all_slots()); }
    FW_DEVICE float* sum(int k, int slot) const { return sums + (k * all_slots() + slot) * N; }
    FW_DEVICE float* gradient(int i, int slot) const {
      return gradients + (kOneThread ? i : i * kThreads + slot) * N;  // there, a slot is a thread
    }
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
    state.slots.each(block, [&](int slot, int, int) {
      for (int tap = 0; tap < K * K; tap++) {
        store<N>(state.tap(tap, slot), Vec<N>(0.0f));
      }
      store<N>(state.sum(0, slot), Vec<N>(0.0f));
      store<N>(state.sum(1, slot), Vec<N>(0.0f));
    });
    state.ring.clear(block);  // columns outside dst stay zero
    block.sync();
    for (int i = 0; i < box.images; i++) {
      const int image = box.first_image + i;
      int staged = 0;
      for (int row = 0; row < box.rows; row += p.walk.band) {
        const int rows = box.rows - row < p.walk.band ? box.rows - row : p.walk.band;
        const int last = (box.first_row + row + rows - 1 + p.shape.pad_top) / S - state.first_row;
        for (; staged <= last; staged++) {
          stage_row(state, block, image, staged);
        }
        block.sync();
        state.slots.each(
            block, [&](int slot, int v, int worker) { run_band(state, block, image, row, rows, slot, v, worker); });
        block.sync();
      }
    }
    write_partials(state, block);
  }

  // Row `row` of the box's d to its place in the ring. Rows outside dst are never looked at.
  FW_DEVICE static void stage_row(const State& state, const Block& block, int image, int row) {
    const Params& p = state.p;
    const DepthwiseShape& s = p.shape;
    const int out_row = state.first_row + row;
    if (unsigned(out_row) >= unsigned(s.out_height)) {
      return;
    }
    const int64_t channels = s.channels;
    const int64_t line = s.out_width * channels;
    const int64_t from = (int64_t(image) * s.out_height + out_row) * line + state.first * channels;
    // Below the image's last row comes the next image, or the next block's channels.
    const int64_t top = image + 1 < state.box.first_image + state.box.images ? (s.out_height - out_row) * line
                                                                             : -out_row * line + state.box.vectors * N;
    const int64_t ahead = out_row + 1 < s.out_height ? line : top;
    const int slot_row = row % state.ring.rows;
    constexpr int kWide = N * kGroup;
    const Slots slots(block, state.box.vectors / kGroup);
    slots.each(block, [&](int, int wide, int worker) {
      const int v = wide * kGroup;
      const int channel = state.channel(v);
      const int lanes = vector_lanes<kWide>(s.channels, channel);
      const OutputGradient<kWide> gradient(p.out, p.out_gradient, p.gate, p.pool_gradient, image, channel, lanes);
      for (int i = state.begin + worker; i < state.end; i += slots.workers * kAtOnce) {
        Vec<kWide> diff[kAtOnce];
        Vec<kWide> x[kAtOnce];
        FW_UNROLL
        for (int k = 0; k < kAtOnce; k++) {
          const int column = i + k * slots.workers;
          if (k == 0 || column < state.end) {
            const int64_t at = from + column * channels + channel;
            prefetch(p.diff + at + ahead);
            prefetch(p.dst + at + ahead);
            diff[k] = load_part<kWide>(p.diff + at, lanes);
            x[k] = load_part<kWide>(p.dst + at, lanes);
          }
        }
        FW_UNROLL
        for (int k = 0; k < kAtOnce; k++) {
          const int column = i + k * slots.workers;
          if (k == 0 || column < state.end) {
            store<kWide>(state.ring.at(slot_row, column, v), gradient.apply(diff[k], x[k]));
          }
        }
      }
    });
  }

  FW_DEVICE static void run_band(const State& state, const Block& block, int image, int row, int rows, int slot, int v,
                                 int worker) {
    const int channel = state.channel(v);
    const int lanes = vector_lanes<N>(state.p.shape.channels, channel);
    const NormVector<N> norm = norm_or_identity<N>(state.p.in, channel, lanes);
    Vec<N> sums[2] = {load<N>(state.sum(0, slot)), load<N>(state.sum(1, slot))};
    for (BandTiles t(worker, state.slots.workers, state.box.tiles); t.row < rows; t.next()) {
      run_tile(state, block, image, row + t.row, t.tile, slot, v, norm, sums);
    }
    store<N>(state.sum(0, slot), sums[0]);
    store<N>(state.sum(1, slot), sums[1]);
  }

  FW_DEVICE static void run_tile(const State& state, const Block& block, int image, int row, int tile, int slot, int v,
                                 const NormVector<N>& norm, Vec<N>* sums) {
    const DepthwiseShape& s = state.p.shape;
    const int64_t channels = s.channels;
    const int channel = state.channel(v);
    const int lanes = vector_lanes<N>(s.channels, channel);
    const int in_row = state.box.first_row + row;
    const int first = (s.pad_left / S + (state.box.first_tile + tile) * kSteps) * S - s.pad_left;
    const int64_t at = ((int64_t(image) * s.in_height + in_row) * s.in_width + first) * channels + channel;
    const int64_t ahead = s.in_width * channels;
    Vec<N> x[kTile];
    Vec<N> sum[kTile];
    FW_UNROLL
    for (int i = 0; i < kTile; i++) {
      sum[i] = Vec<N>(0.0f);
      x[i] = Vec<N>(0.0f);
    }
    load_columns<N, kTile>(block, state.p.src + at, channels, first, s.in_width, lanes, [&](int i, Vec<N> raw) {
      prefetch(state.p.src + at + i * channels + ahead);
      prefetch_for_store(state.p.diff_src + at + i * channels + ahead);
      Vec<N> gradient;
      activate_with_gradient(state.p.in.activation, norm.apply(raw), &x[i], &gradient);
      store<N>(state.gradient(i, slot), gradient);
    });
    add_taps(state, in_row + s.pad_top, tile, slot, v, x, sum);
    Vec<N> total[2] = {Vec<N>(0.0f), Vec<N>(0.0f)};
    load_columns<N, kTile>(block, state.p.src + at, channels, first, s.in_width, lanes, [&](int i, Vec<N> raw) {
      sum[i] = as_stored<T>(sum[i] * load<N>(state.gradient(i, slot)));
      total[0] += sum[i];
      total[1] = fma(sum[i], raw - norm.mean, total[1]);
    });
    store_columns<N, kTile>(block, state.p.diff_src + at, channels, first, s.in_width, lanes,
                            [&](int i) { return sum[i]; });
    sums[0] += total[0];
    sums[1] += total[1];
  }

  // `row`: the tile's row plus pad_top. Adds to the tile's sums and to the slot's filter gradient.
  FW_DEVICE static void add_taps(const State& state, int row, int tile, int slot, int v, const Vec<N>* x, Vec<N>* sum) {
#pragma unroll 1
    for (int r = row % S; r < K; r += S) {
      const int out_row = (row - r) / S;
      if (unsigned(out_row) >= unsigned(state.p.shape.out_height)) {
        continue;
      }
      const float* d = state.ring.at((out_row - state.first_row) % state.ring.rows, tile * kSteps, v);
      Vec<N> w[K];
      Vec<N> taps[K];
      FW_UNROLL
      for (int t = 0; t < K; t++) {
        w[t] = load<N>(state.weights + tap_offset<K, N>(r * K + t, v, state.box.vectors));
        taps[t] = load<N>(state.tap(r * K + t, slot));
      }
      FW_UNROLL
      for (int j = 0; j < kSteps + kBack; j++) {
        const Vec<N> value = load<N>(d + j * state.ring.column_stride());
        FW_UNROLL
        for (int i = 0; i < kTile; i++) {
          const int back = i / S + kBack - j;  // steps from d's column to the tile's
          const int t = i % S + S * back;
          if (back >= 0 && t < K) {
            sum[i] = fma(value, w[back >= 0 && t < K ? t : 0], sum[i]);
            taps[back >= 0 && t < K ? t : 0] = fma(value, x[i], taps[back >= 0 && t < K ? t : 0]);
          }
        }
      }
      FW_UNROLL
      for (int t = 0; t < K; t++) {
        store<N>(state.tap(r * K + t, slot), taps[t]);
      }
    }
  }

  // Adds the slots of a vector in their order.
  FW_DEVICE static void write_partials(const State& state, const Block& block) {
    const Params& p = state.p;
    const int vectors = state.box.vectors;
    for (int i = block.thread; i < (K * K + 2) * vectors; i += block.threads) {
      const int row = i / vectors;
      const int v = i % vectors;
      const int channel = state.channel(v);
      const int lanes = vector_lanes<N>(p.shape.channels, channel);
      Vec<N> sum(0.0f);
      for (int worker = 0; worker < state.slots.workers; worker++) {
        const int slot = worker * vectors + v;
        sum += load<N>(row < K * K ? state.tap(row, slot) : state.sum(row - K * K, slot));
      }
      if (row < K * K) {
        store_part<N>(p.filter_partials + (state.box.chunk * K * K + row) * p.shape.channels + channel, sum, lanes);
      } else {
        if (row == K * K + 1 && p.in.present()) {
          sum *= p.in.template inverse_deviation<N>(channel, lanes);
        }
        store_part<N>(p.sum_partials + (state.box.chunk * 2 + row - K * K) * p.shape.channels + channel, sum, lanes);
      }
    }
  }
};

template <class T, int K, int S>
fw_status run_tuned(const Launcher& launcher, int32_t dtype, FusedBackward* problem) {
  using Kernel = FusedBackwardKernel<T, K, S>;
  const auto address = [](const void* p) { return fw_address(reinterpret_cast<uintptr_t>(p)); };
  const fw_address all = address(problem->src) | address(problem->weights) | address(problem->dst) |
                         address(problem->diff) | address(problem->diff_src) | address(problem->in.table) |
                         address(problem->out.table) | address(problem->out_gradient) | address(problem->gate) |
                         address(problem->pool_gradient) | address(problem->filter_partials) |
                         address(problem->sum_partials);
  if (!kOneThread && (problem->shape.channels % (Kernel::N * Kernel::kGroup) != 0 || all % 16 != 0)) {
    return fused_backward_any(launcher, dtype, problem);
  }
  typename Kernel::Params p;
  p.shape = problem->shape;
  p.walk = Kernel::walk(problem->shape);
  p.in = problem->in;
  p.out = problem->out;
  p.out_gradient = problem->out_gradient;
  p.src = static_cast<const T*>(problem->src);
  p.weights = problem->weights;
  p.dst = static_cast<const T*>(problem->dst);
  p.diff = static_cast<const T*>(problem->diff);
  p.gate = problem->gate;
  p.pool_gradient = problem->pool_gradient;
  p.diff_src = static_cast<T*>(problem->diff_src);
  p.filter_partials = problem->filter_partials;
  p.sum_partials = problem->sum_partials;
  problem->filter_chunks = problem->sum_chunks = p.walk.chunks();
  return launch<Kernel>(launcher, {p.walk.blocks}, Kernel::shared(p.walk), p);
}

}  // namespace

FusedBackwardChunks fused_backward_chunks(const DepthwiseShape& s, int32_t dtype) {
  FusedBackwardChunks chunks = fused_backward_any_chunks(s, dtype);
  with_dtype(dtype, [&](auto t) {
    with_tuned(
        s,
        [&](auto k, auto stride) {
          using Kernel = FusedBackwardKernel<decltype(t), decltype(k)::value, decltype(stride)::value>;
          const int64_t count = Kernel::walk(s).chunks();
          chunks = {std::max(chunks.filter, count), std::max(chunks.sums, count)};
        },
        [] {});
    return FW_OK;
  });
  return chunks;
}

fw_status fused_backward(const Launcher& launcher, int32_t dtype, FusedBackward* problem) {
  return with_dtype(dtype, [&](auto t) {
    return with_tuned(
        problem->shape,
        [&](auto k, auto stride) {
          return run_tuned<decltype(t), decltype(k)::value, decltype(stride)::value>(launcher, dtype, problem);
        },
        [&] { return fused_backward_any(launcher, dtype, problem); });
  });
}

}  // namespace fusewire::FW_EXEC
