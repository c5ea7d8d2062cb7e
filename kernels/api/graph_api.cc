// SPDX-License-Identifier: Apache-2.0
// Graphs of the C API: the work of a stream, captured once and launched again and again.
#include <utility>

#include "api/call.h"
#include "api/handles.h"

namespace fusewire {
namespace {

struct GraphState {
  Device* device = nullptr;
  void* native = nullptr;  // the device's own graph, where it makes them
  const char* name = "";   // "graph training step"
  int64_t launches = 0;
  LaunchRecord record;  // else the launches
  std::vector<const char*> operations;

  GraphState() = default;
  GraphState(const GraphState&) = delete;
  GraphState& operator=(const GraphState&) = delete;
  ~GraphState() {
    if (native != nullptr) {
      device->graph_destroy(native);
    }
  }
};

Handles<GraphState>& graphs() {
  static auto* table = new Handles<GraphState>("graph");
  return *table;
}

// Takes a stream's capture from it, which ends it; the calling thread must have begun it.
fw_status take_capture(const char* operation, StreamState& stream, std::unique_ptr<Capture>* capture) {
  if (stream.capture == nullptr) {
    return fail(FW_INVALID_ARGUMENT, "%s: the stream is not captured; fw_graph_begin() comes first", operation);
  }
  if (stream.capture->thread != std::this_thread::get_id()) {
    return fail(FW_INVALID_ARGUMENT, "%s: another thread began the capture of \"%s\"; it must end it", operation,
                stream.capture->name);
  }
  *capture = std::move(stream.capture);
  stream.capturing.store(false, std::memory_order_release);
  return FW_OK;
}

// Runs a record again. A stray write of the checked device is found behind the launch that did it.
fw_status replay(const LaunchRecord& record, Device& device, const Launcher& launcher) {
  for (size_t launch = 0; launch < record.launches(); launch++) {
    FW_TRY(record.run(launch, launcher));
    if (device.kind() == FW_CHECKED) {
      FW_TRY(device.check_guards(record.operation(launch)));
    }
  }
  return FW_OK;
}

}  // namespace
}  // namespace fusewire

using namespace fusewire;

fw_status fw_graph_begin(fw_stream stream, const char* name) {
  constexpr const char* kOperation = "graph begin";
  std::shared_ptr<StreamState> state;
  FW_TRY(check_not_null(kOperation, "name", name));
  FW_TRY(find_stream(stream, kOperation, &state));
  FW_TRY(check_thread_is_free(kOperation));
  FW_TRY(check_alive(*state->device, kOperation));
  const std::lock_guard<std::mutex> lock(state->capture_mutex);
  if (state->capture != nullptr) {
    return fail(FW_UNSUPPORTED, "%s: the stream is captured into the graph \"%s\" already", kOperation,
                state->capture->name);
  }
  auto capture = std::make_unique<Capture>();
  capture->name = intern(name);
  capture->thread = std::this_thread::get_id();
  state->device->activate();
  Launcher launcher = state->launcher;
  launcher.operation = kOperation;
  FW_TRY(seen(*state->device, state->device->graph_begin(launcher)));
  state->capture = std::move(capture);
  state->capturing.store(true, std::memory_order_release);
  set_thread_captures(state);
  return FW_OK;
}

fw_status fw_graph_end(fw_stream stream, fw_graph* graph) {
  constexpr const char* kOperation = "graph end";
  std::shared_ptr<StreamState> state;
  FW_TRY(check_not_null(kOperation, "graph", graph));
  FW_TRY(find_stream(stream, kOperation, &state));
  const std::lock_guard<std::mutex> lock(state->capture_mutex);
  std::unique_ptr<Capture> capture;
  FW_TRY(take_capture(kOperation, *state, &capture));
  Launcher launcher = state->launcher;
  launcher.operation = kOperation;
  state->device->activate();
  if (capture->failed != nullptr) {
    state->device->graph_cancel(launcher);
    return fail(FW_INVALID_ARGUMENT, "%s: \"%s\" is not a graph, since its operation %s failed", kOperation,
                capture->name, capture->failed);
  }
  auto made = std::make_shared<GraphState>();
  made->device = state->device;
  made->name = intern(std::string(kGraphPrefix) + capture->name);
  FW_TRY(seen(*state->device, state->device->graph_end(launcher, &made->native, &made->launches)));
  made->record = std::move(capture->record);
  made->operations = std::move(capture->operations);
  made->launches += int64_t(made->record.launches());
  *graph = graphs().add(std::move(made));
  return FW_OK;
}

fw_status fw_graph_cancel(fw_stream stream) {
  constexpr const char* kOperation = "graph cancel";
  std::shared_ptr<StreamState> state;
  FW_TRY(find_stream(stream, kOperation, &state));
  const std::lock_guard<std::mutex> lock(state->capture_mutex);
  std::unique_ptr<Capture> capture;
  FW_TRY(take_capture(kOperation, *state, &capture));
  state->device->activate();
  state->device->graph_cancel(state->launcher);
  return FW_OK;
}

fw_status fw_graph_launch(fw_graph graph, fw_stream stream) {
  constexpr const char* kOperation = "graph launch";
  std::shared_ptr<GraphState> found;
  std::shared_ptr<StreamState> state;
  FW_TRY(graphs().find(graph, kOperation, &found));
  FW_TRY(find_stream(stream, kOperation, &state));
  if (found->device != state->device) {
    return fail(FW_INVALID_ARGUMENT, "%s: the %s and the stream belong to different devices", kOperation, found->name);
  }
  Turn turn(*state, found->name);
  FW_TRY(turn.ready());
  turn.begin_graph(found->operations);
  return turn.end(found->native != nullptr ? found->device->graph_launch(found->native, turn.launcher)
                                           : replay(found->record, *found->device, turn.launcher));
}

fw_status fw_graph_launches(fw_graph graph, int64_t* launches) {
  constexpr const char* kOperation = "graph launches";
  std::shared_ptr<GraphState> found;
  FW_TRY(check_not_null(kOperation, "launches", launches));
  FW_TRY(graphs().find(graph, kOperation, &found));
  *launches = found->launches;
  return FW_OK;
}

fw_status fw_graph_destroy(fw_graph graph) {
  std::shared_ptr<GraphState> found;
  return graphs().remove(graph, "graph destroy", &found);
}
