// SPDX-License-Identifier: Apache-2.0
// Work on the columns of (images, rows, channels) tensors: per-channel sums over rows, and maps with per-channel
// parameters. A block owns a chunk of an image's rows and a tile of the channels; its threads are dealt out as
// `columns` vectors of channels by `row_threads` rows, so that neighbouring threads read neighbouring channels and each
// thread keeps its channels' parameters and sums in registers. The CPU's single thread walks its chunk in panels of a
// few rows, so that memory is read as a few sequential streams, and keeps the sums of all columns in its L1 cache.
// The geometry follows from the shape alone, never from the number of CPU threads: sums always have the same order.
#pragma once

#include "core/exec.h"

namespace fusewire::FW_EXEC {

struct ColumnGrid {
  int64_t images, rows, channels;
  int64_t chunks, chunk_rows;  // blocks over an image's rows, rows of each
  int64_t tiles;               // blocks over the channels
  int columns;                 // vectors of channels of a block
  int row_threads;             // threads over rows

  Grid grid() const { return {images * chunks, tiles, 1}; }
};

constexpr int kColumnThreads = 256;

namespace column_limits {
#if defined(FW_EXEC_CPU)
constexpr int kColumns = 32;            // their sums stay in the L1 cache
constexpr int64_t kChunkVectors = 512;  // 32 KiB of f32: several blocks for every core even on small tensors
constexpr int64_t kChunkRows = 32;      // keeps partial sums small beside the data
constexpr int64_t kBlocks = 4096;
constexpr int64_t kChunks = 256;
#else
constexpr int kColumns = 32;
constexpr int64_t kChunkVectors = 0;
constexpr int64_t kChunkRows = 8;  // rows of a thread
constexpr int64_t kBlocks = 2048;  // a few waves
constexpr int64_t kChunks = 512;
#endif
constexpr int64_t kChunkRowsMultiple = 8;
}  // namespace column_limits

// Geometry for vectors of N channels.
template <int N>
ColumnGrid column_grid(int64_t images, int64_t rows, int64_t channels) {
  namespace limits = column_limits;
  ColumnGrid g;
  g.images = images;
  g.rows = rows;
  g.channels = channels;
  const int64_t vectors = ceil_div(channels, N);
  g.tiles = ceil_div(vectors, limits::kColumns);
  g.columns = int(ceil_div(vectors, g.tiles));
  g.row_threads = kOneThread ? 1 : kColumnThreads / g.columns;
  const int64_t few = ceil_div(limits::kChunkVectors, g.columns);
  int64_t chunk_rows = limits::kChunkRows * g.row_threads;
  chunk_rows = chunk_rows > few ? chunk_rows : few;
  const int64_t blocks = limits::kBlocks / (g.tiles * (images > 0 ? images : 1));
  const int64_t most = blocks < 1 ? 1 : blocks < limits::kChunks ? blocks : limits::kChunks;
  const int64_t least_rows = ceil_div(rows, most);
  chunk_rows = chunk_rows > least_rows ? chunk_rows : least_rows;
  chunk_rows = ceil_div(chunk_rows, limits::kChunkRowsMultiple) * limits::kChunkRowsMultiple;
  g.chunk_rows = chunk_rows > 0 ? chunk_rows : 1;
  g.chunks = rows > 0 ? ceil_div(rows, g.chunk_rows) : 1;
  return g;
}

// Geometry of a second stage, which adds up the few rows that a first stage left: an image is one chunk.
template <int N>
ColumnGrid column_grid_second_stage(int64_t images, int64_t rows, int64_t channels) {
  constexpr int kColumns = kOneThread ? 8 : 16;
  ColumnGrid g;
  g.images = images;
  g.rows = rows;
  g.channels = channels;
  const int64_t vectors = ceil_div(channels, N);
  g.tiles = ceil_div(vectors, kColumns);
  g.columns = int(ceil_div(vectors, g.tiles));
  g.row_threads = kOneThread ? 1 : kColumnThreads / g.columns;
  g.chunks = 1;
  g.chunk_rows = rows > 0 ? rows : 1;
  return g;
}

// The rows of one block.
struct RowChunk {
  int64_t image, chunk;
  int64_t begin, end;  // rows of the image
};

FW_DEVICE RowChunk row_chunk(const ColumnGrid& g, const Block& block) {
  RowChunk c;
  c.image = block.x / g.chunks;
  c.chunk = block.x % g.chunks;
  c.begin = c.chunk * g.chunk_rows;
  c.end = c.begin + g.chunk_rows < g.rows ? c.begin + g.chunk_rows : g.rows;
  return c;
}

// An item is one thread's place among columns x row_threads; with one thread there are no row threads.
FW_DEVICE int item_column(const ColumnGrid& g, int item) { return kOneThread ? item : item % g.columns; }
FW_DEVICE int item_row(const ColumnGrid& g, int item) { return kOneThread ? 0 : item / g.columns; }

// What one thread does at once: channels [channel, channel + lanes) of the rows row, row + step, ... below end.
struct RowRun {
  int64_t row, end, step;
  int64_t channel;
};

// Bytes of shared memory that sum_columns<N, K>() takes.
template <int N, int K>
int64_t sum_columns_shared(const ColumnGrid& g) {
  return shared_bytes<float>(int64_t(K) * g.columns * g.row_threads * N);
}

// Sums K quantities per channel over the block's rows.
//   op.add(chunk, run, lanes, sums)           adds a run's rows to sums[K]
//   op.finish(chunk, channel, lanes, sums)    takes the block's sums of these channels
// lanes is N except in the CPU's last vector of a row.
template <int N, int K, class Op>
FW_DEVICE void sum_columns(const ColumnGrid& g, Block& block, const Op& op) {
  const RowChunk chunk = row_chunk(g, block);
  const int items = g.columns * g.row_threads;
  float* scratch = block.shared<float>(int64_t(K) * items * N);
  constexpr int kPanel = 8;
  const int64_t panel = kOneThread ? kPanel : chunk.end - chunk.begin;
  for (int64_t first = chunk.begin; first < chunk.end; first += panel) {
    const int64_t last = first + panel < chunk.end ? first + panel : chunk.end;
    for (int item = block.thread; item < items; item += block.threads) {
      Vec<N> sums[K];
#pragma unroll
      for (int k = 0; k < K; k++) {
        sums[k] = first == chunk.begin ? Vec<N>(0.0f) : load<N>(scratch + (k * items + item) * N);
      }
      const int64_t channel = (block.y * g.columns + item_column(g, item)) * N;
      const RowRun run = {first + item_row(g, item), last, g.row_threads, channel};
      if (channel + N <= g.channels) {
        op.add(chunk, run, N, sums);
      } else if (kOneThread && channel < g.channels) {
        op.add(chunk, run, int(g.channels - channel), sums);
      }
#pragma unroll
      for (int k = 0; k < K; k++) {
        store<N>(scratch + (k * items + item) * N, sums[k]);
      }
    }
  }
  block.sync();
  for (int column = block.thread; column < g.columns; column += block.threads) {
    const int64_t channel = (block.y * g.columns + column) * N;
    if (channel >= g.channels) {
      break;
    }
    Vec<N> sums[K];
#pragma unroll
    for (int k = 0; k < K; k++) {
      sums[k] = Vec<N>(0.0f);
      for (int row = 0; row < g.row_threads && chunk.begin < chunk.end; row++) {
        sums[k] += load<N>(scratch + (k * items + row * g.columns + column) * N);
      }
    }
    op.finish(chunk, channel, vector_lanes<N>(g.channels, channel), sums);
  }
}

// Calls op.map(chunk, run, lanes) for all of the block's rows and channels. Blocks go from the last rows to the first:
// what a sum over the same tensor has just read, or an operation before has just written, is still in the cache.
template <int N, class Op>
FW_DEVICE void map_columns(const ColumnGrid& g, const Block& forward, const Op& op) {
  Block block = forward;
  block.x = g.images * g.chunks - 1 - forward.x;
  block.y = g.tiles - 1 - forward.y;
  const RowChunk chunk = row_chunk(g, block);
  const int items = g.columns * g.row_threads;
  constexpr int kPanel = 2;
  const int64_t panel = kOneThread ? kPanel : chunk.end - chunk.begin;
  for (int64_t first = chunk.begin; first < chunk.end; first += panel) {
    const int64_t last = first + panel < chunk.end ? first + panel : chunk.end;
    for (int item = block.thread; item < items; item += block.threads) {
      const int64_t channel = (block.y * g.columns + item_column(g, item)) * N;
      const RowRun run = {first + item_row(g, item), last, g.row_threads, channel};
      if (channel + N <= g.channels) {
        op.map(chunk, run, N);
      } else if (kOneThread && channel < g.channels) {
        op.map(chunk, run, int(g.channels - channel));
      }
    }
  }
}

}  // namespace fusewire::FW_EXEC
