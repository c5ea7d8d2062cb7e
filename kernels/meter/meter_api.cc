// SPDX-License-Identifier: Apache-2.0
#include "api/call.h"
#include "fusewire/meter.h"
#include "meter/meter.h"

namespace fusewire {
namespace {

// Runs f(meter) for a stream of the metered device.
template <class F>
fw_status with_meter(fw_stream handle, const char* operation, F f) {
  std::shared_ptr<StreamState> stream;
  FW_TRY(find_stream(handle, operation, &stream));
  if (stream->meter == nullptr) {
    return fail(FW_UNSUPPORTED,
                "%s: the stream is of device %d, which does not count bytes; only the metered device does", operation,
                stream->device_index);
  }
  try {
    return f(*stream->meter);
  } catch (const std::bad_alloc&) {
    return fail(FW_OUT_OF_MEMORY, "%s: out of host memory", operation);
  }
}

}  // namespace
}  // namespace fusewire

using namespace fusewire;

fw_status fw_meter_watch(fw_stream stream, fw_address address, int64_t bytes, int32_t id) {
  const char* operation = "meter watch";
  return with_meter(stream, operation, [&](Meter& meter) {
    FW_TRY(check_addresses(operation, {{"address", address, 1}}));
    FW_TRY(check_range(operation, "bytes", bytes, 1, INT64_MAX));
    FW_TRY(check_range(operation, "id", id, 0, INT32_MAX));
    return meter.watch(operation, address, bytes, id);
  });
}

fw_status fw_meter_read(fw_stream stream, int32_t id, fw_traffic* traffic) {
  const char* operation = "meter read";
  return with_meter(stream, operation, [&](Meter& meter) {
    FW_TRY(check_not_null(operation, "traffic", traffic));
    return meter.traffic(operation, id, traffic);
  });
}

fw_status fw_meter_unwatched(fw_stream stream, int64_t* launches, int64_t* requested_bytes) {
  const char* operation = "meter unwatched";
  return with_meter(stream, operation, [&](Meter& meter) {
    FW_TRY(check_not_null(operation, "launches", launches));
    FW_TRY(check_not_null(operation, "requested_bytes", requested_bytes));
    meter.unwatched(launches, requested_bytes);
    return FW_OK;
  });
}

fw_status fw_meter_reset(fw_stream stream) {
  return with_meter(stream, "meter reset", [](Meter& meter) {
    meter.reset();
    return FW_OK;
  });
}
