// SPDX-License-Identifier: Apache-2.0
#include "meter/meter.h"

#include <algorithm>

#include "core/error.h"

namespace fusewire {
namespace {

constexpr int kSectorBits = 5;
static_assert(1 << kSectorBits == FW_SECTOR_BYTES, "a sector's bytes are the bits of a word");

}  // namespace

void MeteredMemory::add(const void* memory, size_t bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  sizes_[reinterpret_cast<uintptr_t>(memory)] = bytes;
  version_++;
}

void MeteredMemory::remove(const void* memory) {
  const std::lock_guard<std::mutex> lock(mutex_);
  sizes_.erase(reinterpret_cast<uintptr_t>(memory));
  version_++;
}

uint64_t MeteredMemory::version() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return version_;
}

std::vector<std::pair<uintptr_t, size_t>> MeteredMemory::allocations() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return {sizes_.begin(), sizes_.end()};
}

fw_status Meter::watch(const char* operation, fw_address address, int64_t bytes, int32_t id) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto begin = uintptr_t(address);
  const uintptr_t last = begin + uintptr_t(bytes) - 1;
  if (last < begin) {
    return fail(FW_INVALID_ARGUMENT, "%s: %lld bytes from 0x%llx on are more than there are addresses", operation,
                static_cast<long long>(bytes), static_cast<unsigned long long>(address));
  }
  // The first range behind the new one; the one before it is the only other that may overlap.
  const auto next = ranges_.upper_bound(last);
  if (next != ranges_.begin() && std::prev(next)->second.last >= begin) {
    const Range& other = std::prev(next)->second;
    const unsigned long long other_bytes = other.last - other.begin + 1;
    return fail(FW_INVALID_ARGUMENT, "%s: of %lld bytes at 0x%llx some are watched already: %llu bytes at 0x%llx",
                operation, static_cast<long long>(bytes), static_cast<unsigned long long>(address), other_bytes,
                static_cast<unsigned long long>(other.begin));
  }
  const size_t sectors = (last >> kSectorBits) - (begin >> kSectorBits) + 1;
  auto* memory = static_cast<Sector*>(std::calloc(sectors, sizeof(Sector)));
  if (memory == nullptr) {
    return fail(FW_OUT_OF_MEMORY, "%s: no memory to count %lld bytes", operation, static_cast<long long>(bytes));
  }
  Range range{begin, last, &traffic_[id]};
  range.sectors.reset(memory);
  ranges_.emplace(begin, std::move(range));
  stale_ = true;
  return FW_OK;
}

fw_status Meter::traffic(const char* operation, int32_t id, fw_traffic* traffic) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = traffic_.find(id);
  if (found == traffic_.end()) {
    return fail(FW_INVALID_ARGUMENT, "%s: nothing is watched as %d", operation, id);
  }
  *traffic = found->second;
  return FW_OK;
}

void Meter::unwatched(int64_t* launches, int64_t* requested_bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  *launches = launches_;
  *requested_bytes = unwatched_bytes_;
}

void Meter::reset() {
  const std::lock_guard<std::mutex> lock(mutex_);
  ranges_.clear();
  traffic_.clear();
  launches_ = 0;
  unwatched_bytes_ = 0;
  stale_ = true;
}

void Meter::begin_launch() {
  std::unique_lock<std::mutex> lock(mutex_);
  const uint64_t version = memory_->version();
  if (stale_ || version != memory_version_) {
    rebuild();
    stale_ = false;
    memory_version_ = version;
  }
  launches_++;
  launch_++;
  lock.release();  // by end_launch()
}

// Cuts the address space where anything begins or ends.
void Meter::rebuild() {
  const auto allocations = memory_->allocations();
  std::vector<uintptr_t> cuts = {0};
  for (const auto& entry : ranges_) {
    cuts.push_back(entry.second.begin);
    cuts.push_back(entry.second.last + 1);
  }
  for (const auto& allocation : allocations) {
    cuts.push_back(allocation.first);
    cuts.push_back(allocation.first + allocation.second);
  }
  std::sort(cuts.begin(), cuts.end());
  cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
  intervals_.clear();
  for (size_t i = 0; i < cuts.size(); i++) {
    const uintptr_t begin = cuts[i];
    Interval interval{begin, i + 1 < cuts.size() ? cuts[i + 1] - 1 : UINTPTR_MAX, nullptr, false};
    const auto range = ranges_.upper_bound(begin);
    if (range != ranges_.begin() && std::prev(range)->second.last >= begin) {
      interval.range = &std::prev(range)->second;
    }
    const auto allocation = std::upper_bound(allocations.begin(), allocations.end(), std::pair(begin, SIZE_MAX));
    interval.allocated =
        allocation != allocations.begin() && begin - std::prev(allocation)->first < std::prev(allocation)->second;
    intervals_.push_back(interval);
  }
  cache_.assign(kCacheSize, intervals_.data());
}

const Meter::Interval* Meter::find(uintptr_t address) {
  const auto next = std::upper_bound(intervals_.begin(), intervals_.end(), address,
                                     [](uintptr_t value, const Interval& i) { return value < i.begin; });
  return &*std::prev(next);
}

template <bool kWrite>
void Meter::access(uintptr_t address, size_t bytes) {
  while (bytes > 0) {
    const Interval*& place = cache_[(address >> kPageBits) % kCacheSize];
    if (address < place->begin || address > place->last) {
      place = find(address);
    }
    // An access may begin in one piece and end in the next.
    const uintptr_t last = std::min(address + bytes - 1, place->last);
    const size_t part = last - address + 1;
    if (place->range != nullptr) {
      count<kWrite>(*place->range, address, last);
    } else if (place->allocated) {
      unwatched_bytes_ += int64_t(part);
    }
    address += part;
    bytes -= part;
  }
}

template <bool kWrite>
void Meter::count(const Range& range, uintptr_t first, uintptr_t last) {
  fw_traffic& traffic = *range.traffic;
  (kWrite ? traffic.requested_written_bytes : traffic.requested_read_bytes) += int64_t(last - first + 1);
  const uintptr_t base = range.begin >> kSectorBits;
  for (uintptr_t at = first >> kSectorBits; at <= last >> kSectorBits; at++) {
    Sector& sector = range.sectors[at - base];
    uint32_t touched = ~0u;
    if (at == first >> kSectorBits) {
      touched &= ~0u << first % FW_SECTOR_BYTES;
    }
    if (at == last >> kSectorBits) {
      touched &= ~0u >> (FW_SECTOR_BYTES - 1 - last % FW_SECTOR_BYTES);
    }
    if (kWrite) {
      if (sector.written != launch_) {
        sector.written = launch_;
        sector.written_bytes = 0;
        traffic.written_bytes += FW_SECTOR_BYTES;
      }
      sector.written_bytes |= touched;
    } else if (sector.read != launch_ && (sector.written != launch_ || (touched & ~sector.written_bytes) != 0)) {
      sector.read = launch_;
      traffic.read_bytes += FW_SECTOR_BYTES;
    }
  }
}

template void Meter::access<false>(uintptr_t address, size_t bytes);
template void Meter::access<true>(uintptr_t address, size_t bytes);

}  // namespace fusewire
