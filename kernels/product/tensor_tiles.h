// SPDX-License-Identifier: Apache-2.0
// One block's product on tensor cores, as ProductTiles otherwise: rows of the left operand times a tile of the weights'
// columns. Slices of the depth go through a ring of stages in shared memory: while tensor cores work on one, the copies
// of the next ones are under way, and every thread applies the operand's prologue to its part of a slice just before
// the barrier that gives the slice to all. One barrier per slice.
#pragma once

#include "core/tile_mma.h"
#include "product/operand_tile.h"
#include "product/tensor_weights.h"

namespace fusewire::FW_EXEC {

// A ring of stages in shared memory, whose place the results take on their way out. All stages but one are under way at
// a time: with two blocks on a multiprocessor some 30 KB, which is what memory's latency takes to hide. Where shared
// memory does not hold them all, fewer (compute capability 7.5, which has no asynchronous copies either, gets two).
template <class Sums, int64_t kStageBytes>
struct StageRing {
  static constexpr int kMost = 5;

  FW_HOST_DEVICE static constexpr int64_t bytes(int stages) {
    const int64_t staged = Sums::kStagedElements * int64_t(sizeof(float));
    return shared_bytes<char>(stages * kStageBytes > staged ? stages * kStageBytes : staged);
  }
  // Stages for a block that has `others` bytes of shared memory besides.
  static int stages_for(int64_t others) {
    int stages = kMost;
    while (stages > 2 && bytes(stages) + others > shared_limit()) {
      stages--;
    }
    return stages;
  }

  // Waits for this thread's copies of the slice whose turn it is, those of stages - 2 younger ones being under way.
  FW_DEVICE static void wait(const Block& block, int stages) {
    switch (stages) {
      case 5:
        return async_wait<3>(block);
      case 4:
        return async_wait<2>(block);
      case 3:
        return async_wait<1>(block);
      default:
        return async_wait<0>(block);
    }
  }
};

template <class T, class Left, int kTileRows = 64, int kTileColumns = 128, int kBlockThreads = 256, int kEmitLanes = 8>
struct TensorTiles {
  using Sums = MmaAccumulator<T, kTileRows, kTileColumns, kBlockThreads>;
  static constexpr int kThreads = kBlockThreads;
  static constexpr int kRows = kTileRows;
  static constexpr int kColumns = kTileColumns;
  static constexpr int kEmit = kEmitLanes;
  static constexpr int kSlice = kWeightsSlice<T>;
  using LeftTile = OperandTile<T, Left, kRows, kSlice, Sums::kThreads>;
  using WeightsTile = SharedTile<T, kSlice>;
  static constexpr int64_t kStageElements = LeftTile::kStageElements + WeightsTile::elements(kColumns);

  using Ring = StageRing<Sums, kStageElements * int64_t(sizeof(T))>;
  static int stages_for(int64_t others) { return Ring::stages_for(others); }
  static int64_t shared(int64_t, int stages) { return Ring::bytes(stages); }
  static constexpr int64_t kTypicalShared = Ring::bytes(Ring::kMost);

  const Left& left;
  const T* weights;  // as TensorWeights packs them
  int64_t columns, depth;
  int stages;
  T* ring;
  Sums sum;

  FW_DEVICE TensorTiles(Block& block, const Left& operand, const WeightsLayout&, const void* packed,
                        int64_t all_columns, int64_t all_depth, int ring_stages)
      : left(operand),
        weights(static_cast<const T*>(packed)),
        columns(all_columns),
        depth(all_depth),
        stages(ring_stages),
        ring(reinterpret_cast<T*>(block.shared<char>(Ring::bytes(ring_stages)))) {
    sum.staged = reinterpret_cast<float*>(ring);
  }

  template <class F>
  FW_DEVICE void each(const Block& block, int rows, int width, F f) const {
    sum.template each<kEmit>(block, rows, width, f);
  }

  // As ProductTiles::run, for one tile of columns.
  template <class F>
  FW_DEVICE void run(const Block& block, int64_t row0, int rows, int64_t tile, int, F emit) {
    const int64_t n0 = tile * kColumns;
    const int width = columns - n0 < kColumns ? int(columns - n0) : kColumns;
    multiply(block, row0, rows, n0, width);
    emit(0, n0, width);
  }

 private:
  FW_DEVICE T* stage(int slice) const { return ring + slice % stages * kStageElements; }

  FW_DEVICE void multiply(const Block& block, int64_t row0, int rows, int64_t n0, int width) {
    const int slices = int((depth + kSlice - 1) / kSlice);
    typename Left::State states[LeftTile::kThreadRows];
#pragma unroll
    for (int i = 0; i < LeftTile::kThreadRows; i++) {
      states[i] = LeftTile::state_of(left, block, row0, rows, i);
    }
    const auto state = [&](int i) {  // i may be a loop's variable, and the states stay in registers
      typename Left::State s = states[0];
#pragma unroll
      for (int k = 1; k < LeftTile::kThreadRows; k++) {
        s = i == k ? states[k] : s;
      }
      return s;
    };
    const auto length = [&](int slice) {
      const int64_t rest = depth - int64_t(slice) * kSlice;
      return rest < kSlice ? int(rest) : kSlice;
    };
    const auto copy = [&](int slice) {
      if (slice < slices) {
        LeftTile::copy(left, block, stage(slice), row0, rows, int64_t(slice) * kSlice, length(slice), state);
        copy_weights(block, slice, n0, width);
      }
      async_commit(block);  // an empty group counts as well: the wait below is always for the same number
    };
    sum.clear();
    for (int slice = 1 - stages; slice < slices; slice++) {  // the first ones only start copies
      if (slice >= 0) {
        Ring::wait(block, stages);
        LeftTile::apply(left, block, stage(slice), rows, int64_t(slice) * kSlice, length(slice), state);
        block.sync();  // the slice is whole, and nobody reads the one before it any more
      }
      copy(slice + stages - 1);
      if (slice >= 0) {
        sum.template multiply<false, false, true>(block, WeightsLeft{stage(slice)},
                                                  WeightsTile{stage(slice) + LeftTile::kStageElements}, rows, width,
                                                  (length(slice) + Sums::kDepth - 1) / Sums::kDepth);
      }
    }
  }

  using WeightsLeft = SharedTile<T, kSlice>;

  // Packed weights are whole chunks; columns are there up to a multiple of 16.
  FW_DEVICE void copy_weights(const Block& block, int slice, int64_t n0, int width) {
    const WeightsTile tile{stage(slice) + LeftTile::kStageElements};
    const int64_t ld = TensorWeights<T>::padded_depth(depth);
    const int wanted = (width + 15) / 16 * 16;
#pragma unroll
    for (int i = 0; i < kColumns * WeightsTile::kChunks / Sums::kThreads; i++) {
      const int at = block.thread + i * Sums::kThreads;
      const int column = at / WeightsTile::kChunks;
      const int chunk = at % WeightsTile::kChunks;
      if (column < wanted) {
        const T* from = weights + (n0 + column) * ld + int64_t(slice) * kSlice + chunk * WeightsTile::kChunkLanes;
        async_copy(block, tile.at(column, chunk), from, true);
      }
    }
  }
};

}  // namespace fusewire::FW_EXEC
