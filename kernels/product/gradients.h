// SPDX-License-Identifier: Apache-2.0
// Both gradients of a product dst = right * weights in one pass: diff_right = left * weights + addend and diff_weights
// = left^T * right, with left (rows, out) the gradient of dst, right (rows, in) its operand and weights (out, in). A
// panel of left is loaded, through its prologue, once for both. A block owns a chunk of rows and a range of the tiles
// of `in`; its part of diff_weights stays in its accumulators until the chunk's end, then as in weights_gradient.h.
// For one thread with a cache of its own; a GPU's block has no room for the accumulators and takes two passes.
#pragma once

#include "product/product.h"
#include "product/weights_gradient.h"

namespace fusewire::FW_EXEC {

// The metered execution counts what a GPU moves.
#if defined(FW_EXEC_METERED)
constexpr bool kGradientsInOnePass = false;
#else
constexpr bool kGradientsInOnePass = kOneThread;
#endif

// How the work is cut, by the shape alone: rows first, since every block loads left anew, then tiles of `in`.
struct GradientsCut {
  int64_t chunks, rows_per_chunk;
  int in_tiles, in_blocks;  // tiles of a block, blocks along `in`

  GradientsCut(int64_t rows, int64_t in) {
    constexpr int64_t kBlocks = 16;
    constexpr int64_t kLeastRows = 256;
    const int64_t most = ceil_div(rows, kLeastRows);
    const int64_t wanted = std::max<int64_t>(1, std::min(kBlocks, most));
    rows_per_chunk = ceil_div(ceil_div(std::max<int64_t>(rows, 1), wanted), Accumulator::kRows) * Accumulator::kRows;
    chunks = std::max<int64_t>(1, ceil_div(rows, rows_per_chunk));
    const int64_t tiles = ceil_div(in, Accumulator::kColumns);
    const int64_t splits = std::min(tiles, ceil_div(kBlocks, chunks));
    in_tiles = int(ceil_div(tiles, splits));
    in_blocks = int(ceil_div(tiles, in_tiles));
  }

  // Packed weights, and the chunks of the weights' gradient.
  static int64_t packed_bytes(int64_t out, int64_t in) {
    return (packed_elements(out, in) * int64_t(sizeof(float)) + 255) / 256 * 256;
  }
  int64_t workspace_bytes(int64_t out, int64_t in) const {
    return packed_bytes(out, in) + (chunks > 1 ? chunks * out * in * int64_t(sizeof(float)) : 0);
  }
};

template <class T, class Left, class Right>
struct GradientsKernel {
  struct Params {
    Left left;
    Right right;
    WeightsLayout layout;
    const float* packed;
    Epilogue<T> epilogue;  // of diff_right
    float* partial;        // (chunks, out, in)
    int64_t rows, rows_per_chunk, out, in;
    int in_tiles;  // per block
    bool aligned;  // partial
  };
  static constexpr int kThreads = 1;
  static constexpr int kRows = Accumulator::kRows;
  static constexpr int kColumns = Accumulator::kColumns;

  // Row length of left's panel: what a multiplication reads beyond the last column is there, and rows are not a power
  // of two apart.
  FW_HOST_DEVICE static int left_ld(int64_t out) { return int((out + 15) / 16 * 16 + 16); }
  FW_HOST_DEVICE static int out_tiles(int64_t out) { return int(ceil_div(out, kRows)); }

  static int64_t shared(int64_t out, int in_tiles) {
    return shared_bytes<float>(int64_t(kRows) * left_ld(out)) + shared_bytes<float>(int64_t(kRows) * kColumns) +
           Accumulator::kSharedBytes + Accumulators::shared(out_tiles(out) * in_tiles);
  }

  FW_DEVICE static void run(const Params& p, Block& block) {
    const int ld = left_ld(p.out);
    float* a = block.shared<float>(int64_t(kRows) * ld);
    float* b = block.shared<float>(int64_t(kRows) * kColumns);
    Accumulator product(block);
    const int tiles = out_tiles(p.out);
    Accumulators sums(block, tiles * p.in_tiles);
    Weights weights(p.layout, p.packed, p.out, p.in);

    const int64_t first_in = block.x * p.in_tiles * kColumns;
    const int64_t begin = block.y * p.rows_per_chunk;
    const int64_t end = begin + p.rows_per_chunk < p.rows ? begin + p.rows_per_chunk : p.rows;
    for (int i = 0; i < kRows * ld; i++) {
      a[i] = 0;
    }
    for (int64_t row0 = begin; row0 < end; row0 += kRows) {
      const int rows = end - row0 < kRows ? int(end - row0) : kRows;
      p.left.load_panel(block, row0, rows, 0, int(p.out), a, ld);
      for_tiles(p, first_in, [&](int tile, int64_t in0, int in) {
        multiply_weights(p, block, weights, a, ld, rows, in0, in, product);
        product.each(block, rows, in, [&](int row, int column, auto x, int n) {
          p.epilogue.template store_tile<Accumulator::kEmit>(row0 + row, in0 + column, x, n);
        });
        p.right.load_panel(block, row0, rows, in0, in, b, kColumns);
        for (int t = 0; t < tiles; t++) {
          const int out = std::min<int64_t>(kRows, p.out - int64_t(t) * kRows);
          sums.at(tile * tiles + t)
              .template multiply<true>(block, a + t * kRows, ld, b, kColumns, out, in, rows, row0 == begin);
        }
      });
    }
    for_tiles(p, first_in, [&](int tile, int64_t in0, int in) {
      for (int t = 0; t < tiles; t++) {
        Accumulator sum = sums.at(tile * tiles + t);
        if (begin >= end) {
          sum.clear();
        }
        const int64_t out0 = int64_t(t) * kRows;
        float* to = p.partial + (block.y * p.out + out0) * p.in + in0;
        sum.each(block, std::min<int64_t>(kRows, p.out - out0), in, [&](int row, int column, auto x, int n) {
          store_row<Accumulator::kEmit>(to + row * p.in + column, x, n, p.aligned);
        });
      }
    });
  }

 private:
  // f(tile, in0, in) for the block's tiles of right's columns.
  template <class F>
  FW_DEVICE static void for_tiles(const Params& p, int64_t first_in, F f) {
    for (int tile = 0; tile < p.in_tiles; tile++) {
      const int64_t in0 = first_in + int64_t(tile) * kColumns;
      if (in0 < p.in) {
        f(tile, in0, p.in - in0 < kColumns ? int(p.in - in0) : kColumns);
      }
    }
  }

  // product = a * the weights' columns in0 .. in0 + in.
  FW_DEVICE static void multiply_weights(const Params& p, const Block& block, const Weights& weights, const float* a,
                                         int ld, int rows, int64_t in0, int in, Accumulator& product) {
    int ldb = 0;
    const float* w = weights.tile(block, 0, int(p.out), in0, nullptr, &ldb);
    product.template multiply<false>(block, a, ld, w, ldb, rows, in, int(p.out), true);
  }
};

// diff_right by `epilogue` and diff_weights (out, in); weights (out, in). workspace: GradientsCut::workspace_bytes.
template <class T, class Left, class Right>
fw_status product_gradients(const Launcher& launcher, const Left& left, const Right& right, int64_t rows, int64_t out,
                            int64_t in, fw_address weights, const Epilogue<T>& epilogue, fw_address diff_weights,
                            fw_address workspace) {
  using Kernel = GradientsKernel<T, Left, Right>;
  const GradientsCut cut(rows, in);
  const WeightsLayout layout{reinterpret_cast<const float*>(weights), 1, in};
  FW_TRY(pack(launcher, layout, out, in, workspace));
  const bool direct = cut.chunks == 1;
  auto* partial =
      reinterpret_cast<float*>(direct ? diff_weights : workspace + fw_address(GradientsCut::packed_bytes(out, in)));
  const bool aligned = in % 4 == 0 && reinterpret_cast<uintptr_t>(partial) % 16 == 0;
  FW_TRY(launch<Kernel>(launcher, {cut.in_blocks, cut.chunks}, Kernel::shared(out, cut.in_tiles),
                        {left, right, layout, reinterpret_cast<const float*>(workspace), epilogue, partial, rows,
                         cut.rows_per_chunk, out, in, cut.in_tiles, aligned}));
  return direct ? FW_OK : add_chunks(launcher, partial, diff_weights, out * in, cut.chunks);
}

}  // namespace fusewire::FW_EXEC
