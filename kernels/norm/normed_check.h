// SPDX-License-Identifier: Apache-2.0
// The check that every operation on a normed tensor begins with.
#pragma once

#include "api/call.h"
#include "fusewire/fused.h"

namespace fusewire {

// A batch of 0 passes.
fw_status check_normed(const char* operation, const fw_normed* problem);

}  // namespace fusewire
