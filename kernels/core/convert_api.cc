// SPDX-License-Identifier: Apache-2.0
#include "api/call.h"

using namespace fusewire;

fw_status fw_convert(fw_stream stream, int32_t src_dtype, fw_address src, int32_t dst_dtype, fw_address dst,
                     int64_t count) {
  constexpr const char* kOperation = "convert";
  FW_TRY(check_dtype(kOperation, "src_dtype", src_dtype));
  FW_TRY(check_dtype(kOperation, "dst_dtype", dst_dtype));
  FW_TRY(check_sizes(kOperation, 0, {{"count", count}}));
  if (count > 0) {
    FW_TRY(check_addresses(kOperation, {{"src", src, dtype_bytes(src_dtype)}, {"dst", dst, dtype_bytes(dst_dtype)}}));
  }
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    return operations.convert(launcher, src_dtype, src, dst_dtype, dst, count);
  });
}
