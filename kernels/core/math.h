// SPDX-License-Identifier: Apache-2.0
// Exponential, sigmoid and the activations on vectors. The activation is a run-time value: it is the same for a whole
// launch, so the branch costs nothing beside the memory traffic and saves a factor in code size.
#pragma once

#include <cmath>

#include "core/vector.h"
#include "fusewire/fusewire.h"

namespace fusewire::FW_EXEC {

#if defined(FW_EXEC_CPU)

#if defined(__AVX512F__)

// exp(x) for x clamped to [-87.3, 88.0], within 1.5 ulp. x = n*ln2 + r with n a multiple of 1/16 and |r| <= ln2/32
// (Cody and Waite's two-part ln2), so exp(x) = 2^floor(n) * 2^(n-floor(n)) * exp(r): a table that fits one register,
// and a polynomial of degree 3 (2e-9 here). NaN stays NaN.
template <int N>
FW_DEVICE Vec<N> exp(Vec<N> x) {
  x = min(Vec<N>(88.0f), max(Vec<N>(-87.3f), x));
  const Vec<N> magic(786432.0f);  // 1.5*2^19: adding it rounds to a sixteenth, kept in the low mantissa bits
  const Vec<N> shifted = fma(x, Vec<N>(1.44269504088896341f), magic);
  const Vec<N> n = shifted - magic;
  Vec<N> r = fma(n, Vec<N>(-0.693359375f), x);
  r = fma(n, Vec<N>(2.12194440e-4f), r);
  Vec<N> p = fma(r, Vec<N>(1.6667031e-1f), Vec<N>(5.0001619e-1f));
  p = fma(p, r, Vec<N>(1.0f));
  const __m512 powers = _mm512_setr_ps(0x1.000000p+0f, 0x1.0b5586p+0f, 0x1.172b84p+0f, 0x1.2387a6p+0f, 0x1.306fe0p+0f,
                                       0x1.3dea64p+0f, 0x1.4bfdaep+0f, 0x1.5ab07ep+0f, 0x1.6a09e6p+0f, 0x1.7a1148p+0f,
                                       0x1.8ace54p+0f, 0x1.9c4918p+0f, 0x1.ae89fap+0f, 0x1.c199bep+0f, 0x1.d5818ep+0f,
                                       0x1.ea4afap+0f);  // 2^(i/16)
  const Vec<N> power((SimdFloat)_mm512_permutexvar_ps(_mm512_castps_si512((__m512)shifted.v), powers));
  const Vec<N> value = fma(p * r, power, power);
  return Vec<N>((SimdFloat)_mm512_scalef_ps((__m512)value.v, (__m512)n.v));
}

#else

// exp(x) for x clamped to [-87.3, 88.0], within 1.5 ulp. x = n*ln2 + r with |r| <= ln2/2 (Cody and Waite's two-part
// ln2), then a polynomial of degree 6 for exp(r), the best one in relative error (Remez; 2e-8 with these roundings),
// then a multiplication by 2^n. NaN stays NaN.
template <int N>
FW_DEVICE Vec<N> exp(Vec<N> x) {
  x = min(Vec<N>(88.0f), max(Vec<N>(-87.3f), x));
  const Vec<N> magic(12582912.0f);  // 1.5*2^23: adding it rounds to an integer, kept in the low mantissa bits
  const Vec<N> shifted = fma(x, Vec<N>(1.44269504088896341f), magic);
  const Vec<N> n = shifted - magic;
  Vec<N> r = fma(n, Vec<N>(-0.693359375f), x);
  r = fma(n, Vec<N>(2.12194440e-4f), r);
  Vec<N> p(1.4061422676e-3f);
  p = fma(p, r, Vec<N>(8.3790590357e-3f));
  p = fma(p, r, Vec<N>(4.1664773315e-2f));
  p = fma(p, r, Vec<N>(1.6666364809e-1f));
  p = fma(p, r, Vec<N>(5.0000004357e-1f));
  p = fma(p, r, Vec<N>(1.0f));
  p = fma(p, r, Vec<N>(1.0f));
  SimdInt bits;
  std::memcpy(&bits, &shifted.v, sizeof(bits));
  const SimdInt power = (bits + (127 - 0x4b400000)) << 23;
  Vec<N> scale;
  std::memcpy(&scale.v, &power, sizeof(power));
  return p * scale;
}

#endif

// 1/x for 1 <= x: an estimate of 14 bits and one step of Newton's, within 1 ulp, where that is quicker than dividing.
template <int N>
FW_DEVICE Vec<N> reciprocal_above_one(Vec<N> x) {
#if defined(__AVX512F__)
  const Vec<N> estimate((SimdFloat)_mm512_rcp14_ps((__m512)x.v));
  const Vec<N> error = Vec<N>(1.0f) - x * estimate;  // fused, as everywhere
  return fma(estimate, error, estimate);
#else
  return Vec<N>(1.0f) / x;
#endif
}

template <int N>
FW_DEVICE Vec<N> square_root(Vec<N> x) {
#if defined(__AVX512F__)
  return Vec<N>((SimdFloat)_mm512_sqrt_ps((__m512)x.v));
#elif defined(__AVX2__)
  return Vec<N>((SimdFloat)_mm256_sqrt_ps((__m256)x.v));
#else
  for (int i = 0; i < N; i++) {
    x.v[i] = ::sqrtf(x.v[i]);
  }
  return x;
#endif
}

#else

template <int N>
FW_DEVICE Vec<N> reciprocal_above_one(Vec<N> x) {
  return Vec<N>(1.0f) / x;
}

template <int N>
FW_DEVICE Vec<N> square_root(Vec<N> x) {
#pragma unroll
  for (int i = 0; i < N; i++) {
    x.v[i] = ::sqrtf(x.v[i]);
  }
  return x;
}

template <int N>
FW_DEVICE Vec<N> exp(Vec<N> x) {
  Vec<N> r;
#pragma unroll
  for (int i = 0; i < N; i++) {
    r.v[i] = ::expf(x.v[i]);
  }
  return r;
}

#endif

template <int N>
FW_DEVICE Vec<N> sigmoid(Vec<N> x) {
  return reciprocal_above_one(Vec<N>(1.0f) + exp(Vec<N>(0.0f) - x));
}

// act(x) for an fw_activation. Where x is NaN every activation gives NaN.
template <int N>
FW_DEVICE Vec<N> activate(int activation, Vec<N> x) {
  const Vec<N> zero(0.0f);
  switch (activation) {
    case FW_SILU:
      return x * sigmoid(x);
    case FW_RELU:
      return max(zero, x);
    case FW_RELU6:
      return min(Vec<N>(6.0f), max(zero, x));
    default:
      return x;
  }
}

// act() of several vectors; chooses once.
template <int N, int kCount>
FW_DEVICE void activate_all(int activation, Vec<N> (&x)[kCount]) {
  if (activation == FW_IDENTITY) {
    return;
  }
  FW_UNROLL
  for (int i = 0; i < kCount; i++) {
    x[i] = activate(activation, x[i]);
  }
}

// act'(x). At the corners of ReLU and ReLU6 the derivative is 0, as in PyTorch.
template <int N>
FW_DEVICE Vec<N> activate_gradient(int activation, Vec<N> x) {
  const Vec<N> zero(0.0f);
  const Vec<N> one(1.0f);
  switch (activation) {
    case FW_SILU: {
      const Vec<N> s = sigmoid(x);
      return s * fma(x, one - s, one);
    }
    case FW_RELU:
      return select_greater(x, zero, one, zero);
    case FW_RELU6:
      return select_greater(x, zero, select_greater(Vec<N>(6.0f), x, one, zero), zero);
    default:
      return one;
  }
}

// act(x) and act'(x), the same bits as from the two functions above, with one exponential between them.
template <int N>
FW_DEVICE void activate_with_gradient(int activation, Vec<N> x, Vec<N>* value, Vec<N>* gradient) {
  if (activation == FW_SILU) {
    const Vec<N> one(1.0f);
    const Vec<N> s = sigmoid(x);
    *value = x * s;
    *gradient = s * fma(x, one - s, one);
  } else {
    *value = activate(activation, x);
    *gradient = activate_gradient(activation, x);
  }
}

// Scalars go through the same code as vectors do.
FW_DEVICE float sigmoid(float x) { return 1.0f / (1.0f + ::expf(-x)); }

}  // namespace fusewire::FW_EXEC
