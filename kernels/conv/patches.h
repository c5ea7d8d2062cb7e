// SPDX-License-Identifier: Apache-2.0
// The left operand of a dense convolution's products, gathered on load (implicit GEMM), never stored.
//   forward and weight gradient: row (n,p,q), column (r,s,c) = src[n, p*sh-pt+r*dh, q*sw-pl+s*dw, c]
//   data gradient:               row (n,h,w), column (r,s,k) = diff_dst[n, (h+pt-r*dh)/sh, (w+pl-s*dw)/sw, k]
// and 0 outside the tensor, or where the division has a remainder. src and diff_dst are a source of patch_sources.h: a
// tensor as it is, or what BatchNorm makes of its tensors on load, once for every tap that reads the pixel. On a CPU a
// row takes what it shares with the row before from there.
#pragma once

#include <algorithm>

#include "conv/patch_sources.h"
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

template <class T, class Source>
struct Patches {
  Source pixels;  // (batch, y.size, x.size, channels)
  PatchAxis y, x;
  int row_height, row_width;  // pixels per image in the rows' order
  int taps_y, taps_x;
  int channels;
  bool aligned;  // whole chunks of 16 bytes are neighbours in the tensors and tables

  // As Rows::load_panel.
  FW_DEVICE void load_panel(const Block& block, int64_t row0, int rows, int64_t column0, int columns, float* panel,
                            int ld) const {
    if constexpr (kOneThread) {
      if (pixels.plain()) {
        load_runs(row0, rows, column0, columns, panel, ld);
      } else {
        make_runs(row0, rows, column0, columns, panel, ld);
      }
    } else if (aligned) {
      constexpr int N = 4;
      for_each(block, rows, columns / N, [&](int r, int v) {
        store<N>(panel + r * ld + v * N, value<N>(state(row0 + r), column(column0 + v * N)));
      });
    } else {
      for_each(block, rows, columns,
               [&](int r, int c) { panel[r * ld + c] = value<1>(state(row0 + r), column(column0 + c))[0]; });
    }
  }

  // For tensor cores (operand_tile.h).
  static constexpr int kSources = Source::kSources;
  struct State {  // the row's pixel
    int64_t image;
    int y, x;
    typename Source::Image known;
  };
  struct Column {
    int tap_y, tap_x, channel;
  };
  template <int N>
  struct Constants {
    typename Source::template Constants<N> values;
    int64_t column;
  };
  FW_DEVICE State state(int64_t row) const {
    const int64_t line = image_of(row, row_width);
    const int64_t image = image_of(line, row_height);
    return {image, int(line - image * row_height), int(row - line * row_width), pixels.image(image)};
  }
  FW_DEVICE Column column(int64_t column) const {
    const int tap = int(column) / channels;
    return {tap / taps_x, tap % taps_x, int(column) - tap * channels};
  }
  FW_DEVICE const T* base() const { return pixels.tensor(0); }
  FW_DEVICE bool used(int) const { return true; }
  FW_DEVICE bool plain() const { return pixels.plain(); }
  FW_DEVICE const T* source(int i, int64_t, const State& row, const Column& column) const {
    const int64_t pixel = pixel_of(row.image, row.y, row.x, column.tap_y, column.tap_x);
    return pixel < 0 ? nullptr : pixels.tensor(i) + pixel * channels + column.channel;
  }
  template <int N>
  FW_DEVICE Constants<N> constants(int64_t first, int n) const {
    Constants<N> c;
    c.column = first;
    if (aligned) {  // one tap's, and neighbours
      c.values = pixels.template constants<N>(column(first).channel, n, true);
      return c;
    }
    c.values = pixels.template constants<N>(0, 0, false);
#pragma unroll
    for (int e = 0; e < N; e++) {
      if (e < n) {
        pixels.template set<N>(c.values, e, column(first + e).channel);
      }
    }
    return c;
  }
  template <int N>
  FW_DEVICE Vec<N> apply(const State& row, const Constants<N>& c, Vec<N> x, Vec<N> y) const {
    Vec<N> made = pixels.template apply<N>(row.known, c.values, x, y);
    if (aligned) {
      return inside(row, column(c.column)) ? made : Vec<N>(0.0f);
    }
#pragma unroll
    for (int e = 0; e < N; e++) {
      made.set(e, inside(row, column(c.column + e)) ? made[e] : 0.0f);
    }
    return made;
  }

 private:
  // The pixel's number among all images', or -1.
  FW_DEVICE int64_t pixel_of(int64_t image, int row_y, int row_x, int tap_y, int tap_x) const {
    const int py = y.pixel(row_y, tap_y);
    const int px = x.pixel(row_x, tap_x);
    return py < 0 || px < 0 ? -1 : (image * y.size + py) * x.size + px;
  }
  FW_DEVICE const T* pixel_address(int64_t image, int row_y, int row_x, int tap_y, int tap_x) const {
    const int64_t pixel = pixel_of(image, row_y, row_x, tap_y, tap_x);
    return pixel < 0 ? nullptr : pixels.tensor(0) + pixel * channels;
  }
  FW_DEVICE bool inside(const State& row, const Column& column) const {
    return y.pixel(row.y, column.tap_y) >= 0 && x.pixel(row.x, column.tap_x) >= 0;
  }

  // The operand at N neighbouring channels of a tap.
  template <int N>
  FW_DEVICE Vec<N> value(const State& row, const Column& column) const {
    const int64_t pixel = pixel_of(row.image, row.y, row.x, column.tap_y, column.tap_x);
    return pixel < 0 ? Vec<N>(0.0f) : made<N>(row.known, pixel, column.channel, N);
  }
  // The operand at n <= N channels of a pixel.
  template <int N>
  FW_DEVICE Vec<N> made(const typename Source::Image& image, int64_t pixel, int channel, int n) const {
    const int64_t at = pixel * channels + channel;
    const Vec<N> x = load_row<N>(pixels.tensor(0) + at, n, aligned);
    if (pixels.plain()) {
      return x;
    }
    const Vec<N> y = kSources > 1 ? load_row<N>(pixels.tensor(1) + at, n, aligned) : x;
    return pixels.template apply<N>(image, pixels.template constants<N>(channel, n, aligned), x, y);
  }

  // Row by row, tap by tap, on a CPU. Where the pixel to the left has the same pixel under another tap, its row of the
  // panel has the values.
  FW_DEVICE void make_runs(int64_t row0, int rows, int64_t column0, int columns, float* panel, int ld) const {
    State row = state(row0);
    const Column first = column(column0);
    const int shift = x.dilation != 1 || (x.transposed && x.stride != 1) ? taps_x : x.transposed ? -1 : x.stride;
    for (int r = 0; r < rows; r++) {
      const bool follows = r > 0 && row.x > 0;
      float* to = panel + r * ld;
      Column tap = first;
      int at = 0;
      while (at < columns) {
        const int run = std::min(channels - tap.channel, columns - at);
        const int other = at + shift * channels;
        const int other_tap = tap.tap_x + shift;
        if (follows && other_tap >= 0 && other_tap < taps_x && other >= 0 && other + run <= columns) {
          std::copy_n(to - ld + other, run, to + at);
        } else {
          make_run(row, tap, run, to + at);
        }
        at += run;
        tap.channel = 0;
        if (++tap.tap_x == taps_x) {
          tap.tap_x = 0;
          tap.tap_y++;
        }
      }
      fill_pad(to, columns);
      if (++row.x == row_width) {
        row.x = 0;
        if (++row.y == row_height) {
          row.y = 0;
          row.image++;
          if (r + 1 < rows) {
            row.known = pixels.image(row.image);
          }
        }
      }
    }
  }

  // `run` channels of a tap.
  FW_DEVICE void make_run(const State& row, const Column& tap, int run, float* to) const {
    constexpr int N = kLanes<T>;
    const int64_t pixel = pixel_of(row.image, row.y, row.x, tap.tap_y, tap.tap_x);
    if (pixel < 0) {
      std::fill_n(to, run, 0.0f);
      return;
    }
    for (int i = 0; i < run; i += N) {
      store_part<N>(to + i, made<N>(row.known, pixel, tap.channel + i, run - i), run - i);
    }
  }

  FW_DEVICE static void fill_pad(float* row, int columns) {
    for (int column = columns; column < (columns + kPadLanes - 1) / kPadLanes * kPadLanes; column++) {
      row[column] = 0;
    }
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
      fill_pad(panel + r * ld, columns);
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
