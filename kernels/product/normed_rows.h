// SPDX-License-Identifier: Apache-2.0
// Operands of a product that BatchNorm makes on load, as Rows (rows.h) otherwise.
#pragma once

#include "core/access.h"
#include "norm/norm.h"
#include "product/operand_tile.h"

namespace fusewire::FW_EXEC {

// panel[r*ld + v*N ...] = value<N>(row, image, column, n) for a panel's rows and vectors of columns; `pixels` rows are
// an image, 0 if nobody asks which.
template <int N, class F>
FW_DEVICE void load_vectors(const Block& block, int64_t row0, int rows, int64_t column0, int columns, int64_t pixels,
                            float* panel, int ld, F value) {
  const int vectors = (columns + N - 1) / N;
  if constexpr (kOneThread) {  // no division per element
    int64_t image = pixels == 0 ? 0 : row0 / pixels;
    int64_t end = pixels == 0 ? row0 + rows : (image + 1) * pixels;
    for (int r = 0; r < rows; r++) {
      if (row0 + r == end) {
        image++;
        end += pixels;
      }
      for (int v = 0; v < vectors; v++) {
        store<N>(panel + r * ld + v * N, value(row0 + r, image, column0 + v * N, columns - v * N));
      }
    }
  } else {
    for_each(block, rows, vectors, [&](int r, int v) {
      const int64_t row = row0 + r;
      const Vec<N> x = value(row, pixels == 0 ? 0 : row / pixels, column0 + v * N, columns - v * N);
      store<N>(panel + r * ld + v * N, x);
    });
  }
}

// activation(norm(src)) * gate[image]; src (images, pixels, columns), gate (images, columns) or nullptr.
template <class T>
struct NormedRows {
  const T* src;
  Norm norm;  // its table may be nullptr
  const float* gate;
  int64_t pixels, columns;
  bool aligned;

  FW_DEVICE void load_panel(const Block& block, int64_t row0, int rows, int64_t column0, int columns_here, float* panel,
                            int ld) const {
    constexpr int N = kOneThread ? kLanes<T> : 4;
    const int64_t image_rows = gate == nullptr ? 0 : pixels;
    if (!norm.present()) {
      load_vectors<N>(block, row0, rows, column0, columns_here, image_rows, panel, ld,
                      [&](int64_t row, int64_t image, int64_t column, int n) {
                        const Vec<N> x = load_row<N>(src + row * columns + column, n, aligned);
                        return gate == nullptr ? x : x * load_row<N>(gate + image * columns + column, n, aligned);
                      });
      return;
    }
    load_vectors<N>(block, row0, rows, column0, columns_here, image_rows, panel, ld,
                    [&](int64_t row, int64_t image, int64_t column, int n) {
                      const Vec<N> x = load_row<N>(src + row * columns + column, n, aligned);
                      const Vec<N> y = activate(norm.activation, norm.vector<N>(column, n, aligned).apply(x));
                      return gate == nullptr ? y : y * load_row<N>(gate + image * columns + column, n, aligned);
                    });
  }

  // For tensor cores (operand_tile.h).
  static constexpr int kSources = 1;
  using State = int;  // the row's image
  template <int N>
  struct Constants {
    NormVector<N> norm;
    int64_t column;
    int n;
  };
  FW_DEVICE State state(int64_t row) const { return gate == nullptr ? 0 : int(image_of(row, pixels)); }
  FW_DEVICE int64_t column(int64_t column) const { return column; }
  FW_DEVICE const T* base() const { return src; }
  FW_DEVICE bool used(int) const { return true; }
  FW_DEVICE bool plain() const { return !norm.present() && gate == nullptr; }
  FW_DEVICE const T* source(int, int64_t row, State, int64_t column) const { return src + row * columns + column; }
  template <int N>
  FW_DEVICE Constants<N> constants(int64_t column, int n) const {
    const Vec<N> none(0.0f);
    return {norm.present() ? norm.vector<N>(column, n, aligned) : NormVector<N>{none, none, none}, column, n};
  }
  template <int N>
  FW_DEVICE Vec<N> apply(State image, const Constants<N>& c, Vec<N> x, Vec<N>) const {
    if (norm.present()) {
      x = activate(norm.activation, c.norm.apply(x));
    }
    return gate == nullptr ? x : x * load_row<N>(gate + image * columns + c.column, c.n, aligned);
  }
};

// The gradient of a raw tensor `raw` from `diff`, the gradient of its norm: scale*image_scale*diff + slope*(raw-mean) +
// offset. Both (images, pixels, columns); image_scale (images) or nullptr.
template <class T>
struct NormGradientRows {
  const T* diff;
  const T* raw;
  Norm norm;
  const float* gradient;  // (2, columns)
  const float* image_scale;
  int64_t pixels, columns;
  bool aligned;

  FW_DEVICE void load_panel(const Block& block, int64_t row0, int rows, int64_t column0, int columns_here, float* panel,
                            int ld) const {
    constexpr int N = kOneThread ? kLanes<T> : 4;
    load_vectors<N>(block, row0, rows, column0, columns_here, image_scale == nullptr ? 0 : pixels, panel, ld,
                    [&](int64_t row, int64_t image, int64_t column, int n) {
                      const int64_t at = row * columns + column;
                      const float s = image_scale == nullptr ? 1.0f : image_scale[image];
                      const Vec<N> g = load_row<N>(diff + at, n, aligned) * s;
                      const Vec<N> x = load_row<N>(raw + at, n, aligned);
                      return norm.gradient_vector<N>(gradient, column, n, aligned).apply(g, x);
                    });
  }

  // For tensor cores (operand_tile.h).
  static constexpr int kSources = 2;
  using State = float;  // the scale of the row's image
  FW_DEVICE State state(int64_t row) const {
    return image_scale == nullptr ? 1.0f : image_scale[image_of(row, pixels)];
  }
  FW_DEVICE int64_t column(int64_t column) const { return column; }
  FW_DEVICE const T* base() const { return diff; }
  FW_DEVICE bool used(int) const { return true; }
  FW_DEVICE bool plain() const { return false; }
  FW_DEVICE const T* source(int i, int64_t row, State, int64_t column) const {
    return (i == 0 ? diff : raw) + row * columns + column;
  }
  template <int N>
  FW_DEVICE NormGradientVector<N> constants(int64_t column, int n) const {
    return norm.gradient_vector<N>(gradient, column, n, aligned);
  }
  template <int N>
  FW_DEVICE Vec<N> apply(State scale, const NormGradientVector<N>& c, Vec<N> x, Vec<N> y) const {
    return c.apply(x * scale, y);
  }
};

}  // namespace fusewire::FW_EXEC
