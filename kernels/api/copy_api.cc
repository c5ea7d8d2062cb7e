// SPDX-License-Identifier: Apache-2.0
// Copies and fills of the C API, and the host memory that copies may read while other work runs.
#include <map>
#include <mutex>

#include "api/call.h"

namespace fusewire {
namespace {

// Host memory pinned for a device, by its first address.
class PinnedMemory {
 public:
  // False if a byte of it is pinned already.
  bool add(int32_t device, const void* memory, int64_t bytes) {
    const std::lock_guard<std::mutex> lock(mutex_);
    auto& ranges = ranges_[device];
    const auto* first = static_cast<const char*>(memory);
    const auto next = ranges.lower_bound(first);
    if ((next != ranges.end() && next->first < first + bytes) ||
        (next != ranges.begin() && std::prev(next)->first + std::prev(next)->second > first)) {
      return false;
    }
    ranges.emplace(first, bytes);
    return true;
  }
  bool remove(int32_t device, const void* memory) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return ranges_[device].erase(static_cast<const char*>(memory)) == 1;
  }
  bool contains(int32_t device, const void* memory, int64_t bytes) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto& ranges = ranges_[device];
    const auto* first = static_cast<const char*>(memory);
    const auto next = ranges.upper_bound(first);
    return next != ranges.begin() && bytes <= std::prev(next)->second - (first - std::prev(next)->first);
  }

 private:
  std::mutex mutex_;
  std::map<int32_t, std::map<const char*, int64_t>> ranges_;
};

PinnedMemory& pinned() {
  static auto* table = new PinnedMemory();
  return *table;
}

struct CopyParams {
  Device* device;
  void* dst;
  const void* src;
  int64_t bytes;
};

fw_status run_copy(const Launcher& launcher, const int64_t*, int64_t, const void* params) {
  const auto& p = *static_cast<const CopyParams*>(params);
  return p.device->copy(launcher, p.dst, p.src, p.bytes, Device::Copy::kOnDevice);
}

struct FillParams {
  Device* device;
  void* dst;
  int64_t bytes;
  uint8_t value;
};

fw_status run_fill(const Launcher& launcher, const int64_t*, int64_t, const void* params) {
  const auto& p = *static_cast<const FillParams*>(params);
  return p.device->fill(launcher, p.dst, p.value, p.bytes);
}

constexpr int64_t kOneBlock[3] = {1, 1, 1};

// Finds the stream and checks the rest; *stream stays empty where there is nothing to do.
fw_status check_copy(fw_stream handle, const char* operation, const void* dst, const void* src, int64_t bytes,
                     int64_t most, std::shared_ptr<StreamState>* stream) {
  std::shared_ptr<StreamState> found;
  FW_TRY(find_stream(handle, operation, &found));
  FW_TRY(check_range(operation, "bytes", bytes, 0, most));
  if (bytes == 0) {
    return FW_OK;
  }
  FW_TRY(check_not_null(operation, "dst", dst));
  FW_TRY(check_not_null(operation, "src", src));
  *stream = std::move(found);
  return FW_OK;
}

fw_status copy_with_host(fw_stream handle, const char* operation, void* dst, const void* src, int64_t bytes,
                         Device::Copy direction) {
  std::shared_ptr<StreamState> stream;
  FW_TRY(check_copy(handle, operation, dst, src, bytes, INT64_MAX, &stream));
  if (stream == nullptr) {
    return FW_OK;
  }
  Turn turn(*stream, operation);
  FW_TRY(turn.ready());
  return turn.wait(stream->device->copy(turn.launcher, dst, src, bytes, direction));
}

}  // namespace
}  // namespace fusewire

using namespace fusewire;

fw_status fw_host_pin(int32_t device, void* memory, int64_t bytes) {
  constexpr const char* kOperation = "host pin";
  Device* found = nullptr;
  FW_TRY(find_device(kOperation, device, &found));
  FW_TRY(check_not_null(kOperation, "memory", memory));
  FW_TRY(check_range(kOperation, "bytes", bytes, 1, INT64_MAX));
  FW_TRY(check_alive(*found, kOperation));
  FW_TRY(check_thread_is_free(kOperation));
  if (!pinned().add(device, memory, bytes)) {
    return fail(FW_INVALID_ARGUMENT, "%s: some of the %lld bytes at %p are pinned for device %d already", kOperation,
                static_cast<long long>(bytes), memory, device);
  }
  const fw_status status = seen(*found, found->pin(memory, bytes));
  if (status != FW_OK) {
    pinned().remove(device, memory);
  }
  return status;
}

fw_status fw_host_unpin(int32_t device, void* memory) {
  constexpr const char* kOperation = "host unpin";
  Device* found = nullptr;
  FW_TRY(find_device(kOperation, device, &found));
  if (!pinned().remove(device, memory)) {
    return fail(FW_INVALID_ARGUMENT, "%s: no memory at %p is pinned for device %d", kOperation, memory, device);
  }
  found->unpin(memory);
  return FW_OK;
}

fw_status fw_copy_from_host(fw_stream stream, fw_address dst, const void* src, int64_t bytes) {
  return copy_with_host(stream, "copy from host", pointer(dst), src, bytes, Device::Copy::kFromHost);
}

fw_status fw_copy_to_host(fw_stream stream, void* dst, fw_address src, int64_t bytes) {
  return copy_with_host(stream, "copy to host", dst, pointer(src), bytes, Device::Copy::kToHost);
}

fw_status fw_copy_from_host_async(fw_stream stream, fw_address dst, const void* src, int64_t bytes) {
  constexpr const char* kOperation = "copy from host async";
  std::shared_ptr<StreamState> state;
  FW_TRY(check_copy(stream, kOperation, pointer(dst), src, bytes, INT64_MAX, &state));
  if (state == nullptr) {
    return FW_OK;
  }
  if (!pinned().contains(state->device_index, src, bytes)) {
    return fail(FW_INVALID_ARGUMENT, "%s: the %lld bytes at %p are not within memory that is pinned for device %d",
                kOperation, static_cast<long long>(bytes), src, state->device_index);
  }
  Turn turn(*state, kOperation);
  FW_TRY(turn.ready());
  FW_TRY(turn.begin());
  return turn.end(state->device->copy(turn.launcher, pointer(dst), src, bytes, Device::Copy::kFromHost));
}

fw_status fw_write(fw_stream stream, fw_address dst, const void* src, int64_t bytes) {
  constexpr const char* kOperation = "write";
  std::shared_ptr<StreamState> state;
  FW_TRY(check_copy(stream, kOperation, pointer(dst), src, bytes, Device::kWriteBytes, &state));
  if (state == nullptr) {
    return FW_OK;
  }
  Turn turn(*state, kOperation);
  FW_TRY(turn.ready());
  FW_TRY(turn.begin());
  return turn.end(state->device->write(turn.launcher, pointer(dst), src, bytes));
}

fw_status fw_copy(fw_stream stream, fw_address dst, fw_address src, int64_t bytes) {
  constexpr const char* kOperation = "copy";
  std::shared_ptr<StreamState> state;
  FW_TRY(check_copy(stream, kOperation, pointer(dst), pointer(src), bytes, INT64_MAX, &state));
  if (state == nullptr) {
    return FW_OK;
  }
  Turn turn(*state, kOperation);
  FW_TRY(turn.begin());
  if (turn.launcher.record != nullptr) {
    const CopyParams params{state->device, pointer(dst), pointer(src), bytes};
    return turn.keep(run_copy, kOneBlock, &params, sizeof(params));
  }
  return turn.end(state->device->copy(turn.launcher, pointer(dst), pointer(src), bytes, Device::Copy::kOnDevice));
}

fw_status fw_fill(fw_stream stream, fw_address dst, uint8_t value, int64_t bytes) {
  constexpr const char* kOperation = "fill";
  std::shared_ptr<StreamState> state;
  FW_TRY(find_stream(stream, kOperation, &state));
  FW_TRY(check_range(kOperation, "bytes", bytes, 0, INT64_MAX));
  if (bytes == 0) {
    return FW_OK;
  }
  FW_TRY(check_not_null(kOperation, "dst", pointer(dst)));
  Turn turn(*state, kOperation);
  FW_TRY(turn.begin());
  if (turn.launcher.record != nullptr) {
    const FillParams params{state->device, pointer(dst), bytes, value};
    return turn.keep(run_fill, kOneBlock, &params, sizeof(params));
  }
  return turn.end(state->device->fill(turn.launcher, pointer(dst), value, bytes));
}
