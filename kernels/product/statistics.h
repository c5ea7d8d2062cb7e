// SPDX-License-Identifier: Apache-2.0
// dst = a * b with the moments of dst's columns in the epilogue, for the BatchNorm that follows: as product.h
// otherwise. A block owns a chunk of rows, several panels of them, so that the moments are few beside dst. Every thread
// sums the stored values of its rows relative to the first of them; the threads that share columns are merged at the
// end, in their order. With tensor cores all threads' sums are relative to the chunk's first row, and each panel's are
// added up at once (tensor_statistics.h).
#pragma once

#include "norm/norm.h"
#include "product/product.h"
#include "product/tensor_statistics.h"

namespace fusewire::FW_EXEC {

// How the rows are cut into chunks, by the shape alone.
struct StatisticsChunks {
  int64_t chunks, rows_per_chunk;

  StatisticsChunks(int64_t rows, int64_t columns, ProductType type) {
    if (type.tensor) {
      // Moments are 8 bytes per column beside a panel's 128: enough blocks for two waves on a large GPU come first.
      constexpr int64_t kRows = TensorPanel::kRows;
      constexpr int64_t kBlocks = 528;
      const int64_t panels = ceil_div(rows, kRows);
      const int64_t wanted = ceil_div(kBlocks, ceil_div(columns, TensorPanel::kColumns));
      rows_per_chunk = ceil_div(panels > 0 ? panels : 1, wanted) * kRows;
      chunks = ceil_div(rows, rows_per_chunk);
      return;
    }
    constexpr int64_t kPanels = 8;                       // of a chunk, at least
    constexpr int64_t kChunks = kOneThread ? 64 : 2048;  // at most
    const int64_t panels = ceil_div(rows, Accumulator::kRows);
    const int64_t wanted = std::min(ceil_div(panels, kPanels), kChunks);
    rows_per_chunk = ceil_div(panels > 0 ? panels : 1, wanted > 0 ? wanted : 1) * Accumulator::kRows;
    chunks = ceil_div(rows, rows_per_chunk);
  }
};

template <class T, class Left>
struct StatisticsProduct {
  using Params = StatisticsParams<T, Left>;
  static constexpr int N = Accumulator::kEmit;
  using Tiles = ProductTiles<Left>;

  // Sums of one column in one row group of the block: shift, sum, squares.
  static constexpr int kSums = 3;
  static int64_t sums_shared(int column_tiles) {
    return shared_bytes<float>(int64_t(kSums) * Accumulator::kRowGroups * column_tiles * Tiles::kColumns);
  }

  static constexpr int64_t kTypicalShared =
      Tiles::kTypicalShared + shared_bytes<float>(int64_t(kSums) * Accumulator::kRowGroups * Tiles::kColumns);
  static int stages_for() { return 1; }
  static int64_t shared(const Params& p) {
    return Tiles::shared(p.depth, p.stages) + sums_shared(p.blocks.column_tiles);
  }

  FW_DEVICE static void run(const Params& p, Block& block) {
    const int width = p.blocks.column_tiles * Tiles::kColumns;
    const int64_t chunk = p.blocks.row_block(block);
    const int64_t column_block = p.blocks.column_block(block);
    const int64_t first_tile = column_block * p.blocks.column_tiles;
    float* sums = block.template shared<float>(int64_t(kSums) * Accumulator::kRowGroups * width);
    Tiles tiles(block, p.left, p.weights, p.packed, p.columns, p.depth, p.stages);
    const int64_t begin = chunk * p.rows_per_chunk;
    const int64_t end = begin + p.rows_per_chunk < p.rows ? begin + p.rows_per_chunk : p.rows;
    for (int64_t row0 = begin; row0 < end; row0 += Tiles::kRows) {
      const int rows = end - row0 < Tiles::kRows ? int(end - row0) : Tiles::kRows;
      tiles.run(block, row0, rows, first_tile, p.blocks.column_tiles, [&](int tile, int64_t n0, int columns) {
        float* group = sums + (int64_t(Accumulator::row_group(block)) * width + tile * Tiles::kColumns) * kSums;
        tiles.sum.each_column(block, rows, columns, [&](int first, int count, int column, int n, auto value) {
          T* dst = p.dst + (row0 + first) * p.columns + n0 + column;
          float* at = group + column * kSums;
          Vec<N> shift, sum, squares;
          if (row0 == begin) {
            shift = as_stored<T>(value(0));
            sum = Vec<N>(0.0f);
            squares = Vec<N>(0.0f);
          } else {
            shift = load<N>(at);
            sum = load<N>(at + N);
            squares = load<N>(at + 2 * N);
          }
          for_rows(count, [&](int r) {
            const Vec<N> x = as_stored<T>(value(r));
            store_row<N>(dst + r * p.columns, x, n, p.aligned);
            const Vec<N> d = x - shift;
            sum += d;
            squares = fma(d, d, squares);
          });
          store<N>(at, shift);
          store<N>(at + N, sum);
          store<N>(at + 2 * N, squares);
        });
      });
    }
    block.sync();
    merge_groups(p, block, chunk, column_block * width, begin, end, width, sums);
    if (block.thread == 0 && column_block == 0) {
      p.moments.set_count(chunk, float(end - begin));
    }
  }

 private:
  // f(r) for r < count; on a GPU unrolled, so that the accumulator stays in registers.
  template <class F>
  FW_DEVICE static void for_rows(int count, F f) {
    if constexpr (kOneThread) {
      for (int r = 0; r < count; r++) {
        f(r);
      }
    } else {
#pragma unroll
      for (int r = 0; r < Accumulator::kThreadRows; r++) {
        if (r < count) {
          f(r);
        }
      }
    }
  }

  // Rows of a chunk of `rows` that a row group has had: kThreadRows of every panel.
  FW_DEVICE static int group_rows(int group, int64_t rows) {
    const int64_t panels = rows / Tiles::kRows;
    const int64_t rest = rows - panels * Tiles::kRows - int64_t(group) * Accumulator::kThreadRows;
    const int64_t last = rest < 0 ? 0 : rest < Accumulator::kThreadRows ? rest : Accumulator::kThreadRows;
    return int(panels * Accumulator::kThreadRows + last);
  }

  FW_DEVICE static void merge_groups(const Params& p, const Block& block, int64_t chunk, int64_t n0, int64_t begin,
                                     int64_t end, int width, const float* sums) {
    const int columns = p.columns - n0 < width ? int(p.columns - n0) : width;
    for (int column = block.thread * N; column < columns; column += block.threads * N) {
      const int n = columns - column < N ? columns - column : N;
      const float* at = sums + int64_t(column) * kSums;
      const Vec<N> first = load<N>(at);
      // Chan's formula with all means relative to the first group's shift.
      Vec<N> sum(0.0f);
      for (int group = 0; group < Accumulator::kRowGroups; group++) {
        const float* g = at + int64_t(group) * width * kSums;
        const int count = group_rows(group, end - begin);
        if (count > 0) {
          sum += fma(load<N>(g) - first, Vec<N>(float(count)), load<N>(g + N));
        }
      }
      const Vec<N> mean = sum / float(end - begin);
      Vec<N> deviations(0.0f);
      for (int group = 0; group < Accumulator::kRowGroups; group++) {
        const float* g = at + int64_t(group) * width * kSums;
        const int count = group_rows(group, end - begin);
        if (count > 0) {
          const Vec<N> total = load<N>(g + N);
          const Vec<N> here = total / float(count);
          const Vec<N> d = load<N>(g) - first + here - mean;
          deviations += max(Vec<N>(0.0f), load<N>(g + 2 * N) - total * here) + d * d * float(count);
        }
      }
      p.moments.template set_merged<N>(chunk, n0 + column, n, first + mean, deviations, p.aligned);
    }
  }
};

template <class T, class Left>
struct StatisticsProductKernel {
  using Product = std::conditional_t<kTensorCores<T>, TensorStatisticsProduct<T, Left>, StatisticsProduct<T, Left>>;
  using Params = StatisticsParams<T, Left>;
  static constexpr int kThreads = Product::Tiles::kThreads;
  static constexpr int64_t kTypicalShared = Product::kTypicalShared;
  FW_DEVICE static void run(const Params& p, Block& block) { Product::run(p, block); }
};

// dst = left * weights and norm from its columns' moments; `packed` as pack_weights<T> left them, moments in the
// workspace.
template <class T, class Left>
fw_status product_with_statistics(const Launcher& launcher, const Left& left, const WeightsLayout& layout,
                                  fw_address packed, int64_t rows, int64_t depth, int64_t columns, fw_address dst,
                                  const NormParameters& parameters, fw_address norm, fw_address moments) {
  using Kernel = StatisticsProductKernel<T, Left>;
  const StatisticsChunks cut(rows, columns, product_type<T>);
  const Moments out{reinterpret_cast<float*>(moments), cut.chunks, columns};
  const typename Kernel::Params params{left,
                                       layout,
                                       reinterpret_cast<const PackedElement<T>*>(packed),
                                       reinterpret_cast<T*>(dst),
                                       out,
                                       rows,
                                       cut.rows_per_chunk,
                                       columns,
                                       depth,
                                       ProductGrid<T>(cut.chunks, columns, Kernel::Product::Tiles::kColumns),
                                       Kernel::Product::stages_for(),
                                       rows_aligned<T>(columns, dst | moments)};
  FW_TRY(launch<Kernel>(launcher, params.blocks.grid(), Kernel::Product::shared(params), params));
  return merge_moments(launcher, out, rows, parameters, norm);
}

}  // namespace fusewire::FW_EXEC
