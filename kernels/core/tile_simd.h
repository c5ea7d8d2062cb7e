// SPDX-License-Identifier: Apache-2.0
// Matrix product of one CPU thread: outer products in SIMD registers. MR rows times NV vectors of accumulators stay in
// registers over a run of the depth; with 32 registers of 16 floats that is 6x4 (24 accumulators, 4 of b, one broadcast
// of a), with 16 registers of 8 floats 6x2. Narrow tiles take more rows instead, so that the fused multiply-adds'
// latency stays hidden.
#pragma once

#include "core/exec.h"

namespace fusewire::FW_EXEC {

struct Accumulator {
  static constexpr int kVectors = kSimdLanes == 16 ? 4 : 2;  // of b per step, at most
  static constexpr int kRows = 48;                           // of a tile: a multiple of 6, 8 and 12
  static constexpr int kColumns = kVectors * kSimdLanes;     // of a tile, at most
  static constexpr int kMaxDepth = 2048;                     // of a tile
  static constexpr int kEmit = kSimdLanes;                   // lanes that each() gives at a time
  static constexpr int64_t kSharedBytes = int64_t(kRows) * kColumns * sizeof(float);
  using V = Vec<kSimdLanes>;

  float* values;  // (kRows, kColumns)

  FW_DEVICE explicit Accumulator(Block& block) : values(block.shared<float>(kRows * kColumns)) {}
  FW_DEVICE explicit Accumulator(float* scratch) : values(scratch) {}

  FW_DEVICE void clear() {
    for (int i = 0; i < kRows * kColumns; i += kSimdLanes) {
      store<kSimdLanes>(values + i, V(0.0f));
    }
  }

  // Adds a*b; with `first` the accumulator starts from 0. Rows of a beyond `rows` up to the next multiple of 12 are
  // read and must be there, their values do not matter; ldb is a multiple of the SIMD width and columns of b up to it
  // are read.
  template <bool kTransposed>
  void multiply(const Block&, const float* a, int64_t lda, const float* b, int64_t ldb, int rows, int columns,
                int depth, bool first) {
    switch ((columns + kSimdLanes - 1) / kSimdLanes) {
      case 1:
        return run<12, 1, kTransposed>(a, lda, b, ldb, rows, depth, first);
      case 2:
        return run < kVectors == 4 ? 12 : 6, 2, kTransposed > (a, lda, b, ldb, rows, depth, first);
      case 3:
        return run < 8, kVectors == 4 ? 3 : 1, kTransposed > (a, lda, b, ldb, rows, depth, first);
      default:
        return run < 6, kVectors == 4 ? 4 : 1, kTransposed > (a, lda, b, ldb, rows, depth, first);
    }
  }

  // f(row, column, values, n) for every element, `columns` > 0: n of the kEmit lanes count.
  template <class F>
  FW_DEVICE void each(const Block&, int rows, int columns, F f) const {
    for (int row = 0; row < rows; row++) {
      for (int column = 0; column < columns; column += kSimdLanes) {
        const int n = columns - column < kSimdLanes ? columns - column : kSimdLanes;
        f(row, column, load<kSimdLanes>(values + row * kColumns + column), n);
      }
    }
  }

  // The threads of a block share the rows of a column: kRowGroups of them, a thread being in one.
  static constexpr int kRowGroups = 1;
  static constexpr int kThreadRows = kRows;
  FW_DEVICE static int row_group(const Block&) { return 0; }
  // f(first, count, column, n, value) once for every kEmit columns: value(r) is row first + r, r < count, of this
  // thread's row group.
  template <class F>
  FW_DEVICE void each_column(const Block&, int rows, int columns, F f) const {
    for (int column = 0; column < columns; column += kSimdLanes) {
      const int n = columns - column < kSimdLanes ? columns - column : kSimdLanes;
      f(0, rows, column, n, [&](int row) { return load<kSimdLanes>(values + row * kColumns + column); });
    }
  }

 private:
  // The depth goes in runs whose b tile stays in the L1 cache while all rows pass.
  template <int MR, int NV, bool kTransposed>
  void run(const float* a, int64_t lda, const float* b, int64_t ldb, int rows, int depth, bool first) {
    constexpr int kRun = 96 * 4 / NV;
    for (int k = 0; k < depth; k += kRun) {
      const int n = depth - k < kRun ? depth - k : kRun;
      for (int row = 0; row < rows; row += MR) {
        registers<MR, NV, kTransposed>(kTransposed ? a + k * lda + row : a + row * lda + k, lda, b + k * ldb, ldb, n,
                                       values + row * kColumns, first && k == 0);
      }
    }
  }

  template <int MR, int NV, bool kTransposed>
  static void registers(const float* a, int64_t lda, const float* b, int64_t ldb, int depth, float* c, bool first) {
    V sum[MR][NV];
#pragma GCC unroll 12
    for (int r = 0; r < MR; r++) {
#pragma GCC unroll 4
      for (int j = 0; j < NV; j++) {
        sum[r][j] = first ? V(0.0f) : load<kSimdLanes>(c + r * kColumns + j * kSimdLanes);
      }
    }
    for (int k = 0; k < depth; k++) {
      V right[NV];
#pragma GCC unroll 4
      for (int j = 0; j < NV; j++) {
        right[j] = load<kSimdLanes>(b + k * ldb + j * kSimdLanes);
      }
#pragma GCC unroll 12
      for (int r = 0; r < MR; r++) {
        const V left(kTransposed ? a[k * lda + r] : a[r * lda + k]);
#pragma GCC unroll 4
        for (int j = 0; j < NV; j++) {
          sum[r][j] = fma(left, right[j], sum[r][j]);
        }
      }
    }
#pragma GCC unroll 12
    for (int r = 0; r < MR; r++) {
#pragma GCC unroll 4
      for (int j = 0; j < NV; j++) {
        store<kSimdLanes>(c + r * kColumns + j * kSimdLanes, sum[r][j]);
      }
    }
  }
};

// Several accumulators of one thread.
struct Accumulators {
  static constexpr int kMost = 32;
  static int64_t shared(int count) { return count * Accumulator::kSharedBytes; }

  float* values;

  FW_DEVICE Accumulators(Block& block, int count)
      : values(block.shared<float>(int64_t(count) * Accumulator::kRows * Accumulator::kColumns)) {}
  FW_DEVICE Accumulator at(int i) const {
    return Accumulator(values + int64_t(i) * Accumulator::kRows * Accumulator::kColumns);
  }
};

}  // namespace fusewire::FW_EXEC
