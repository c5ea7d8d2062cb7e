// SPDX-License-Identifier: Apache-2.0
// Stands in for cuda_device.cu in builds without nvcc.
#include <unistd.h>

#include "api/device.h"

namespace fusewire {

const char* add_cuda_devices(std::vector<Device*>*) {
  const bool driver = access("/proc/driver/nvidia/version", F_OK) == 0 || access("/dev/nvidiactl", F_OK) == 0 ||
                      access("/dev/dxg", F_OK) == 0;
  return driver
             ? "this library was built without its CUDA part: install the CUDA toolkit (nvcc 12.4 or later) and build "
               "again"
             : "there is no NVIDIA GPU with a driver here, and this library was built without its CUDA part. With a "
               "GPU, "
               "install NVIDIA's driver and the CUDA toolkit (nvcc 12.4 or later) and build again";
}

int cuda_driver_version() { return 0; }

}  // namespace fusewire
