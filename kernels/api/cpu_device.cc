// SPDX-License-Identifier: Apache-2.0
// The CPU as a device, and the checked device of test builds.
#include "api/cpu_device.h"

#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <mutex>
#include <string>

#include "core/pool.h"

namespace fusewire {

#if defined(FW_HAVE_X86_LEVELS)
namespace cpu_v3 {
const Operations& operations();
}
namespace cpu_v4 {
const Operations& operations();
}
#else
namespace cpu_generic {
const Operations& operations();
}
#endif
#if defined(FW_HAVE_CHECKED)
namespace checked {
const Operations& operations();
}
#endif

namespace {

// From 4 MiB on, memory is asked for in huge pages: kernels walk through images in steps of a row of channels, which
// with pages of 4 KiB costs a fifth to a third of their time in page translation.
constexpr size_t kHugePage = size_t(2) << 20;

// The best level this processor has; FUSEWIRE_CPU=x86-64-v3 caps it. Operations are nullptr below x86-64-v3.
CpuLevel choose_level() {
#if defined(FW_HAVE_X86_LEVELS)
  __builtin_cpu_init();
  const char* cap = std::getenv("FUSEWIRE_CPU");
  const bool capped = cap != nullptr && std::strcmp(cap, "x86-64-v3") == 0;
  const bool v4 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
  if (v4 && !capped) {
    return {"x86-64-v4", &cpu_v4::operations()};
  }
  if (v3) {
    return {"x86-64-v3", &cpu_v3::operations()};
  }
  return {"below x86-64-v3", nullptr};
#else
  return {"generic", &cpu_generic::operations()};
#endif
}

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.compare(0, 10, "model name") == 0) {
      const size_t colon = line.find(": ");
      if (colon != std::string::npos) {
        return line.substr(colon + 2);
      }
    }
  }
  return "CPU";
}

int64_t available_memory() {
  std::ifstream file("/proc/meminfo");
  std::string key;
  std::string unit;
  int64_t kilobytes = 0;
  while (file >> key >> kilobytes) {
    std::getline(file, unit);
    if (key == "MemAvailable:") {
      return kilobytes * 1024;
    }
  }
  return int64_t(sysconf(_SC_AVPHYS_PAGES)) * sysconf(_SC_PAGESIZE);
}

struct TimeStamp {
  std::chrono::steady_clock::time_point time;
};

#if defined(FW_HAVE_CHECKED)

// Memory is poisoned with NaN and has guard bands that are checked after every operation.
class CheckedDevice : public CpuDevice {
 public:
  CheckedDevice() : CpuDevice(CpuLevel{"checked", &checked::operations()}) {}

  fw_device_kind kind() const override { return FW_CHECKED; }

  void* allocate(int64_t bytes) override {
    if (bytes > INT64_MAX / 2) {
      return nullptr;
    }
    const size_t total = (size_t(bytes) + 3 * kAlignment - 1) / kAlignment * kAlignment;
    auto* base = static_cast<unsigned char*>(std::aligned_alloc(kAlignment, total));
    if (base == nullptr) {
      return nullptr;
    }
    std::memset(base, kGuard, total);
    std::memset(base + kAlignment, 0xff, size_t(bytes));
    const std::lock_guard<std::mutex> lock(mutex_);
    sizes_[base] = {size_t(bytes), total};
    return base + kAlignment;
  }
  void free(void* memory) override {
    auto* base = static_cast<unsigned char*>(memory) - kAlignment;
    const std::lock_guard<std::mutex> lock(mutex_);
    sizes_.erase(base);
    std::free(base);
  }
  fw_status check_guards(const char* operation) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const auto& entry : sizes_) {
      const unsigned char* base = entry.first;
      const size_t end = kAlignment + entry.second.first;
      for (size_t i = 0; i < entry.second.second; i++) {
        if (i == kAlignment) {
          i = end;
          if (i >= entry.second.second) {
            break;
          }
        }
        if (base[i] != kGuard) {
          return fail(FW_DEVICE_ERROR, "%s: wrote outside an allocation of %zu bytes, at offset %td", operation,
                      entry.second.first, ptrdiff_t(i) - ptrdiff_t(kAlignment));
        }
      }
    }
    return FW_OK;
  }

 private:
  static constexpr unsigned char kGuard = 0xa5;
  std::mutex mutex_;
  std::map<unsigned char*, std::pair<size_t, size_t>> sizes_;  // base -> bytes asked for, bytes in all
};

#endif

}  // namespace

fw_status CpuDevice::info(fw_device_info* info) {
  std::memset(info, 0, sizeof(*info));
  info->kind = kind();
  info->processors = core_count();
  info->total_memory = int64_t(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  info->free_memory = available_memory();
  std::snprintf(info->name, sizeof(info->name), "%s", processor_name().c_str());
  std::snprintf(info->level, sizeof(info->level), "%s", level_.name);
  return FW_OK;
}

void* CpuDevice::allocate(int64_t bytes) {
  const size_t alignment = size_t(bytes) >= 2 * kHugePage ? kHugePage : kAlignment;
  const size_t rounded = (size_t(bytes) + alignment - 1) / alignment * alignment;
  void* memory = rounded < size_t(bytes) ? nullptr : std::aligned_alloc(alignment, rounded);
  if (memory != nullptr && alignment == kHugePage) {
    madvise(memory, rounded, MADV_HUGEPAGE);  // advice: where it is not taken, nothing is lost
  }
  return memory;
}

void CpuDevice::free(void* memory) { std::free(memory); }

fw_status CpuDevice::stream_create(void** stream) {
  *stream = nullptr;
  return FW_OK;
}

void CpuDevice::stream_destroy(void*) {}

fw_status CpuDevice::stream_synchronize(const Launcher&) { return FW_OK; }

fw_status CpuDevice::event_create(void** event) {
  *event = new TimeStamp{std::chrono::steady_clock::now()};
  return FW_OK;
}

void CpuDevice::event_destroy(void* event) { delete static_cast<TimeStamp*>(event); }

fw_status CpuDevice::event_record(void* event, const Launcher&) {
  static_cast<TimeStamp*>(event)->time = std::chrono::steady_clock::now();
  return FW_OK;
}

fw_status CpuDevice::event_synchronize(void*) { return FW_OK; }

fw_status CpuDevice::event_wait(void*, const Launcher&) { return FW_OK; }

fw_status CpuDevice::event_elapsed(void* start, void* end, float* milliseconds) {
  *milliseconds = std::chrono::duration<float, std::milli>(static_cast<TimeStamp*>(end)->time -
                                                           static_cast<TimeStamp*>(start)->time)
                      .count();
  return FW_OK;
}

fw_status CpuDevice::copy(const Launcher&, void* dst, const void* src, int64_t bytes, Copy) {
  std::memmove(dst, src, size_t(bytes));
  return FW_OK;
}

fw_status CpuDevice::fill(const Launcher&, void* dst, uint8_t value, int64_t bytes) {
  std::memset(dst, value, size_t(bytes));
  return FW_OK;
}

std::unique_ptr<Device> make_cpu_device() {
  const CpuLevel level = choose_level();
  return level.operations == nullptr ? nullptr : std::make_unique<CpuDevice>(level);
}

std::unique_ptr<Device> make_checked_device() {
#if defined(FW_HAVE_CHECKED)
  return std::make_unique<CheckedDevice>();
#else
  return nullptr;
#endif
}

}  // namespace fusewire
