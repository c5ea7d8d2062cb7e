// SPDX-License-Identifier: Apache-2.0
// Where pooling's windows lie, and the pixels in them.
#pragma once

#include <cmath>

#include "norm/normed.h"
#include "product/operand_tile.h"

namespace fusewire::FW_EXEC {

// One spatial axis.
struct PoolAxis {
  int size, out_size;
  int kernel, stride, pad;

  // Pixels [begin, end) of the window at `out`.
  FW_DEVICE int begin(int out) const {
    const int first = out * stride - pad;
    return first > 0 ? first : 0;
  }
  FW_DEVICE int end(int out) const {
    const int last = out * stride - pad + kernel;
    return last < size ? last : size;
  }
  // Windows [first, last) that have the pixel `at`.
  FW_DEVICE int first(int at) const {
    const int before = at + pad - kernel;
    return before < 0 ? 0 : before / stride + 1;
  }
  FW_DEVICE int last(int at) const {
    const int behind = (at + pad) / stride + 1;
    return behind < out_size ? behind : out_size;
  }
};

// in(src), (images, y.size, x.size, channels).
template <class T>
struct PoolSource {
  const T* src;
  Norm norm;  // with its activation; without a table src is taken as it is
  PoolAxis y, x;
  int64_t channels;

  template <int N>
  FW_DEVICE Vec<N> value(const NormVector<N>& z, int64_t image, int at_y, int at_x, int64_t channel, int lanes) const {
    const int64_t pixel = (image * y.size + at_y) * x.size + at_x;
    return activate(norm.activation, z.apply(load_part<N>(src + pixel * channels + channel, lanes)));
  }

  // The largest value of a window, and which of the window's pixels inside, counted row by row, is the first that has
  // it, or the last NaN.
  template <int N>
  FW_DEVICE void largest(const NormVector<N>& z, int64_t image, int out_y, int out_x, int64_t channel, int lanes,
                         Vec<N>* best, Vec<N>* place) const {
    *best = Vec<N>(-INFINITY);
    *place = Vec<N>(0.0f);
    const int begin_x = x.begin(out_x);
    const int end_x = x.end(out_x);
    int tap = 0;
    for (int at_y = y.begin(out_y); at_y < y.end(out_y); at_y++) {
      for (int at_x = begin_x; at_x < end_x; at_x++, tap++) {
        const Vec<N> v = value<N>(z, image, at_y, at_x, channel, lanes);
        const Vec<N> here(static_cast<float>(tap));
        *place = select_nan(v, here, select_greater(v, *best, here, *place));
        *best = select_nan(v, v, select_greater(v, *best, v, *best));
      }
    }
  }
};

// How pixels are dealt to blocks: a block has some pixels and all their channels.
struct PoolGrid {
  int64_t pixels;  // of all images
  int height, width;
  int64_t channels;
  int vectors;       // of a pixel
  int block_pixels;  // of a block

  template <int N>
  static PoolGrid of(int64_t images, int64_t height, int64_t width, int64_t channels) {
    constexpr int64_t kVectors = 1024;  // of a block
    const int64_t vectors = ceil_div(channels, N);
    const int64_t wanted = ceil_div(kVectors, vectors);
    return {images * height * width, int(height), int(width), channels, int(vectors), int(wanted)};
  }
  Grid grid() const { return {ceil_div(pixels, block_pixels)}; }

  // f(pixel, image, y, x, channel, lanes) for each vector of the block's pixels.
  template <int N, class F>
  FW_DEVICE void each(const Block& block, F f) const {
    const int64_t first = block.x * block_pixels;
    const int count = pixels - first < block_pixels ? int(pixels - first) : block_pixels;
    const auto pixel = [&](int64_t at, auto g) {
      const int64_t line = image_of(at, width);
      const int64_t image = image_of(line, height);
      g(image, int(line - image * height), int(at - line * width));
    };
    if constexpr (kOneThread) {
      for (int i = 0; i < count; i++) {
        pixel(first + i, [&](int64_t image, int y, int x) {
          for (int64_t channel = 0; channel < channels; channel += N) {
            f(first + i, image, y, x, channel, vector_lanes<N>(channels, channel));
          }
        });
      }
    } else {
      for_each(block, count, vectors, [&](int i, int v) {
        pixel(first + i, [&](int64_t image, int y, int x) {
          f(first + i, image, y, x, int64_t(v) * N, vector_lanes<N>(channels, int64_t(v) * N));
        });
      });
    }
  }
};

}  // namespace fusewire::FW_EXEC
