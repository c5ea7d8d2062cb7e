// SPDX-License-Identifier: Apache-2.0
// Weights packed once for many products, for either way of multiplying f32: on a GPU those of f32 lie there as they
// are, from which products in full f32 load tiles, and then as tensor cores take them.
#pragma once

#include "core/convert.h"
#include "product/operand_tile.h"
#include "product/tensor_weights.h"

namespace fusewire::FW_EXEC {

inline int64_t tf32_weights_offset(int64_t depth, int64_t columns) {
  return (depth * columns * int64_t(sizeof(float)) + 255) / 256 * 256;
}

inline int64_t packed_weights_bytes(int32_t dtype, int64_t depth, int64_t columns) {
  if constexpr (!kOneThread) {
    if (dtype == FW_F32) {
      return tf32_weights_offset(depth, columns) + product_weights_bytes<tf32>(depth, columns);
    }
  }
  return most_of_product_types(dtype, [&](auto t) { return product_weights_bytes<decltype(t)>(depth, columns); });
}

// layout's weights are dense: depth*columns elements from layout.weights on.
inline fw_status pack_for_ever(const Launcher& launcher, int32_t dtype, const WeightsLayout& layout, int64_t depth,
                               int64_t columns, fw_address packed) {
  if constexpr (!kOneThread) {
    if (dtype == FW_F32) {
      FW_TRY(convert(launcher, FW_F32, reinterpret_cast<fw_address>(layout.weights), FW_F32, packed, depth * columns));
      return pack_weights<tf32>(launcher, layout, depth, columns,
                                packed + fw_address(tf32_weights_offset(depth, columns)));
    }
  }
  return with_dtype(dtype, [&](auto t) { return pack_weights<decltype(t)>(launcher, layout, depth, columns, packed); });
}

// What a product of T reads of them.
template <class T>
fw_address packed_for(fw_address packed, int64_t depth, int64_t columns) {
  return std::is_same_v<T, tf32> ? packed + fw_address(tf32_weights_offset(depth, columns)) : packed;
}

}  // namespace fusewire::FW_EXEC
