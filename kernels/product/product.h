// SPDX-License-Identifier: Apache-2.0
// dst = act(a * b + bias) + residual, or act(a * b + bias + residual), with a the left operand (rows, depth) loaded
// through its prologue, b constant weights (depth, columns), dst (rows, columns).
//   Reads a once per block of columns and b once per block of rows (on a CPU a block owns all columns where there are
//   rows enough, and packs its part of a once); writes dst once.
//   A block owns kRows rows and column_tiles tiles of kColumns columns of its Tiles: TensorTiles (tensor_tiles.h) where
//   tensor cores multiply the storage type, else ProductTiles.
#pragma once

#include <type_traits>

#include "core/access.h"
#include "core/tile.h"
#include "product/tensor_tiles.h"
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
  const T* residual;  // added after the activation, unless residual_first, or nullptr; may be dst
  const float* bias;  // or nullptr
  int64_t columns;
  int activation;
  bool aligned;
  RowPlaces places = {};
  bool residual_first = false;  // before the activation

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
    if (residual != nullptr && residual_first) {
      x += load_row<N>(residual + at, n, aligned);
    }
    x = activate(activation, x);
    if (residual != nullptr && !residual_first) {
      x += load_row<N>(residual + at, n, aligned);
    }
    store_row<N>(dst + at, x, n, aligned);
  }
};

// One block's product: a panel of rows of the left operand times tiles of the weights' columns.
template <class Left>
struct ProductTiles {
  static constexpr int kRows = Accumulator::kRows;
  static constexpr int kColumns = Accumulator::kColumns;
  static constexpr int kEmit = Accumulator::kEmit;
  static constexpr int kThreads = 256;

  // Row length of the panel of a: whole vectors, and rows not a power of two apart.
  FW_HOST_DEVICE static int panel_ld(int64_t depth) {
    if (!kOneThread) {
      return Accumulator::kMaxDepth + 4;
    }
    const int64_t most = depth < Accumulator::kMaxDepth ? depth : Accumulator::kMaxDepth;
    return int((most + 15) / 16 * 16 + 16);
  }
  // On a GPU, where the depth goes in pieces of kMaxDepth.
  static constexpr int64_t kTypicalShared =
      shared_bytes<float>(int64_t(kRows) * (Accumulator::kMaxDepth + 4)) + Weights::kSharedBytes;
  static int stages_for(int64_t) { return 1; }
  static int64_t shared(int64_t depth, int) {
    return shared_bytes<float>(int64_t(kRows) * panel_ld(depth)) + Weights::kSharedBytes +
           shared_bytes<char>(Accumulator::kSharedBytes);
  }

  const Left& left;
  Weights weights;
  int64_t columns, depth;
  int ld;
  float* panel;
  float* scratch;
  Accumulator sum;

  FW_DEVICE ProductTiles(Block& block, const Left& operand, const WeightsLayout& layout, const float* packed,
                         int64_t all_columns, int64_t all_depth, int)
      : left(operand),
        weights(layout, packed, all_depth, all_columns),
        columns(all_columns),
        depth(all_depth),
        ld(panel_ld(all_depth)),
        panel(block.shared<float>(int64_t(kRows) * ld)),
        scratch(weights.scratch(block)),
        sum(block) {}

  // f(row, column, values, n) for every kEmit columns of the last tile's result: n of the lanes count.
  template <class F>
  FW_DEVICE void each(const Block& block, int rows, int width, F f) const {
    sum.each(block, rows, width, f);
  }

  // Rows [row0, row0 + rows) with `tiles` tiles of columns from first_tile on; emit(tile, n0, width) is called with
  // each tile's result in `sum`.
  template <class F>
  FW_DEVICE void run(const Block& block, int64_t row0, int rows, int64_t first_tile, int tiles, F emit) {
    const bool whole = depth <= Accumulator::kMaxDepth;  // the panel serves all tiles of columns
    for (int tile = 0; tile < tiles; tile++) {
      const int64_t n0 = (first_tile + tile) * kColumns;
      if (n0 >= columns) {
        break;
      }
      const int width = columns - n0 < kColumns ? int(columns - n0) : kColumns;
      if (depth == 0) {
        sum.clear();
      }
      for (int64_t k0 = 0; k0 < depth; k0 += Accumulator::kMaxDepth) {
        const int length = depth - k0 < Accumulator::kMaxDepth ? int(depth - k0) : Accumulator::kMaxDepth;
        if (!whole || tile == 0) {
          left.load_panel(block, row0, rows, k0, length, panel, ld);
          clear_rows(block, rows);
        }
        int ldb = 0;
        const float* b = weights.tile(block, k0, length, n0, scratch, &ldb);
        block.sync();
        sum.template multiply<false>(block, panel, ld, b, ldb, rows, width, length, k0 == 0);
        block.sync();
      }
      emit(tile, n0, width);
    }
  }

 private:
  // Rows that the multiplication touches beyond the last one.
  FW_DEVICE void clear_rows(const Block& block, int rows) {
    for (int i = rows * ld + block.thread; i < kRows * ld; i += block.threads) {
      panel[i] = 0;
    }
  }
};

template <class T, class Left>
using TilesOf = std::conditional_t<kTensorCores<T>, TensorTiles<T, Left>, ProductTiles<Left>>;
// What packed weights consist of.
template <class T>
using PackedElement = std::conditional_t<kTensorCores<T>, T, float>;

// A product's blocks. With tensor cores those that share rows are neighbours: the rows come from memory once and for
// the other blocks from the L2 cache. On a CPU a block takes all columns, so that a's prologue runs once, unless there
// would be too few blocks for the cores; the split depends on the shape alone.
template <class T>
struct ProductGrid {
  int64_t row_blocks;
  int column_blocks;
  int column_tiles;  // of a block

  ProductGrid(int64_t all_row_blocks, int64_t columns, int tile_columns) : row_blocks(all_row_blocks) {
    constexpr int64_t kEnoughBlocks = 16;
    const int64_t tiles = ceil_div(columns, tile_columns);
    const int64_t splits = kOneThread ? ceil_div(kEnoughBlocks, row_blocks > 0 ? row_blocks : 1) : tiles;
    column_tiles = int(ceil_div(tiles, splits < tiles ? splits : tiles));
    column_blocks = int(ceil_div(tiles, column_tiles));
  }

  Grid grid() const { return kTensorCores<T> ? Grid{row_blocks * column_blocks} : Grid{row_blocks, column_blocks}; }
  // A GPU's grid has less than 2^31 blocks along x: divisions of 32 bits will do.
  FW_DEVICE int64_t row_block(const Block& block) const {
    return kTensorCores<T> ? int64_t(uint32_t(block.x) / uint32_t(column_blocks)) : block.x;
  }
  FW_DEVICE int64_t column_block(const Block& block) const {
    return kTensorCores<T> ? int64_t(uint32_t(block.x) % uint32_t(column_blocks)) : block.y;
  }
};

template <class T, class Left>
struct ProductKernel {
  using Tiles = TilesOf<T, Left>;
  struct Params {
    Left left;
    WeightsLayout weights;
    const PackedElement<T>* packed;  // or nullptr where tiles are loaded
    Epilogue<T> epilogue;
    int64_t rows, columns, depth;
    ProductGrid<T> blocks;
    int stages;  // of shared memory, with tensor cores
  };
  static constexpr int kThreads = Tiles::kThreads;
  static constexpr int64_t kTypicalShared = Tiles::kTypicalShared;

  FW_DEVICE static void run(const Params& p, Block& block) {
    Tiles tiles(block, p.left, p.weights, p.packed, p.columns, p.depth, p.stages);
    const int64_t row0 = p.blocks.row_block(block) * Tiles::kRows;
    const int rows = p.rows - row0 < Tiles::kRows ? int(p.rows - row0) : Tiles::kRows;
    const bool plain = p.epilogue.plain();
    const int64_t first_tile = p.blocks.column_block(block) * p.blocks.column_tiles;
    tiles.run(block, row0, rows, first_tile, p.blocks.column_tiles, [&](int, int64_t n0, int width) {
      if (plain) {
        tiles.each(block, rows, width, [&](int row, int column, auto x, int n) {
          p.epilogue.template store_plain<Tiles::kEmit>(row0 + row, n0 + column, x, n);
        });
      } else {
        tiles.each(block, rows, width, [&](int row, int column, auto x, int n) {
          p.epilogue.template store_tile<Tiles::kEmit>(row0 + row, n0 + column, x, n);
        });
      }
    });
  }
};

// packed: weights as pack_weights<T> left them.
template <class T, class Left>
fw_status product(const Launcher& launcher, const Left& left, const WeightsLayout& layout, fw_address packed,
                  const Epilogue<T>& epilogue, int64_t rows, int64_t depth, int64_t columns) {
  using Kernel = ProductKernel<T, Left>;
  using Tiles = typename Kernel::Tiles;
  const ProductGrid<T> blocks(ceil_div(rows, Tiles::kRows), columns, Tiles::kColumns);
  const int stages = Tiles::stages_for(0);
  return launch<Kernel>(launcher, blocks.grid(), Tiles::shared(depth, stages),
                        {left, layout, reinterpret_cast<const PackedElement<T>*>(packed), epilogue, rows, columns,
                         depth, blocks, stages});
}

}  // namespace fusewire::FW_EXEC
