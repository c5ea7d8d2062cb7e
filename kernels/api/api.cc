// SPDX-License-Identifier: Apache-2.0
// The C API's part about the library, its devices and their memory. Streams, events, copies and graphs are in files of
// their own.
#include <map>
#include <mutex>
#include <string>

#include "api/call.h"
#include "api/faults.h"
#include "build_info.h"

namespace fusewire {
namespace {

// Live allocations of all devices. Never destroyed: the JVM's cleaners may still call while the process exits.
class Allocations {
 public:
  void add(int32_t device, fw_address address, int64_t bytes) {
    const std::lock_guard<std::mutex> lock(mutex_);
    sizes_[{device, address}] = bytes;
    made_[device]++;
  }
  bool remove(int32_t device, fw_address address) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return sizes_.erase({device, address}) == 1;
  }
  void sum(int32_t device, int64_t* bytes, int64_t* count) {
    const std::lock_guard<std::mutex> lock(mutex_);
    *bytes = 0;
    *count = 0;
    for (const auto& entry : sizes_) {
      if (entry.first.first == device) {
        *bytes += entry.second;
        ++*count;
      }
    }
  }
  int64_t made(int32_t device) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return made_[device];
  }

 private:
  std::mutex mutex_;
  std::map<std::pair<int32_t, fw_address>, int64_t> sizes_;
  std::map<int32_t, int64_t> made_;  // number of allocations so far
};
Allocations& allocations() {
  static auto* table = new Allocations();
  return *table;
}

const char* cuda_reason = "";

}  // namespace

fw_status find_device(const char* operation, int32_t index, Device** device) {
  const auto& all = devices();
  if (index < 0 || size_t(index) >= all.size()) {
    return fail(FW_INVALID_ARGUMENT, "%s: there is no device %d; 0 to %d fits", operation, index, int(all.size()) - 1);
  }
  *device = all[size_t(index)];
  return FW_OK;
}

const std::vector<Device*>& devices() {
  static const auto* list = [] {
    auto* made = new std::vector<Device*>();
    if (auto cpu = make_cpu_device()) {
      made->push_back(cpu.release());
    }
    cuda_reason = add_cuda_devices(made);
    if (auto checked = make_checked_device()) {
      made->push_back(checked.release());
    }
    if (auto metered = make_metered_device()) {
      made->push_back(metered.release());
    }
    inject_from_environment();
    return made;
  }();
  return *list;
}

const char* cuda_unavailable_reason() {
  devices();
  return cuda_reason;
}

}  // namespace fusewire

using namespace fusewire;

const char* fw_last_error(void) { return last_error(); }
const char* fw_version(void) { return FW_VERSION; }
const char* fw_build_info(void) { return FW_BUILD_INFO; }
const char* fw_cuda_unavailable_reason(void) { return cuda_unavailable_reason(); }
int32_t fw_cuda_driver_version(void) { return cuda_driver_version(); }
int32_t fw_device_count(void) { return int32_t(devices().size()); }

fw_status fw_device_info_get(int32_t device, fw_device_info* info) {
  Device* found = nullptr;
  FW_TRY(check_not_null("device info", "info", info));
  FW_TRY(find_device("device info", device, &found));
  FW_TRY(check_alive(*found, "device info"));
  return seen(*found, found->info(info));
}

fw_status fw_memory_allocate(int32_t device, int64_t bytes, fw_address* address) {
  Device* found = nullptr;
  FW_TRY(check_not_null("memory allocate", "address", address));
  FW_TRY(find_device("memory allocate", device, &found));
  FW_TRY(check_range("memory allocate", "bytes", bytes, 1, INT64_MAX));
  FW_TRY(check_alive(*found, "memory allocate"));
  FW_TRY(check_thread_is_free("memory allocate"));
  void* memory = found->allocate(bytes);
  if (memory == nullptr) {
    fw_device_info info = {};
    const bool known = found->info(&info) == FW_OK;
    return fail(FW_OUT_OF_MEMORY, "memory allocate: %lld bytes asked for, %lld free on %s",
                static_cast<long long>(bytes), known ? static_cast<long long>(info.free_memory) : -1LL,
                known ? info.name : "the device");
  }
  *address = fw_address(reinterpret_cast<uintptr_t>(memory));
  allocations().add(device, *address, bytes);
  return FW_OK;
}

fw_status fw_memory_free(int32_t device, fw_address address) {
  Device* found = nullptr;
  FW_TRY(find_device("memory free", device, &found));
  if (!allocations().remove(device, address)) {
    return fail(FW_INVALID_ARGUMENT, "memory free: 0x%llx is not a live allocation of device %d",
                static_cast<unsigned long long>(address), device);
  }
  found->free(pointer(address));
  return FW_OK;
}

fw_status fw_memory_live(int32_t device, int64_t* bytes, int64_t* count) {
  Device* found = nullptr;
  FW_TRY(check_not_null("memory live", "bytes", bytes));
  FW_TRY(check_not_null("memory live", "allocations", count));
  FW_TRY(find_device("memory live", device, &found));
  allocations().sum(device, bytes, count);
  return FW_OK;
}

fw_status fw_memory_allocations(int32_t device, int64_t* count) {
  Device* found = nullptr;
  FW_TRY(check_not_null("memory allocations", "allocations", count));
  FW_TRY(find_device("memory allocations", device, &found));
  *count = allocations().made(device);
  return FW_OK;
}

fw_status fw_conv_output(const fw_conv* conv, int64_t* out_height, int64_t* out_width) {
  FW_TRY(check_not_null("conv output", "out_height", out_height));
  FW_TRY(check_not_null("conv output", "out_width", out_width));
  return check_conv("conv output", conv, out_height, out_width);
}
