// SPDX-License-Identifier: Apache-2.0
#include "core/fibers.h"

#include <algorithm>
#include <boost/context/fiber.hpp>
#include <boost/context/fixedsize_stack.hpp>
#include <cstring>
#include <deque>
#include <memory>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

namespace fusewire {
namespace {

namespace ctx = boost::context;

constexpr int kWarp = 32;
constexpr size_t kStackBytes = 64 * 1024;
constexpr size_t kGuardBytes = 256;
constexpr unsigned char kPoison = 0xff;  // as floats: NaN
constexpr unsigned char kGuard = 0xa5;

enum class State { kRunnable, kAtGroup, kAtWarp, kAtBlock, kAtCluster, kDone };

// Runs the blocks of a grid one after the other on one set of fibers' stacks. A cluster has one for each of its blocks.
class Scheduler : public FiberBlock {
 public:
  // How far a block came.
  enum class Progress { kFinished, kAtCluster, kFailed };

  Scheduler(uint64_t order, int threads, int64_t shared_bytes, FiberBody body, const void* params)
      : order_(order),
        threads_(threads),
        body_(body),
        params_(params),
        random_(order),
        shared_(size_t(shared_bytes) + kGuardBytes + 64),
        fibers_(size_t(threads)),
        returns_(size_t(threads)),
        states_(size_t(threads)),
        values_(size_t(threads)),
        words_(size_t(threads)),
        groups_(size_t(threads)),
        exchanged_{std::vector<uint32_t>(size_t(threads) * kExchangeWords),
                   std::vector<uint32_t>(size_t(threads) * kExchangeWords)},
        parity_(size_t(threads)),
        copies_(size_t(threads)),
        sequence_(size_t(threads)) {
    const auto base = reinterpret_cast<uintptr_t>(shared_.data());
    memory_ = shared_.data() + (64 - base % 64) % 64;
    shared_bytes_ = size_t(shared_bytes);
    for (int thread = 0; thread < threads; thread++) {
      fibers_[size_t(thread)] = start(thread);
    }
  }

  ~Scheduler() override = default;

  void begin(const int64_t block[3]) {
    std::memcpy(block_, block, sizeof(block_));
    std::memset(memory_, kPoison, shared_bytes_);
    std::memset(memory_ + shared_bytes_, kGuard, kGuardBytes);
    std::fill(states_.begin(), states_.end(), State::kRunnable);
    std::fill(copies_.begin(), copies_.end(), Copies());
  }

  // Runs the block to its end or to the next barrier of its cluster; again from there when called again.
  Progress advance() {
    for (;;) {
      std::replace(states_.begin(), states_.end(), State::kAtBlock, State::kRunnable);
      std::replace(states_.begin(), states_.end(), State::kAtCluster, State::kRunnable);
      error_ = run_until_barrier();
      error_ = fault_ != nullptr ? fault_ : error_;
      if (error_ != nullptr) {
        return Progress::kFailed;
      }
      const State state = states_[0];
      if (std::count(states_.begin(), states_.end(), state) != threads_) {
        error_ = "barrier divergence: some threads of a block returned or wait at another barrier than the rest";
        return Progress::kFailed;
      }
      if (state == State::kAtCluster) {
        return Progress::kAtCluster;
      }
      if (state == State::kDone) {
        return finish();
      }
    }
  }

  const char* error() const { return error_; }

  const char* run_block(const int64_t block[3]) {
    begin(block);
    const Progress progress = advance();
    return progress == Progress::kAtCluster ? "a barrier of a cluster in a block that has none" : error_;
  }

  // The blocks of this one's cluster, in the order of their ranks.
  void join(const std::vector<std::unique_ptr<Scheduler>>* cluster) { cluster_ = cluster; }

  void block_barrier(int thread) override { wait(thread, State::kAtBlock); }

  void cluster_barrier(int thread) override { wait(thread, State::kAtCluster); }

  char* cluster_shared(char* mine, int rank) override {
    return cluster_ == nullptr ? mine : (*cluster_)[size_t(rank)]->memory_ + (mine - memory_);
  }

  const uint32_t* exchange(int thread, const uint32_t* words, int count) override {
    const size_t t = size_t(thread);
    // In turns into one of two buffers: nobody writes into one again before all have read it, since that takes another
    // exchange in between.
    std::vector<uint32_t>& buffer = exchanged_[parity_[t]];
    parity_[t] ^= 1;
    std::copy_n(words, count, &buffer[t * kExchangeWords]);
    wait(thread, State::kAtWarp);
    return &buffer[t / kWarp * kWarp * kExchangeWords];
  }

  void async_copy(int thread, void* to, const void* from, int bytes) override {
    if (reinterpret_cast<uintptr_t>(to) % kCopyBytes != 0 || reinterpret_cast<uintptr_t>(from) % kCopyBytes != 0) {
      fault("an asynchronous copy to or from an address that is not a multiple of 16");
      return;
    }
    std::memset(to, kPoison, kCopyBytes);
    copies_[size_t(thread)].open.push_back({to, from, bytes});
  }

  void async_commit(int thread) override {
    Copies& copies = copies_[size_t(thread)];
    copies.groups.push_back(std::move(copies.open));
    copies.open.clear();
  }

  void async_wait(int thread, int pending) override {
    Copies& copies = copies_[size_t(thread)];
    while (copies.groups.size() > size_t(pending)) {
      for (const Copy& copy : copies.groups.front()) {
        std::memset(copy.to, 0, kCopyBytes);
        std::memcpy(copy.to, copy.from, size_t(copy.bytes));
      }
      copies.groups.pop_front();
    }
  }

  void fault(const char* what) override { fault_ = fault_ == nullptr ? what : fault_; }

  float shuffle_xor(int thread, float value, int distance) override {
    values_[size_t(thread)] = value;
    wait(thread, State::kAtWarp);
    const float other = values_[size_t(thread ^ distance)];
    wait(thread, State::kAtWarp);  // nobody writes the next value before all have read this one
    return other;
  }

  uint32_t exchange_xor(int thread, uint32_t word, int distance, int group) override {
    words_[size_t(thread)] = word;
    groups_[size_t(thread)] = group;
    wait(thread, State::kAtGroup);
    const uint32_t other = words_[size_t(thread ^ distance)];
    wait(thread, State::kAtGroup);
    return other;
  }

 private:
  Progress finish() {
    for (size_t i = 0; i < kGuardBytes; i++) {
      if (static_cast<unsigned char>(memory_[shared_bytes_ + i]) != kGuard) {
        error_ = "a block wrote past the end of its shared memory";
        return Progress::kFailed;
      }
    }
    std::memset(memory_, kPoison, shared_bytes_);
    return Progress::kFinished;
  }

  struct Copy {
    void* to;
    const void* from;
    int bytes;
  };
  struct Copies {
    std::vector<Copy> open;
    std::deque<std::vector<Copy>> groups;
  };
  static constexpr size_t kCopyBytes = 16;

  ctx::fiber start(int thread) {
    return ctx::fiber(std::allocator_arg, ctx::fixedsize_stack(kStackBytes), [this, thread](ctx::fiber&& main) {
      returns_[size_t(thread)] = std::move(main);
      for (;;) {  // one turn per block
        body_(params_, thread, block_, memory_, this);
        wait(thread, State::kDone);
      }
      return std::move(returns_[size_t(thread)]);
    });
  }

  void wait(int thread, State state) {
    const size_t t = size_t(thread);
    states_[t] = state;
    returns_[t] = std::move(returns_[t]).resume();
  }

  void resume(int thread) {
    const size_t t = size_t(thread);
    fibers_[t] = std::move(fibers_[t]).resume();
  }

  // Runs every thread, warp by warp, to the next block barrier or its end.
  const char* run_until_barrier() {
    std::iota(sequence_.begin(), sequence_.end(), 0);
    if (order_ == 1) {
      std::reverse(sequence_.begin(), sequence_.end());
    } else if (order_ > 1) {
      std::shuffle(sequence_.begin(), sequence_.end(), random_);
    }
    // Warps advance in the order in which their first thread comes; inside a warp, threads as in the sequence.
    for (bool pending = true; pending;) {
      pending = false;
      for (const int thread : sequence_) {
        if (states_[size_t(thread)] == State::kRunnable) {
          resume(thread);
        }
      }
      for (int first = 0; first < threads_; first += kWarp) {
        const int last = std::min(first + kWarp, threads_);
        const bool released = release_groups(first, last);
        pending = pending || released;
        const auto begin = states_.begin() + first;
        const auto end = states_.begin() + last;
        const auto waiting = std::count(begin, end, State::kAtWarp);
        if (waiting == 0 || released) {
          continue;
        }
        if (waiting != last - first) {
          return "warp divergence: some threads of a warp missed a warp collective";
        }
        std::fill(begin, end, State::kRunnable);
        pending = true;
      }
    }
    if (std::count(states_.begin(), states_.end(), State::kAtGroup) != 0) {
      return "warp divergence: some threads of a group missed their exchange";
    }
    return nullptr;
  }

  // Lets go on the groups of the threads first..last-1 whose members all wait for each other.
  bool release_groups(int first, int last) {
    bool released = false;
    for (int thread = first; thread < last; thread++) {
      if (states_[size_t(thread)] != State::kAtGroup) {
        continue;
      }
      const int group = groups_[size_t(thread)];
      const int start = thread / group * group;
      const auto waits = [&](int member) {
        return member < last && states_[size_t(member)] == State::kAtGroup && groups_[size_t(member)] == group;
      };
      bool all = true;
      for (int member = start; member < start + group; member++) {
        all = all && waits(member);
      }
      if (all) {
        std::fill_n(states_.begin() + start, group, State::kRunnable);
        released = true;
      }
    }
    return released;
  }

  uint64_t order_;
  int threads_;
  FiberBody body_;
  const void* params_;
  std::mt19937_64 random_;
  std::vector<char> shared_;
  std::vector<ctx::fiber> fibers_;
  std::vector<ctx::fiber> returns_;
  std::vector<State> states_;
  std::vector<float> values_;
  std::vector<uint32_t> words_;
  std::vector<int> groups_;
  std::vector<uint32_t> exchanged_[2];
  std::vector<unsigned char> parity_;
  std::vector<Copies> copies_;
  const char* fault_ = nullptr;
  std::vector<int> sequence_;
  const std::vector<std::unique_ptr<Scheduler>>* cluster_ = nullptr;
  const char* error_ = nullptr;
  char* memory_ = nullptr;
  size_t shared_bytes_ = 0;
  int64_t block_[3] = {0, 0, 0};
};

// Blocks, too, run in the chosen order (the random order is that of a multiplicative permutation's start).
int64_t place_in_order(uint64_t order, int64_t i, int64_t count) {
  return order == 1 ? count - 1 - i : order > 1 ? (i + int64_t(order % uint64_t(count))) % count : i;
}

}  // namespace

const char* run_fibers(uint64_t order, const int64_t grid[3], int threads, int64_t shared_bytes, FiberBody body,
                       const void* params) {
  Scheduler scheduler(order, threads, shared_bytes, body, params);
  const int64_t blocks = grid[0] * grid[1] * grid[2];
  for (int64_t i = 0; i < blocks; i++) {
    const int64_t index = place_in_order(order, i, blocks);
    const int64_t block[3] = {index % grid[0], index / grid[0] % grid[1], index / grid[0] / grid[1]};
    const char* error = scheduler.run_block(block);
    if (error != nullptr) {
      return error;
    }
  }
  return nullptr;
}

const char* run_clusters(uint64_t order, const int64_t grid[3], int cluster, int threads, int64_t shared_bytes,
                         FiberBody body, const void* params) {
  std::vector<std::unique_ptr<Scheduler>> blocks;
  blocks.reserve(size_t(cluster));
  for (int rank = 0; rank < cluster; rank++) {
    blocks.push_back(std::make_unique<Scheduler>(order, threads, shared_bytes, body, params));
    blocks.back()->join(&blocks);
  }
  const int64_t columns = grid[0] / cluster;
  const int64_t clusters = columns * grid[1] * grid[2];
  for (int64_t i = 0; i < clusters; i++) {
    const int64_t index = place_in_order(order, i, clusters);
    for (int rank = 0; rank < cluster; rank++) {
      const int64_t block[3] = {index % columns * cluster + rank, index / columns % grid[1], index / columns / grid[1]};
      blocks[size_t(rank)]->begin(block);
    }
    for (bool finished = false; !finished;) {
      int ended = 0;
      for (int rank = 0; rank < cluster; rank++) {
        Scheduler& block = *blocks[size_t(place_in_order(order, rank, cluster))];
        const Scheduler::Progress progress = block.advance();
        if (progress == Scheduler::Progress::kFailed) {
          return block.error();
        }
        ended += progress == Scheduler::Progress::kFinished ? 1 : 0;
      }
      if (ended != 0 && ended != cluster) {
        return "barrier divergence: some blocks of a cluster returned while others wait at its barrier";
      }
      finished = ended != 0;
    }
  }
  return nullptr;
}

}  // namespace fusewire
