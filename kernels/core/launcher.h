// SPDX-License-Identifier: Apache-2.0
// Where an operation's launches go: the execution-independent part of a stream.
#pragma once

#include <cstdint>

namespace fusewire {

class LaunchRecord;
class Meter;

struct Launcher {
  const char* operation = "";   // for error messages, such as "depthwise forward"
  int threads = 0;              // CPU: threads to use, 0 for all cores
  uint64_t order = 0;           // checked: order of a block's threads
  void* cuda_stream = nullptr;  // GPU: the cudaStream_t
  Meter* meter = nullptr;       // metered: what counts the launch's loads and stores
  // All but the GPU: where launches are kept instead of run, while the stream is captured into a graph.
  LaunchRecord* record = nullptr;
  bool tf32 = false;  // GPU, checked: products of f32 may run on tensor cores, as TF32
};

}  // namespace fusewire
