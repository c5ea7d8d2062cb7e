// SPDX-License-Identifier: Apache-2.0
// The check that squeeze-and-excite begins with, fused or not.
#pragma once

#include "api/call.h"

namespace fusewire {

// A batch of 0 passes.
fw_status check_squeeze_excite(const char* operation, const fw_squeeze_excite* problem);

}  // namespace fusewire
