// SPDX-License-Identifier: Apache-2.0
// Events of the C API.
#include "api/call.h"
#include "api/handles.h"

namespace fusewire {
namespace {

struct EventState {
  Device* device;
  void* native;
};

Handles<EventState>& events() {
  static auto* table = new Handles<EventState>("event");
  return *table;
}

// Finds both, and refuses an event and a stream of different devices.
fw_status find_both(const char* operation, fw_event event, fw_stream stream, std::shared_ptr<EventState>* event_state,
                    std::shared_ptr<StreamState>* stream_state) {
  FW_TRY(events().find(event, operation, event_state));
  FW_TRY(find_stream(stream, operation, stream_state));
  if ((*event_state)->device != (*stream_state)->device) {
    return fail(FW_INVALID_ARGUMENT, "%s: the event and the stream belong to different devices", operation);
  }
  return FW_OK;
}

}  // namespace
}  // namespace fusewire

using namespace fusewire;

fw_status fw_event_create(int32_t device, fw_event* event) {
  constexpr const char* kOperation = "event create";
  Device* found = nullptr;
  FW_TRY(check_not_null(kOperation, "event", event));
  FW_TRY(find_device(kOperation, device, &found));
  FW_TRY(check_alive(*found, kOperation));
  auto state = std::make_shared<EventState>();
  state->device = found;
  FW_TRY(seen(*found, found->event_create(&state->native)));
  *event = events().add(std::move(state));
  return FW_OK;
}

fw_status fw_event_destroy(fw_event event) {
  std::shared_ptr<EventState> state;
  FW_TRY(events().remove(event, "event destroy", &state));
  state->device->event_destroy(state->native);
  return FW_OK;
}

fw_status fw_event_record(fw_event event, fw_stream stream) {
  constexpr const char* kOperation = "event record";
  std::shared_ptr<EventState> event_state;
  std::shared_ptr<StreamState> stream_state;
  FW_TRY(find_both(kOperation, event, stream, &event_state, &stream_state));
  Turn turn(*stream_state, kOperation);
  FW_TRY(turn.ready());
  return turn.end(event_state->device->event_record(event_state->native, turn.launcher));
}

fw_status fw_event_synchronize(fw_event event) {
  constexpr const char* kOperation = "event synchronize";
  std::shared_ptr<EventState> state;
  FW_TRY(events().find(event, kOperation, &state));
  FW_TRY(check_alive(*state->device, kOperation));
  FW_TRY(seen(*state->device, state->device->event_synchronize(state->native)));
  return seen(*state->device, check_struck(*state->device, kOperation));
}

fw_status fw_stream_wait(fw_stream stream, fw_event event) {
  constexpr const char* kOperation = "stream wait";
  std::shared_ptr<EventState> event_state;
  std::shared_ptr<StreamState> stream_state;
  FW_TRY(find_both(kOperation, event, stream, &event_state, &stream_state));
  Turn turn(*stream_state, kOperation);
  FW_TRY(turn.ready());
  return turn.end(event_state->device->event_wait(event_state->native, turn.launcher));
}

fw_status fw_event_elapsed(fw_event start, fw_event end, float* milliseconds) {
  constexpr const char* kOperation = "event elapsed";
  std::shared_ptr<EventState> first;
  std::shared_ptr<EventState> second;
  FW_TRY(check_not_null(kOperation, "milliseconds", milliseconds));
  FW_TRY(events().find(start, kOperation, &first));
  FW_TRY(events().find(end, kOperation, &second));
  if (first->device != second->device) {
    return fail(FW_INVALID_ARGUMENT, "%s: the events belong to different devices", kOperation);
  }
  FW_TRY(check_alive(*first->device, kOperation));
  return seen(*first->device, first->device->event_elapsed(first->native, second->native, milliseconds));
}
