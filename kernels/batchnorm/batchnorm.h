// SPDX-License-Identifier: Apache-2.0
// What BatchNorm's forward and backward share.
#pragma once

#include "core/columns.h"
#include "core/exec.h"
#include "core/operations.h"

namespace fusewire::FW_EXEC {

// Partial sums of a first stage: two per channel and chunk, f32 (chunks, 2, channels).
template <class T>
int64_t batchnorm_partial_bytes(const fw_batchnorm& problem) {
  const int64_t vector = column_grid<kLanes<T>>(1, problem.rows, problem.channels).chunks;
  const int64_t scalar = column_grid<1>(1, problem.rows, problem.channels).chunks;
  return (kOneThread || vector > scalar ? vector : scalar) * 2 * problem.channels * int64_t(sizeof(float));
}

void add_batchnorm_backward(Operations& table);

}  // namespace fusewire::FW_EXEC
