// SPDX-License-Identifier: Apache-2.0
// The C API's part that is not an operation: devices, memory, streams, events, copies. Handles are looked up in tables,
// so that a stale one is refused instead of followed.
#include <atomic>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <string>

#include "api/call.h"
#include "build_info.h"

namespace fusewire {
namespace {

struct EventState {
  Device* device;
  void* native;
};

// Objects by handle; handles are never used twice.
template <class T>
class Handles {
 public:
  uint64_t add(std::shared_ptr<T> object) {
    const std::unique_lock<std::shared_mutex> lock(mutex_);
    const uint64_t handle = ++last_;
    objects_[handle] = std::move(object);
    return handle;
  }
  std::shared_ptr<T> find(uint64_t handle) {
    const std::shared_lock<std::shared_mutex> lock(mutex_);
    const auto found = objects_.find(handle);
    return found == objects_.end() ? nullptr : found->second;
  }
  std::shared_ptr<T> remove(uint64_t handle) {
    const std::unique_lock<std::shared_mutex> lock(mutex_);
    const auto found = objects_.find(handle);
    if (found == objects_.end()) {
      return nullptr;
    }
    std::shared_ptr<T> object = std::move(found->second);
    objects_.erase(found);
    return object;
  }

 private:
  std::shared_mutex mutex_;
  std::map<uint64_t, std::shared_ptr<T>> objects_;
  uint64_t last_ = 0;
};

// Never destroyed: the JVM's cleaners may still call while the process exits.
Handles<StreamState>& streams() {
  static auto* table = new Handles<StreamState>();
  return *table;
}
Handles<EventState>& events() {
  static auto* table = new Handles<EventState>();
  return *table;
}

// Live allocations of all devices.
class Allocations {
 public:
  void add(int32_t device, fw_address address, int64_t bytes) {
    const std::lock_guard<std::mutex> lock(mutex_);
    sizes_[{device, address}] = bytes;
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

 private:
  std::mutex mutex_;
  std::map<std::pair<int32_t, fw_address>, int64_t> sizes_;
};
Allocations& allocations() {
  static auto* table = new Allocations();
  return *table;
}

const char* cuda_reason = "";

fw_status find_device(const char* operation, int32_t index, Device** device) {
  const auto& all = devices();
  if (index < 0 || size_t(index) >= all.size()) {
    return fail(FW_INVALID_ARGUMENT, "%s: there is no device %d; 0 to %d fits", operation, index, int(all.size()) - 1);
  }
  *device = all[size_t(index)];
  return FW_OK;
}

fw_status find_event(fw_event handle, const char* operation, std::shared_ptr<EventState>* event) {
  *event = events().find(handle);
  if (*event == nullptr) {
    return fail(FW_INVALID_ARGUMENT, "%s: event %llu is closed or was never made", operation,
                static_cast<unsigned long long>(handle));
  }
  return FW_OK;
}

void* pointer(fw_address address) { return reinterpret_cast<void*>(static_cast<uintptr_t>(address)); }

}  // namespace

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
    return made;
  }();
  return *list;
}

const char* cuda_unavailable_reason() {
  devices();
  return cuda_reason;
}

fw_status find_stream(fw_stream handle, const char* operation, std::shared_ptr<StreamState>* stream) {
  *stream = streams().find(handle);
  if (*stream == nullptr) {
    return fail(FW_INVALID_ARGUMENT, "%s: stream %llu is closed or was never made", operation,
                static_cast<unsigned long long>(handle));
  }
  return FW_OK;
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
  return found->info(info);
}

fw_status fw_memory_allocate(int32_t device, int64_t bytes, fw_address* address) {
  Device* found = nullptr;
  FW_TRY(check_not_null("memory allocate", "address", address));
  FW_TRY(find_device("memory allocate", device, &found));
  FW_TRY(check_range("memory allocate", "bytes", bytes, 1, INT64_MAX));
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

fw_status fw_stream_create(int32_t device, fw_stream* stream) {
  Device* found = nullptr;
  FW_TRY(check_not_null("stream create", "stream", stream));
  FW_TRY(find_device("stream create", device, &found));
  auto state = std::make_shared<StreamState>();
  state->device = found;
  state->device_index = device;
  FW_TRY(found->stream_create(&state->native));
  state->launcher.cuda_stream = state->native;
  state->meter = found->make_meter();
  state->launcher.meter = state->meter.get();
  *stream = streams().add(std::move(state));
  return FW_OK;
}

fw_status fw_stream_destroy(fw_stream stream) {
  const auto state = streams().remove(stream);
  if (state == nullptr) {
    return fail(FW_INVALID_ARGUMENT, "stream destroy: stream %llu is closed or was never made",
                static_cast<unsigned long long>(stream));
  }
  const fw_status status = state->device->stream_synchronize(state->launcher);
  state->device->stream_destroy(state->native);
  return status;
}

fw_status fw_stream_synchronize(fw_stream stream) {
  std::shared_ptr<StreamState> state;
  FW_TRY(find_stream(stream, "stream synchronize", &state));
  return state->device->stream_synchronize(state->launcher);
}

fw_status fw_stream_set_threads(fw_stream stream, int32_t threads) {
  std::shared_ptr<StreamState> state;
  FW_TRY(find_stream(stream, "stream set threads", &state));
  FW_TRY(check_range("stream set threads", "threads", threads, 0, 1024));
  state->launcher.threads = threads;
  return FW_OK;
}

fw_status fw_stream_set_order(fw_stream stream, uint64_t order) {
  std::shared_ptr<StreamState> state;
  FW_TRY(find_stream(stream, "stream set order", &state));
  state->launcher.order = order;
  return FW_OK;
}

fw_status fw_stream_device(fw_stream stream, int32_t* device) {
  std::shared_ptr<StreamState> state;
  FW_TRY(check_not_null("stream device", "device", device));
  FW_TRY(find_stream(stream, "stream device", &state));
  *device = state->device_index;
  return FW_OK;
}

fw_status fw_event_create(int32_t device, fw_event* event) {
  Device* found = nullptr;
  FW_TRY(check_not_null("event create", "event", event));
  FW_TRY(find_device("event create", device, &found));
  auto state = std::make_shared<EventState>();
  state->device = found;
  FW_TRY(found->event_create(&state->native));
  *event = events().add(std::move(state));
  return FW_OK;
}

fw_status fw_event_destroy(fw_event event) {
  const auto state = events().remove(event);
  if (state == nullptr) {
    return fail(FW_INVALID_ARGUMENT, "event destroy: event %llu is closed or was never made",
                static_cast<unsigned long long>(event));
  }
  state->device->event_destroy(state->native);
  return FW_OK;
}

namespace {

// Finds both, and refuses an event and a stream of different devices.
fw_status find_both(const char* operation, fw_event event, fw_stream stream, std::shared_ptr<EventState>* event_state,
                    std::shared_ptr<StreamState>* stream_state) {
  FW_TRY(find_event(event, operation, event_state));
  FW_TRY(find_stream(stream, operation, stream_state));
  if ((*event_state)->device != (*stream_state)->device) {
    return fail(FW_INVALID_ARGUMENT, "%s: the event and the stream belong to different devices", operation);
  }
  (*stream_state)->device->activate();
  return FW_OK;
}

}  // namespace

fw_status fw_event_record(fw_event event, fw_stream stream) {
  std::shared_ptr<EventState> event_state;
  std::shared_ptr<StreamState> stream_state;
  FW_TRY(find_both("event record", event, stream, &event_state, &stream_state));
  return event_state->device->event_record(event_state->native, stream_state->launcher);
}

fw_status fw_event_synchronize(fw_event event) {
  std::shared_ptr<EventState> state;
  FW_TRY(find_event(event, "event synchronize", &state));
  return state->device->event_synchronize(state->native);
}

fw_status fw_stream_wait(fw_stream stream, fw_event event) {
  std::shared_ptr<EventState> event_state;
  std::shared_ptr<StreamState> stream_state;
  FW_TRY(find_both("stream wait", event, stream, &event_state, &stream_state));
  return event_state->device->event_wait(event_state->native, stream_state->launcher);
}

fw_status fw_event_elapsed(fw_event start, fw_event end, float* milliseconds) {
  std::shared_ptr<EventState> first;
  std::shared_ptr<EventState> second;
  FW_TRY(check_not_null("event elapsed", "milliseconds", milliseconds));
  FW_TRY(find_event(start, "event elapsed", &first));
  FW_TRY(find_event(end, "event elapsed", &second));
  if (first->device != second->device) {
    return fail(FW_INVALID_ARGUMENT, "event elapsed: the events belong to different devices");
  }
  return first->device->event_elapsed(first->native, second->native, milliseconds);
}

namespace {

fw_status copy(fw_stream stream, const char* operation, const void* dst, const void* src, int64_t bytes,
               Device::Copy direction) {
  std::shared_ptr<StreamState> state;
  FW_TRY(find_stream(stream, operation, &state));
  FW_TRY(check_range(operation, "bytes", bytes, 0, INT64_MAX));
  if (bytes == 0) {
    return FW_OK;
  }
  FW_TRY(check_not_null(operation, "dst", dst));
  FW_TRY(check_not_null(operation, "src", src));
  state->device->activate();
  return state->device->copy(state->launcher, const_cast<void*>(dst), src, bytes, direction);
}

}  // namespace

fw_status fw_copy_from_host(fw_stream stream, fw_address dst, const void* src, int64_t bytes) {
  return copy(stream, "copy from host", pointer(dst), src, bytes, Device::Copy::kFromHost);
}

fw_status fw_copy_to_host(fw_stream stream, void* dst, fw_address src, int64_t bytes) {
  return copy(stream, "copy to host", dst, pointer(src), bytes, Device::Copy::kToHost);
}

fw_status fw_copy(fw_stream stream, fw_address dst, fw_address src, int64_t bytes) {
  return copy(stream, "copy", pointer(dst), pointer(src), bytes, Device::Copy::kOnDevice);
}

fw_status fw_fill(fw_stream stream, fw_address dst, uint8_t value, int64_t bytes) {
  std::shared_ptr<StreamState> state;
  FW_TRY(find_stream(stream, "fill", &state));
  FW_TRY(check_range("fill", "bytes", bytes, 0, INT64_MAX));
  if (bytes == 0) {
    return FW_OK;
  }
  FW_TRY(check_not_null("fill", "dst", pointer(dst)));
  state->device->activate();
  return state->device->fill(state->launcher, pointer(dst), value, bytes);
}

fw_status fw_conv_output(const fw_conv* conv, int64_t* out_height, int64_t* out_width) {
  FW_TRY(check_not_null("conv output", "out_height", out_height));
  FW_TRY(check_not_null("conv output", "out_width", out_width));
  return check_conv("conv output", conv, out_height, out_width);
}
