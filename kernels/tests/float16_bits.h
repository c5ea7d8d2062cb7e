// SPDX-License-Identifier: Apache-2.0
// bf16 and f16 on the host, written for clarity and apart from the kernels' conversions: the tests' reference.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "fusewire/fusewire.h"

namespace fusewire::test {

// A 16-bit floating-point format: 1 sign bit, `exponent_bits`, and the rest mantissa.
struct Float16Format {
  int exponent_bits;
  int mantissa_bits;

  int bias() const { return (1 << (exponent_bits - 1)) - 1; }

  double decode(uint16_t bits) const {
    const double sign = (bits & 0x8000) != 0 ? -1.0 : 1.0;
    const int exponent = (bits >> mantissa_bits) & ((1 << exponent_bits) - 1);
    const int mantissa = bits & ((1 << mantissa_bits) - 1);
    if (exponent == (1 << exponent_bits) - 1) {
      return mantissa != 0 ? std::numeric_limits<double>::quiet_NaN() : sign * std::numeric_limits<double>::infinity();
    }
    if (exponent == 0) {
      return sign * std::ldexp(mantissa, 1 - bias() - mantissa_bits);
    }
    return sign * std::ldexp(mantissa + (1 << mantissa_bits), exponent - bias() - mantissa_bits);
  }

  // To nearest, ties to even. A NaN gives some NaN.
  uint16_t encode(double x) const {
    const uint16_t sign = std::signbit(x) ? 0x8000 : 0;
    const int top = (1 << exponent_bits) - 1;
    if (std::isnan(x)) {
      return uint16_t(sign | (top << mantissa_bits) | (1 << (mantissa_bits - 1)));
    }
    const double magnitude = std::fabs(x);
    int exponent = 0;
    std::frexp(magnitude, &exponent);  // magnitude = [0.5, 1) * 2^exponent
    const int unit = std::max(exponent - 1, 1 - bias()) - mantissa_bits;
    const double units = std::isinf(magnitude) ? magnitude : std::nearbyint(std::ldexp(magnitude, -unit));
    if (units == 0) {
      return sign;
    }
    const double rounded = std::isinf(units) ? units : std::ldexp(units, unit);
    if (rounded >= std::ldexp(1.0, bias() + 1)) {
      return uint16_t(sign | (top << mantissa_bits));
    }
    std::frexp(rounded, &exponent);
    if (exponent - 1 < 1 - bias()) {
      return uint16_t(sign | int(units));
    }
    const int mantissa = int(std::ldexp(rounded, mantissa_bits - (exponent - 1))) - (1 << mantissa_bits);
    return uint16_t(sign | ((exponent - 1 + bias()) << mantissa_bits) | mantissa);
  }
};

constexpr Float16Format kBf16{8, 7};
constexpr Float16Format kF16{5, 10};

inline const Float16Format& format_of(int32_t dtype) { return dtype == FW_BF16 ? kBf16 : kF16; }

// x as storage type `dtype` would hold it.
inline float rounded_to(int32_t dtype, double x) {
  if (dtype == FW_F32) {
    return float(x);
  }
  const Float16Format& format = format_of(dtype);
  return float(format.decode(format.encode(x)));
}

}  // namespace fusewire::test
