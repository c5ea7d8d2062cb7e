// SPDX-License-Identifier: Apache-2.0
// Weights for tensor cores: b (depth, columns) of WeightsLayout in the storage type (f32 rounded to TF32), column by
// column with the depth contiguous, the depth padded with 0 to whole slices and the columns to whole groups of 16.
// Packed once per call, or once for ever by fw_pointwise_pack: in 16 bits they are half the bytes that every block of
// rows reads again.
#pragma once

#include "core/shared_tile.h"
#include "core/warp_matrix.h"
#include "product/operand_tile.h"
#include "product/weights.h"

namespace fusewire::FW_EXEC {

// Depth of a stage, in elements: rows of 64 bytes, short enough to waste little on depths such as 16, 24 and 40.
template <class T>
constexpr int kWeightsSlice = int(64 / sizeof(T));

template <class T>
struct TensorWeights {
  FW_HOST_DEVICE static int64_t padded_depth(int64_t depth) {
    return (depth + kWeightsSlice<T> - 1) / kWeightsSlice<T> * kWeightsSlice<T>;
  }
  FW_HOST_DEVICE static int64_t padded_columns(int64_t columns) { return (columns + 15) / 16 * 16; }
  static int64_t bytes(int64_t depth, int64_t columns) {
    return padded_depth(depth) * padded_columns(columns) * int64_t(sizeof(T));
  }
};

// A block turns a tile of 32 x 32 by way of shared memory: whichever way the weights lie, neighbouring threads read
// neighbouring elements where they can, and always write such.
template <class T>
struct TensorPackKernel {
  struct Params {
    WeightsLayout layout;
    T* packed;
    int64_t depth, columns;
  };
  static constexpr int kThreads = 256;
  static constexpr int kSide = 32;
  static constexpr int kPitch = kSide + 1;

  static int64_t shared() { return shared_bytes<float>(int64_t(kSide) * kPitch); }

  FW_DEVICE static void run(const Params& p, Block& block) {
    float* tile = block.shared<float>(int64_t(kSide) * kPitch);
    const int64_t n0 = block.x * kSide;
    const int64_t k0 = block.y * kSide;
    const bool by_column = p.layout.column_stride == 1;
    for (int i = block.thread; i < kSide * kSide; i += block.threads) {
      const int column = by_column ? i % kSide : i / kSide;
      const int k = by_column ? i / kSide : i % kSide;
      const bool there = n0 + column < p.columns && k0 + k < p.depth;
      tile[column * kPitch + k] =
          there ? p.layout.weights[(n0 + column) * p.layout.column_stride + p.layout.depth_offset(k0 + k)] : 0.0f;
    }
    block.sync();
    const int64_t ld = TensorWeights<T>::padded_depth(p.depth);
    const int64_t rows = TensorWeights<T>::padded_columns(p.columns);
    for (int i = block.thread; i < kSide * kSide; i += block.threads) {
      const int column = i / kSide;
      const int k = i % kSide;
      if (n0 + column < rows && k0 + k < ld) {
        p.packed[(n0 + column) * ld + k0 + k] = product_operand<T>(tile[column * kPitch + k]);
      }
    }
  }
};

// Bytes of the weights as a product of T takes them, 0 where it takes them as they are.
template <class T>
int64_t product_weights_bytes(int64_t depth, int64_t columns) {
  if (kOneThread) {
    return packed_elements(depth, columns) * int64_t(sizeof(float));
  }
  return kTensorCores<T> ? TensorWeights<T>::bytes(depth, columns) : 0;
}

// Brings the weights to where and how the product of T reads them; `packed` has product_weights_bytes<T>.
template <class T>
fw_status pack_weights(const Launcher& launcher, const WeightsLayout& layout, int64_t depth, int64_t columns,
                       fw_address packed) {
  if constexpr (kOneThread) {
    return pack(launcher, layout, depth, columns, packed);
  } else if constexpr (kTensorCores<T>) {
    using Kernel = TensorPackKernel<T>;
    return launch<Kernel>(launcher, {ceil_div(columns, Kernel::kSide), ceil_div(depth, Kernel::kSide)},
                          Kernel::shared(), {layout, reinterpret_cast<T*>(packed), depth, columns});
  } else {
    return FW_OK;
  }
}

}  // namespace fusewire::FW_EXEC
