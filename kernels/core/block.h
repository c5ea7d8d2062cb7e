// SPDX-License-Identifier: Apache-2.0
// Block: what a kernel knows of the block of threads that runs it. Loops over a block's work are block-stride,
//   for (int i = block.thread; i < n; i += block.threads)
// and so correct for any number of threads; on the CPU `thread` and `threads` are the constants 0 and 1, and barriers
// and shuffles vanish. Sums have one fixed order per execution.
#pragma once

#include <cstdint>

#include "core/exec.h"

#if defined(FW_EXEC_CHECKED)
#include "core/fibers.h"
#endif

namespace fusewire::FW_EXEC {

constexpr int64_t kSharedAlignment = 64;

// Bytes that shared<T>(count) takes from a block's shared memory.
template <class T>
constexpr int64_t shared_bytes(int64_t count) {
  return (count * int64_t(sizeof(T)) + kSharedAlignment - 1) / kSharedAlignment * kSharedAlignment;
}

#if defined(FW_EXEC_CPU)

struct Block {
  static constexpr int thread = 0;
  static constexpr int threads = 1;
  static constexpr int warp_threads = 1;
  int64_t x, y, z;  // this block's place in the grid
  char* shared_memory;

  // All threads of the block have reached this point, and see each other's writes to shared memory.
  void sync() const {}
  // The next `count` elements of the block's shared memory; same sequence of calls in every thread.
  template <class T>
  T* shared(int64_t count) {
    T* p = reinterpret_cast<T*>(shared_memory);
    shared_memory += shared_bytes<T>(count);
    return p;
  }
  // Sum over a warp's threads, given to all of them.
  float warp_sum(float v) const { return v; }
  // Largest value of a warp's threads, given to all of them. NaN is passed over.
  float warp_max(float v) const { return v; }
  // The value of the thread whose place in the warp differs in the bits of `distance`. Nobody's where there is one.
  float shuffle_xor(float v, int) const { return v; }
  // The same among `group` neighbouring threads, a power of two and at most a warp, all of which come here; threads of
  // other groups need not.
  uint32_t exchange_xor(uint32_t word, int, int) const { return word; }
};

#elif defined(FW_EXEC_CHECKED)

struct Block {
  static constexpr int warp_threads = 32;
  int thread, threads;
  int64_t x, y, z;
  char* shared_memory;
  FiberBlock* fibers;

  void sync() const { fibers->block_barrier(thread); }
  template <class T>
  T* shared(int64_t count) {
    T* p = reinterpret_cast<T*>(shared_memory);
    shared_memory += shared_bytes<T>(count);
    return p;
  }
  float shuffle_xor(float v, int distance) const { return fibers->shuffle_xor(thread, v, distance); }
  uint32_t exchange_xor(uint32_t word, int distance, int group) const {
    return fibers->exchange_xor(thread, word, distance, group);
  }
  // The butterfly of the GPU's version, so that the order of the additions is the same.
  float warp_sum(float v) const {
    for (int distance = warp_threads / 2; distance > 0; distance /= 2) {
      v += fibers->shuffle_xor(thread, v, distance);
    }
    return v;
  }
  float warp_max(float v) const {
    for (int distance = warp_threads / 2; distance > 0; distance /= 2) {
      v = __builtin_fmaxf(v, fibers->shuffle_xor(thread, v, distance));
    }
    return v;
  }
};

#else

struct Block {
  static constexpr int warp_threads = 32;
  int thread, threads;
  int64_t x, y, z;
  char* shared_memory;

  FW_DEVICE void sync() const { __syncthreads(); }
  template <class T>
  FW_DEVICE T* shared(int64_t count) {
    T* p = reinterpret_cast<T*>(shared_memory);
    shared_memory += shared_bytes<T>(count);
    return p;
  }
  FW_DEVICE float shuffle_xor(float v, int distance) const { return __shfl_xor_sync(0xffffffffu, v, distance); }
  FW_DEVICE uint32_t exchange_xor(uint32_t word, int distance, int group) const {
    const uint32_t members = (group == warp_threads ? 0u : 1u << group) - 1u;
    return __shfl_xor_sync(members << (thread % warp_threads & -group), word, distance);
  }
  FW_DEVICE float warp_sum(float v) const {
#pragma unroll
    for (int distance = warp_threads / 2; distance > 0; distance /= 2) {
      v += __shfl_xor_sync(0xffffffffu, v, distance);
    }
    return v;
  }
  FW_DEVICE float warp_max(float v) const {
#pragma unroll
    for (int distance = warp_threads / 2; distance > 0; distance /= 2) {
      v = fmaxf(v, __shfl_xor_sync(0xffffffffu, v, distance));
    }
    return v;
  }
};

#endif

// Block-stride loop over a nest of loops, the innermost fastest: calls f(i, j) for all i < m, j < n. One thread runs
// plain loops, with no division per item.
template <class F>
FW_DEVICE void for_each(const Block& block, int m, int n, F f) {
  if constexpr (kOneThread) {
    for (int i = 0; i < m; i++) {
      for (int j = 0; j < n; j++) {
        f(i, j);
      }
    }
  } else {
    for (int at = block.thread; at < m * n; at += block.threads) {
      const int i = at / n;
      f(i, at - i * n);
    }
  }
}

// Sum over the block's threads, given to all of them; the number of threads is a multiple of a warp. `scratch` is
// shared memory for threads/warp_threads floats (one at least), free for reuse after the next sync().
FW_DEVICE float block_sum(const Block& block, float v, float* scratch) {
  v = block.warp_sum(v);
  if (block.threads == block.warp_threads) {
    return v;
  }
  if (block.thread % block.warp_threads == 0) {
    scratch[block.thread / block.warp_threads] = v;
  }
  block.sync();
  float sum = 0;
  for (int warp = 0; warp < block.threads / block.warp_threads; warp++) {
    sum += scratch[warp];
  }
  return sum;
}

}  // namespace fusewire::FW_EXEC
