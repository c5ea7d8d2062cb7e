// SPDX-License-Identifier: Apache-2.0
// The CPU's worker threads. Blocks are handed out by an atomic counter; since blocks are independent, results do not
// depend on the number of threads. Workers spin for a few microseconds, then sleep, so an idle process is idle.
#pragma once

#include <cstdint>

namespace fusewire {

// Runs one block; `arena` is the worker's scratch memory of the size the launch asked for.
using BlockFunction = void (*)(const void* params, int64_t block, void* arena);

// Runs blocks [0, blocks) on up to `threads` threads (0: all cores), the caller's among them, and returns when all are
// done. Nested or concurrent calls run on their own caller's thread alone. Returns false if no scratch memory was left.
bool run_blocks(int threads, int64_t blocks, int64_t arena_bytes, BlockFunction function, const void* params);

// Cores that this process may use.
int core_count();

}  // namespace fusewire
