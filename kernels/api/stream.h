// SPDX-License-Identifier: Apache-2.0
// A stream behind the C API, and what a call does with it: a Turn. Since a GPU tells of an error when it has happened
// long ago, a stream remembers what it was given since it was last waited for, and an error's message names that.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "api/device.h"
#include "core/launch_record.h"

namespace fusewire {

// The operations given to a stream since it was last waited for; the last ones by name. Threads that wrongly share a
// stream get a wrong list, and nothing worse.
class RecentOperations {
 public:
  // `operation` is a literal, or interned.
  void add(const char* operation) {
    const uint64_t at = count_.fetch_add(1, std::memory_order_relaxed);
    names_[at % kKept].store(operation, std::memory_order_relaxed);
  }
  void clear() { count_.store(0, std::memory_order_relaxed); }
  // Whether it is open which one failed: there are several, or a graph of several.
  bool several() const;
  // In words, to follow "in"; "" if there is none.
  std::string text() const;

 private:
  static constexpr uint64_t kKept = 64;
  std::atomic<uint64_t> count_{0};
  std::atomic<const char*> names_[kKept] = {};
};

// How the name of a graph's launch begins.
constexpr const char* kGraphPrefix = "graph ";

// A graph while it is captured.
struct Capture {
  const char* name = "";  // interned
  std::thread::id thread;
  std::vector<const char*> operations;
  LaunchRecord record;           // stays empty where the device makes graphs itself
  const char* failed = nullptr;  // an operation that failed half-way
};

struct StreamState {
  Device* device = nullptr;
  int32_t device_index = 0;
  void* native = nullptr;
  std::shared_ptr<Meter> meter;
  Launcher launcher;
  bool blocking = false;  // every call waits for its own work
  RecentOperations recent;
  std::mutex capture_mutex;
  std::atomic<bool> capturing{false};  // whether there is a capture, without the lock
  std::unique_ptr<Capture> capture;
};

// The stream behind a handle, or an error; the reference keeps it alive during a call.
fw_status find_stream(fw_stream handle, const char* operation, std::shared_ptr<StreamState>* stream);

// One call's use of a stream: begin() or ready(), then the work with `launcher`, then end() with its status, or wait().
class Turn {
 public:
  Turn(StreamState& stream, const char* operation);

  // For work that may be captured: refuses a lost device, notes the operation.
  fw_status begin();
  // For all else: refuses a lost device, and a stream that is captured.
  fw_status ready();
  // Notes the launch of a graph of these operations, named `operation`, when it is ready.
  void begin_graph(const std::vector<const char*>& operations);
  // After a call that returned `status`; a lost device's message gets what may have lost it.
  fw_status end(fw_status status);
  // Instead of end(): waits for the stream's work as well.
  fw_status wait(fw_status status = FW_OK);

  // Instead of end(): keeps work that is no kernel in the capture's record, see LaunchRecord::add().
  fw_status keep(LaunchRecord::Run run, const int64_t* size, const void* params, size_t bytes);

  Launcher launcher;

 private:
  fw_status lost() const;

  StreamState& stream_;
  const char* operation_;
  std::unique_lock<std::mutex> lock_;  // during a capture: its record takes one call at a time
  Capture* capture_ = nullptr;
};

// An error if the device is lost.
fw_status check_alive(Device& device, const char* operation);
// Sees to what a call returned that belongs to no stream: a lost device is marked as such.
fw_status seen(Device& device, fw_status status);
// The error of a device that was struck by an injected fault, else FW_OK.
fw_status check_struck(Device& device, const char* operation);
// An error if the calling thread captures a stream: one at a time, and nothing is allocated meanwhile.
fw_status check_thread_is_free(const char* operation);
// The calling thread captures this stream now.
void set_thread_captures(const std::shared_ptr<StreamState>& stream);
// The same text for ever.
const char* intern(const std::string& text);

}  // namespace fusewire
