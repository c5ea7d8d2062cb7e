// SPDX-License-Identifier: Apache-2.0
// The one place that all loads and stores of the metered kernels pass through. The compiler's pass for thread
// sanitizing (-fsanitize=thread) puts a call before every access to memory that is not provably a local variable; here
// these calls are defined, and no sanitizer is linked. So nothing can be forgotten, new kernels are counted without a
// word about it, and the other executions' code stays as it is. The functions are hidden: a process that does run under
// the sanitizer keeps its own.
#include <cstddef>
#include <cstdint>

#include "meter/launch.h"
#include "meter/meter.h"

namespace fusewire {
namespace {

// Read by every access; the faster initial-exec model would ask for room in the process's static TLS block, which a
// library loaded late may not find (native-build/late_loading.sh).
thread_local Meter* current = nullptr;

void read(const void* p, size_t bytes) {
  if (current != nullptr) {
    current->read(reinterpret_cast<uintptr_t>(p), bytes);
  }
}

void write(const void* p, size_t bytes) {
  if (current != nullptr) {
    current->write(reinterpret_cast<uintptr_t>(p), bytes);
  }
}

}  // namespace

MeteredLaunch::MeteredLaunch(Meter* meter) : begun_(meter != nullptr && current == nullptr) {
  if (begun_) {
    meter->begin_launch();
    current = meter;
  }
}

MeteredLaunch::~MeteredLaunch() {
  if (begun_) {
    current->end_launch();
    current = nullptr;
  }
}

}  // namespace fusewire

extern "C" {

#define FW_HOOKS(bytes)                                                      \
  void __tsan_read##bytes(void* p) { fusewire::read(p, bytes); }             \
  void __tsan_write##bytes(void* p) { fusewire::write(p, bytes); }           \
  void __tsan_unaligned_read##bytes(void* p) { fusewire::read(p, bytes); }   \
  void __tsan_unaligned_write##bytes(void* p) { fusewire::write(p, bytes); } \
  void __tsan_volatile_read##bytes(void* p) { fusewire::read(p, bytes); }    \
  void __tsan_volatile_write##bytes(void* p) { fusewire::write(p, bytes); }
FW_HOOKS(1)
FW_HOOKS(2)
FW_HOOKS(4)
FW_HOOKS(8)
FW_HOOKS(16)
#undef FW_HOOKS

// As the compiler declares them itself where it sanitizes this file.
void __tsan_read_range(void* p, intptr_t bytes) { fusewire::read(p, size_t(bytes)); }
void __tsan_write_range(void* p, intptr_t bytes) { fusewire::write(p, size_t(bytes)); }

// The sanitizer's start, of no concern here.
void __tsan_init() {}

}  // extern "C"
