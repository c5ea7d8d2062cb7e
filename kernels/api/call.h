// SPDX-License-Identifier: Apache-2.0
// What every function of the C API shares: finding the stream behind a handle, checking arguments, calling through the
// stream's table of operations. A check that fails sets the thread's message, which names what was given and what fits.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <new>

#include "api/device.h"
#include "api/stream.h"

namespace fusewire {

// Runs f(operations, launcher) for the stream, catching what C++ may throw.
template <class F>
fw_status call(fw_stream handle, const char* operation, F f) {
  std::shared_ptr<StreamState> stream;
  FW_TRY(find_stream(handle, operation, &stream));
  Turn turn(*stream, operation);
  try {
    FW_TRY(turn.begin());
    return turn.end(f(stream->device->operations(), static_cast<const Launcher&>(turn.launcher)));
  } catch (const std::bad_alloc&) {
    return turn.end(fail(FW_OUT_OF_MEMORY, "%s: out of host memory", operation));
  } catch (...) {
    return turn.end(fail(FW_INTERNAL, "%s: unexpected C++ exception", operation));
  }
}

// Answers a workspace query: f(operations) gives the bytes.
template <class F>
fw_status query(fw_stream handle, const char* operation, int64_t* bytes, F f) {
  if (bytes == nullptr) {
    return fail(FW_INVALID_ARGUMENT, "%s: bytes is null", operation);
  }
  std::shared_ptr<StreamState> stream;
  FW_TRY(find_stream(handle, operation, &stream));
  *bytes = f(stream->device->operations());
  return FW_OK;
}

fw_status find_device(const char* operation, int32_t index, Device** device);

inline void* pointer(fw_address address) { return reinterpret_cast<void*>(static_cast<uintptr_t>(address)); }

// ---- checks; each returns FW_OK or sets the message "<operation>: ..." ----

fw_status check_not_null(const char* operation, const char* name, const void* pointer);
fw_status check_dtype(const char* operation, const char* name, int32_t dtype);
fw_status check_activation(const char* operation, int32_t activation);
// low <= value <= high
fw_status check_range(const char* operation, const char* name, int64_t value, int64_t low, int64_t high);
// low <= value < high for floats; NaN never passes.
fw_status check_fraction(const char* operation, const char* name, float value, float low, float high);

struct NamedSize {
  const char* name;
  int64_t value;
};
// Every size is at least `low`, and their product times element_bytes stays below 2^62.
fw_status check_sizes(const char* operation, int64_t low, std::initializer_list<NamedSize> sizes,
                      int64_t element_bytes = 4);

struct NamedAddress {
  const char* name;
  fw_address address;
  int alignment;          // bytes
  bool optional = false;  // 0 is allowed
};
fw_status check_addresses(const char* operation, std::initializer_list<NamedAddress> addresses);
// The workspace is there and large enough (needed may be 0: then it may be absent).
fw_status check_workspace(const char* operation, fw_address workspace, int64_t given, int64_t needed);

// Bytes of an element of dtype (4 or 2), its alignment as well.
inline int dtype_bytes(int32_t dtype) { return dtype == FW_F32 ? 4 : 2; }

// Epsilon and momentum of a BatchNorm; the values it is made of; its running averages, of which both or none are there.
fw_status check_norm(const char* operation, float epsilon, float momentum);
fw_status check_norm_rows(const char* operation, int64_t batch, int64_t pixels);
fw_status check_running(const char* operation, fw_address running_mean, fw_address running_var);

// Checks a convolution problem; gives the output's height and width.
fw_status check_conv(const char* operation, const fw_conv* conv, int64_t* out_height, int64_t* out_width);
// The same for a dense one.
fw_status check_dense_conv(const char* operation, const fw_conv* conv);

}  // namespace fusewire
