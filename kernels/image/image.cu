// SPDX-License-Identifier: Apache-2.0
#include "core/exec.h"
#include "core/operations.h"

namespace fusewire::FW_EXEC {
void add_image(Operations&) {}
}  // namespace fusewire::FW_EXEC
