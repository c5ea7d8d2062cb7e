// SPDX-License-Identifier: Apache-2.0
// The checked execution's block of threads: every CUDA thread is a fiber, run in ascending, descending or seeded random
// order between barriers. A thread that misses a barrier the others wait at is an error. Shared memory is poisoned
// with NaN before a block starts and guarded at its end. Tests only.
#pragma once

#include <cstdint>

namespace fusewire {

class FiberBlock {
 public:
  virtual ~FiberBlock() = default;
  virtual void block_barrier(int thread) = 0;
  // The value of the thread at (lane xor distance) of the same warp.
  virtual float shuffle_xor(int thread, float value, int distance) = 0;
};

// Body of one thread of one block.
using FiberBody = void (*)(const void* params, int thread, const int64_t block[3], char* shared, FiberBlock* fibers);

// Runs a whole grid. Returns nullptr, or what went wrong (static or thread-local text).
const char* run_fibers(uint64_t order, const int64_t grid[3], int threads, int64_t shared_bytes, FiberBody body,
                       const void* params);

}  // namespace fusewire
