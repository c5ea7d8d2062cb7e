// SPDX-License-Identifier: Apache-2.0
// Stands in for cuda_device.cu in builds without nvcc.
#include "api/device.h"

namespace fusewire {

const char* add_cuda_devices(std::vector<Device*>*) {
  return "this library was built without nvcc: install the CUDA toolkit (nvcc 12.4 or later) and build again";
}

int cuda_driver_version() { return 0; }

}  // namespace fusewire
