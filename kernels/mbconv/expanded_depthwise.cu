// SPDX-License-Identifier: Apache-2.0
// Expansion and depthwise convolution of an inverted residual block in one kernel, for inference:
//   e = act1(src * expand_weights^T + expand_bias)                     (batch, h, w, channels), never stored
//   dst = act2(bias + depthwise(e)), and sums of dst over the pixels of each chunk of an image
// Must move: src once, dst once; src has a sixth of e's channels. A block owns one tile of the product's columns as its
// group of channels and a box of dst; it goes down the box in bands of rows, makes the rows of e that a band needs in a
// ring of rows in shared memory, by the product's accumulator, and sums tiles of the depthwise result from there. src
// is read again, from the cache, by every group.
#include "depthwise/shape.h"
#include "mbconv/mbconv.h"
#include "product/packed_weights.h"
#include "product/product.h"

namespace fusewire::FW_EXEC {
namespace {

constexpr int kTile = 7;                                         // columns of dst that a thread sums at a time
constexpr int kDepthwiseLanes = kLanes<float>;                   // channels of a vector of the depthwise part
constexpr int kGroup = Accumulator::kColumns / kDepthwiseLanes;  // vectors of a block

constexpr int64_t kRing = kOneThread ? 384 << 10 : 30 << 10;  // bytes of expanded rows that a block keeps, at most

// The walk of blocks through an image; depends on the shape only.
struct Plan {
  int rows, segments;  // rows of dst of a box, boxes along the height
  int tiles, spans;    // tiles of a box, boxes along the width
  int band;            // rows of dst at a time
  int ring_rows, ring_columns;
  int groups;

  FW_HOST_DEVICE int chunks() const { return segments * spans; }
};

Plan plan_of(const DepthwiseShape& s) {
  const int k = s.kernel_height;
  const int stride = s.stride_height;
  Plan p;
  const int tiles = int(ceil_div(s.out_width, kTile));
  const auto columns = [&](int tiles_here) { return (tiles_here * kTile - 1) * stride + k; };
  const auto ring_bytes = [&](int band) {
    return (int64_t(band - 1) * stride + k) * columns(p.tiles) * Accumulator::kColumns * int64_t(sizeof(float));
  };
  constexpr int64_t kBlocks = kOneThread ? 16 : 264;
  p.tiles = tiles;
  while (p.tiles > 1 && ring_bytes(1) > kRing) {
    p.tiles = int(ceil_div(p.tiles, 2));
  }
  p.spans = int(ceil_div(tiles, p.tiles));
  p.tiles = int(ceil_div(tiles, p.spans));
  // Bands whose new rows of e fill the accumulator's rows.
  p.band = int(std::min<int64_t>(
      s.out_height, ceil_div(Accumulator::kRows, int64_t(std::min(s.in_width, columns(p.tiles))) * stride)));
  while (p.band > 1 && ring_bytes(p.band) > kRing) {
    p.band--;
  }
  p.groups = int(ceil_div(s.channels, Accumulator::kColumns));
  const int64_t boxes = std::max<int64_t>(1, int64_t(s.batch) * p.groups * p.spans);
  const int64_t bands = ceil_div(s.out_height, p.band);
  const int64_t segments = std::min(ceil_div(kBlocks, boxes), std::max<int64_t>(1, bands / 2));
  p.rows = int(ceil_div(bands, segments)) * p.band;
  p.segments = int(ceil_div(s.out_height, p.rows));
  p.ring_rows = (p.band - 1) * stride + k;
  p.ring_columns = columns(p.tiles);
  return p;
}

// The product's left operand: rows are the pixels of some rows of src between two columns.
template <class T>
struct BoxPixels {
  const T* src;  // the first pixel's
  int64_t line;  // elements of a row of src
  int columns, channels;
  bool aligned;

  FW_DEVICE void load_panel(const Block& block, int64_t row0, int rows, int64_t column0, int columns_here, float* panel,
                            int ld) const {
    constexpr int N = kOneThread ? kLanes<T> : 4;
    const int vectors = (columns_here + N - 1) / N;
    if constexpr (kOneThread) {
      int64_t y = row0 / columns;
      int x = int(row0 - y * columns);
      for (int r = 0; r < rows; r++) {
        const T* from = src + y * line + int64_t(x) * channels + column0;
        for (int v = 0; v < vectors; v++) {
          store<N>(panel + r * ld + v * N, load_part<N>(from + v * N, columns_here - v * N));
        }
        if (++x == columns) {
          x = 0;
          y++;
        }
      }
    } else {
      for_each(block, rows, vectors, [&](int r, int v) {
        const int64_t y = (row0 + r) / columns;
        const int64_t x = row0 + r - y * columns;
        const T* from = src + y * line + x * channels + column0 + v * N;
        store<N>(panel + r * ld + v * N, load_row<N>(from, columns_here - v * N, aligned));
      });
    }
  }

  // For tensor cores (operand_tile.h).
  static constexpr int kSources = 1;
  using State = int64_t;  // elements from src to the row's pixel
  struct None {};
  FW_DEVICE State state(int64_t row) const {
    const int64_t y = image_of(row, columns);
    return y * line + (row - y * columns) * channels;
  }
  FW_DEVICE int64_t column(int64_t column) const { return column; }
  FW_DEVICE const T* base() const { return src; }
  FW_DEVICE bool used(int) const { return true; }
  FW_DEVICE bool plain() const { return true; }
  FW_DEVICE const T* source(int, int64_t, State pixel, int64_t column) const { return src + pixel + column; }
  template <int N>
  FW_DEVICE None constants(int64_t, int) const {
    return {};
  }
  template <int N>
  FW_DEVICE Vec<N> apply(State, const None&, Vec<N> x, Vec<N>) const {
    return x;
  }
};

template <class T, int K, int S>
struct ExpandedDepthwiseKernel {
  static constexpr int kThreads = 256;
  static constexpr int N = kDepthwiseLanes;
  // A tile as large as the accumulator of f32 products, whose columns are the block's group of channels.
  using TensorTile = TensorTiles<T, BoxPixels<T>, Accumulator::kRows, Accumulator::kColumns, kThreads, N>;
  using Tiles = std::conditional_t<kTensorCores<T>, TensorTile, ProductTiles<BoxPixels<T>>>;

  struct Params {
    DepthwiseShape shape;
    Plan plan;
    int in_channels;
    const T* src;
    WeightsLayout expand;
    const PackedElement<T>* packed;
    const float* expand_bias;
    const float* weights;
    const float* bias;
    T* dst;
    float* sums;
    int expand_activation, activation;
    int stages;  // of shared memory, with tensor cores
    bool src_aligned, aligned;
  };

  static constexpr int64_t kTypicalShared =
      Tiles::kTypicalShared + shared_bytes<char>(kRing) + shared_bytes<int>(Accumulator::kRows) +
      shared_bytes<float>(int64_t(K) * K * Accumulator::kColumns) + shared_bytes<float>(int64_t(kThreads) * N);
  // Shared memory besides that of the tiles.
  static int64_t other_shared(const Params& p) {
    const int64_t slots = kOneThread ? kGroup : kThreads;
    return shared_bytes<float>(ring_elements(p.plan)) + shared_bytes<int>(Accumulator::kRows) +
           shared_bytes<float>(int64_t(K) * K * Accumulator::kColumns) + shared_bytes<float>(slots * N);
  }

  static int64_t shared(const Params& p) { return Tiles::shared(p.in_channels, p.stages) + other_shared(p); }

  struct Box {
    int group, image, first_row, rows, first_column, columns, vectors;

    FW_DEVICE Box(const Params& p, int64_t block) {
      const Plan& plan = p.plan;
      const int64_t chunk = block / plan.groups;
      group = int(block - chunk * plan.groups);
      image = int(chunk / plan.chunks());
      const int place = int(chunk - int64_t(image) * plan.chunks());
      const int segment = place / plan.spans;
      first_row = segment * plan.rows;
      rows = p.shape.out_height - first_row < plan.rows ? p.shape.out_height - first_row : plan.rows;
      first_column = (place - segment * plan.spans) * plan.tiles * kTile;
      const int rest = p.shape.out_width - first_column;
      columns = rest < plan.tiles * kTile ? rest : plan.tiles * kTile;
      const int channels = p.shape.channels - group * Accumulator::kColumns;
      vectors = channels < Accumulator::kColumns ? (channels + N - 1) / N : kGroup;
    }
  };

  FW_DEVICE static void run(const Params& p, Block& block) {
    const DepthwiseShape& s = p.shape;
    const Box box(p, block.x);
    float* ring = block.template shared<float>(ring_elements(p.plan));
    int* places = block.template shared<int>(Accumulator::kRows);
    float* weights = block.template shared<float>(int64_t(K) * K * Accumulator::kColumns);
    float* totals = block.template shared<float>(int64_t(kOneThread ? kGroup : kThreads) * N);
    // Input columns [begin, end) of the image are those of the ring from begin - first on.
    const int first = box.first_column * S - s.pad_left;
    const int last = first + p.plan.ring_columns;
    const int begin = first < 0 ? 0 : first;
    const int end = last < s.in_width ? last : s.in_width;
    BoxPixels<T> pixels{nullptr, int64_t(s.in_width) * p.in_channels, end - begin, p.in_channels, p.src_aligned};
    Tiles product(block, pixels, p.expand, p.packed, s.channels, p.in_channels, p.stages);
    load_weights(p, block, box, weights);
    for (int64_t i = block.thread; i < ring_elements(p.plan); i += block.threads) {
      ring[i] = 0;  // columns of padding stay so
    }
    for (int i = block.thread; i < (kOneThread ? kGroup : kThreads) * N; i += block.threads) {
      totals[i] = 0;
    }
    block.sync();
    const int top = box.first_row * S - s.pad_top;  // input row of the box's row 0
    int staged = 0;
    for (int row = 0; row < box.rows; row += p.plan.band) {
      const int rows = box.rows - row < p.plan.band ? box.rows - row : p.plan.band;
      const int needed = (row + rows - 1) * S + K;
      const int from = top + staged < 0 ? 0 : top + staged;
      const int to = top + needed < s.in_height ? top + needed : s.in_height;
      if (from < to && begin < end) {
        pixels.src = p.src + (int64_t(box.image) * s.in_height + from) * pixels.line + int64_t(begin) * p.in_channels;
        expand_rows(p, block, box, product, from - top, (to - from) * (end - begin), begin - first, end - begin, ring,
                    places);
      }
      staged = needed;
      block.sync();
      sum_band(p, block, box, row, rows, ring, weights, totals);
      block.sync();
    }
    write_sums(p, block, box, totals);
  }

 private:
  FW_HOST_DEVICE static int64_t ring_elements(const Plan& plan) {
    return int64_t(plan.ring_rows) * plan.ring_columns * Accumulator::kColumns;
  }
  // On a CPU the columns of a vector are neighbours, on a GPU the vectors of a column.
  FW_DEVICE static int ring_offset(const Plan& plan, int row, int column, int v) {
    const int slot = row % plan.ring_rows;
    return (kOneThread ? (slot * kGroup + v) * plan.ring_columns + column
                       : (slot * plan.ring_columns + column) * kGroup + v) *
           N;
  }
  FW_DEVICE static int vector_stride(const Plan& plan) { return kOneThread ? plan.ring_columns * N : N; }
  static constexpr int kColumnStride = kOneThread ? N : kGroup * N;

  FW_DEVICE static void load_weights(const Params& p, const Block& block, const Box& box, float* weights) {
    for_each(block, K * K, box.vectors, [&](int tap, int v) {
      const int channel = box.group * Accumulator::kColumns + v * N;
      const int n = p.shape.channels - channel;
      store<N>(weights + (v * K * K + tap) * N,
               load_row<N>(p.weights + int64_t(tap) * p.shape.channels + channel, n, p.aligned));
    });
  }

  // `count` pixels of e from the box's input row `row` on, `columns` of them per row, into the ring.
  FW_DEVICE static void expand_rows(const Params& p, const Block& block, const Box& box, Tiles& product, int row,
                                    int count, int first_column, int columns, float* ring, int* places) {
    const int n0 = box.group * Accumulator::kColumns;
    for (int pixel = 0; pixel < count; pixel += Accumulator::kRows) {
      const int rows = count - pixel < Accumulator::kRows ? count - pixel : Accumulator::kRows;
      for (int r = block.thread; r < rows; r += block.threads) {
        const int y = (pixel + r) / columns;
        places[r] = ring_offset(p.plan, row + y, first_column + pixel + r - y * columns, 0);
      }
      product.run(block, pixel, rows, box.group, 1, [&](int, int64_t, int width) {
        product.each(block, rows, width, [&](int r, int column, auto x, int n) {
          x += load_row<N>(p.expand_bias + n0 + column, n, p.aligned);
          store<N>(ring + places[r] + column / N * vector_stride(p.plan), activate(p.expand_activation, x));
        });
      });
      block.sync();
    }
  }

  // Rows [row, row + rows) of the box.
  FW_DEVICE static void sum_band(const Params& p, const Block& block, const Box& box, int row, int rows,
                                 const float* ring, const float* weights, float* totals) {
    const int tiles = (box.columns + kTile - 1) / kTile;
    const int workers = kOneThread ? 1 : block.threads / kGroup;
    for (int item = kOneThread ? 0 : block.thread / kGroup; item < rows * tiles; item += workers) {
      const int r = item / tiles;
      for (int v = kOneThread ? 0 : block.thread % kGroup; v < box.vectors; v += kOneThread ? 1 : kGroup) {
        float* total = totals + (kOneThread ? v : block.thread) * N;
        store<N>(total, load<N>(total) + sum_tile(p, box, row + r, item - r * tiles, v, ring, weights));
      }
    }
  }

  // Computes and stores a tile; returns the sum of what it stored.
  FW_DEVICE static Vec<N> sum_tile(const Params& p, const Box& box, int row, int tile, int v, const float* ring,
                                   const float* weights) {
    const DepthwiseShape& s = p.shape;
    const int channel = box.group * Accumulator::kColumns + v * N;
    const int lanes = s.channels - channel;
    const int in_row = (box.first_row + row) * S - s.pad_top;
    const int first_tap = in_row < 0 ? -in_row : 0;
    const int rows_left = s.in_height - in_row;
    const Vec<N> bias = load_row<N>(p.bias + channel, lanes, p.aligned);
    Vec<N> sum[kTile];
    FW_UNROLL
    for (int q = 0; q < kTile; q++) {
      sum[q] = bias;
    }
#pragma unroll 1
    for (int r = first_tap; r < K && r < rows_left; r++) {
      const float* x = ring + ring_offset(p.plan, row * S + r, tile * kTile * S, v);
      Vec<N> w[K];
      FW_UNROLL
      for (int t = 0; t < K; t++) {
        w[t] = load<N>(weights + (v * K * K + r * K + t) * N);
      }
      FW_UNROLL
      for (int i = 0; i < (kTile - 1) * S + K; i++) {
        const Vec<N> value = load<N>(x + i * kColumnStride);
        FW_UNROLL
        for (int q = 0; q < kTile; q++) {
          const int t = i - q * S;
          if (t >= 0 && t < K) {
            sum[q] = fma(value, w[t >= 0 && t < K ? t : 0], sum[q]);
          }
        }
      }
    }
    activate_all(p.activation, sum);
    const int columns = box.columns - tile * kTile;
    const int64_t line = (int64_t(box.image) * s.out_height + box.first_row + row) * s.out_width;
    T* dst = p.dst + (line + box.first_column + tile * kTile) * s.channels + channel;
    Vec<N> total(0.0f);
    FW_UNROLL
    for (int q = 0; q < kTile; q++) {
      if (q < columns) {
        store_row<N>(dst + int64_t(q) * s.channels, sum[q], lanes, p.aligned);
        total += as_stored<T>(sum[q]);
      }
    }
    return total;
  }

  FW_DEVICE static void write_sums(const Params& p, const Block& block, const Box& box, const float* totals) {
    const int workers = kOneThread ? 1 : block.threads / kGroup;
    const int64_t chunk = block.x / p.plan.groups;
    for (int v = block.thread; v < box.vectors; v += block.threads) {
      Vec<N> total(0.0f);
      for (int worker = 0; worker < workers; worker++) {
        total += load<N>(totals + (worker * kGroup + v) * N);
      }
      const int channel = box.group * Accumulator::kColumns + v * N;
      store_row<N>(p.sums + chunk * p.shape.channels + channel, total, p.shape.channels - channel, p.aligned);
    }
  }
};

template <class T, int K, int S>
fw_status run_tuned(const Launcher& launcher, const ExpandedDepthwise& problem) {
  using Kernel = ExpandedDepthwiseKernel<T, K, S>;
  const DepthwiseShape& s = problem.shape;
  typename Kernel::Params p;
  p.shape = s;
  p.plan = plan_of(s);
  p.in_channels = int(problem.in_channels);
  p.src = reinterpret_cast<const T*>(problem.src);
  p.expand = {reinterpret_cast<const float*>(problem.expand_weights), problem.in_channels, 1};
  p.packed =
      reinterpret_cast<const PackedElement<T>*>(packed_for<T>(problem.expand_weights, problem.in_channels, s.channels));
  p.expand_bias = reinterpret_cast<const float*>(problem.expand_bias);
  p.weights = reinterpret_cast<const float*>(problem.weights);
  p.bias = reinterpret_cast<const float*>(problem.bias);
  p.dst = reinterpret_cast<T*>(problem.dst);
  p.sums = reinterpret_cast<float*>(problem.sums);
  p.expand_activation = problem.expand_activation;
  p.activation = problem.activation;
  p.src_aligned = rows_aligned<T>(problem.in_channels, problem.src);
  p.aligned = s.channels % 4 == 0 &&
              (problem.expand_bias | problem.weights | problem.bias | problem.dst | problem.sums) % 16 == 0;
  p.stages = Kernel::Tiles::stages_for(Kernel::other_shared(p));
  const int64_t blocks = int64_t(s.batch) * p.plan.chunks() * p.plan.groups;
  return launch<Kernel>(launcher, {blocks}, Kernel::shared(p), p);
}

}  // namespace

bool expanded_depthwise_fits(const DepthwiseShape& shape) { return tuned_kernel(shape) != 0; }

int64_t expanded_depthwise_chunks(const DepthwiseShape& shape) { return plan_of(shape).chunks(); }

fw_status expanded_depthwise(const Launcher& launcher, int32_t dtype, const ExpandedDepthwise& problem) {
  return with_product_type(launcher, dtype, [&](auto t) {
    using T = decltype(t);
    const bool one = problem.shape.stride_height == 1;
    switch (tuned_kernel(problem.shape)) {
      case 3:
        return one ? run_tuned<T, 3, 1>(launcher, problem) : run_tuned<T, 3, 2>(launcher, problem);
      case 5:
        return one ? run_tuned<T, 5, 1>(launcher, problem) : run_tuned<T, 5, 2>(launcher, problem);
      default:
        return one ? run_tuned<T, 7, 1>(launcher, problem) : run_tuned<T, 7, 2>(launcher, problem);
    }
  });
}

}  // namespace fusewire::FW_EXEC
