// SPDX-License-Identifier: Apache-2.0
#include "api/call.h"

using namespace fusewire;

fw_status fw_random_uniform(fw_stream stream, uint64_t seed, uint32_t sample, uint32_t step, uint32_t layer,
                            fw_address dst, int64_t count) {
  constexpr const char* kOperation = "random uniform";
  constexpr int64_t kMost = int64_t(1) << 34;  // four words for each of 2^32 counters
  FW_TRY(check_range(kOperation, "count", count, 0, kMost));
  if (count > 0) {
    FW_TRY(check_addresses(kOperation, {{"dst", dst, 4}}));
  }
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    return operations.random_uniform(launcher, seed, sample, step, layer, dst, count);
  });
}
