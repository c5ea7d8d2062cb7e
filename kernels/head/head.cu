// SPDX-License-Identifier: Apache-2.0
#include "core/exec.h"
#include "core/operations.h"
#include "head/head.h"

namespace fusewire::FW_EXEC {

void add_head(Operations& table) {
  add_mean_pool(table);
  add_fused_mean_pool(table);
  add_dropout_head_forward(table);
  add_dropout_head_backward(table);
  add_cross_entropy(table);
}

}  // namespace fusewire::FW_EXEC
