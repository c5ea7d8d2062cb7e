// SPDX-License-Identifier: Apache-2.0
// The metered device: the CPU with the kernels that hooks.cc listens to, on one thread.
#include "api/cpu_device.h"
#include "meter/launch.h"
#include "meter/meter.h"

namespace fusewire {

#if defined(FW_HAVE_METERED)

namespace metered {
const Operations& operations();
}

namespace {

class MeteredDevice : public CpuDevice {
 public:
  MeteredDevice() : CpuDevice(CpuLevel{"metered", &metered::operations()}) {}

  fw_device_kind kind() const override { return FW_METERED; }
  std::shared_ptr<Meter> make_meter() override { return std::make_shared<Meter>(&memory_); }

  void* allocate(int64_t bytes) override {
    void* memory = CpuDevice::allocate(bytes);
    if (memory != nullptr) {
      memory_.add(memory, size_t(bytes));
    }
    return memory;
  }
  void free(void* memory) override {
    memory_.remove(memory);
    CpuDevice::free(memory);
  }

  fw_status copy(const Launcher& launcher, void* dst, const void* src, int64_t bytes, Copy direction) override {
    const MeteredLaunch launch(launcher.meter);
    if (direction != Copy::kFromHost) {
      launcher.meter->read(reinterpret_cast<uintptr_t>(src), size_t(bytes));
    }
    if (direction != Copy::kToHost) {
      launcher.meter->write(reinterpret_cast<uintptr_t>(dst), size_t(bytes));
    }
    return CpuDevice::copy(launcher, dst, src, bytes, direction);
  }
  fw_status fill(const Launcher& launcher, void* dst, uint8_t value, int64_t bytes) override {
    const MeteredLaunch launch(launcher.meter);
    launcher.meter->write(reinterpret_cast<uintptr_t>(dst), size_t(bytes));
    return CpuDevice::fill(launcher, dst, value, bytes);
  }

 private:
  MeteredMemory memory_;
};

}  // namespace

std::unique_ptr<Device> make_metered_device() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
    return nullptr;
  }
#endif
  return std::make_unique<MeteredDevice>();
}

#else

std::unique_ptr<Device> make_metered_device() { return nullptr; }

#endif

}  // namespace fusewire
