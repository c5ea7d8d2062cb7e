// SPDX-License-Identifier: Apache-2.0
// Storage types: float, bf16 and f16, each converted to and from float with rounding to nearest even; and tf32, which
// is float in memory and tells a product's kernels that its operands go to tensor cores. On the CPU bf16 and f16 are
// plain 16-bit structs; vectors of them are converted in vector.h with SIMD.
#pragma once

#include <cstdint>
#include <cstring>

#include "core/exec.h"

#if defined(FW_EXEC_CUDA)
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#endif

namespace fusewire::FW_EXEC {

// f32 whose products tensor cores may make, from operands rounded to TF32 (core/warp_matrix.h); all 32 bits are stored.
struct tf32 {
  float value;
};
FW_DEVICE float to_float(tf32 x) { return x.value; }

#if defined(FW_EXEC_CUDA)

using bf16 = __nv_bfloat16;
using f16 = __half;
FW_DEVICE float to_float(float x) { return x; }
FW_DEVICE float to_float(bf16 x) { return __bfloat162float(x); }
FW_DEVICE float to_float(f16 x) { return __half2float(x); }
template <class T>
FW_DEVICE T from_float(float x);
template <>
FW_DEVICE float from_float<float>(float x) {
  return x;
}
template <>
FW_DEVICE tf32 from_float<tf32>(float x) {
  return tf32{x};
}
template <>
FW_DEVICE bf16 from_float<bf16>(float x) {
  return __float2bfloat16_rn(x);
}
template <>
FW_DEVICE f16 from_float<f16>(float x) {
  return __float2half_rn(x);
}

#else

struct bf16 {
  uint16_t bits;
};
struct f16 {
  uint16_t bits;
};

FW_DEVICE uint32_t float_bits(float x) {
  uint32_t u;
  std::memcpy(&u, &x, 4);
  return u;
}
FW_DEVICE float bits_float(uint32_t u) {
  float x;
  std::memcpy(&x, &u, 4);
  return x;
}

FW_DEVICE float to_float(float x) { return x; }
FW_DEVICE float to_float(bf16 x) { return bits_float(uint32_t(x.bits) << 16); }
FW_DEVICE float to_float(f16 x) {
  const uint32_t sign = uint32_t(x.bits & 0x8000u) << 16;
  const uint32_t exponent = (x.bits >> 10) & 31u;
  const uint32_t mantissa = x.bits & 1023u;
  if (exponent == 31) {
    return bits_float(sign | 0x7f800000u | (mantissa << 13));
  }
  if (exponent == 0) {  // zero and subnormals: mantissa * 2^-24 is exact in f32
    const float magnitude = float(mantissa) * 0x1p-24f;
    return sign ? -magnitude : magnitude;
  }
  return bits_float(sign | ((exponent + 112) << 23) | (mantissa << 13));
}

template <class T>
FW_DEVICE T from_float(float x);
template <>
FW_DEVICE float from_float<float>(float x) {
  return x;
}
template <>
FW_DEVICE tf32 from_float<tf32>(float x) {
  return tf32{x};
}
template <>
FW_DEVICE bf16 from_float<bf16>(float x) {
  const uint32_t u = float_bits(x);
  if ((u & 0x7fffffffu) > 0x7f800000u) {
    return bf16{uint16_t((u >> 16) | 0x40u)};  // NaN stays NaN
  }
  return bf16{uint16_t((u + 0x7fffu + ((u >> 16) & 1u)) >> 16)};
}
template <>
FW_DEVICE f16 from_float<f16>(float x) {
  const uint32_t u = float_bits(x);
  const uint16_t sign = uint16_t((u >> 16) & 0x8000u);
  const uint32_t magnitude = u & 0x7fffffffu;
  if (magnitude > 0x7f800000u) {
    return f16{uint16_t(sign | 0x7e00u)};
  }
  if (magnitude >= 0x477ff000u) {  // rounds to 65536 or more
    return f16{uint16_t(sign | 0x7c00u)};
  }
  if (magnitude < 0x38800000u) {  // subnormal in f16: let the adder round to a multiple of 2^-24
    const float shifted = bits_float(magnitude) + 0.5f;
    return f16{uint16_t(sign | (float_bits(shifted) - 0x3f000000u))};
  }
  const uint32_t odd = (magnitude >> 13) & 1u;
  return f16{uint16_t(sign | ((magnitude - 0x38000000u + 0xfffu + odd) >> 13))};
}

#endif

}  // namespace fusewire::FW_EXEC
