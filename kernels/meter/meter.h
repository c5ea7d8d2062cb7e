// SPDX-License-Identifier: Apache-2.0
// Counts what a stream of the metered device moves. The kernels' loads and stores arrive through hooks.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "fusewire/meter.h"

namespace fusewire {

// Live allocations of the metered device, which all its streams' meters look at.
class MeteredMemory {
 public:
  void add(const void* memory, size_t bytes);
  void remove(const void* memory);
  // Changes with every add and remove.
  uint64_t version();
  // First address and size of every allocation.
  std::vector<std::pair<uintptr_t, size_t>> allocations();

 private:
  std::mutex mutex_;
  std::map<uintptr_t, size_t> sizes_;
  uint64_t version_ = 0;
};

class Meter {
 public:
  explicit Meter(MeteredMemory* memory) : memory_(memory) {}

  fw_status watch(const char* operation, fw_address address, int64_t bytes, int32_t id);
  fw_status traffic(const char* operation, int32_t id, fw_traffic* traffic);
  void unwatched(int64_t* launches, int64_t* requested_bytes);
  void reset();

  // One launch at a time; between the two, its accesses.
  void begin_launch();
  void end_launch() { mutex_.unlock(); }
  void read(uintptr_t address, size_t bytes) { access<false>(address, bytes); }
  void write(uintptr_t address, size_t bytes) { access<true>(address, bytes); }

 private:
  // When the sector was last touched, as numbers of launches, and which of its bytes were written then.
  struct Sector {
    uint32_t read, written;
    uint32_t written_bytes;
  };
  struct Range {
    uintptr_t begin, last;
    fw_traffic* traffic;
    std::unique_ptr<Sector[], void (*)(void*)> sectors{nullptr, &std::free};
  };
  // A piece of the address space that is treated alike: watched, allocated but not watched, or of no concern.
  struct Interval {
    uintptr_t begin, last;
    Range* range;
    bool allocated;
  };

  static constexpr int kPageBits = 12;
  static constexpr size_t kCacheSize = 1024;

  void rebuild();
  const Interval* find(uintptr_t address);
  template <bool kWrite>
  void access(uintptr_t address, size_t bytes);
  template <bool kWrite>
  void count(const Range& range, uintptr_t first, uintptr_t last);

  MeteredMemory* memory_;
  std::mutex mutex_;
  std::map<uintptr_t, Range> ranges_;  // by first address
  std::map<int32_t, fw_traffic> traffic_;
  int64_t launches_ = 0;
  int64_t unwatched_bytes_ = 0;
  uint32_t launch_ = 0;  // number of the launch, never 0 in one
  bool stale_ = true;    // intervals_ are older than ranges_
  uint64_t memory_version_ = 0;
  std::vector<Interval> intervals_;     // by address, without gaps
  std::vector<const Interval*> cache_;  // the last one found, by page
};

}  // namespace fusewire
