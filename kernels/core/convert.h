// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/exec.h"

namespace fusewire::FW_EXEC {

// dst[i] = src[i] converted to another storage type (fw_convert); of the same type, a copy.
fw_status convert(const Launcher& launcher, int32_t src_dtype, fw_address src, int32_t dst_dtype, fw_address dst,
                  int64_t count);

}  // namespace fusewire::FW_EXEC
