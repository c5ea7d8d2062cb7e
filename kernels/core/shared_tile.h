// SPDX-License-Identifier: Apache-2.0
// A tile of a matrix in shared memory, in chunks of 16 bytes whose order in a row is changed from row to row
// (swizzled), so that the eight rows of a matrix that ldmatrix loads lie in different banks, whichever chunk of theirs
// it loads. Elements of 32 bits, which ldmatrix does not transpose, are loaded one by one where a tile's rows are the
// depth: a warp reads eight neighbours, of two chunks, in each of four rows, and these are in 32 different banks.
#pragma once

#include "core/exec.h"

namespace fusewire::FW_EXEC {

template <class T, int kColumns>
struct SharedTile {
  static constexpr int kChunkLanes = int(16 / sizeof(T));  // elements of a chunk
  static constexpr int kChunks = kColumns / kChunkLanes;   // of a row
  static constexpr bool kOneByOne = sizeof(T) == 4 && kChunks % 8 == 0;
  static_assert(kChunks == 4 || kChunks % 8 == 0, "rows of 64 bytes or of whole 128 bytes");

  T* values;

  static constexpr int64_t elements(int rows) { return int64_t(rows) * kColumns; }
  // Place of a row's chunk, in chunks from the tile's start.
  FW_HOST_DEVICE static int place(int row, int chunk) {
    return row * kChunks + (chunk ^ (kChunks == 4 ? row >> 1 & 3 : kOneByOne ? (row & 3) * 2 : row & 7));
  }
  FW_DEVICE T* at(int row, int chunk) const { return values + place(row, chunk) * kChunkLanes; }
};

}  // namespace fusewire::FW_EXEC
