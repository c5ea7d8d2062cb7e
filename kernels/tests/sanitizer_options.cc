// SPDX-License-Identifier: Apache-2.0
// What AddressSanitizer reads at start in builds with it; elsewhere a function that nobody calls. Tests ask for more
// memory than there is, and expect to be told so.
extern "C" const char* __asan_default_options();  // NOLINT(bugprone-reserved-identifier)

extern "C" __attribute__((visibility("default"))) const char*
__asan_default_options() {  // NOLINT(bugprone-reserved-identifier)
  return "allocator_may_return_null=1:detect_stack_use_after_return=0";
}
