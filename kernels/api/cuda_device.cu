// SPDX-License-Identifier: Apache-2.0
// CUDA devices. The runtime is linked statically, so that the library loads where there is no driver.
#include <cuda_runtime.h>

#include <cstdio>
#include <cstring>

#include "api/device.h"

namespace fusewire {
namespace cuda {
const Operations& operations();
}

namespace {

class CudaDevice : public Device {
 public:
  CudaDevice(int index, const cudaDeviceProp& properties) : index_(index), properties_(properties) {}

  fw_device_kind kind() const override { return FW_CUDA; }
  const Operations& operations() const override { return cuda::operations(); }

  fw_status info(fw_device_info* info) override {
    std::memset(info, 0, sizeof(*info));
    info->kind = FW_CUDA;
    info->compute_capability = properties_.major * 10 + properties_.minor;
    info->processors = properties_.multiProcessorCount;
    size_t free_bytes = 0;
    size_t total_bytes = 0;
    FW_TRY(use("device info"));
    FW_TRY(check("device info", cudaMemGetInfo(&free_bytes, &total_bytes)));
    info->total_memory = int64_t(total_bytes);
    info->free_memory = int64_t(free_bytes);
    std::snprintf(info->name, sizeof(info->name), "%s", properties_.name);
    std::snprintf(info->level, sizeof(info->level), "sm_%d%d", properties_.major, properties_.minor);
    return FW_OK;
  }

  void activate() override { cudaSetDevice(index_); }

  void* allocate(int64_t bytes) override {
    void* memory = nullptr;
    if (cudaSetDevice(index_) != cudaSuccess || cudaMalloc(&memory, size_t(bytes)) != cudaSuccess) {
      cudaGetLastError();  // out of memory is not sticky: forget it
      return nullptr;
    }
    return memory;
  }
  void free(void* memory) override {
    cudaSetDevice(index_);
    cudaFree(memory);
  }

  fw_status stream_create(void** stream) override {
    FW_TRY(use("stream create"));
    cudaStream_t made = nullptr;
    FW_TRY(check("stream create", cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking)));
    *stream = made;
    return FW_OK;
  }
  void stream_destroy(void* stream) override {
    cudaSetDevice(index_);
    cudaStreamDestroy(static_cast<cudaStream_t>(stream));
  }
  fw_status stream_synchronize(const Launcher& launcher) override {
    return check(launcher.operation, cudaStreamSynchronize(stream_of(launcher)));
  }
  fw_status event_create(void** event) override {
    FW_TRY(use("event create"));
    cudaEvent_t made = nullptr;
    FW_TRY(check("event create", cudaEventCreate(&made)));
    *event = made;
    return FW_OK;
  }
  void event_destroy(void* event) override { cudaEventDestroy(static_cast<cudaEvent_t>(event)); }
  fw_status event_record(void* event, const Launcher& launcher) override {
    return check("event record", cudaEventRecord(static_cast<cudaEvent_t>(event), stream_of(launcher)));
  }
  fw_status event_synchronize(void* event) override {
    return check("event synchronize", cudaEventSynchronize(static_cast<cudaEvent_t>(event)));
  }
  fw_status event_wait(void* event, const Launcher& launcher) override {
    return check("stream wait", cudaStreamWaitEvent(stream_of(launcher), static_cast<cudaEvent_t>(event), 0));
  }
  fw_status event_elapsed(void* start, void* end, float* milliseconds) override {
    return check("event elapsed",
                 cudaEventElapsedTime(milliseconds, static_cast<cudaEvent_t>(start), static_cast<cudaEvent_t>(end)));
  }

  fw_status copy(const Launcher& launcher, void* dst, const void* src, int64_t bytes, Copy direction) override {
    const cudaMemcpyKind kind = direction == Copy::kFromHost ? cudaMemcpyHostToDevice
                                : direction == Copy::kToHost ? cudaMemcpyDeviceToHost
                                                             : cudaMemcpyDeviceToDevice;
    FW_TRY(check("copy", cudaMemcpyAsync(dst, src, size_t(bytes), kind, stream_of(launcher))));
    return direction == Copy::kOnDevice ? FW_OK : stream_synchronize(launcher);
  }
  fw_status fill(const Launcher& launcher, void* dst, uint8_t value, int64_t bytes) override {
    return check("fill", cudaMemsetAsync(dst, value, size_t(bytes), stream_of(launcher)));
  }

 private:
  static cudaStream_t stream_of(const Launcher& launcher) { return static_cast<cudaStream_t>(launcher.cuda_stream); }
  fw_status use(const char* operation) const { return check(operation, cudaSetDevice(index_)); }
  // CUDA errors are sticky and asynchronous: the operation named is the one at which the error was seen.
  static fw_status check(const char* operation, cudaError_t error) {
    if (error == cudaSuccess) {
      return FW_OK;
    }
    cudaGetLastError();
    return fail(error == cudaErrorMemoryAllocation ? FW_OUT_OF_MEMORY : FW_DEVICE_ERROR, "%s: %s (CUDA error %d)",
                operation, cudaGetErrorString(error), int(error));
  }

  int index_;
  cudaDeviceProp properties_;
};

}  // namespace

int cuda_driver_version() {
  int version = 0;
  return cudaDriverGetVersion(&version) == cudaSuccess ? version : 0;
}

const char* add_cuda_devices(std::vector<Device*>* list) {
  static char reason[512];
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaErrorInsufficientDriver && cuda_driver_version() == 0) {
    return "no NVIDIA driver is loaded on this machine: install the NVIDIA driver to use a GPU";
  }
  if (error != cudaSuccess) {
    std::snprintf(reason, sizeof(reason), "the NVIDIA driver answers \"%s\": %s", cudaGetErrorString(error),
                  error == cudaErrorInsufficientDriver ? "update it" : "check it with nvidia-smi");
    return reason;
  }
  const size_t before = list->size();
  for (int index = 0; index < count; index++) {
    cudaDeviceProp properties;
    if (cudaGetDeviceProperties(&properties, index) == cudaSuccess) {
      if (properties.major * 10 + properties.minor < 75) {
        std::snprintf(reason, sizeof(reason), "%s has compute capability %d.%d: 7.5 or later is needed",
                      properties.name, properties.major, properties.minor);
        continue;
      }
      list->push_back(new CudaDevice(index, properties));
    }
  }
  if (list->size() == before) {
    return reason[0] != 0 ? reason : "the NVIDIA driver lists no GPU: check it with nvidia-smi";
  }
  return "";
}

}  // namespace fusewire
