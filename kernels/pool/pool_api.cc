// SPDX-License-Identifier: Apache-2.0
#include "api/call.h"
#include "fusewire/fused.h"

using namespace fusewire;

namespace {

struct Axis {
  const char* kernel_name;
  const char* before_name;
  const char* after_name;
  int64_t size, kernel, stride, before, after;
};

// Each window has a pixel if the kernel reaches over either padding.
fw_status check_axis(const char* operation, const Axis& a, int64_t* out) {
  constexpr int64_t kMostKernel = 4096;
  FW_TRY(check_range(operation, a.kernel_name, a.kernel, 1, kMostKernel));
  FW_TRY(check_range(operation, a.before_name, a.before, 0, a.kernel - 1));
  FW_TRY(check_range(operation, a.after_name, a.after, 0, a.kernel - 1));
  const int64_t padded = a.size + a.before + a.after;
  if (padded < a.kernel) {
    return fail(FW_INVALID_ARGUMENT, "%s: %s is %lld, more than the padded input's %lld (%lld + %lld + %lld)",
                operation, a.kernel_name, static_cast<long long>(a.kernel), static_cast<long long>(padded),
                static_cast<long long>(a.before), static_cast<long long>(a.size), static_cast<long long>(a.after));
  }
  *out = (padded - a.kernel) / a.stride + 1;
  return FW_OK;
}

fw_status check(const char* operation, const fw_pool* p, int64_t* out_height, int64_t* out_width) {
  constexpr int64_t kMostPixels = int64_t(1) << 30;
  FW_TRY(check_not_null(operation, "pool", p));
  FW_TRY(check_dtype(operation, "dtype", p->dtype));
  FW_TRY(check_activation(operation, p->in_activation));
  FW_TRY(check_range(operation, "kind", p->kind, FW_POOL_MAX, FW_POOL_AVERAGE));
  FW_TRY(check_range(operation, "in_height", p->in_height, 1, kMostPixels));
  FW_TRY(check_range(operation, "in_width", p->in_width, 1, kMostPixels));
  FW_TRY(check_range(operation, "stride_height", p->stride_height, 1, kMostPixels));
  FW_TRY(check_range(operation, "stride_width", p->stride_width, 1, kMostPixels));
  FW_TRY(check_range(operation, "channels", p->channels, 1, kMostPixels));
  FW_TRY(check_axis(operation,
                    {"kernel_height", "pad_top", "pad_bottom", p->in_height, p->kernel_height, p->stride_height,
                     p->pad_top, p->pad_bottom},
                    out_height));
  FW_TRY(check_axis(operation,
                    {"kernel_width", "pad_left", "pad_right", p->in_width, p->kernel_width, p->stride_width,
                     p->pad_left, p->pad_right},
                    out_width));
  FW_TRY(check_sizes(
      operation, 0,
      {{"batch", p->batch}, {"in_height", p->in_height}, {"in_width", p->in_width}, {"channels", p->channels}}));
  return check_sizes(
      operation, 0,
      {{"batch", p->batch}, {"out_height", *out_height}, {"out_width", *out_width}, {"channels", p->channels}});
}

fw_status check(const char* operation, const fw_pool* p) {
  int64_t height = 0;
  int64_t width = 0;
  return check(operation, p, &height, &width);
}

}  // namespace

fw_status fw_pool_output(const fw_pool* pool, int64_t* out_height, int64_t* out_width) {
  constexpr const char* kOperation = "pool output";
  FW_TRY(check_not_null(kOperation, "out_height", out_height));
  FW_TRY(check_not_null(kOperation, "out_width", out_width));
  return check(kOperation, pool, out_height, out_width);
}

fw_status fw_pool_forward(fw_stream stream, const fw_pool* pool, fw_address src, fw_address in_norm, fw_address dst) {
  constexpr const char* kOperation = "pool forward";
  FW_TRY(check(kOperation, pool));
  const int size = dtype_bytes(pool->dtype);
  const bool empty = pool->batch == 0;
  FW_TRY(check_addresses(kOperation,
                         {{"src", src, size, empty}, {"in_norm", in_norm, 4, true}, {"dst", dst, size, empty}}));
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    return empty ? FW_OK : operations.pool_forward(launcher, *pool, src, in_norm, dst);
  });
}

fw_status fw_pool_backward(fw_stream stream, const fw_pool* pool, fw_address src, fw_address in_norm,
                           fw_address diff_dst, fw_address addend, fw_address diff_src) {
  constexpr const char* kOperation = "pool backward";
  FW_TRY(check(kOperation, pool));
  const int size = dtype_bytes(pool->dtype);
  const bool empty = pool->batch == 0;
  FW_TRY(check_addresses(kOperation, {{"src", src, size, empty || pool->kind == FW_POOL_AVERAGE},
                                      {"in_norm", in_norm, 4, true},
                                      {"diff_dst", diff_dst, size, empty},
                                      {"addend", addend, size, true},
                                      {"diff_src", diff_src, size, empty}}));
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    return empty ? FW_OK : operations.pool_backward(launcher, *pool, src, in_norm, diff_dst, addend, diff_src);
  });
}
