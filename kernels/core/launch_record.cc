// SPDX-License-Identifier: Apache-2.0
#include "core/launch_record.h"

#include <cstring>
#include <utility>

namespace fusewire {

void LaunchRecord::add(const char* operation, Run run, const int64_t* size, int64_t shared, const void* params,
                       size_t bytes) {
  Launch launch{operation, run, {size[0], size[1], size[2]}, shared, nullptr};
  launch.params =
      std::make_unique<std::max_align_t[]>((bytes + sizeof(std::max_align_t) - 1) / sizeof(std::max_align_t));
  std::memcpy(launch.params.get(), params, bytes);
  launches_.push_back(std::move(launch));
}

fw_status LaunchRecord::run(size_t launch, Launcher launcher) const {
  const Launch& kept = launches_[launch];
  launcher.operation = kept.operation;
  launcher.record = nullptr;
  return kept.run(launcher, kept.size, kept.shared, kept.params.get());
}

}  // namespace fusewire
