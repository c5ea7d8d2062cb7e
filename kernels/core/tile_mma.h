// SPDX-License-Identifier: Apache-2.0
// Matrix product of a block of GPU threads on tensor cores, of 16-bit storage or of f32 as TF32: a tile of kRows x
// kColumns f32 sums in the threads' registers. Warps are four by two or by four: a warp has every fourth group of 16
// rows and every second or fourth group of 16 columns, so that tiles that are only partly filled keep more warps busy.
// Operands are tiles in shared memory (shared_tile.h), and groups beyond the problem are left out.
#pragma once

#include "core/exec.h"
#include "core/shared_tile.h"
#include "core/warp_matrix.h"

namespace fusewire::FW_EXEC {

#if defined(FW_EXEC_CPU)

// One thread has tile_simd.h.
template <class T, int kTileRows, int kTileColumns, int kBlockThreads>
struct MmaAccumulator;

#else

template <class T, int kTileRows, int kTileColumns, int kBlockThreads>
struct MmaAccumulator {
  static constexpr int kThreads = kBlockThreads;
  static constexpr int kRows = kTileRows;
  static constexpr int kColumns = kTileColumns;
  static constexpr int kRowWarps = 4;
  static constexpr int kColumnWarps = kThreads / 32 / kRowWarps;
  static constexpr int kRowGroups = kRows / (16 * kRowWarps);           // of a warp
  static constexpr int kColumnGroups = kColumns / (16 * kColumnWarps);  // of a warp
  static constexpr int kDepth = kMatrixDepth<T>;                        // of one step
  // Results leave through shared memory, so that threads get neighbouring columns: this many at a time, in rows whose
  // length spreads the fragments' rows over the banks.
  static constexpr int kPassColumns = 64;
  static constexpr int kStagedColumns = kPassColumns + 8;
  static constexpr int64_t kStagedElements = int64_t(kRows) * kStagedColumns;
  static_assert(kRows % 64 == 0 && kColumns % kPassColumns == 0, "whole groups for every warp");
  static_assert(kColumnWarps == 2 || kColumnWarps == 4, "right_group() knows how far groups are apart");

  FragmentC sums[kRowGroups][kColumnGroups][2];
  float* staged;  // shared memory of kStagedElements, which nothing else uses from each() to its end

  FW_DEVICE void clear() {
#pragma unroll
    for (int i = 0; i < kRowGroups; i++) {
#pragma unroll
      for (int j = 0; j < kColumnGroups; j++) {
#pragma unroll
        for (int v = 0; v < 8; v++) {
          sums[i][j][v / 4].v[v % 4] = 0;
        }
      }
    }
  }

  // Adds a * b over the depth of both tiles, `steps` steps of kDepth. kDepthRows: the tile's rows are the depth (a is
  // transposed, b is not: the names are of how a matrix lies, not of what it stands for), else its columns. Elements of
  // 32 bits are rounded here, unless kRoundedB says that b's are.
  template <bool kDepthRowsA, bool kDepthRowsB, bool kRoundedB = false, class TileA, class TileB>
  FW_DEVICE void multiply(const Block& block, const TileA& a, const TileB& b, int rows, int columns, int steps) {
    // ldmatrix transposes 16-bit elements only.
    constexpr bool kWordsA = kDepthRowsA && sizeof(T) == 4;
    constexpr bool kWordsB = kDepthRowsB && sizeof(T) == 4;
#pragma unroll 1
    for (int step = 0; step < steps; step++) {
      const T* left_lane = nullptr;
      const T* right_lane = nullptr;
      if constexpr (!kWordsA) {
        left_lane = left_row<kDepthRowsA>(block, a, step);
      }
      if constexpr (!kWordsB) {
        right_lane = right_row<kDepthRowsB>(block, b, step);
      }
      const int left_words = kWordsA ? lane_words<TileA>(block, step, row_of(block, 0)) : 0;
      const int right_words = kWordsB ? lane_words<TileB>(block, step, column_of(block, 0)) : 0;
      FragmentA left[kRowGroups];
#pragma unroll
      for (int i = 0; i < kRowGroups; i++) {
        if (row_of(block, i) < rows) {
          if constexpr (kWordsA) {
            load_words<true>(a, left_words, i * 16 * kRowWarps, left[i].r);
          } else {
            load_matrices<kDepthRowsA>(block, left_lane + left_group<kDepthRowsA, TileA>(i), left[i].r);
          }
          round_operands<T>(left[i].r);
        }
      }
#pragma unroll
      for (int j = 0; j < kColumnGroups; j++) {
        if (column_of(block, j) >= columns) {
          continue;
        }
        uint32_t r[4];
        if constexpr (kWordsB) {
          load_words<false>(b, right_words, j * 16 * kColumnWarps, r);
        } else {
          load_matrices<kDepthRowsB>(block, right_group<kDepthRowsB, TileB>(b, right_lane, j), r);
        }
        if constexpr (!kRoundedB) {
          round_operands<T>(r);
        }
        const FragmentB right[2] = {{{r[0], r[1]}}, {{r[2], r[3]}}};
#pragma unroll
        for (int i = 0; i < kRowGroups; i++) {
          if (row_of(block, i) < rows) {
            mma<T>(block, left[i], right[0], sums[i][j][0]);
            mma<T>(block, left[i], right[1], sums[i][j][1]);
          }
        }
      }
    }
  }

  // f(row, column, values, n) for every N columns of every row: n of the N lanes count.
  template <int N, class F>
  FW_DEVICE void each(const Block& block, int rows, int columns, F f) const {
    for_passes(block, columns, [&](int first) {
      constexpr int kVectors = kPassColumns / N;
      for (int i = block.thread; i < rows * kVectors; i += block.threads) {
        const int row = i / kVectors;
        const int column = first + i % kVectors * N;
        if (column < columns) {
          f(row, column, load<N>(staged + row * kStagedColumns + i % kVectors * N), columns - column);
        }
      }
    });
  }

  // f(column, n, value) by every thread for every 8 columns that it has, value(row) giving 8 values of any row; n <= 0
  // where there are no columns. A thread's rows are first_row() + r*kRowStep, r < kThreadRows.
  static constexpr int kLanes = 8;
  static constexpr int kRowStep = kThreads * kLanes / kPassColumns;
  static constexpr int kThreadRows = kRows / kRowStep;
  FW_DEVICE static int first_row(const Block& block) { return block.thread / (kPassColumns / kLanes); }
  template <class F>
  FW_DEVICE void each_column(const Block& block, int columns, F f) const {
    for_passes(block, columns, [&](int first) {
      const int column = block.thread % (kPassColumns / kLanes) * kLanes;
      f(first + column, columns - first - column,
        [&](int row) { return load<kLanes>(staged + row * kStagedColumns + column); });
    });
  }

 private:
  FW_DEVICE static int row_of(const Block& block, int i) {
    return (i * kRowWarps + block.thread / 32 % kRowWarps) * 16;
  }
  FW_DEVICE static int column_of(const Block& block, int j) {
    return (j * kColumnWarps + block.thread / 32 / kRowWarps) * 16;
  }

  // What a lane loads of a tile of 32-bit elements whose rows are the depth (shared_tile.h): in a group of 16 columns,
  // columns lane/4 and 8 further, each in rows lane%4 and 4 further. Swizzling depends on lane%4 alone and moves chunks
  // within 128 bytes, so that groups and rows are constants apart, and 8 columns one bit.
  template <class Tile>
  FW_DEVICE static int lane_words(const Block& block, int step, int first) {
    const int column = first + block.thread % 32 / 4;
    return Tile::place(step * kDepth + block.thread % 4, column / Tile::kChunkLanes) * Tile::kChunkLanes +
           column % Tile::kChunkLanes;
  }
  // The group `further` columns from where `words` is; kLeft: in a's order, halves of the columns first.
  template <bool kLeft, class Tile>
  FW_DEVICE static void load_words(const Tile& tile, int words, int further, uint32_t (&r)[4]) {
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const int half = kLeft ? i % 2 : i / 2;
      const int upper = kLeft ? i / 2 : i % 2;
      memcpy(&r[i], tile.values + (words ^ half * 8) + upper * 4 * Tile::kChunks * Tile::kChunkLanes + further, 4);
    }
  }

  // ldmatrix: lane l addresses row l%8 of the matrix l/8, which goes to register l/8. A lane's address in the warp's
  // first group of rows or columns, and the constant way from there to another group: what swizzling changes is the
  // same in all groups, or differs by a constant.
  template <bool kDepthRows, class Tile>
  FW_DEVICE static const T* left_row(const Block& block, const Tile& a, int step) {
    const int matrix = block.thread % 32 / 8;
    const int line = block.thread % 8;
    const int warp = block.thread / 32 % kRowWarps;
    return kDepthRows ? a.at(step * kDepth + matrix / 2 * 8 + line, warp * 2 + matrix % 2)
                      : a.at(warp * 16 + matrix % 2 * 8 + line, step * 2 + matrix / 2);
  }
  template <bool kDepthRows, class Tile>
  FW_DEVICE static constexpr int left_group(int i) {
    return i * 16 * kRowWarps * (kDepthRows ? 1 : Tile::kChunks * Tile::kChunkLanes);
  }
  template <bool kDepthRows, class Tile>
  FW_DEVICE static const T* right_row(const Block& block, const Tile& b, int step) {
    const int matrix = block.thread % 32 / 8;
    const int line = block.thread % 8;
    const int warp = block.thread / 32 / kRowWarps;
    return kDepthRows ? b.at(step * kDepth + matrix % 2 * 8 + line, warp * 2 + matrix / 2)
                      : b.at(warp * 16 + matrix / 2 * 8 + line, step * 2 + matrix % 2);
  }
  template <bool kDepthRows, class Tile>
  FW_DEVICE static const T* right_group(const Tile& b, const T* lane, int j) {
    if constexpr (kDepthRows && kColumnWarps == 4) {
      return lane + j * 8 * Tile::kChunkLanes;
    } else if constexpr (kDepthRows) {  // four chunks further: in the other half of 128 bytes, or in the next 128
      return b.values + ((lane - b.values) ^ (j % 2 * 4 * Tile::kChunkLanes)) + j / 2 * 8 * Tile::kChunkLanes;
    } else {
      return lane + j * 16 * kColumnWarps * Tile::kChunks * Tile::kChunkLanes;
    }
  }

  // f(first) for every kPassColumns columns from `first` on, with their sums staged.
  template <class F>
  FW_DEVICE void for_passes(const Block& block, int columns, F f) const {
    constexpr int kGroups = kPassColumns / 16 / kColumnWarps;  // of a warp in a pass
    const int lane = block.thread % 32;
#pragma unroll
    for (int pass = 0; pass < kColumns / kPassColumns; pass++) {
      if (pass * kPassColumns >= columns) {
        break;
      }
      block.sync();
#pragma unroll
      for (int i = 0; i < kRowGroups; i++) {
#pragma unroll
        for (int j = 0; j < kGroups; j++) {
          const int row = row_of(block, i) + lane / 4;
          const int column = column_of(block, j) + lane % 4 * 2;
#pragma unroll
          for (int v = 0; v < 4; v++) {
            const FragmentC& c = sums[i][pass * kGroups + j][v / 2];
            float* to = staged + (row + v % 2 * 8) * kStagedColumns + column + v / 2 * 8;
            Vec<2> pair;
            pair.set(0, c.v[v % 2 * 2]);
            pair.set(1, c.v[v % 2 * 2 + 1]);
            store<2>(to, pair);
          }
        }
      }
      block.sync();
      f(pass * kPassColumns);
    }
    block.sync();
  }
};

#endif

}  // namespace fusewire::FW_EXEC
