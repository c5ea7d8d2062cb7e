// SPDX-License-Identifier: Apache-2.0
// Errors: a status and a thread-local message.
#pragma once

#include "fusewire/fusewire.h"

namespace fusewire {

// Sets the calling thread's message (printf format) and returns `status`.
fw_status fail(fw_status status, const char* format, ...) __attribute__((format(printf, 2, 3)));

const char* last_error();

// The status and message for a CUDA error (a cudaError_t); FW_DEVICE_LOST if no later call can succeed. Defined in
// api/cuda_device.cu.
fw_status cuda_failure(const char* operation, int error);

}  // namespace fusewire

// Returns from the calling function when `call` fails.
#define FW_TRY(call)             \
  do {                           \
    const fw_status s_ = (call); \
    if (s_ != FW_OK) return s_;  \
  } while (0)
