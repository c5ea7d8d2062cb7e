// SPDX-License-Identifier: Apache-2.0
// One execution's table of operations, filled by every operation's folder.
#include "core/exec.h"
#include "core/operations.h"

namespace fusewire::FW_EXEC {

void add_convert(Operations& table);
void add_random(Operations& table);
void add_depthwise(Operations& table);
void add_fused_depthwise(Operations& table);
void add_conv(Operations& table);
void add_pointwise(Operations& table);
void add_batchnorm(Operations& table);
void add_squeeze_excite(Operations& table);
void add_residual(Operations& table);
void add_pool(Operations& table);
void add_norm(Operations& table);
void add_head(Operations& table);
void add_mbconv(Operations& table);
void add_optimizer(Operations& table);
void add_image(Operations& table);

const Operations& operations() {
  static const Operations table = [] {
    Operations t{};
    add_convert(t);
    add_random(t);
    add_depthwise(t);
    add_fused_depthwise(t);
    add_conv(t);
    add_pointwise(t);
    add_batchnorm(t);
    add_squeeze_excite(t);
    add_residual(t);
    add_pool(t);
    add_norm(t);
    add_head(t);
    add_mbconv(t);
    add_optimizer(t);
    add_image(t);
    return t;
  }();
  return table;
}

}  // namespace fusewire::FW_EXEC
