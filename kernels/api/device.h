// SPDX-License-Identifier: Apache-2.0
// A device behind the C API: memory, streams, copies and the operations compiled for it. Implementations: cpu_device.cc
// (also the checked device), meter/metered_device.cc, and cuda_device.cu, absent in builds without nvcc.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/error.h"
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

  // Memory. allocate gives nullptr when there is none left; free takes what allocate gave.
  virtual void* allocate(int64_t bytes) = 0;
  virtual void free(void* memory) = 0;
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

  enum class Copy { kFromHost, kToHost, kOnDevice };
  virtual fw_status copy(const Launcher& launcher, void* dst, const void* src, int64_t bytes, Copy direction) = 0;
  virtual fw_status fill(const Launcher& launcher, void* dst, uint8_t value, int64_t bytes) = 0;
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
