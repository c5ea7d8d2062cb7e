// SPDX-License-Identifier: Apache-2.0
// The way of the fused depthwise kernels through their images. A block owns a box of results, some rows by some tiles
// of columns of a group of channel vectors, in a run of images. It goes down the box in bands of rows; what it computes
// from is made once per value, row by row, into a *ring* of rows in shared memory, from which a tile of results at a
// time is summed in registers. A *slot* is one thread's place: a vector and a worker, which takes every workers-th tile
// of a band. All follows from the shape alone.
#pragma once

#include <algorithm>

#include "core/exec.h"

namespace fusewire::FW_EXEC {

struct Walk {
  int vectors, group, groups;   // of all channels, of a block; blocks along the channels
  int tiles, span, spans;       // of a row of results, of a block; blocks along a row
  int rows, segment, segments;  // of an image, of a block; blocks along the rows
  int images, run, runs;        // in all, of a block; blocks along the images
  int band;                     // rows between barriers
  int ring_rows, ring_columns;
  int64_t blocks;

  // Blocks that share no channels' results: each leaves one row of partial sums.
  FW_HOST_DEVICE int64_t chunks() const { return int64_t(runs) * segments * spans; }
  template <int N>
  FW_HOST_DEVICE int64_t ring_elements() const {
    return int64_t(ring_rows) * ring_columns * group * N;
  }
  // Most slots of a block of `threads` threads.
  FW_HOST_DEVICE int slots(int threads) const { return kOneThread ? group : threads; }
};

// What a kernel keeps in shared memory: f32 vectors of N channels.
struct WalkMemory {
  int row_columns, more_columns;  // of the ring for one tile, and for each tile more
  int64_t vector_bytes;           // per vector, beside the ring
  int64_t fixed_bytes;
};

// unit: vectors that stay in one block. ring_rows(band): rows of the ring that a band of results needs.
template <int N, class RingRows>
Walk walk_images(int batch, int rows, int tiles, int vectors, int threads, int unit, const WalkMemory& memory,
                 RingRows ring_rows) {
  const auto in_units = [unit](int64_t count) { return int(ceil_div(count, unit)) * unit; };
  const auto ring_columns = [&](int span) { return memory.row_columns + (span - 1) * memory.more_columns; };
  const auto vector_bytes = [&](int band, int span) {
    return int64_t(ring_rows(band)) * ring_columns(span) * N * 4 + memory.vector_bytes;
  };
  Walk w;
  w.vectors = vectors;
  w.tiles = tiles;
  w.rows = rows;
  w.images = batch;
  w.band = 1;
  int64_t least_blocks = 0;  // wanted from segments where images do not give them; from runs of images where they do
  int64_t most_blocks = 0;
  int64_t least_segment = 0;
  int group = 0;
  if (kOneThread) {
    // One row at a time from what fits in the first-level cache: whole rows of two vectors if possible, else parts of
    // rows that are long beside the columns which two neighbours both need.
    constexpr int64_t kCache = 28 << 10;
    constexpr int kMostVectors = 16;
    constexpr int kLeastSpan = 4;
    constexpr int kLeastGroup = 2;
    least_blocks = 32;
    most_blocks = 64;
    least_segment = 4;
    const int64_t columns = (kCache / std::min(kLeastGroup, vectors) - memory.vector_bytes) / (ring_rows(1) * N * 4);
    const int64_t span = std::max<int64_t>(kLeastSpan, (columns - memory.row_columns) / memory.more_columns + 1);
    w.spans = int(ceil_div(tiles, std::min<int64_t>(tiles, span)));
    w.span = int(ceil_div(tiles, w.spans));
    const int64_t fits = kCache / vector_bytes(1, w.span);
    group = int(std::min<int64_t>(kMostVectors, std::max<int64_t>(kLeastGroup, fits)));
    const int64_t groups = std::min<int64_t>(ceil_div(least_blocks, std::max<int64_t>(1, int64_t(batch) * w.spans)),
                                             std::max(1, vectors / kLeastGroup));
    group = int(std::min<int64_t>(group, ceil_div(vectors, groups)));
  } else {
    // A tile for every thread in each band, and little enough memory that several blocks share a multiprocessor.
    constexpr int64_t kMemory = 60 << 10;
    constexpr int kMostVectors = 16;
    constexpr int kMostSpan = 4;
    least_blocks = most_blocks = 512;
    group = in_units(ceil_div(vectors, ceil_div(vectors, kMostVectors)));
    w.spans = int(ceil_div(tiles, kMostSpan));
    w.span = int(ceil_div(tiles, w.spans));
    w.band = std::max(1, std::min(rows, threads / group / w.span));
    const int64_t room = kMemory - memory.fixed_bytes;
    while (vector_bytes(w.band, w.span) * group > room && w.band > 1) {
      w.band--;
    }
    while (vector_bytes(1, w.span) * group > room && w.span > 1) {
      w.span--;
    }
    w.spans = int(ceil_div(tiles, w.span));
    while (vector_bytes(1, w.span) * group > room && group > unit) {
      group -= unit;
    }
    least_segment = 2 * w.band;
  }
  w.groups = int(ceil_div(vectors, group));
  w.group = in_units(ceil_div(vectors, w.groups));
  w.groups = int(ceil_div(vectors, w.group));
  w.ring_rows = ring_rows(w.band);
  w.ring_columns = ring_columns(w.span);
  // Blocks for all cores: from rows where images do not give enough, else several images to a block, which keeps the
  // partial sums few.
  const int64_t blocks = std::max<int64_t>(1, int64_t(batch) * w.groups * w.spans);
  const int64_t segments = std::min(ceil_div(least_blocks, blocks), std::max<int64_t>(1, rows / least_segment));
  w.segment = int(ceil_div(rows, segments));
  w.segments = int(ceil_div(rows, w.segment));
  w.run = int(std::min<int64_t>(std::max(1, batch), std::max<int64_t>(1, blocks / most_blocks)));
  w.runs = int(ceil_div(batch, w.run));
  w.blocks = w.chunks() * w.groups;
  return w;
}

// A block's part of a Walk.
struct Box {
  int first_image, images, first_row, rows, first_tile, tiles, first_vector, vectors;
  int64_t chunk;

  FW_DEVICE Box(const Walk& w, int64_t block) {
    chunk = block / w.groups;
    first_vector = int(block % w.groups) * w.group;
    vectors = part(w.vectors, first_vector, w.group);
    first_tile = int(chunk % w.spans) * w.span;
    tiles = part(w.tiles, first_tile, w.span);
    const int64_t rest = chunk / w.spans;
    first_row = int(rest % w.segments) * w.segment;
    rows = part(w.rows, first_row, w.segment);
    first_image = int(rest / w.segments) * w.run;
    images = part(w.images, first_image, w.run);
  }

 private:
  FW_DEVICE static int part(int all, int first, int most) { return all - first < most ? all - first : most; }
};

// Rows of staged values in shared memory. On a CPU the columns of a vector are neighbours, so that a tile's loads have
// constant distances; on a GPU the vectors are, as neighbouring threads read them.
template <int N>
struct Ring {
  float* values;
  int rows, columns, vectors;

  FW_DEVICE Ring(Block& block, const Walk& w, int box_vectors)
      : values(block.template shared<float>(w.ring_elements<N>())),
        rows(w.ring_rows),
        columns(w.ring_columns),
        vectors(box_vectors) {}
  FW_DEVICE float* at(int row, int column, int v) const {
    return values + (kOneThread ? (row * vectors + v) * columns + column : (row * columns + column) * vectors + v) * N;
  }
  FW_DEVICE int column_stride() const { return kOneThread ? N : vectors * N; }
  FW_DEVICE void clear(const Block& block) const {
    const int all = rows * columns * vectors;
    for (int i = block.thread; i < all; i += block.threads) {
      store<N>(values + i * N, Vec<N>(0.0f));
    }
  }
};

// Calls f(slot, v, worker) for the thread's slots; a thread has the same ones whenever it calls this.
struct Slots {
  int vectors, workers;

  FW_DEVICE Slots(const Block& block, int box_vectors)
      : vectors(box_vectors), workers(kOneThread ? 1 : block.threads / box_vectors) {}
  template <class F>
  FW_DEVICE void each(const Block& block, F f) const {
    for (int slot = block.thread; slot < workers * vectors; slot += block.threads) {
      f(slot, kOneThread ? slot : slot % vectors, kOneThread ? 0 : slot / vectors);
    }
  }
};

// The tiles of a band that one worker takes: for (BandTiles t(...); t.row < rows; t.next()).
struct BandTiles {
  int row, tile, tiles, workers;

  FW_DEVICE BandTiles(int worker, int all_workers, int box_tiles)
      : row(kOneThread ? 0 : worker / box_tiles),
        tile(kOneThread ? 0 : worker % box_tiles),
        tiles(box_tiles),
        workers(all_workers) {}
  FW_DEVICE void next() {
    tile += workers;
    while (tile >= tiles) {
      tile -= tiles;
      row++;
    }
  }
};

// A CPU keeps the taps of a vector together, a GPU the vectors of a tap.
template <int K, int N>
FW_DEVICE int tap_offset(int tap, int v, int vectors) {
  return (kOneThread ? v * K * K + tap : tap * vectors + v) * N;
}

}  // namespace fusewire::FW_EXEC
