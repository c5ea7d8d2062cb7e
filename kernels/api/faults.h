// SPDX-License-Identifier: Apache-2.0
// Faults that tests inject, see fusewire/faults.h.
#pragma once

#include <cstdint>

#include "api/device.h"

namespace fusewire {

#if defined(FW_HAVE_CHECKED)
// Counts a call of an operation, and strikes the device if it is the one.
void strike(Device& device, int32_t index, const char* operation);
// Reads FUSEWIRE_FAULT.
void inject_from_environment();
#else
inline void strike(Device&, int32_t, const char*) {}
inline void inject_from_environment() {}
#endif

}  // namespace fusewire
