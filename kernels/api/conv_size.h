// SPDX-License-Identifier: Apache-2.0
// Output size of a convolution that check_conv() has accepted.
#pragma once

#include "fusewire/fusewire.h"

namespace fusewire {

inline int64_t conv_out_height(const fw_conv& c) {
  return (c.in_height + c.pad_top + c.pad_bottom - c.dilation_height * (c.kernel_height - 1) - 1) / c.stride_height + 1;
}
inline int64_t conv_out_width(const fw_conv& c) {
  return (c.in_width + c.pad_left + c.pad_right - c.dilation_width * (c.kernel_width - 1) - 1) / c.stride_width + 1;
}

}  // namespace fusewire
