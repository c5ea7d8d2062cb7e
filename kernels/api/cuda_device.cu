// SPDX-License-Identifier: Apache-2.0
// CUDA devices. The runtime is linked statically, so that the library loads where there is no driver.
#include <cuda_runtime.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <vector>

#include "api/device.h"

namespace fusewire {
namespace cuda {
const Operations& operations();
}

namespace {

// Whether an error is one of those after which no call of this process on the device succeeds: the programming guide
// says of each that the process must be ended.
bool is_sticky(cudaError_t error) {
  switch (error) {
    case cudaErrorIllegalAddress:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorIllegalInstruction:
    case cudaErrorHardwareStackError:
    case cudaErrorLaunchFailure:
    case cudaErrorLaunchTimeout:
    case cudaErrorAssert:
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
    case cudaErrorContextIsDestroyed:
    case cudaErrorExternalDevice:
    case cudaErrorMpsClientTerminated:
    case cudaErrorUnknown:
      return true;
    default:
      return false;
  }
}

// An error that has been seen is forgotten, or the next launch would report it again; a sticky one cannot be.
fw_status check(const char* operation, cudaError_t error) {
  return error == cudaSuccess ? FW_OK : cuda_failure(operation, int(error));
}

struct SmallBytes {
  unsigned char bytes[Device::kWriteBytes];
};

// dst[i] = value.bytes[i], i < count; the value travels with the launch.
__global__ void __launch_bounds__(Device::kWriteBytes, 1)
    write_entry(unsigned char* dst, const __grid_constant__ SmallBytes value, int count) {
  if (int(threadIdx.x) < count) {
    dst[threadIdx.x] = value.bytes[threadIdx.x];
  }
}

// Memory comes from a pool of the device, in the order of a stream of its own. Allocating waits for that stream, so
// that memory may be used in any stream at once; freeing waits for nothing: that stream waits for all others instead.
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
    info->free_memory = int64_t(free_bytes) + unused_in_pool();
    std::snprintf(info->name, sizeof(info->name), "%s", properties_.name);
    std::snprintf(info->level, sizeof(info->level), "sm_%d%d", properties_.major, properties_.minor);
    return FW_OK;
  }

  void activate() override { cudaSetDevice(index_); }

  void* allocate(int64_t bytes) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    void* memory = nullptr;
    cudaError_t error = cudaSetDevice(index_);
    if (error == cudaSuccess && !make_pool()) {
      error = cudaMalloc(&memory, size_t(bytes));
    } else if (error == cudaSuccess) {
      error = cudaMallocFromPoolAsync(&memory, size_t(bytes), pool_, pool_stream_);
      if (error == cudaErrorMemoryAllocation) {
        // What the pool keeps may lie in pieces that are too small.
        cudaGetLastError();
        cudaStreamSynchronize(pool_stream_);
        cudaMemPoolTrimTo(pool_, 0);
        error = cudaMallocFromPoolAsync(&memory, size_t(bytes), pool_, pool_stream_);
      }
      if (error == cudaSuccess) {
        error = cudaStreamSynchronize(pool_stream_);
      }
    }
    if (error != cudaSuccess) {
      cudaGetLastError();  // out of memory is not sticky: forget it
      return nullptr;
    }
    return memory;
  }
  void free(void* memory) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    cudaSetDevice(index_);
    if (captures_ > 0) {
      freed_in_capture_.push_back(memory);  // its stream cannot be waited for now
    } else {
      free_now(memory);
    }
  }
  fw_status pin(void* memory, int64_t bytes) override {
    FW_TRY(use("host pin"));
    return check("host pin", cudaHostRegister(memory, size_t(bytes), cudaHostRegisterDefault));
  }
  void unpin(void* memory) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    cudaSetDevice(index_);
    wait_for_streams();
    cudaHostUnregister(memory);
    cudaGetLastError();
  }

  fw_status stream_create(void** stream) override {
    FW_TRY(use("stream create"));
    cudaStream_t made = nullptr;
    FW_TRY(check("stream create", cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking)));
    const std::lock_guard<std::mutex> lock(mutex_);
    streams_.push_back(made);
    *stream = made;
    return FW_OK;
  }
  void stream_destroy(void* stream) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    cudaSetDevice(index_);
    streams_.erase(std::remove(streams_.begin(), streams_.end(), stream), streams_.end());
    cudaStreamDestroy(static_cast<cudaStream_t>(stream));
    cudaGetLastError();
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
  void event_destroy(void* event) override {
    cudaEventDestroy(static_cast<cudaEvent_t>(event));
    cudaGetLastError();
  }
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
    return check(launcher.operation, cudaMemcpyAsync(dst, src, size_t(bytes), kind, stream_of(launcher)));
  }
  fw_status fill(const Launcher& launcher, void* dst, uint8_t value, int64_t bytes) override {
    return check(launcher.operation, cudaMemsetAsync(dst, value, size_t(bytes), stream_of(launcher)));
  }
  fw_status write(const Launcher& launcher, void* dst, const void* src, int64_t bytes) override {
    SmallBytes value = {};
    std::memcpy(value.bytes, src, size_t(bytes));
    write_entry<<<1, unsigned(kWriteBytes), 0, stream_of(launcher)>>>(static_cast<unsigned char*>(dst), value,
                                                                      int(bytes));
    return check(launcher.operation, cudaGetLastError());
  }

  bool records_graphs() const override { return false; }
  fw_status graph_begin(const Launcher& launcher) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    // Of the capturing thread only: others go on allocating and waiting meanwhile.
    FW_TRY(check(launcher.operation, cudaStreamBeginCapture(stream_of(launcher), cudaStreamCaptureModeThreadLocal)));
    captures_++;
    return FW_OK;
  }
  fw_status graph_end(const Launcher& launcher, void** graph, int64_t* launches) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    cudaGraph_t captured = nullptr;
    const fw_status ended = check(launcher.operation, cudaStreamEndCapture(stream_of(launcher), &captured));
    end_capture();
    FW_TRY(ended);
    size_t nodes = 0;
    cudaGraphExec_t made = nullptr;
    cudaError_t error = cudaGraphGetNodes(captured, nullptr, &nodes);
    if (error == cudaSuccess) {
      error = cudaGraphInstantiate(&made, captured, 0);
    }
    if (error == cudaSuccess) {
      error = cudaGraphUpload(made, stream_of(launcher));  // or the first launch would do it
    }
    cudaGraphDestroy(captured);
    FW_TRY(check(launcher.operation, error));
    *graph = made;
    *launches = int64_t(nodes);
    return FW_OK;
  }
  void graph_cancel(const Launcher& launcher) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    cudaGraph_t captured = nullptr;
    if (cudaStreamEndCapture(stream_of(launcher), &captured) == cudaSuccess && captured != nullptr) {
      cudaGraphDestroy(captured);
    }
    cudaGetLastError();
    end_capture();
  }
  fw_status graph_launch(void* graph, const Launcher& launcher) override {
    return check(launcher.operation, cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph), stream_of(launcher)));
  }
  void graph_destroy(void* graph) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    cudaSetDevice(index_);
    wait_for_streams();
    cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph));
    cudaGetLastError();
  }

 private:
  static cudaStream_t stream_of(const Launcher& launcher) { return static_cast<cudaStream_t>(launcher.cuda_stream); }
  fw_status use(const char* operation) const { return check(operation, cudaSetDevice(index_)); }

  // Makes the pool at the first allocation; false where the device has none.
  bool make_pool() {
    if (!pool_tried_) {
      pool_tried_ = true;
      int supported = 0;
      cudaMemPoolProps properties = {};
      properties.allocType = cudaMemAllocationTypePinned;
      properties.location.type = cudaMemLocationTypeDevice;
      properties.location.id = index_;
      uint64_t keep_all = UINT64_MAX;
      if (cudaDeviceGetAttribute(&supported, cudaDevAttrMemoryPoolsSupported, index_) != cudaSuccess ||
          supported == 0 || cudaStreamCreateWithFlags(&pool_stream_, cudaStreamNonBlocking) != cudaSuccess ||
          cudaEventCreateWithFlags(&reached_, cudaEventDisableTiming) != cudaSuccess ||
          cudaMemPoolCreate(&pool_, &properties) != cudaSuccess ||
          cudaMemPoolSetAttribute(pool_, cudaMemPoolAttrReleaseThreshold, &keep_all) != cudaSuccess) {
        cudaGetLastError();
        pool_ = nullptr;
      }
    }
    return pool_ != nullptr;
  }
  int64_t unused_in_pool() {
    const std::lock_guard<std::mutex> lock(mutex_);
    uint64_t reserved = 0;
    uint64_t used = 0;
    if (pool_ == nullptr ||
        cudaMemPoolGetAttribute(pool_, cudaMemPoolAttrReservedMemCurrent, &reserved) != cudaSuccess ||
        cudaMemPoolGetAttribute(pool_, cudaMemPoolAttrUsedMemCurrent, &used) != cudaSuccess) {
      return 0;
    }
    return int64_t(reserved - used);
  }

  // The rest is called with the lock. Errors are of no interest here: the next call that can report them will.
  void free_now(void* memory) {
    if (pool_ == nullptr) {
      cudaFree(memory);
    } else {
      for (cudaStream_t stream : streams_) {
        cudaEventRecord(reached_, stream);
        cudaStreamWaitEvent(pool_stream_, reached_, 0);
      }
      cudaFreeAsync(memory, pool_stream_);
    }
    cudaGetLastError();
  }
  void end_capture() {
    if (--captures_ == 0) {
      for (void* memory : freed_in_capture_) {
        free_now(memory);
      }
      freed_in_capture_.clear();
    }
  }
  void wait_for_streams() {
    for (cudaStream_t stream : streams_) {
      cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
      if (cudaStreamIsCapturing(stream, &status) == cudaSuccess && status == cudaStreamCaptureStatusNone) {
        cudaStreamSynchronize(stream);
      }
    }
  }

  int index_;
  cudaDeviceProp properties_;
  std::mutex mutex_;
  std::vector<cudaStream_t> streams_;
  bool pool_tried_ = false;
  cudaMemPool_t pool_ = nullptr;
  cudaStream_t pool_stream_ = nullptr;
  cudaEvent_t reached_ = nullptr;  // by a stream, recorded anew for each
  int captures_ = 0;
  std::vector<void*> freed_in_capture_;
};

}  // namespace

fw_status cuda_failure(const char* operation, int error) {
  const auto code = static_cast<cudaError_t>(error);
  cudaGetLastError();
  return fail(code == cudaErrorMemoryAllocation ? FW_OUT_OF_MEMORY
              : is_sticky(code)                 ? FW_DEVICE_LOST
                                                : FW_DEVICE_ERROR,
              "%s: %s (CUDA error %d)", operation, cudaGetErrorString(code), error);
}

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
