// SPDX-License-Identifier: Apache-2.0
// Where an operation's launches go: the execution-independent part of a stream.
#pragma once

#include <cstdint>

namespace fusewire {

class Meter;

struct Launcher {
  const char* operation = "";   // for error messages, such as "depthwise forward"
  int threads = 0;              // CPU: threads to use, 0 for all cores
  uint64_t order = 0;           // checked: order of a block's threads
  void* cuda_stream = nullptr;  // GPU: the cudaStream_t
  Meter* meter = nullptr;       // metered: what counts the launch's loads and stores
};

}  // namespace fusewire
