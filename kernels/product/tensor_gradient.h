// SPDX-License-Identifier: Apache-2.0
// A block's part of diff_weights = left^T * right (weights_gradient.h) on tensor cores: one tile of the result over a
// chunk of rows. Slices of rows of both operands go through a ring of stages as in tensor_tiles.h, each operand's
// prologue being applied in place; the rows are the depth, so both are transposed on their way to the fragments, by
// ldmatrix or, in f32, element by element.
#pragma once

#include "core/tile_mma.h"
#include "product/operand_tile.h"
#include "product/tensor_tiles.h"

namespace fusewire::FW_EXEC {

template <class Left, class Right>
struct GradientParams {
  Left left;
  Right right;
  float* partial;  // (chunks, out, in)
  float* bias;     // (chunks, out) or nullptr
  int64_t rows, rows_per_chunk, out, in;
  int out_tiles;  // of a block: the right operand's prologue runs once for all of them
  int out_blocks;
  int stages;  // of shared memory, with tensor cores
  bool aligned;
};

struct TensorGradientTile {
  static constexpr int kRows = 128;
  static constexpr int kColumns = 128;
  // Rows of a slice: of 8 KB.
  static constexpr int steps(int element_bytes) { return 64 / element_bytes; }
};

template <class T, class Left, class Right>
struct TensorWeightsGradient {
  using Params = GradientParams<Left, Right>;
  static constexpr int kRows = TensorGradientTile::kRows;
  static constexpr int kColumns = TensorGradientTile::kColumns;
  static constexpr int kSteps = TensorGradientTile::steps(int(sizeof(T)));
  static constexpr int kThreads = 512;
  using Sums = MmaAccumulator<T, kRows, kColumns, kThreads>;
  using LeftTile = OperandTile<T, Left, kSteps, kRows, Sums::kThreads>;
  using RightTile = OperandTile<T, Right, kSteps, kColumns, Sums::kThreads>;
  static constexpr int64_t kStageElements = LeftTile::kStageElements + RightTile::kStageElements;
  using Ring = StageRing<Sums, kStageElements * int64_t(sizeof(T))>;
  static constexpr int64_t kOtherBytes = shared_bytes<float>(kRows);
  static int stages_for() { return Ring::stages_for(kOtherBytes); }
  static constexpr int64_t kTypicalShared = Ring::bytes(Ring::kMost) + kOtherBytes;
  static int64_t shared(int, int stages) { return Ring::bytes(stages) + kOtherBytes; }

  FW_DEVICE static void run(const Params& p, Block& block) {
    const int stages = p.stages;
    T* ring = reinterpret_cast<T*>(block.template shared<char>(Ring::bytes(stages)));
    float* bias = block.template shared<float>(kRows);
    Sums sums;
    sums.staged = reinterpret_cast<float*>(ring);
    sums.clear();
    const int64_t out0 = block.x % p.out_blocks * kRows;
    const int64_t in0 = block.x / p.out_blocks * kColumns;
    const int out = p.out - out0 < kRows ? int(p.out - out0) : kRows;
    const int in = p.in - in0 < kColumns ? int(p.in - in0) : kColumns;
    const int64_t first = block.y * p.rows_per_chunk;
    const int64_t end = first + p.rows_per_chunk < p.rows ? first + p.rows_per_chunk : p.rows;
    const bool with_bias = p.bias != nullptr && in0 == 0;
    const int slices = first < end ? int((end - first + kSteps - 1) / kSteps) : 0;
    if (block.thread < kRows) {
      bias[block.thread] = 0;
    }

    const auto stage = [&](int slice) { return ring + slice % stages * kStageElements; };
    const auto row0 = [&](int slice) { return first + int64_t(slice) * kSteps; };
    const auto rows = [&](int slice) { return end - row0(slice) < kSteps ? int(end - row0(slice)) : kSteps; };
    const auto copy = [&](int slice) {
      if (slice < slices) {
        LeftTile::copy(p.left, block, stage(slice), row0(slice), rows(slice), out0, out,
                       states_of<LeftTile>(p.left, block, row0(slice), rows(slice)));
        RightTile::copy(p.right, block, stage(slice) + LeftTile::kStageElements, row0(slice), rows(slice), in0, in,
                        states_of<RightTile>(p.right, block, row0(slice), rows(slice)));
      }
      async_commit(block);
    };
    for (int slice = 1 - stages; slice < slices; slice++) {  // the first ones only start copies
      if (slice >= 0) {
        Ring::wait(block, stages);
        LeftTile::apply(p.left, block, stage(slice), rows(slice), out0, out,
                        states_of<LeftTile>(p.left, block, row0(slice), rows(slice)));
        RightTile::apply(p.right, block, stage(slice) + LeftTile::kStageElements, rows(slice), in0, in,
                         states_of<RightTile>(p.right, block, row0(slice), rows(slice)));
        block.sync();  // the slice is whole, and nobody reads the one before it any more
      }
      copy(slice + stages - 1);
      if (slice >= 0) {
        const typename LeftTile::Tile a{stage(slice)};
        const typename RightTile::Tile b{stage(slice) + LeftTile::kStageElements};
        sums.template multiply<true, true>(block, a, b, out, in, kSteps / Sums::kDepth);
        if (with_bias) {
          add_columns(block, a, out, rows(slice), bias);
        }
      }
    }

    float* to = p.partial + (block.y * p.out + out0) * p.in + in0;
    sums.template each<4>(block, out, in, [&](int row, int column, auto x, int n) {
      store_row<4>(to + row * p.in + column, x, n, p.aligned);
    });
    if (with_bias && block.thread < out) {
      p.bias[block.y * p.out + out0 + block.thread] = bias[block.thread];
    }
  }

 private:
  template <class Tile, class Operand>
  FW_DEVICE static auto states_of(const Operand& operand, const Block& block, int64_t row0, int rows) {
    return [&operand, &block, row0, rows](int i) { return Tile::state_of(operand, block, row0, rows, i); };
  }

  // bias[i] += the sum of left's column i; a column's own thread does, in the rows' order.
  template <class Tile>
  FW_DEVICE static void add_columns(const Block& block, const Tile& a, int out, int rows, float* bias) {
    const int column = block.thread;
    if (column < out) {
      float sum = bias[column];
      for (int r = 0; r < rows; r++) {
        sum += to_float(a.at(r, column / Tile::kChunkLanes)[column % Tile::kChunkLanes]);
      }
      bias[column] = sum;
    }
  }
};

}  // namespace fusewire::FW_EXEC
