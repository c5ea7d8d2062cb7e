// SPDX-License-Identifier: Apache-2.0
// diff_weights = left^T * right: left (rows, out) is the gradient of a product's result, right (rows, in) its left
// operand; the sum runs over the many rows. Two deterministic stages: the rows are cut into chunks by the shape alone,
// every chunk gives a partial matrix (out, in) in the workspace, and the partial ones are added in order. With one
// chunk the second stage vanishes. diff_bias (out), the column sums of left, comes from the same pass.
#pragma once

#include <algorithm>
#include <initializer_list>

#include "core/access.h"
#include "core/tile.h"
#include "product/tensor_gradient.h"
#include "product/weights.h"

namespace fusewire::FW_EXEC {

constexpr int kGradientRowStep = kOneThread ? 64 : 16;

template <class Left, class Right>
struct WeightsGradient {
  using Params = GradientParams<Left, Right>;
  static constexpr int kThreads = 256;
  static constexpr int kRows = Accumulator::kRows;
  static constexpr int kColumns = Accumulator::kColumns;
  static constexpr int kSteps = kGradientRowStep;

  // On a GPU, where a block has one tile.
  static constexpr int64_t kTypicalShared = shared_bytes<float>(int64_t(kSteps) * kRows) +
                                            shared_bytes<float>(int64_t(kSteps) * kColumns) +
                                            shared_bytes<float>(kRows);
  static int stages_for() { return 1; }
  static int64_t shared(int out_tiles, int) {
    return shared_bytes<float>(int64_t(kSteps) * kRows) + shared_bytes<float>(int64_t(kSteps) * kColumns) +
           shared_bytes<float>(int64_t(out_tiles) * kRows) + Accumulators::shared(out_tiles);
  }

  FW_DEVICE static void run(const Params& p, Block& block) {
    float* a = block.shared<float>(int64_t(kSteps) * kRows);
    float* b = block.shared<float>(int64_t(kSteps) * kColumns);
    float* bias = block.shared<float>(int64_t(p.out_tiles) * kRows);
    Accumulators sums(block, p.out_tiles);
    const int64_t first_out = block.x % p.out_blocks * p.out_tiles * kRows;
    const int64_t in0 = block.x / p.out_blocks * kColumns;
    const int in = p.in - in0 < kColumns ? int(p.in - in0) : kColumns;
    const int64_t first = block.y * p.rows_per_chunk;
    const int64_t end = first + p.rows_per_chunk < p.rows ? first + p.rows_per_chunk : p.rows;
    const bool with_bias = p.bias != nullptr && in0 == 0;

    // Rows of the tile beyond `out` are multiplied too (and not stored): they must be finite.
    for (int i = block.thread; i < kSteps * kRows; i += block.threads) {
      a[i] = 0;
    }
    for (int i = block.thread; i < kSteps * kColumns; i += block.threads) {
      b[i] = 0;
    }
    for (int i = block.thread; i < p.out_tiles * kRows; i += block.threads) {
      bias[i] = 0;
    }
    block.sync();
    for (int64_t row = first; row < end; row += kSteps) {
      const int steps = end - row < kSteps ? int(end - row) : kSteps;
      p.right.load_panel(block, row, steps, in0, in, b, kColumns);
      for_tiles(p, first_out, [&](int tile, int64_t out0, int out) {
        p.left.load_panel(block, row, steps, out0, out, a, kRows);
        block.sync();
        sums.at(tile).template multiply<true>(block, a, kRows, b, kColumns, out, in, steps, row == first);
        if (with_bias) {
          add_columns(block, a, out, steps, bias + tile * kRows);
        }
        block.sync();
      });
    }
    for_tiles(p, first_out, [&](int tile, int64_t out0, int out) {
      auto&& sum = sums.at(tile);
      if (first >= end) {
        sum.clear();
      }
      float* to = p.partial + (block.y * p.out + out0) * p.in + in0;
      sum.each(block, out, in, [&](int row, int column, auto x, int n) {
        store_row<Accumulator::kEmit>(to + row * p.in + column, x, n, p.aligned);
      });
      if (with_bias) {
        for (int i = block.thread; i < out; i += block.threads) {
          p.bias[block.y * p.out + out0 + i] = bias[tile * kRows + i];
        }
      }
    });
  }

 private:
  // f(tile, out0, out) for the block's tiles of left columns.
  template <class F>
  FW_DEVICE static void for_tiles(const Params& p, int64_t first_out, F f) {
    for (int tile = 0; tile < p.out_tiles; tile++) {
      const int64_t out0 = first_out + int64_t(tile) * kRows;
      if (out0 < p.out) {
        f(tile, out0, p.out - out0 < kRows ? int(p.out - out0) : kRows);
      }
    }
  }

  FW_DEVICE static void add_columns(const Block& block, const float* a, int out, int steps, float* bias) {
    for (int i = block.thread; i < out; i += block.threads) {
      float column = bias[i];
      for (int r = 0; r < steps; r++) {
        column += a[r * kRows + i];
      }
      bias[i] = column;
    }
  }
};

template <class T, class Left, class Right>
struct WeightsGradientKernel {
  using Gradient =
      std::conditional_t<kTensorCores<T>, TensorWeightsGradient<T, Left, Right>, WeightsGradient<Left, Right>>;
  using Params = GradientParams<Left, Right>;
  static constexpr int kThreads = Gradient::kThreads;
  static constexpr int64_t kTypicalShared = Gradient::kTypicalShared;
  FW_DEVICE static void run(const Params& p, Block& block) { Gradient::run(p, block); }
};

// dst[i] = sum over chunks of partial[chunk][i], in order.
struct AddChunksKernel {
  struct Params {
    const float* partial;
    float* dst;
    int64_t count, chunks;
    bool aligned;
  };
  static constexpr int kThreads = 256;
  static constexpr int N = kOneThread ? kLanes<float> : 4;
  static constexpr int64_t kVectorsPerBlock = 1024;

  FW_DEVICE static void run(const Params& p, Block& block) {
    const int64_t first = block.x * kVectorsPerBlock;
    for (int64_t i = block.thread; i < kVectorsPerBlock; i += block.threads) {
      const int64_t at = (first + i) * N;
      if (at >= p.count) {
        return;
      }
      const int n = p.count - at < N ? int(p.count - at) : N;
      Vec<N> sum(0.0f);
      for (int64_t chunk = 0; chunk < p.chunks; chunk++) {
        sum += load_row<N>(p.partial + chunk * p.count + at, n, p.aligned);
      }
      store_row<N>(p.dst + at, sum, n, p.aligned);
    }
  }
};

// How the work is cut: enough blocks to fill the device, from tiles of the result first and then from chunks of rows,
// which must not be so short that adding them costs more.
struct GradientChunks {
  int64_t chunks, rows_per_chunk;
  int out_tiles, out_blocks;  // tiles of a block, blocks along `out`

  GradientChunks(int64_t rows, int64_t out, int64_t in, ProductType type) {
    // With tensor cores a tile is four times as large and two blocks fill a multiprocessor.
    const bool tensor = type.tensor;
    const int64_t blocks = kOneThread ? 16 : tensor ? 264 : 528;
    constexpr int64_t kLeastRows = kOneThread ? 256 : 512;
    const int64_t tiles = ceil_div(out, tensor ? TensorGradientTile::kRows : Accumulator::kRows);
    const int64_t in_tiles = ceil_div(in, tensor ? TensorGradientTile::kColumns : Accumulator::kColumns);
    const int64_t splits = std::min(tiles, ceil_div(blocks, in_tiles));
    out_tiles = tensor ? 1 : int(std::min<int64_t>(ceil_div(tiles, splits), Accumulators::kMost));
    out_blocks = int(ceil_div(tiles, out_tiles));
    const int64_t wanted = ceil_div(blocks, out_blocks * in_tiles);
    const int64_t most = ceil_div(rows, kLeastRows);
    const int64_t cut = wanted < most ? wanted : most;
    const int64_t step = tensor ? TensorGradientTile::steps(type.bytes) : kGradientRowStep;
    chunks = cut > 1 ? cut : 1;
    rows_per_chunk = ceil_div(ceil_div(rows > 0 ? rows : 1, chunks), step) * step;
    chunks = rows > 0 ? ceil_div(rows, rows_per_chunk) : 1;
  }

  int64_t workspace_bytes(int64_t out, int64_t in) const {
    return chunks > 1 ? chunks * (out * in + out) * int64_t(sizeof(float)) + 64 : 0;
  }
};

// Bytes of workspace that serve the products of a convolution in T: weights of (depth, columns) as its products take
// them, and the chunks of the weights' gradient.
struct PackedShape {
  int64_t depth, columns;
};
template <class T>
int64_t product_workspace(int64_t rows, int64_t out, int64_t in, std::initializer_list<PackedShape> packed) {
  int64_t bytes = GradientChunks(rows, out, in, product_type<T>).workspace_bytes(out, in);
  for (const PackedShape& shape : packed) {
    bytes = std::max<int64_t>(bytes, product_weights_bytes<T>(shape.depth, shape.columns));
  }
  return (bytes + 255) / 256 * 256;
}

inline fw_status add_chunks(const Launcher& launcher, const float* partial, fw_address dst, int64_t count,
                            int64_t chunks) {
  const bool aligned = count % 4 == 0 && (reinterpret_cast<uintptr_t>(partial) | dst) % 16 == 0;
  return launch<AddChunksKernel>(launcher, {ceil_div(count, AddChunksKernel::kVectorsPerBlock * AddChunksKernel::N)}, 0,
                                 {partial, reinterpret_cast<float*>(dst), count, chunks, aligned});
}

template <class T, class Left, class Right>
fw_status weights_gradient(const Launcher& launcher, const Left& left, const Right& right, int64_t rows, int64_t out,
                           int64_t in, fw_address diff_weights, fw_address diff_bias, fw_address workspace) {
  using Kernel = WeightsGradientKernel<T, Left, Right>;
  const GradientChunks cut(rows, out, in, product_type<T>);
  const bool direct = cut.chunks == 1;
  auto* partial = reinterpret_cast<float*>(direct ? diff_weights : workspace);
  float* bias = nullptr;
  if (diff_bias != 0) {
    bias = direct ? reinterpret_cast<float*>(diff_bias) : partial + cut.chunks * out * in;
  }
  const bool aligned = rows_aligned<T>(in, reinterpret_cast<uintptr_t>(partial));
  const int stages = Kernel::Gradient::stages_for();
  FW_TRY(launch<Kernel>(
      launcher, {cut.out_blocks * ceil_div(in, Kernel::Gradient::kColumns), cut.chunks},
      Kernel::Gradient::shared(cut.out_tiles, stages),
      {left, right, partial, bias, rows, cut.rows_per_chunk, out, in, cut.out_tiles, cut.out_blocks, stages, aligned}));
  if (direct) {
    return FW_OK;
  }
  FW_TRY(add_chunks(launcher, partial, diff_weights, out * in, cut.chunks));
  return diff_bias == 0 ? FW_OK : add_chunks(launcher, bias, diff_bias, out, cut.chunks);
}

}  // namespace fusewire::FW_EXEC
