// SPDX-License-Identifier: Apache-2.0
// A device behind the C API: memory, streams, copies and the operations compiled for it. Implementations: cpu_device.cc
// (also the checked device), meter/metered_device.cc, and cuda_device.cu, absent in builds without nvcc.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/launch_record.h"
#include "core/launcher.h"
#include "core/operations.h"

namespace fusewire {

class Meter;

class Device {
 public:
  virtual ~Device() = default;
  virtual fw_device_kind kind() const = 0;
  virtual fw_status info(fw_device_info* info) = 0;
  virtual const Operations& operations() const = 0;

  // Makes the device current for the calling thread's launches.
  virtual void activate() {}

  // Memory. allocate gives nullptr when there is none left; free takes what allocate gave, once the work given so far
  // is done, on a lost device as well.
  virtual void* allocate(int64_t bytes) = 0;
  virtual void free(void* memory) = 0;
  // Host memory that copies may read while other work runs.
  virtual fw_status pin(void* memory, int64_t bytes) { return memory == nullptr || bytes <= 0 ? FW_INTERNAL : FW_OK; }
  virtual void unpin(void*) {}
  // Checked devices: an error if a guard band round an allocation was written to.
  virtual fw_status check_guards(const char* operation) { return operation == nullptr ? FW_INTERNAL : FW_OK; }

  // Metered devices: what counts the bytes of one stream.
  virtual std::shared_ptr<Meter> make_meter() { return nullptr; }

  // Streams and events are opaque pointers of the implementation; nullptr is a valid one.
  virtual fw_status stream_create(void** stream) = 0;
  virtual void stream_destroy(void* stream) = 0;
  virtual fw_status stream_synchronize(const Launcher& launcher) = 0;
  virtual fw_status event_create(void** event) = 0;
  virtual void event_destroy(void* event) = 0;
  virtual fw_status event_record(void* event, const Launcher& launcher) = 0;
  virtual fw_status event_synchronize(void* event) = 0;
  virtual fw_status event_wait(void* event, const Launcher& launcher) = 0;
  virtual fw_status event_elapsed(void* start, void* end, float* milliseconds) = 0;

  // Copies and fills are given to the stream; who needs them done waits for it.
  enum class Copy { kFromHost, kToHost, kOnDevice };
  virtual fw_status copy(const Launcher& launcher, void* dst, const void* src, int64_t bytes, Copy direction) = 0;
  virtual fw_status fill(const Launcher& launcher, void* dst, uint8_t value, int64_t bytes) = 0;
  // At most kWriteBytes of host memory, taken at the call.
  static constexpr int64_t kWriteBytes = 256;
  virtual fw_status write(const Launcher& launcher, void* dst, const void* src, int64_t bytes) {
    return copy(launcher, dst, src, bytes, Copy::kFromHost);
  }

  // Graphs. A device that makes none itself gets its work noted in a LaunchRecord, which replays it.
  virtual bool records_graphs() const { return true; }
  virtual fw_status graph_begin(const Launcher&) { return FW_OK; }
  // Gives the device's own graph and how much work is in it.
  virtual fw_status graph_end(const Launcher&, void** graph, int64_t* launches) {
    *graph = nullptr;
    *launches = 0;
    return FW_OK;
  }
  virtual void graph_cancel(const Launcher&) {}
  virtual fw_status graph_launch(void*, const Launcher&) { return FW_INTERNAL; }
  // Once the work given so far is done.
  virtual void graph_destroy(void*) {}

  // A lost device is of no more use to this process; what was said of it first stays.
  bool lost() const { return lost_.load(std::memory_order_acquire); }
  std::string loss() const {
    const std::lock_guard<std::mutex> lock(loss_mutex_);
    return loss_;
  }
  void lose(const std::string& message) {
    const std::lock_guard<std::mutex> lock(loss_mutex_);
    if (!lost()) {
      loss_ = message;
      lost_.store(true, std::memory_order_release);
    }
  }
  // An injected fault: the device is lost as soon as somebody waits for it.
  bool struck() const { return struck_.load(std::memory_order_relaxed); }
  void strike() { struck_.store(true, std::memory_order_relaxed); }
  void heal() {
    const std::lock_guard<std::mutex> lock(loss_mutex_);
    struck_.store(false, std::memory_order_relaxed);
    lost_.store(false, std::memory_order_release);
  }

 private:
  std::atomic<bool> lost_{false};
  std::atomic<bool> struck_{false};
  mutable std::mutex loss_mutex_;
  std::string loss_;
};

// All devices, the CPU first; made at the first call, never destroyed.
const std::vector<Device*>& devices();

std::unique_ptr<Device> make_cpu_device();
// Checked execution, or nullptr in builds without it.
std::unique_ptr<Device> make_checked_device();
// Metered execution, or nullptr in builds without it.
std::unique_ptr<Device> make_metered_device();
// Appends the CUDA devices that can be used; when there are none, returns why not, else "".
const char* add_cuda_devices(std::vector<Device*>* list);
int cuda_driver_version();
// Why there is no CUDA device, "" if there is one.
const char* cuda_unavailable_reason();

}  // namespace fusewire
