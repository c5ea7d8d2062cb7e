// SPDX-License-Identifier: Apache-2.0
#include "api/stream.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <set>

#include "api/call.h"
#include "api/faults.h"
#include "api/handles.h"

namespace fusewire {
namespace {

Handles<StreamState>& streams() {
  static auto* table = new Handles<StreamState>("stream");
  return *table;
}

// What the calling thread captures; gone when the stream is.
thread_local std::weak_ptr<StreamState> captured_stream;

constexpr size_t kMostNames = 400;  // characters

}  // namespace

bool RecentOperations::several() const {
  const uint64_t count = count_.load(std::memory_order_relaxed);
  const char* first = names_[0].load(std::memory_order_relaxed);
  return count > 1 ||
         (count == 1 && first != nullptr && std::strncmp(first, kGraphPrefix, std::strlen(kGraphPrefix)) == 0);
}

std::string RecentOperations::text() const {
  const uint64_t count = count_.load(std::memory_order_relaxed);
  if (count == 0) {
    return "";
  }
  std::vector<const char*> names;
  for (uint64_t at = count > kKept ? count - kKept : 0; at < count; at++) {
    const char* name = names_[at % kKept].load(std::memory_order_relaxed);
    const auto same = [name](const char* other) { return std::strcmp(name, other) == 0; };
    if (name != nullptr && std::none_of(names.begin(), names.end(), same)) {
      names.push_back(name);
    }
  }
  if (count == 1 && names.size() == 1) {
    return names[0];
  }
  // The last ones are the likelier: what is too much is left out at the front.
  size_t first = names.size();
  for (size_t length = 0; first > 0 && length + std::strlen(names[first - 1]) <= kMostNames; first--) {
    length += std::strlen(names[first - 1]);
  }
  std::string text = "one of the " + std::to_string(count) + " operations since the stream was last synchronized (";
  text += first > 0 || count > kKept ? "..., " : "";
  for (size_t i = first; i < names.size(); i++) {
    text += names[i];
    text += i + 1 < names.size() ? ", " : ")";
  }
  return text;
}

const char* intern(const std::string& text) {
  static std::mutex mutex;
  static auto* texts = new std::set<std::string>();
  const std::lock_guard<std::mutex> lock(mutex);
  return texts->insert(text).first->c_str();
}

fw_status check_thread_is_free(const char* operation) {
  const std::shared_ptr<StreamState> stream = captured_stream.lock();
  if (stream == nullptr) {
    return FW_OK;
  }
  const std::lock_guard<std::mutex> lock(stream->capture_mutex);
  if (stream->capture == nullptr || stream->capture->thread != std::this_thread::get_id()) {
    return FW_OK;
  }
  return fail(FW_UNSUPPORTED, "%s: this thread captures the graph \"%s\"; do this before or after", operation,
              stream->capture->name);
}

void set_thread_captures(const std::shared_ptr<StreamState>& stream) { captured_stream = stream; }

fw_status find_stream(fw_stream handle, const char* operation, std::shared_ptr<StreamState>* stream) {
  return streams().find(handle, operation, stream);
}

fw_status check_alive(Device& device, const char* operation) {
  if (!device.lost()) {
    return FW_OK;
  }
  return fail(FW_DEVICE_LOST, "%s: the device was lost: %s", operation, device.loss().c_str());
}

fw_status seen(Device& device, fw_status status) {
  if (status == FW_DEVICE_LOST) {
    device.lose(last_error());
  }
  return status;
}

fw_status check_struck(Device& device, const char* operation) {
  return device.struck() ? fail(FW_DEVICE_LOST, "%s: a fault was injected", operation) : FW_OK;
}

Turn::Turn(StreamState& stream, const char* operation)
    : launcher(stream.launcher), stream_(stream), operation_(operation) {
  launcher.operation = operation;
  if (stream.capturing.load(std::memory_order_acquire)) {
    lock_ = std::unique_lock<std::mutex>(stream.capture_mutex);
    capture_ = stream.capture.get();
    if (capture_ != nullptr && stream.device->records_graphs()) {
      launcher.record = &capture_->record;
    }
  }
}

fw_status Turn::begin() {
  FW_TRY(check_alive(*stream_.device, operation_));
  if (capture_ != nullptr) {
    capture_->operations.push_back(operation_);
  } else {
    stream_.recent.add(operation_);
    strike(*stream_.device, stream_.device_index, operation_);
  }
  stream_.device->activate();
  return FW_OK;
}

fw_status Turn::ready() {
  FW_TRY(check_alive(*stream_.device, operation_));
  if (capture_ != nullptr) {
    return fail(FW_UNSUPPORTED,
                "%s: the stream is captured into the graph \"%s\", which holds operations, copies on the device and "
                "fills; do this before or after",
                operation_, capture_->name);
  }
  stream_.device->activate();
  return FW_OK;
}

void Turn::begin_graph(const std::vector<const char*>& operations) {
  stream_.recent.add(operation_);
  for (const char* operation : operations) {
    strike(*stream_.device, stream_.device_index, operation);
  }
}

fw_status Turn::end(fw_status status) {
  if (status == FW_DEVICE_LOST) {
    return lost();
  }
  if (capture_ != nullptr) {
    if (status != FW_OK) {
      capture_->failed = operation_;
    }
    return status;
  }
  if (status == FW_OK && stream_.device->kind() == FW_CHECKED) {
    status = stream_.device->check_guards(operation_);
  }
  return status == FW_OK && stream_.blocking ? wait() : status;
}

fw_status Turn::wait(fw_status status) {
  if (status == FW_OK) {
    status = stream_.device->stream_synchronize(launcher);
  }
  if (status == FW_OK) {
    status = check_struck(*stream_.device, operation_);
  }
  if (status == FW_DEVICE_LOST) {
    return lost();
  }
  if (status == FW_OK) {
    stream_.recent.clear();
  }
  return status;
}

fw_status Turn::keep(LaunchRecord::Run run, const int64_t* size, const void* params, size_t bytes) {
  try {
    launcher.record->add(operation_, run, size, 0, params, bytes);
    return FW_OK;
  } catch (const std::bad_alloc&) {
    return end(fail(FW_OUT_OF_MEMORY, "%s: out of host memory", operation_));
  }
}

fw_status Turn::lost() const {
  std::string message = last_error();
  const std::string recent = stream_.recent.text();
  if (recent != operation_ && !recent.empty()) {
    message += "; it happened in " + recent;
  }
  if (stream_.recent.several()) {
    message += ". With FUSEWIRE_LAUNCH_BLOCKING=1 in the environment the message names the one";
  }
  stream_.device->lose(message);
  return fail(FW_DEVICE_LOST, "%s", message.c_str());
}

}  // namespace fusewire

using namespace fusewire;

fw_status fw_stream_create(int32_t device, fw_stream* stream) {
  Device* found = nullptr;
  FW_TRY(check_not_null("stream create", "stream", stream));
  FW_TRY(find_device("stream create", device, &found));
  FW_TRY(check_alive(*found, "stream create"));
  auto state = std::make_shared<StreamState>();
  state->device = found;
  state->device_index = device;
  FW_TRY(seen(*found, found->stream_create(&state->native)));
  state->launcher.cuda_stream = state->native;
  state->meter = found->make_meter();
  state->launcher.meter = state->meter.get();
  const char* blocking = std::getenv("FUSEWIRE_LAUNCH_BLOCKING");
  state->blocking = blocking != nullptr && std::strcmp(blocking, "1") == 0;
  *stream = streams().add(std::move(state));
  return FW_OK;
}

fw_status fw_stream_destroy(fw_stream stream) {
  std::shared_ptr<StreamState> state;
  FW_TRY(streams().remove(stream, "stream destroy", &state));
  {
    const std::lock_guard<std::mutex> lock(state->capture_mutex);
    if (state->capture != nullptr) {
      state->device->graph_cancel(state->launcher);
      state->capture.reset();
      state->capturing.store(false, std::memory_order_release);
    }
  }
  fw_status status = FW_OK;
  if (!state->device->lost()) {
    status = Turn(*state, "stream destroy").wait();
  }
  state->device->stream_destroy(state->native);
  return status;
}

fw_status fw_stream_synchronize(fw_stream stream) {
  std::shared_ptr<StreamState> state;
  FW_TRY(find_stream(stream, "stream synchronize", &state));
  Turn turn(*state, "stream synchronize");
  FW_TRY(turn.ready());
  return turn.wait();
}

fw_status fw_stream_set_threads(fw_stream stream, int32_t threads) {
  std::shared_ptr<StreamState> state;
  FW_TRY(find_stream(stream, "stream set threads", &state));
  FW_TRY(check_range("stream set threads", "threads", threads, 0, 1024));
  state->launcher.threads = threads;
  return FW_OK;
}

fw_status fw_stream_set_order(fw_stream stream, uint64_t order) {
  std::shared_ptr<StreamState> state;
  FW_TRY(find_stream(stream, "stream set order", &state));
  state->launcher.order = order;
  return FW_OK;
}

fw_status fw_stream_set_math(fw_stream stream, int32_t math) {
  std::shared_ptr<StreamState> state;
  FW_TRY(find_stream(stream, "stream set math", &state));
  if (math != FW_MATH_F32 && math != FW_MATH_TF32) {
    return fail(FW_INVALID_ARGUMENT, "stream set math: math is %d; 0 (f32) or 1 (tf32) fits", math);
  }
  state->launcher.tf32 = math == FW_MATH_TF32;
  return FW_OK;
}

fw_status fw_stream_device(fw_stream stream, int32_t* device) {
  std::shared_ptr<StreamState> state;
  FW_TRY(check_not_null("stream device", "device", device));
  FW_TRY(find_stream(stream, "stream device", &state));
  *device = state->device_index;
  return FW_OK;
}
