// SPDX-License-Identifier: Apache-2.0
// Copies from global to shared memory that run beside the thread that asked for them. A thread asks for copies of 16
// bytes, closes them into a group with async_commit(), and sees a group's bytes after async_wait<n>() has left at most
// the n youngest groups on their way; other threads see them after the next sync().
//   GPU      cp.async from compute capability 8.0 on; before, an ordinary copy
//   checked  NaN lies at the destination until the wait: a wait or a barrier that is missing shows
//   CPU      an ordinary copy
#pragma once

#include "core/exec.h"

namespace fusewire::FW_EXEC {

// 16 bytes from `from`, or 16 bytes of 0 where it is not to be read. Both addresses are multiples of 16 in any case.
FW_DEVICE void async_copy(const Block& block, void* to, const void* from, bool read) {
#if defined(FW_EXEC_CHECKED)
  block.fibers->async_copy(block.thread, to, from, read ? 16 : 0);
#elif defined(FW_EXEC_CUDA) && defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  // Tiles have rows of 64 bytes and go on beside them: memory may as well send the other half of 128 to the L2 cache.
  asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;" ::"r"(unsigned(__cvta_generic_to_shared(to))),
               "l"(from), "r"(read ? 16 : 0)
               : "memory");
#elif defined(FW_EXEC_CUDA)
  *static_cast<uint4*>(to) = read ? *static_cast<const uint4*>(from) : make_uint4(0, 0, 0, 0);
#else
  std::memset(to, 0, 16);
  if (read) {
    std::memcpy(to, from, 16);
  }
#endif
  (void)block;
}

FW_DEVICE void async_commit(const Block& block) {
#if defined(FW_EXEC_CHECKED)
  block.fibers->async_commit(block.thread);
#elif defined(FW_EXEC_CUDA) && defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
  (void)block;
}

// kPending: groups that may still be on their way.
template <int kPending>
FW_DEVICE void async_wait(const Block& block) {
#if defined(FW_EXEC_CHECKED)
  block.fibers->async_wait(block.thread, kPending);
#elif defined(FW_EXEC_CUDA) && defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
#endif
  (void)block;
}

}  // namespace fusewire::FW_EXEC
