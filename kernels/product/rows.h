// SPDX-License-Identifier: Apache-2.0
// An operand of a product that is a dense row-major matrix in global memory, such as NHWC pixels times channels, with
// an optional prologue: multiplied on load by act'(raw), raw having the same shape.
#pragma once

#include "core/access.h"
#include "product/operand_tile.h"

namespace fusewire::FW_EXEC {

template <class T>
struct Rows {
  const T* src;  // (rows, columns)
  const T* raw;  // (rows, columns) or nullptr
  int64_t columns;
  int activation;  // of raw
  bool aligned;

  // panel[r*ld + c] = (*this)(row0 + r, column0 + c) for r < rows, c < columns; ld >= columns rounded up to vectors,
  // and the columns up to there become 0.
  FW_DEVICE void load_panel(const Block& block, int64_t row0, int rows, int64_t column0, int columns, float* panel,
                            int ld) const {
    constexpr int N = kOneThread ? kLanes<T> : 4;
    const int vectors = (columns + N - 1) / N;
    if constexpr (kOneThread) {  // no division per element
      for (int r = 0; r < rows; r++) {
        for (int v = 0; v < vectors; v++) {
          load_vector<N>(row0 + r, column0 + v * N, columns - v * N, panel + r * ld + v * N);
        }
      }
    } else {
      for (int i = block.thread; i < rows * vectors; i += block.threads) {
        const int r = i / vectors;
        const int v = i - r * vectors;
        load_vector<N>(row0 + r, column0 + v * N, columns - v * N, panel + r * ld + v * N);
      }
    }
  }

  // For tensor cores (operand_tile.h).
  static constexpr int kSources = 2;
  struct None {};
  using State = None;
  FW_DEVICE State state(int64_t) const { return {}; }
  FW_DEVICE int64_t column(int64_t column) const { return column; }
  FW_DEVICE const T* base() const { return src; }
  FW_DEVICE bool used(int i) const { return i == 0 || raw != nullptr; }
  FW_DEVICE bool plain() const { return raw == nullptr; }
  FW_DEVICE const T* source(int i, int64_t row, const State&, int64_t column) const {
    return (i == 0 ? src : raw) + row * columns + column;
  }
  template <int N>
  FW_DEVICE None constants(int64_t, int) const {
    return {};
  }
  template <int N>
  FW_DEVICE Vec<N> apply(const State&, const None&, Vec<N> x, Vec<N> y) const {
    return x * activate_gradient(activation, y);
  }

 private:
  template <int N>
  FW_DEVICE void load_vector(int64_t row, int64_t column, int n, float* to) const {
    const int64_t at = row * this->columns + column;
    Vec<N> x = load_row<N>(src + at, n, aligned);
    if (raw != nullptr) {
      x *= activate_gradient(activation, load_row<N>(raw + at, n, aligned));
    }
    store_row<N>(to, x, N, true);
  }
};

}  // namespace fusewire::FW_EXEC
