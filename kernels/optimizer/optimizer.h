// SPDX-License-Identifier: Apache-2.0
// What the optimizer's kernels share: a block's part of the table of parameters.
#pragma once

#include "core/exec.h"
#include "core/operations.h"

namespace fusewire::FW_EXEC {

// The entry that owns a block: the last one whose first_block is not beyond it (entries without elements own none).
FW_DEVICE const fw_parameter& parameter_of_block(const fw_parameter* table, int64_t parameters, int64_t block) {
  int64_t low = 0;
  int64_t high = parameters - 1;
  while (low < high) {
    const int64_t middle = (low + high + 1) / 2;
    if (table[middle].first_block <= block) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return table[low];
}

// Elements [begin, end) of a parameter that a block handles.
struct ParameterPart {
  int64_t begin, end;
};

FW_DEVICE ParameterPart parameter_part(const fw_parameter& parameter, int64_t block) {
  const int64_t begin = (block - parameter.first_block) * FW_PARAMETER_BLOCK;
  const int64_t end = begin + FW_PARAMETER_BLOCK;
  return {begin, end < parameter.count ? end : parameter.count};
}

// Vectors of all lanes may be used on tensors at these addresses (or'ed). The CPU takes any.
FW_DEVICE bool parameter_vectors_fit(fw_address addresses) { return kOneThread || addresses % 16 == 0; }

constexpr int kParameterLanes = kLanes<float>;

void add_optimizer_step(Operations& table);

}  // namespace fusewire::FW_EXEC
