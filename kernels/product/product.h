// SPDX-License-Identifier: Apache-2.0
// dst = act(a * b + bias) + residual, with a the left operand (rows, depth) loaded through its prologue, b constant
// weights (depth, columns), dst (rows, columns).
//   Reads a once per block of columns and b once per block of rows (on a CPU a block owns all columns where there are
//   rows enough, and packs its part of a once); writes dst once.
//   A block owns Accumulator::kRows rows and column_tiles tiles of Accumulator::kColumns columns.
#pragma once

#include "core/tile.h"
#include "product/access.h"
#include "product/weights.h"

namespace fusewire::FW_EXEC {

// Rows of the product that are not the rows of dst in order: pixels of one phase of a strided data gradient. Row
// (n, y, x) of (.., height, width) goes to pixel (n, y0 + y*stride_y, x0 + x*stride_x) of (.., dst_height, dst_width).
struct RowPlaces {
  int height = 0, width = 0;  // width 0: in order
  int dst_height = 0, dst_width = 0;
  int y0 = 0, x0 = 0, stride_y = 0, stride_x = 0;

  FW_DEVICE int64_t place(int64_t row) const {
    if (width == 0) {
      return row;
    }
    const int64_t line = row / width;
    const int64_t image = line / height;
    const int64_t y = y0 + (line - image * height) * stride_y;
    const int64_t x = x0 + (row - line * width) * stride_x;
    return (image * dst_height + y) * dst_width + x;
  }
};

// What is done with a tile of the product before it is stored. Everything is (rows, columns) but bias (columns).
template <class T>
struct Epilogue {
  T* dst;
  T* raw;             // receives the value before the activation, or nullptr
  const T* residual;  // added after the activation, or nullptr; may be dst
  const float* bias;  // or nullptr
  int64_t columns;
  int activation;
  bool aligned;
  RowPlaces places = {};

  // Nothing to do but store, the case of training.
  FW_DEVICE bool plain() const {
    return bias == nullptr && raw == nullptr && residual == nullptr && activation == FW_IDENTITY;
  }

  template <int N>
  FW_DEVICE void store_plain(int64_t row, int64_t column, Vec<N> x, int n) const {
    store_row<N>(dst + places.place(row) * columns + column, x, n, aligned);
  }

  template <int N>
  FW_DEVICE void store_tile(int64_t row, int64_t column, Vec<N> x, int n) const {
    const int64_t at = places.place(row) * columns + column;
    if (bias != nullptr) {
      x += load_row<N>(bias + column, n, aligned);
    }
    if (raw != nullptr) {
      store_row<N>(raw + at, x, n, aligned);
    }
    x = activate(activation, x);
    if (residual != nullptr) {
      x += load_row<N>(residual + at, n, aligned);
    }
    store_row<N>(dst + at, x, n, aligned);
  }
};

template <class T, class Left>
struct ProductKernel {
  struct Params {
    Left left;
    WeightsLayout weights;
    const float* packed;  // or nullptr where tiles are loaded
    Epilogue<T> epilogue;
    int64_t rows, columns, depth;
    int column_tiles;  // per block
  };
  static constexpr int kThreads = 256;
  static constexpr int kRows = Accumulator::kRows;
  static constexpr int kColumns = Accumulator::kColumns;

  // Row length of the panel of a: whole vectors, and rows not a power of two apart.
  FW_HOST_DEVICE static int panel_ld(int64_t depth) {
    if (!kOneThread) {
      return Accumulator::kMaxDepth + 4;
    }
    const int64_t most = depth < Accumulator::kMaxDepth ? depth : Accumulator::kMaxDepth;
    return int((most + 15) / 16 * 16 + 16);
  }

  FW_DEVICE static void run(const Params& p, Block& block) {
    const Weights weights(p.weights, p.packed, p.depth, p.columns);
    const int ld = panel_ld(p.depth);
    float* panel = block.shared<float>(int64_t(kRows) * ld);
    float* scratch = weights.scratch(block);
    Accumulator sum(block);
    const int64_t row0 = block.x * kRows;
    const int rows = p.rows - row0 < kRows ? int(p.rows - row0) : kRows;
    const bool whole = p.depth <= Accumulator::kMaxDepth;  // the panel serves all tiles of columns
    for (int tile = 0; tile < p.column_tiles; tile++) {
      const int64_t n0 = (block.y * p.column_tiles + tile) * kColumns;
      if (n0 >= p.columns) {
        break;
      }
      const int columns = p.columns - n0 < kColumns ? int(p.columns - n0) : kColumns;
      if (p.depth == 0) {
        sum.clear();
      }
      for (int64_t k0 = 0; k0 < p.depth; k0 += Accumulator::kMaxDepth) {
        const int depth = p.depth - k0 < Accumulator::kMaxDepth ? int(p.depth - k0) : Accumulator::kMaxDepth;
        if (!whole || tile == 0) {
          p.left.load_panel(block, row0, rows, k0, depth, panel, ld);
          clear_rows(block, panel, rows, ld);
        }
        int ldb = 0;
        const float* b = weights.tile(block, k0, depth, n0, scratch, &ldb);
        block.sync();
        sum.template multiply<false>(block, panel, ld, b, ldb, rows, columns, depth, k0 == 0);
        block.sync();
      }
      if (p.epilogue.plain()) {
        sum.each(block, rows, columns, [&](int row, int column, auto x, int n) {
          p.epilogue.template store_plain<Accumulator::kEmit>(row0 + row, n0 + column, x, n);
        });
      } else {
        sum.each(block, rows, columns, [&](int row, int column, auto x, int n) {
          p.epilogue.template store_tile<Accumulator::kEmit>(row0 + row, n0 + column, x, n);
        });
      }
    }
  }

  static fw_status run_all(const Launcher& launcher, Params p) {
    const int64_t row_blocks = ceil_div(p.rows, kRows);
    const int64_t tiles = ceil_div(p.columns, kColumns);
    // A CPU block takes all columns, so that a's prologue runs once, unless there would be too few blocks for the
    // cores; the split depends on the shape alone.
    constexpr int64_t kEnoughBlocks = 16;
    const int64_t splits = kOneThread ? ceil_div(kEnoughBlocks, row_blocks > 0 ? row_blocks : 1) : tiles;
    p.column_tiles = int(ceil_div(tiles, splits < tiles ? splits : tiles));
    const int64_t shared = shared_bytes<float>(int64_t(kRows) * panel_ld(p.depth)) + Weights::kSharedBytes +
                           shared_bytes<char>(Accumulator::kSharedBytes);
    return launch<ProductKernel>(launcher, {row_blocks, ceil_div(tiles, p.column_tiles)}, shared, p);
  }

 private:
  // Rows that the multiplication touches beyond the last one.
  FW_DEVICE static void clear_rows(const Block& block, float* panel, int rows, int ld) {
    for (int i = rows * ld + block.thread; i < kRows * ld; i += block.threads) {
      panel[i] = 0;
    }
  }
};

}  // namespace fusewire::FW_EXEC
