// SPDX-License-Identifier: Apache-2.0
#include "core/pool.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <new>
#include <thread>
#include <system_error>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace fusewire {
namespace {

constexpr int kMaxThreads = 256;
constexpr int kSpins = 2000;  // about 20 microseconds of pauses before a worker sleeps
constexpr size_t kArenaAlignment = 4096;

void pause_core() {
#if defined(__x86_64__)
  _mm_pause();
#else
  std::this_thread::yield();
#endif
}

// Scratch memory of one thread, grown on demand and kept.
class Arena {
 public:
  Arena() = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() { std::free(memory_); }

  void* reserve(size_t bytes) {
    if (bytes > bytes_) {
      std::free(memory_);
      bytes_ = 0;
      const size_t rounded = (bytes + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
      memory_ = std::aligned_alloc(kArenaAlignment, rounded);
      if (memory_ != nullptr) {
        bytes_ = rounded;
      }
    }
    return memory_;
  }

 private:
  void* memory_ = nullptr;
  size_t bytes_ = 0;
};

// One launch, seen by all its threads.
struct Job {
  BlockFunction function = nullptr;
  const void* params = nullptr;
  int64_t blocks = 0;
  int64_t step = 1;  // blocks claimed at a time
  size_t arena_bytes = 0;
};

class Pool {
 public:
  static Pool& instance() {
    // Never destroyed: workers may outlive static destruction when the JVM exits.
    static Pool* pool = new Pool();
    return *pool;
  }

  bool run(int threads, Job job) {
    thread_local Arena own_arena;
    void* arena = own_arena.reserve(std::max<size_t>(job.arena_bytes, 1));
    if (arena == nullptr) {
      return false;
    }
    if (threads <= 0) {
      threads = core_count();
    }
    threads = int(std::min<int64_t>({threads, job.blocks, kMaxThreads}));
    std::unique_lock<std::mutex> turn(turn_, std::try_to_lock);
    if (threads <= 1 || inside_ || !turn.owns_lock()) {
      for (int64_t block = 0; block < job.blocks; block++) {
        job.function(job.params, block, arena);
      }
      return true;
    }
    inside_ = true;
    start_workers(threads - 1);
    // Claims of several blocks keep the counter off the critical path when blocks are small.
    job.step = std::max<int64_t>(1, job.blocks / (int64_t(threads) * 16));
    job_ = job;
    next_.store(0, std::memory_order_relaxed);
    const uint64_t helpers = uint64_t(std::min(threads - 1, workers_));
    {
      std::lock_guard<std::mutex> lock(mutex_);
      generation_++;
      state_.store((generation_ << 32) | (helpers << 16), std::memory_order_release);
    }
    wake_.notify_all();
    work(job, arena);
    // Close the launch to late workers, then wait for those that joined it: nobody waits for a sleeper to wake up.
    uint64_t state = state_.fetch_and(~kHelpersMask, std::memory_order_acq_rel);
    for (int spin = 0; (state & kActiveMask) != 0; spin++) {
      if (spin < kSpins) {
        pause_core();
      } else {
        std::this_thread::yield();
      }
      state = state_.load(std::memory_order_acquire);
    }
    inside_ = false;
    return true;
  }

 private:
  // state_ is (generation << 32) | (helpers << 16) | active: workers with index < helpers may join, active have joined.
  static constexpr uint64_t kHelpersMask = 0xffff0000u;
  static constexpr uint64_t kActiveMask = 0xffffu;

  void start_workers(int count) {
    while (workers_ < count) {
      try {
        std::thread([this, index = workers_, seen = generation_] { serve(uint64_t(index), seen); }).detach();
      } catch (const std::system_error&) {
        return;  // no more threads to be had: fewer will do
      }
      workers_++;
    }
  }

  void work(const Job& job, void* arena) {
    for (;;) {
      const int64_t begin = next_.fetch_add(job.step, std::memory_order_relaxed);
      if (begin >= job.blocks) {
        return;
      }
      const int64_t end = std::min(begin + job.step, job.blocks);
      for (int64_t block = begin; block < end; block++) {
        job.function(job.params, block, arena);
      }
    }
  }

  void serve(uint64_t index, uint64_t seen) {
    Arena arena;
    for (;;) {
      for (int spin = 0; spin < kSpins && (state_.load(std::memory_order_acquire) >> 32) == seen; spin++) {
        pause_core();
      }
      if ((state_.load(std::memory_order_acquire) >> 32) == seen) {
        std::unique_lock<std::mutex> lock(mutex_);
        // Not wait(): libstdc++ has it as GLIBCXX_3.4.30, newer than what distributions in use have.
        const auto changed = [&] { return (state_.load(std::memory_order_acquire) >> 32) != seen; };
        while (!wake_.wait_for(lock, std::chrono::hours(24), changed)) {
        }
      }
      uint64_t state = state_.load(std::memory_order_acquire);
      seen = state >> 32;
      bool joined = false;
      while (!joined && (state >> 32) == seen && index < ((state & kHelpersMask) >> 16)) {
        joined = state_.compare_exchange_weak(state, state + 1, std::memory_order_acq_rel);
      }
      if (joined) {
        const Job job = job_;  // stable: the launch cannot end before this worker leaves it
        void* memory = arena.reserve(std::max<size_t>(job.arena_bytes, 1));
        if (memory != nullptr) {
          work(job, memory);  // without scratch memory the other threads do its share
        }
        state_.fetch_sub(1, std::memory_order_release);
      }
    }
  }

  std::mutex turn_;  // held by the launch in progress
  static thread_local bool inside_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<uint64_t> state_{0};
  std::atomic<int64_t> next_{0};
  uint64_t generation_ = 0;  // written by the launch in progress
  int workers_ = 0;
  Job job_;
};

thread_local bool Pool::inside_ = false;

}  // namespace

bool run_blocks(int threads, int64_t blocks, int64_t arena_bytes, BlockFunction function, const void* params) {
  if (blocks <= 0) {
    return true;
  }
  Job job;
  job.function = function;
  job.params = params;
  job.blocks = blocks;
  job.arena_bytes = size_t(arena_bytes);
  return Pool::instance().run(threads, job);
}

int core_count() {
  static const int count = [] {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) == 0) {
      return std::max(1, CPU_COUNT(&set));
    }
    return std::max(1, int(std::thread::hardware_concurrency()));
  }();
  return count;
}

}  // namespace fusewire
