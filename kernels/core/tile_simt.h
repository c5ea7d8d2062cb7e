// SPDX-License-Identifier: Apache-2.0
// Matrix product of a block of 256 GPU threads: a tile of 64 x 64 elements, 4 x 4 of them in the registers of each
// thread, by fused multiply-adds in f32 (true f32, not TF32).
#pragma once

#include "core/exec.h"

namespace fusewire::FW_EXEC {

struct Accumulator {
  static constexpr int kThreads = 256;
  static constexpr int kRows = 64;
  static constexpr int kColumns = 64;
  static constexpr int kMaxDepth = 16;
  static constexpr int kEmit = 4;
  static constexpr int64_t kSharedBytes = 0;
  static constexpr int kThreadRows = 4;

  float values[kThreadRows][kEmit];

  FW_DEVICE explicit Accumulator(Block&) {}

  FW_DEVICE void clear() {
#pragma unroll
    for (int r = 0; r < kThreadRows; r++) {
#pragma unroll
      for (int c = 0; c < kEmit; c++) {
        values[r][c] = 0;
      }
    }
  }

  // Adds a*b; with `first` the accumulator starts from 0. All kRows x kColumns elements are computed: what lies beyond
  // the problem in a and b must be there, and finite where it meets valid elements.
  template <bool kTransposed>
  FW_DEVICE void multiply(const Block& block, const float* a, int64_t lda, const float* b, int64_t ldb, int, int,
                          int depth, bool first) {
    if (first) {
      clear();
    }
    const int row = block.thread / (kColumns / kEmit) * kThreadRows;
    const int column = block.thread % (kColumns / kEmit) * kEmit;
    for (int k = 0; k < depth; k++) {
      const Vec<4> right = load<4>(b + k * ldb + column);
#pragma unroll
      for (int r = 0; r < kThreadRows; r++) {
        const float left = kTransposed ? a[k * lda + row + r] : a[(row + r) * lda + k];
#pragma unroll
        for (int c = 0; c < kEmit; c++) {
          values[r][c] = __builtin_fmaf(left, right[c], values[r][c]);
        }
      }
    }
  }

  template <class F>
  FW_DEVICE void each(const Block& block, int rows, int columns, F f) const {
    const int row = block.thread / (kColumns / kEmit) * kThreadRows;
    const int column = block.thread % (kColumns / kEmit) * kEmit;
#pragma unroll
    for (int r = 0; r < kThreadRows; r++) {
      if (row + r < rows && column < columns) {
        Vec<kEmit> v;
#pragma unroll
        for (int c = 0; c < kEmit; c++) {
          v.set(c, values[r][c]);
        }
        f(row + r, column, v, columns - column < kEmit ? columns - column : kEmit);
      }
    }
  }

  // The threads of a block share the rows of a column: kRowGroups of them, a thread being in one.
  static constexpr int kRowGroups = kRows / kThreadRows;
  FW_DEVICE static int row_group(const Block& block) { return block.thread / (kColumns / kEmit); }
  // f(first, count, column, n, value) once for every kEmit columns: value(r) is row first + r, r < count, of this
  // thread's row group. Loops over r are to be unrolled over kThreadRows.
  template <class F>
  FW_DEVICE void each_column(const Block& block, int rows, int columns, F f) const {
    const int row = row_group(block) * kThreadRows;
    const int column = block.thread % (kColumns / kEmit) * kEmit;
    if (row < rows && column < columns) {
      f(row, rows - row < kThreadRows ? rows - row : kThreadRows, column,
        columns - column < kEmit ? columns - column : kEmit, [&](int r) {
          Vec<kEmit> v;
#pragma unroll
          for (int c = 0; c < kEmit; c++) {
            v.set(c, values[r][c]);
          }
          return v;
        });
    }
  }
};

// A GPU thread has registers for one.
struct Accumulators {
  static constexpr int kMost = 1;
  static int64_t shared(int) { return 0; }

  Accumulator one;

  FW_DEVICE Accumulators(Block& block, int) : one(block) {}
  FW_DEVICE Accumulator& at(int) { return one; }
};

}  // namespace fusewire::FW_EXEC
