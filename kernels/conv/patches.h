// SPDX-License-Identifier: Apache-2.0
// The left operand of a dense convolution's products, gathered on load (implicit GEMM), never stored.
//   forward and weight gradient: row (n,p,q), column (r,s,c) = src[n, p*sh-pt+r*dh, q*sw-pl+s*dw, c]
//   data gradient:               row (n,h,w), column (r,s,k) = diff_dst[n, (h+pt-r*dh)/sh, (w+pl-s*dw)/sw, k]
// and 0 outside the tensor, or where the division has a remainder.
#pragma once

#include "core/access.h"

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

  // Row by row, in runs of neighbouring channels; a row of taps that lies inside the tensor is one run.
  FW_DEVICE void load_runs(int64_t row0, int rows, int64_t column0, int columns, float* panel, int ld) const {
    int row_x = int(row0 % row_width);
    int row_y = int(row0 / row_width % row_height);
    int64_t image = row0 / row_width / row_height;
    const int first_tap = int(column0 / channels);
    const int first_channel = int(column0 - int64_t(first_tap) * channels);
    for (int r = 0; r < rows; r++) {
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
        copy(to, p == nullptr ? p : p + c, int(run));
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

  static constexpr int kPadLanes = kOneThread ? kSimdLanes : 1;

  FW_DEVICE static void copy(float* to, const T* from, int n) {
    constexpr int N = kLanes<T>;
    int i = 0;
    if (from == nullptr) {
      for (; i < n; i++) {
        to[i] = 0;
      }
      return;
    }
    for (; i + N <= n; i += N) {
      store<N>(to + i, load<N>(from + i));
    }
    for (; i < n; i++) {
      to[i] = to_float(from[i]);
    }
  }
};

}  // namespace fusewire::FW_EXEC
