// SPDX-License-Identifier: Apache-2.0
// The CPU as a device, for what runs on it in one way or another.
#pragma once

#include "api/device.h"

namespace fusewire {

// An execution of the kernels for CPUs, and what it calls itself.
struct CpuLevel {
  const char* name;
  const Operations* operations;
};

// Streams are synchronous, so events are time stamps.
class CpuDevice : public Device {
 public:
  static constexpr size_t kAlignment = 256;

  explicit CpuDevice(CpuLevel level) : level_(level) {}

  fw_device_kind kind() const override { return FW_CPU; }
  const Operations& operations() const override { return *level_.operations; }
  fw_status info(fw_device_info* info) override;

  void* allocate(int64_t bytes) override;
  void free(void* memory) override;

  fw_status stream_create(void** stream) override;
  void stream_destroy(void* stream) override;
  fw_status stream_synchronize(const Launcher& launcher) override;
  fw_status event_create(void** event) override;
  void event_destroy(void* event) override;
  fw_status event_record(void* event, const Launcher& launcher) override;
  fw_status event_synchronize(void* event) override;
  fw_status event_wait(void* event, const Launcher& launcher) override;
  fw_status event_elapsed(void* start, void* end, float* milliseconds) override;

  fw_status copy(const Launcher& launcher, void* dst, const void* src, int64_t bytes, Copy direction) override;
  fw_status fill(const Launcher& launcher, void* dst, uint8_t value, int64_t bytes) override;

 private:
  CpuLevel level_;
};

}  // namespace fusewire
