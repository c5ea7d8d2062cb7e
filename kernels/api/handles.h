// SPDX-License-Identifier: Apache-2.0
// Objects behind the C API's handles. A handle is looked up, so that a stale one is refused instead of followed.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <utility>

#include "core/error.h"

namespace fusewire {

// Objects by handle; handles are never used twice. Tables are never destroyed: the JVM's cleaners may still call while
// the process exits.
template <class T>
class Handles {
 public:
  explicit Handles(const char* kind) : kind_(kind) {}

  uint64_t add(std::shared_ptr<T> object) {
    const std::unique_lock<std::shared_mutex> lock(mutex_);
    const uint64_t handle = ++last_;
    objects_[handle] = std::move(object);
    return handle;
  }
  // The object, which the reference keeps alive during a call, or an error.
  fw_status find(uint64_t handle, const char* operation, std::shared_ptr<T>* object) {
    const std::shared_lock<std::shared_mutex> lock(mutex_);
    const auto found = objects_.find(handle);
    if (found == objects_.end()) {
      return unknown(handle, operation);
    }
    *object = found->second;
    return FW_OK;
  }
  // Finds it for the last time.
  fw_status remove(uint64_t handle, const char* operation, std::shared_ptr<T>* object) {
    const std::unique_lock<std::shared_mutex> lock(mutex_);
    const auto found = objects_.find(handle);
    if (found == objects_.end()) {
      return unknown(handle, operation);
    }
    *object = std::move(found->second);
    objects_.erase(found);
    return FW_OK;
  }

 private:
  fw_status unknown(uint64_t handle, const char* operation) const {
    return fail(FW_INVALID_ARGUMENT, "%s: %s %llu is closed or was never made", operation, kind_,
                static_cast<unsigned long long>(handle));
  }

  const char* kind_;
  std::shared_mutex mutex_;
  std::map<uint64_t, std::shared_ptr<T>> objects_;
  uint64_t last_ = 0;
};

}  // namespace fusewire
