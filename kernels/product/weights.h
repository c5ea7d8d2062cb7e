// SPDX-License-Identifier: Apache-2.0
// The right operand of a product: a constant matrix b of (depth, columns), f32. On a GPU its tiles are loaded into
// shared memory. On a CPU every block would repeat that work, so the matrix is packed once per call (or once for ever,
// fw_pointwise_pack): panels of Accumulator::kColumns columns, each (depth, width) dense with the last panel's width
// rounded up to whole vectors and filled with 0; tiles are then used where they lie.
#pragma once

#include "core/tile.h"
#include "core/access.h"

namespace fusewire::FW_EXEC {

// Where element (k, n) lies in the weights as the user gives them. The depth may be a nest of three loops: with
// k = (outer*groups + g)*group + i,
//   b(k, n) = weights[n*column_stride + outer*outer_stride + g*group_stride + i*depth_stride];
// group 0 stands for one loop over the whole depth, groups 0 for two loops.
struct WeightsLayout {
  const float* weights;
  int64_t column_stride;
  int64_t depth_stride;
  int64_t group = 0, group_stride = 0;
  int64_t groups = 0, outer_stride = 0;

  FW_DEVICE int64_t depth_offset(int64_t k) const {
    if (group == 0) {
      return k * depth_stride;
    }
    const int64_t inner = k / group;
    const int64_t offset = (k - inner * group) * depth_stride;
    if (groups == 0) {
      return offset + inner * group_stride;
    }
    const int64_t outer = inner / groups;
    return offset + outer * outer_stride + (inner - outer * groups) * group_stride;
  }
};

constexpr int kPackLanes = kOneThread ? kSimdLanes : 1;

// Columns of a panel that starts at column n.
FW_HOST_DEVICE int panel_width(int64_t columns, int64_t n) {
  const int64_t rest = (columns - n + kPackLanes - 1) / kPackLanes * kPackLanes;
  return rest < Accumulator::kColumns ? int(rest) : Accumulator::kColumns;
}

// Elements of the packed matrix.
inline int64_t packed_elements(int64_t depth, int64_t columns) {
  return ceil_div(columns, kPackLanes) * kPackLanes * depth;
}

struct PackKernel {
  struct Params {
    WeightsLayout layout;
    float* packed;
    int64_t depth, columns;
  };
  static constexpr int kThreads = 256;
  static constexpr int kDepthPerBlock = 64;

  FW_DEVICE static void run(const Params& p, Block& block) {
    const int64_t n0 = block.x * Accumulator::kColumns;
    const int64_t k0 = block.y * kDepthPerBlock;
    const int width = panel_width(p.columns, n0);
    const int depth = p.depth - k0 < kDepthPerBlock ? int(p.depth - k0) : kDepthPerBlock;
    float* to = p.packed + n0 * p.depth + k0 * width;
    const WeightsLayout& l = p.layout;
    if constexpr (kOneThread) {
      // Row by row of the panel: a transposed source costs one load per element, from lines that stay in the L1 cache.
      const int columns = p.columns - n0 < width ? int(p.columns - n0) : width;
      for (int k = 0; k < depth; k++) {
        const float* from = l.weights + n0 * l.column_stride + l.depth_offset(k0 + k);
        float* row = to + k * width;
        for (int column = 0; column < columns; column++) {
          row[column] = from[column * l.column_stride];
        }
        for (int column = columns; column < width; column++) {
          row[column] = 0;
        }
      }
    } else {
      for (int i = block.thread; i < depth * width; i += block.threads) {
        const int k = i / width;
        const int64_t n = n0 + (i - k * width);
        to[i] = n < p.columns ? l.weights[n * l.column_stride + l.depth_offset(k0 + k)] : 0.0f;
      }
    }
  }
};

inline fw_status pack(const Launcher& launcher, const WeightsLayout& layout, int64_t depth, int64_t columns,
                      fw_address packed) {
  return launch<PackKernel>(launcher,
                            {ceil_div(columns, Accumulator::kColumns), ceil_div(depth, PackKernel::kDepthPerBlock)}, 0,
                            {layout, reinterpret_cast<float*>(packed), depth, columns});
}

// Tiles of a packed matrix.
struct PackedWeights {
  static constexpr int64_t kSharedBytes = 0;
  const float* packed;
  int64_t depth, columns;

  FW_DEVICE explicit PackedWeights(const WeightsLayout&, const float* packed_weights, int64_t k, int64_t n)
      : packed(packed_weights), depth(k), columns(n) {}
  FW_DEVICE float* scratch(Block&) const { return nullptr; }
  FW_DEVICE const float* tile(const Block&, int64_t k0, int, int64_t n0, float*, int* ldb) const {
    const int width = panel_width(columns, n0);
    *ldb = width;
    return packed + n0 * depth + k0 * width;
  }
};

// Tiles loaded into shared memory, zero beyond the matrix.
struct LoadedWeights {
  static constexpr int64_t kSharedBytes = shared_bytes<float>(Accumulator::kMaxDepth * Accumulator::kColumns);
  WeightsLayout layout;
  int64_t depth, columns;

  FW_DEVICE explicit LoadedWeights(const WeightsLayout& l, const float*, int64_t k, int64_t n)
      : layout(l), depth(k), columns(n) {}
  FW_DEVICE float* scratch(Block& block) const {
    return block.shared<float>(Accumulator::kMaxDepth * Accumulator::kColumns);
  }
  FW_DEVICE const float* tile(const Block& block, int64_t k0, int tile_depth, int64_t n0, float* scratch,
                              int* ldb) const {
    *ldb = Accumulator::kColumns;
    const bool by_column = layout.column_stride == 1;
    for (int i = block.thread; i < tile_depth * Accumulator::kColumns; i += block.threads) {
      // Neighbouring threads read neighbouring addresses, whichever way the weights lie.
      const int k = by_column ? i / Accumulator::kColumns : i % tile_depth;
      const int column = by_column ? i % Accumulator::kColumns : i / tile_depth;
      const int64_t n = n0 + column;
      scratch[k * Accumulator::kColumns + column] =
          n < columns ? layout.weights[n * layout.column_stride + layout.depth_offset(k0 + k)] : 0.0f;
    }
    return scratch;
  }
};

template <bool kPacked>
struct WeightsChoice {
  using Type = LoadedWeights;
};
template <>
struct WeightsChoice<true> {
  using Type = PackedWeights;
};
using Weights = WeightsChoice<kOneThread>::Type;

}  // namespace fusewire::FW_EXEC
