// SPDX-License-Identifier: Apache-2.0
#include "api/faults.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>

#include "api/call.h"
#include "fusewire/faults.h"

namespace fusewire {

#if defined(FW_HAVE_CHECKED)

namespace {

struct Fault {
  std::string operation;
  int64_t calls_left;
};

std::atomic<int> armed{0};  // faults, so that calls without any need no lock
std::mutex mutex;
std::map<int32_t, Fault>& faults() {
  static auto* all = new std::map<int32_t, Fault>();
  return *all;
}

void inject(int32_t device, const char* operation, int64_t call) {
  const std::lock_guard<std::mutex> lock(mutex);
  faults()[device] = {operation, call};
  armed.store(int(faults().size()));
}

}  // namespace

void strike(Device& device, int32_t index, const char* operation) {
  if (armed.load(std::memory_order_relaxed) == 0) {
    return;
  }
  const std::lock_guard<std::mutex> lock(mutex);
  const auto found = faults().find(index);
  if (found == faults().end() || found->second.operation != operation || --found->second.calls_left > 0) {
    return;
  }
  faults().erase(found);
  armed.store(int(faults().size()));
  device.strike();
}

void inject_from_environment() {
  const char* text = std::getenv("FUSEWIRE_FAULT");
  if (text == nullptr) {
    return;
  }
  const char* first = std::strchr(text, ':');
  const char* last = std::strrchr(text, ':');
  if (first != nullptr && last != first) {
    inject(std::atoi(text), std::string(first + 1, last).c_str(), std::atoll(last + 1));
  }
}

#endif

}  // namespace fusewire

using namespace fusewire;

fw_status fw_fault_inject(int32_t device, const char* operation, int64_t call) {
  Device* found = nullptr;
  FW_TRY(find_device("fault inject", device, &found));
  FW_TRY(check_not_null("fault inject", "operation", operation));
  FW_TRY(check_range("fault inject", "call", call, 1, INT64_MAX));
#if defined(FW_HAVE_CHECKED)
  inject(device, operation, call);
  return FW_OK;
#else
  return fail(FW_UNSUPPORTED, "fault inject: this library was built without FUSEWIRE_CHECKED");
#endif
}

fw_status fw_fault_clear(int32_t device) {
  Device* found = nullptr;
  FW_TRY(find_device("fault clear", device, &found));
#if defined(FW_HAVE_CHECKED)
  {
    const std::lock_guard<std::mutex> lock(mutex);
    faults().erase(device);
    armed.store(int(faults().size()));
  }
  found->heal();
  return FW_OK;
#else
  return fail(FW_UNSUPPORTED, "fault clear: this library was built without FUSEWIRE_CHECKED");
#endif
}
