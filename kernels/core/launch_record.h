// SPDX-License-Identifier: Apache-2.0
// Work of a stream that has been captured into a graph, in the executions that have no graphs of their own: launches
// with copies of their parameters, copies on the device and fills, in order. A replay runs them again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/launcher.h"
#include "fusewire/fusewire.h"

namespace fusewire {

class LaunchRecord {
 public:
  // Runs a launch: of `size` blocks in x, y and z, with `shared` bytes of memory per block.
  using Run = fw_status (*)(const Launcher& launcher, const int64_t* size, int64_t shared, const void* params);

  // Keeps a launch of an operation with `bytes` bytes of parameters. `operation` is a literal.
  void add(const char* operation, Run run, const int64_t* size, int64_t shared, const void* params, size_t bytes);

  size_t launches() const { return launches_.size(); }
  const char* operation(size_t launch) const { return launches_[launch].operation; }
  // Runs one of them again; `launcher` is the replaying stream's.
  fw_status run(size_t launch, Launcher launcher) const;

 private:
  struct Launch {
    const char* operation;
    Run run;
    int64_t size[3];
    int64_t shared;
    std::unique_ptr<std::max_align_t[]> params;
  };
  std::vector<Launch> launches_;
};

}  // namespace fusewire
