// SPDX-License-Identifier: Apache-2.0
// The left operand of a dense convolution's products, gathered on load (implicit GEMM), never stored.
//   forward and weight gradient: row (n,p,q), column (r,s,c) = src[n, p*sh-pt+r*dh, q*sw-pl+s*dw, c]
//   data gradient:               row (n,h,w), column (r,s,k) = diff_dst[n, (h+pt-r*dh)/sh, (w+pl-s*dw)/sw, k]
// and 0 outside the tensor, or where the division has a remainder.
#pragma once

#include <algorithm>

#include "core/access.h"
#include "product/operand_tile.h"

namespace fusewire::FW_EXEC {

// One spatial axis: index `at` of the row's pixel and tap give the pixel that is read, or -1.
struct PatchAxis {
  int size;  // pixels of the tensor that is read
  int stride, dilation, pad;
  bool transposed;  // data gradient

  FW_DEVICE int pixel(int at, int tap) const {
    if (!transposed) {
      const int i = at * stride - pad + tap * dilation;
      return i >= 0 && i < size ? i : -1;
    }
    const int i = at + pad - tap * dilation;
    if (i < 0 || i % stride != 0) {
      return -1;
    }
    return i / stride < size ? i / stride : -1;
  }
};

template <class T>
struct Patches {
  const T* tensor;  // (batch, y.size, x.size, channels)
  PatchAxis y, x;
  int row_height, row_width;  // pixels per image in the rows' order
  int taps_y, taps_x;
  int channels;
  bool aligned;  // whole chunks of 16 bytes are neighbours in the tensor: for tensor cores only

  // As Rows::load_panel.
  FW_DEVICE void load_panel(const Block& block, int64_t row0, int rows, int64_t column0, int columns, float* panel,
                            int ld) const {
    if constexpr (kOneThread) {
      load_runs(row0, rows, column0, columns, panel, ld);
    } else {
      for (int i = block.thread; i < rows * columns; i += block.threads) {
        const int r = i / columns;
        const int column = i - r * columns;
        panel[r * ld + column] = element(row0 + r, column0 + column);
      }
    }
  }

  // For tensor cores (operand_tile.h).
  static constexpr int kSources = 1;
  struct State {  // the row's pixel
    int64_t image;
    int y, x;
  };
  struct Column {
    int tap_y, tap_x, channel;
  };
  struct None {};
  FW_DEVICE State state(int64_t row) const {
    const int64_t line = image_of(row, row_width);
    const int64_t image = image_of(line, row_height);
    return {image, int(line - image * row_height), int(row - line * row_width)};
  }
  FW_DEVICE Column column(int64_t column) const {
    const int tap = int(column) / channels;
    return {tap / taps_x, tap % taps_x, int(column) - tap * channels};
  }
  FW_DEVICE const T* base() const { return tensor; }
  FW_DEVICE bool used(int) const { return true; }
  FW_DEVICE bool plain() const { return true; }
  FW_DEVICE const T* source(int, int64_t, const State& row, const Column& column) const {
    const T* pixel = pixel_address(row.image, row.y, row.x, column.tap_y, column.tap_x);
    return pixel == nullptr ? nullptr : pixel + column.channel;
  }
  template <int N>
  FW_DEVICE None constants(int64_t, int) const {
    return {};
  }
  template <int N>
  FW_DEVICE Vec<N> apply(const State&, const None&, Vec<N> x, Vec<N>) const {
    return x;
  }

 private:
  FW_DEVICE const T* pixel_address(int64_t image, int row_y, int row_x, int tap_y, int tap_x) const {
    const int py = y.pixel(row_y, tap_y);
    const int px = x.pixel(row_x, tap_x);
    return py < 0 || px < 0 ? nullptr : tensor + ((image * y.size + py) * x.size + px) * channels;
  }

  FW_DEVICE float element(int64_t row, int64_t column) const {
    const int row_x = int(row % row_width);
    const int row_y = int(row / row_width % row_height);
    const int64_t image = row / row_width / row_height;
    const int c = int(column % channels);
    const int tap = int(column / channels);
    const T* p = pixel_address(image, row_y, row_x, tap / taps_x, tap % taps_x);
    return p == nullptr ? 0.0f : to_float(p[c]);
  }

  // Row by row, in runs of neighbouring channels; a row of taps that lies inside the tensor is one run. Rows of one
  // line whose taps all lie inside its width go together, where whole rows of the panel are asked for.
  FW_DEVICE void load_runs(int64_t row0, int rows, int64_t column0, int columns, float* panel, int ld) const {
    int row_x = int(row0 % row_width);
    int row_y = int(row0 / row_width % row_height);
    int64_t image = row0 / row_width / row_height;
    const int first_tap = int(column0 / channels);
    const int first_channel = int(column0 - int64_t(first_tap) * channels);
    const float* const panel_end = panel + rows * ld;
    const bool lines = column0 == 0 && columns == taps_y * taps_x * channels && line_fits(ld);
    for (int r = 0; r < rows; r++) {
      const int inside = lines ? std::min(rows - r, pixels_inside(row_x)) : 0;
      if (inside > 0) {
        load_line(image, row_y, row_x, inside, panel + r * ld, ld);
        r += inside - 1;
        row_x += inside;
        if (row_x == row_width) {
          row_x = 0;
          if (++row_y == row_height) {
            row_y = 0;
            image++;
          }
        }
        continue;
      }
      float* to = panel + r * ld;
      float* const end = to + columns;
      int tap_y = first_tap / taps_x;
      int tap_x = first_tap - tap_y * taps_x;
      int c = first_channel;
      while (to < end) {
        int64_t run = channels - c;
        const T* p = pixel_address(image, row_y, row_x, tap_y, tap_x);
        int taps = 1;
        const bool neighbours = !x.transposed && x.dilation == 1 && tap_x == 0 && c == 0;
        if (neighbours && p != nullptr && x.pixel(row_x, taps_x - 1) >= 0) {
          taps = taps_x;
          run = int64_t(channels) * taps_x;
        }
        if (run > end - to) {
          run = end - to;
        }
        copy(to, p == nullptr ? p : p + c, int(run), panel_end);
        to += run;
        c = 0;
        tap_x += taps;
        if (tap_x == taps_x) {
          tap_x = 0;
          tap_y++;
        }
      }
      for (int column = columns; column < (columns + kPadLanes - 1) / kPadLanes * kPadLanes; column++) {
        panel[r * ld + column] = 0;
      }
      if (++row_x == row_width) {
        row_x = 0;
        if (++row_y == row_height) {
          row_y = 0;
          image++;
        }
      }
    }
  }

  // Whether load_line() may write whole vectors.
  FW_DEVICE bool line_fits(int ld) const {
    const int run = taps_x * channels;
    return (taps_y - 1) * run + (run + kPadLanes - 1) / kPadLanes * kPadLanes <= ld;
  }

  // Pixels of a line from row_x on whose taps all lie inside the tensor's width.
  FW_DEVICE int pixels_inside(int row_x) const {
    if (x.transposed || x.dilation != 1 || row_x * x.stride < x.pad) {
      return 0;
    }
    const int last = x.size - taps_x + x.pad;
    return last < 0 ? 0 : std::min(row_width, last / x.stride + 1) - row_x;
  }

  // `count` whole rows. Vectors reach over what is written after them, and the last one fills its row with zeros.
  FW_DEVICE void load_line(int64_t image, int row_y, int row_x, int count, float* panel, int ld) const {
    constexpr int N = kLanes<T>;
    const int run = taps_x * channels;
    const int64_t step = int64_t(x.stride) * channels;
    for (int tap = 0; tap < taps_y; tap++) {
      const T* from = pixel_address(image, row_y, row_x, tap, 0);
      for (int i = 0; i < run; i += N) {
        float* to = panel + tap * run + i;
        const int n = std::min(N, run - i);
        if (from == nullptr) {
          for (int k = 0; k < count; k++) {
            store<N>(to + k * ld, Vec<N>(0.0f));
          }
        } else {
          for (int k = 0; k < count; k++) {
            store<N>(to + k * ld, load_part<N>(from + k * step + i, n));
          }
        }
      }
    }
  }

  static constexpr int kPadLanes = kOneThread ? kSimdLanes : 1;

  // What follows `to` up to `end` has not been written yet, so that the last vector may reach over it.
  FW_DEVICE static void copy(float* to, const T* from, int n, const float* end) {
    constexpr int N = kLanes<T>;
    if (from == nullptr) {
      for (int i = 0; i < n; i++) {
        to[i] = 0;
      }
      return;
    }
    int i = 0;
    for (; i < n && to + i + N <= end; i += N) {
      store<N>(to + i, load_part<N>(from + i, n - i));
    }
    for (; i < n; i++) {
      to[i] = to_float(from[i]);
    }
  }
};

}  // namespace fusewire::FW_EXEC
