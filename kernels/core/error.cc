// SPDX-License-Identifier: Apache-2.0
#include "core/error.h"

#include <cstdarg>
#include <cstdio>

namespace fusewire {
namespace {

thread_local char message[1024] = "";

}  // namespace

fw_status fail(fw_status status, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(message, sizeof(message), format, arguments);
  va_end(arguments);
  return status;
}

const char* last_error() { return message; }

}  // namespace fusewire
