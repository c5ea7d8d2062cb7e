// SPDX-License-Identifier: Apache-2.0
// The activations and their derivatives in double.
#pragma once

#include <algorithm>
#include <cmath>

#include "fusewire/fusewire.h"

namespace fusewire::test {

inline double activate(int32_t activation, double x) {
  switch (activation) {
    case FW_SILU:
      return x / (1 + std::exp(-x));
    case FW_RELU:
      return std::max(x, 0.0);
    case FW_RELU6:
      return std::min(std::max(x, 0.0), 6.0);
    default:
      return x;
  }
}

inline double activate_gradient(int32_t activation, double x) {
  switch (activation) {
    case FW_SILU: {
      const double s = 1 / (1 + std::exp(-x));
      return s * (1 + x * (1 - s));
    }
    case FW_RELU:
      return x > 0 ? 1 : 0;
    case FW_RELU6:
      return x > 0 && x < 6 ? 1 : 0;
    default:
      return 1;
  }
}

}  // namespace fusewire::test
