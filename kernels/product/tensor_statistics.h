// SPDX-License-Identifier: Apache-2.0
// The sums of statistics.h for products on tensor cores. A block's panel leaves its accumulators in passes of columns,
// in which a thread stores 16 bytes of every kRowStep-th row and sums what it stored; a warp's sums are added up by
// shuffles and added to its own in shared memory, and the warps' in their order at the chunk's end.
#pragma once

#include "norm/norm.h"
#include "product/product.h"

namespace fusewire::FW_EXEC {

template <class T, class Left>
struct StatisticsParams {
  Left left;
  WeightsLayout weights;
  const PackedElement<T>* packed;  // or nullptr where tiles are loaded
  T* dst;
  Moments moments;
  int64_t rows, rows_per_chunk, columns, depth;
  ProductGrid<T> blocks;
  int stages;  // of shared memory, with tensor cores
  bool aligned;
};

// Rows of a panel and columns of a block, whatever the operand.
struct TensorPanel {
  static constexpr int kRows = 64;
  static constexpr int kColumns = 128;
};

template <class T, class Left>
struct TensorStatisticsProduct {
  using Params = StatisticsParams<T, Left>;
  using Tiles = TensorTiles<T, Left, TensorPanel::kRows, TensorPanel::kColumns>;
  using Sums = typename Tiles::Sums;
  static constexpr int N = Sums::kLanes;
  static constexpr int kWarps = Sums::kThreads / 32;

  // The columns' shifts, then every warp's sums and squares.
  static constexpr int64_t kSums = int64_t(1 + 2 * kWarps) * Tiles::kColumns;
  static int stages_for() { return Tiles::stages_for(shared_bytes<float>(kSums)); }
  static constexpr int64_t kTypicalShared = shared_bytes<float>(kSums) + Tiles::kTypicalShared;
  static int64_t shared(const Params& p) { return shared_bytes<float>(kSums) + Tiles::shared(p.depth, p.stages); }

  FW_DEVICE static void run(const Params& p, Block& block) {
    float* shifts = block.template shared<float>(kSums);
    float* sums = shifts + Tiles::kColumns + int64_t(block.thread / 32) * 2 * Tiles::kColumns;
    Tiles tiles(block, p.left, p.weights, p.packed, p.columns, p.depth, p.stages);
    const int64_t chunk = p.blocks.row_block(block);
    const int64_t tile = p.blocks.column_block(block);
    const int64_t begin = chunk * p.rows_per_chunk;
    const int64_t end = begin + p.rows_per_chunk < p.rows ? begin + p.rows_per_chunk : p.rows;
    for (int64_t row0 = begin; row0 < end; row0 += Tiles::kRows) {
      const int rows = end - row0 < Tiles::kRows ? int(end - row0) : Tiles::kRows;
      const bool first = row0 == begin;
      tiles.run(block, row0, rows, tile, 1, [&](int, int64_t n0, int columns) {
        tiles.sum.each_column(block, columns, [&](int column, int n, auto value) {
          add_rows(p, block, row0, rows, n0, column, n, first, shifts, sums, value);
        });
      });
    }
    block.sync();
    const int64_t n0 = tile * Tiles::kColumns;
    const float* all = shifts + Tiles::kColumns;
    for (int column = block.thread * N; column < Tiles::kColumns && n0 + column < p.columns;
         column += block.threads * N) {
      Vec<N> sum(0.0f);
      Vec<N> squares(0.0f);
      for (int warp = 0; warp < kWarps; warp++) {
        sum += load<N>(all + int64_t(warp) * 2 * Tiles::kColumns + column);
        squares += load<N>(all + int64_t(warp) * 2 * Tiles::kColumns + Tiles::kColumns + column);
      }
      const float count = float(end - begin);
      const Vec<N> mean = sum / count;
      const int64_t rest = p.columns - n0 - column;
      p.moments.template set_merged<N>(chunk, n0 + column, rest < N ? int(rest) : N, load<N>(shifts + column) + mean,
                                       max(Vec<N>(0.0f), squares - sum * mean), p.aligned);
    }
    if (block.thread == 0 && tile == 0) {
      p.moments.set_count(chunk, float(end - begin));
    }
  }

 private:
  // Stores this thread's rows of its columns of a panel and adds them to the warp's sums.
  template <class Value>
  FW_DEVICE static void add_rows(const Params& p, const Block& block, int64_t row0, int rows, int64_t n0, int column,
                                 int n, bool first, float* shifts, float* sums, Value value) {
    const Vec<N> shift = first ? as_stored<T>(value(0)) : load<N>(shifts + column);
    if (first && block.thread < Sums::kPassColumns / N) {
      store<N>(shifts + column, shift);
    }
    Vec<N> sum(0.0f);
    Vec<N> squares(0.0f);
#pragma unroll 1
    for (int i = 0; i < Sums::kThreadRows; i++) {
      const int row = Sums::first_row(block) + i * Sums::kRowStep;
      if (row < rows && n > 0) {
        const Vec<N> x = as_stored<T>(value(row));
        store_row<N>(p.dst + (row0 + row) * p.columns + n0 + column, x, n, p.aligned);
        const Vec<N> d = x - shift;
        sum += d;
        squares = fma(d, d, squares);
      }
    }
    // Lanes of the same columns are kPassColumns / N apart.
#pragma unroll
    for (int distance = Sums::kPassColumns / N; distance < 32; distance *= 2) {
#pragma unroll
      for (int e = 0; e < N; e++) {
        sum.set(e, sum[e] + block.shuffle_xor(sum[e], distance));
        squares.set(e, squares[e] + block.shuffle_xor(squares[e], distance));
      }
    }
    if (block.thread % 32 < Sums::kPassColumns / N) {
      float* at = sums + column;
      store<N>(at, first ? sum : load<N>(at) + sum);
      store<N>(at + Tiles::kColumns, first ? squares : load<N>(at + Tiles::kColumns) + squares);
    }
  }
};

}  // namespace fusewire::FW_EXEC
