// SPDX-License-Identifier: Apache-2.0
#include "api/call.h"

#include <cmath>

namespace fusewire {

fw_status check_not_null(const char* operation, const char* name, const void* pointer) {
  return pointer != nullptr ? FW_OK : fail(FW_INVALID_ARGUMENT, "%s: %s is null", operation, name);
}

fw_status check_dtype(const char* operation, const char* name, int32_t dtype) {
  if (dtype >= FW_F32 && dtype <= FW_F16) {
    return FW_OK;
  }
  return fail(FW_INVALID_ARGUMENT, "%s: %s is %d; 0 (f32), 1 (bf16) or 2 (f16) fits", operation, name, dtype);
}

fw_status check_activation(const char* operation, int32_t activation) {
  if (activation >= FW_IDENTITY && activation <= FW_RELU6) {
    return FW_OK;
  }
  return fail(FW_INVALID_ARGUMENT, "%s: activation is %d; 0 (identity), 1 (SiLU), 2 (ReLU) or 3 (ReLU6) fits",
              operation, activation);
}

fw_status check_range(const char* operation, const char* name, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) {
    return FW_OK;
  }
  return fail(FW_INVALID_ARGUMENT, "%s: %s is %lld; %lld to %lld fits", operation, name, static_cast<long long>(value),
              static_cast<long long>(low), static_cast<long long>(high));
}

fw_status check_fraction(const char* operation, const char* name, float value, float low, float high) {
  if (value >= low && value < high) {
    return FW_OK;
  }
  return fail(FW_INVALID_ARGUMENT, "%s: %s is %g; %g <= %s < %g fits", operation, name, double(value), double(low),
              name, double(high));
}

fw_status check_sizes(const char* operation, int64_t low, std::initializer_list<NamedSize> sizes,
                      int64_t element_bytes) {
  constexpr int64_t kMost = int64_t(1) << 62;
  int64_t product = element_bytes;
  for (const NamedSize& size : sizes) {
    if (size.value < low) {
      return fail(FW_INVALID_ARGUMENT, "%s: %s is %lld; at least %lld fits", operation, size.name,
                  static_cast<long long>(size.value), static_cast<long long>(low));
    }
    int64_t next = 0;
    if (__builtin_mul_overflow(product, size.value > 0 ? size.value : 1, &next) || next > kMost) {
      return fail(FW_INVALID_ARGUMENT, "%s: with %s = %lld the tensor has more than 2^62 bytes", operation, size.name,
                  static_cast<long long>(size.value));
    }
    product = next;
  }
  return FW_OK;
}

fw_status check_addresses(const char* operation, std::initializer_list<NamedAddress> addresses) {
  for (const NamedAddress& a : addresses) {
    if (a.address == 0) {
      if (a.optional) {
        continue;
      }
      return fail(FW_INVALID_ARGUMENT, "%s: the address of %s is 0", operation, a.name);
    }
    if (a.address % uint64_t(a.alignment) != 0) {
      return fail(FW_INVALID_ARGUMENT, "%s: the address of %s, 0x%llx, is not a multiple of its element's %d bytes",
                  operation, a.name, static_cast<unsigned long long>(a.address), a.alignment);
    }
  }
  return FW_OK;
}

fw_status check_workspace(const char* operation, fw_address workspace, int64_t given, int64_t needed) {
  if (needed <= 0) {
    return FW_OK;
  }
  if (workspace == 0 || given < needed) {
    return fail(FW_INVALID_ARGUMENT, "%s: the workspace has %lld bytes; %lld are needed", operation,
                static_cast<long long>(workspace == 0 ? 0 : given), static_cast<long long>(needed));
  }
  if (workspace % 16 != 0) {
    return fail(FW_INVALID_ARGUMENT, "%s: the address of the workspace, 0x%llx, is not a multiple of 16", operation,
                static_cast<unsigned long long>(workspace));
  }
  return FW_OK;
}

fw_status check_norm(const char* operation, float epsilon, float momentum) {
  FW_TRY(check_fraction(operation, "epsilon", epsilon, 0.0f, 1.0f));
  if (!(momentum >= 0.0f && momentum <= 1.0f)) {
    return fail(FW_INVALID_ARGUMENT, "%s: momentum is %g; 0 to 1 fits", operation, double(momentum));
  }
  return FW_OK;
}

fw_status check_norm_rows(const char* operation, int64_t batch, int64_t pixels) {
  const int64_t rows = batch * pixels;
  if (rows < 2) {
    return fail(FW_INVALID_ARGUMENT, "%s: batch*pixels is %lld; at least 2 fits, since one value has no variance",
                operation, static_cast<long long>(rows));
  }
  return FW_OK;
}

fw_status check_running(const char* operation, fw_address running_mean, fw_address running_var) {
  if ((running_mean == 0) != (running_var == 0)) {
    return fail(FW_INVALID_ARGUMENT, "%s: of running_mean and running_var only one is given; both or none fits",
                operation);
  }
  return check_addresses(operation, {{"running_mean", running_mean, 4, true}, {"running_var", running_var, 4, true}});
}

namespace {

// Output size of one axis, or an error.
fw_status axis_output(const char* operation, const char* axis, int64_t in, int64_t kernel, int64_t stride,
                      int64_t dilation, int64_t before, int64_t after, int64_t* out) {
  const int64_t reach = dilation * (kernel - 1) + 1;
  const int64_t padded = in + before + after;
  if (padded < reach) {
    return fail(FW_INVALID_ARGUMENT,
                "%s: the kernel spans %lld pixels of %s, more than the padded input's %lld (%lld + %lld + %lld)",
                operation, static_cast<long long>(reach), axis, static_cast<long long>(padded),
                static_cast<long long>(before), static_cast<long long>(in), static_cast<long long>(after));
  }
  *out = (padded - reach) / stride + 1;
  return FW_OK;
}

}  // namespace

fw_status check_conv(const char* operation, const fw_conv* conv, int64_t* out_height, int64_t* out_width) {
  constexpr int64_t kMostPixels = int64_t(1) << 30;
  FW_TRY(check_not_null(operation, "conv", conv));
  FW_TRY(check_dtype(operation, "dtype", conv->dtype));
  FW_TRY(check_activation(operation, conv->activation));
  FW_TRY(check_sizes(operation, 0, {{"batch", conv->batch}}));
  FW_TRY(check_sizes(operation, 1,
                     {{"in_channels", conv->in_channels},
                      {"out_channels", conv->out_channels},
                      {"kernel_height", conv->kernel_height},
                      {"kernel_width", conv->kernel_width}}));
  for (const NamedSize& size :
       {NamedSize{"in_height", conv->in_height}, NamedSize{"in_width", conv->in_width},
        NamedSize{"stride_height", conv->stride_height}, NamedSize{"stride_width", conv->stride_width},
        NamedSize{"dilation_height", conv->dilation_height}, NamedSize{"dilation_width", conv->dilation_width}}) {
    FW_TRY(check_range(operation, size.name, size.value, 1, kMostPixels));
  }
  FW_TRY(check_range(operation, "kernel_height", conv->kernel_height, 1, 1 << 15));
  FW_TRY(check_range(operation, "kernel_width", conv->kernel_width, 1, 1 << 15));
  for (const NamedSize& size : {NamedSize{"pad_top", conv->pad_top}, NamedSize{"pad_bottom", conv->pad_bottom},
                                NamedSize{"pad_left", conv->pad_left}, NamedSize{"pad_right", conv->pad_right}}) {
    FW_TRY(check_range(operation, size.name, size.value, 0, kMostPixels));
  }
  FW_TRY(axis_output(operation, "height", conv->in_height, conv->kernel_height, conv->stride_height,
                     conv->dilation_height, conv->pad_top, conv->pad_bottom, out_height));
  FW_TRY(axis_output(operation, "width", conv->in_width, conv->kernel_width, conv->stride_width, conv->dilation_width,
                     conv->pad_left, conv->pad_right, out_width));
  FW_TRY(check_sizes(operation, 0,
                     {{"batch", conv->batch},
                      {"in_height", conv->in_height},
                      {"in_width", conv->in_width},
                      {"in_channels", conv->in_channels}}));
  return check_sizes(operation, 0,
                     {{"batch", conv->batch},
                      {"out_height", *out_height},
                      {"out_width", *out_width},
                      {"out_channels", conv->out_channels}});
}

fw_status check_dense_conv(const char* operation, const fw_conv* conv) {
  int64_t height = 0;
  int64_t width = 0;
  FW_TRY(check_conv(operation, conv, &height, &width));
  FW_TRY(check_range(operation, "in_channels", conv->in_channels, 1, 1 << 24));
  FW_TRY(check_range(operation, "out_channels", conv->out_channels, 1, 1 << 24));
  constexpr int64_t kMostDepth = int64_t(1) << 30;
  const int64_t taps = conv->kernel_height * conv->kernel_width;
  FW_TRY(check_range(operation, "kernel_height*kernel_width*in_channels", taps * conv->in_channels, 1, kMostDepth));
  FW_TRY(check_range(operation, "kernel_height*kernel_width*out_channels", taps * conv->out_channels, 1, kMostDepth));
  return check_sizes(operation, 1,
                     {{"taps", taps}, {"in_channels", conv->in_channels}, {"out_channels", conv->out_channels}});
}

}  // namespace fusewire
