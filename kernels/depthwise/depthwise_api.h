// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "api/call.h"

namespace fusewire {

// Checks a depthwise problem: check_conv(), equally many channels, sizes that the kernels can count.
fw_status check_depthwise(const char* operation, const fw_conv* conv);

}  // namespace fusewire
