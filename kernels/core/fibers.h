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
  // The same of words among `group` neighbouring threads, a power of two up to a warp, all of which come here.
  virtual uint32_t exchange_xor(int thread, uint32_t word, int distance, int group) = 0;
  // All threads of the cluster's blocks have come here. Run by run_clusters() only.
  virtual void cluster_barrier(int thread) = 0;
  // Where block `rank` of the cluster has what lies at `mine` of this block's shared memory.
  virtual char* cluster_shared(char* mine, int rank) = 0;
  // Every lane of a warp gives `count` words, kExchangeWords at most; lane l's begin at word l*kExchangeWords of what
  // is returned, which stays until the thread's next exchange.
  static constexpr int kExchangeWords = 8;
  virtual const uint32_t* exchange(int thread, const uint32_t* words, int count) = 0;
  // A copy of 16 bytes to shared memory of which the first `bytes` come from `from` and the rest are 0, that may happen
  // at any time between here and the end of the wait for its group: until then NaN lies there, and `from` is read then.
  virtual void async_copy(int thread, void* to, const void* from, int bytes) = 0;
  virtual void async_commit(int thread) = 0;
  // Waits until at most `pending` of the thread's committed groups are on their way.
  virtual void async_wait(int thread, int pending) = 0;
  // What the block did is wrong; the launch fails with this text.
  virtual void fault(const char* what) = 0;
};

// Body of one thread of one block.
using FiberBody = void (*)(const void* params, int thread, const int64_t block[3], char* shared, FiberBlock* fibers);

// Runs a whole grid. Returns nullptr, or what went wrong (static or thread-local text).
const char* run_fibers(uint64_t order, const int64_t grid[3], int threads, int64_t shared_bytes, FiberBody body,
                       const void* params);

// The same for a grid of clusters of `cluster` blocks along x, which divides grid[0]: a cluster's blocks run side by
// side. What a block that has returned leaves in its shared memory reads as NaN.
const char* run_clusters(uint64_t order, const int64_t grid[3], int cluster, int threads, int64_t shared_bytes,
                         FiberBody body, const void* params);

}  // namespace fusewire
