// SPDX-License-Identifier: Apache-2.0
// First stage of a mean over pixels: every block sums a chunk of one image's pixels, (images, pixels, channels) in
// storage type T to (images, chunks, channels) in f32. With a second tensor it sums the products of the two.
#pragma once

#include "core/columns.h"
#include "core/exec.h"

namespace fusewire::FW_EXEC {

template <class T, int N>
struct PixelSumsKernel {
  struct Params {
    ColumnGrid grid;
    const T* src;
    const T* factor;  // or null
    float* sums;      // (images, chunks, channels)
    float scale;

    FW_DEVICE void add(const RowChunk& chunk, const RowRun& run, int lanes, Vec<N>* sums) const {
      int64_t at = (chunk.image * grid.rows + run.row) * grid.channels + run.channel;
      const int64_t step = run.step * grid.channels;
      if (factor == nullptr) {
#pragma unroll 4
        for (int64_t row = run.row; row < run.end; row += run.step, at += step) {
          sums[0] += load_part<N>(src + at, lanes);
        }
      } else {
#pragma unroll 4
        for (int64_t row = run.row; row < run.end; row += run.step, at += step) {
          sums[0] = fma(load_part<N>(src + at, lanes), load_part<N>(factor + at, lanes), sums[0]);
        }
      }
    }
    FW_DEVICE void finish(const RowChunk& chunk, int64_t channel, int lanes, const Vec<N>* total) const {
      float* out = sums + (chunk.image * grid.chunks + chunk.chunk) * grid.channels + channel;
      store_part<N>(out, total[0] * scale, lanes);
    }
  };
  static constexpr int kThreads = kColumnThreads;

  FW_DEVICE static void run(const Params& p, Block& block) { sum_columns<N, 1>(p.grid, block, p); }
};

// Rows (images, rows, channels) in f32 to their scaled sums (images, channels).
template <int N>
struct RowSumsKernel {
  struct Params {
    ColumnGrid grid;
    const float* src;
    float* dst;
    const float* loss_scale;  // the first member of an fw_loss_scale, or null
    float scale;

    FW_DEVICE void add(const RowChunk& chunk, const RowRun& run, int lanes, Vec<N>* sums) const {
      const float* p = src + (chunk.image * grid.rows + run.row) * grid.channels + run.channel;
#pragma unroll 4
      for (int64_t row = run.row; row < run.end; row += run.step, p += run.step * grid.channels) {
        sums[0] += load_part<N>(p, lanes);
      }
    }
    FW_DEVICE void finish(const RowChunk& chunk, int64_t channel, int lanes, const Vec<N>* total) const {
      const float factor = loss_scale == nullptr ? scale : scale * *loss_scale;
      store_part<N>(dst + chunk.image * grid.channels + channel, total[0] * factor, lanes);
    }
  };
  static constexpr int kThreads = kColumnThreads;

  FW_DEVICE static void run(const Params& p, Block& block) { sum_columns<N, 1>(p.grid, block, p); }
};

// Most chunks an image has for any alignment, for workspaces.
template <class T>
int64_t pixel_chunks(int64_t images, int64_t pixels, int64_t channels) {
  const int64_t vector = column_grid<kLanes<T>>(images, pixels, channels).chunks;
  const int64_t scalar = column_grid<1>(images, pixels, channels).chunks;
  return kOneThread || vector > scalar ? vector : scalar;
}

}  // namespace fusewire::FW_EXEC
