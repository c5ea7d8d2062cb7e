// SPDX-License-Identifier: Apache-2.0
// Vec<N>: N floats that one thread handles together, normally N neighbouring channels. On the CPU it is one SIMD
// register (GNU vector of native width; wider ones are lowered badly); on a GPU N registers, loaded and stored with
// 16-byte accesses. Comparisons work lane by lane through select().
#pragma once

#include "core/dtype.h"
#include "core/exec.h"

#if defined(FW_EXEC_CPU) && defined(__AVX2__)
#include <immintrin.h>
#endif

namespace fusewire::FW_EXEC {

// What a GPU thread accesses at once: 16 bytes at most.
template <int kBytes>
struct alignas(kBytes) Word {
  uint32_t w[kBytes / 4];
};

#if defined(FW_EXEC_CPU)

// GNU vectors of kSimdLanes elements. (g++ takes no template parameter for vector_size.)
typedef float SimdFloat __attribute__((vector_size(kSimdLanes * 4)));
typedef int32_t SimdInt __attribute__((vector_size(kSimdLanes * 4)));
typedef uint32_t SimdWord __attribute__((vector_size(kSimdLanes * 4)));
typedef uint16_t SimdHalf __attribute__((vector_size(kSimdLanes * 2)));

template <int N>
struct Vec {
  static_assert(N == kSimdLanes, "on the CPU a vector is exactly one SIMD register");
  using Native = SimdFloat;
  Native v;

  Vec() = default;
  FW_DEVICE Vec(Native native) : v(native) {}
  FW_DEVICE Vec(float x) : v(x - Native{}) {}
  FW_DEVICE float operator[](int i) const { return v[i]; }
  FW_DEVICE void set(int i, float x) { v[i] = x; }
};

#define FW_VEC_OPERATOR(op)                          \
  template <int N>                                   \
  FW_DEVICE Vec<N> operator op(Vec<N> a, Vec<N> b) { \
    return Vec<N>(a.v op b.v);                       \
  }
FW_VEC_OPERATOR(+)
FW_VEC_OPERATOR(-)
FW_VEC_OPERATOR(*)
FW_VEC_OPERATOR(/)
#undef FW_VEC_OPERATOR

// a*b+c, fused.
template <int N>
FW_DEVICE Vec<N> fma(Vec<N> a, Vec<N> b, Vec<N> c) {
  return Vec<N>(a.v * b.v + c.v);
}
// Lane by lane: a > b ? x : y (y where either is NaN).
template <int N>
FW_DEVICE Vec<N> select_greater(Vec<N> a, Vec<N> b, Vec<N> x, Vec<N> y) {
  return Vec<N>(a.v > b.v ? x.v : y.v);
}
// Lane by lane: a == b ? x : y, and a is NaN ? x : y.
template <int N>
FW_DEVICE Vec<N> select_equal(Vec<N> a, Vec<N> b, Vec<N> x, Vec<N> y) {
  return Vec<N>(a.v == b.v ? x.v : y.v);
}
template <int N>
FW_DEVICE Vec<N> select_nan(Vec<N> a, Vec<N> x, Vec<N> y) {
  return Vec<N>(a.v != a.v ? x.v : y.v);
}
// max and min that return b where a is NaN.
template <int N>
FW_DEVICE Vec<N> max(Vec<N> a, Vec<N> b) {
#if defined(__AVX512F__)
  return Vec<N>((SimdFloat)_mm512_max_ps((__m512)a.v, (__m512)b.v));
#elif defined(__AVX2__)
  return Vec<N>((SimdFloat)_mm256_max_ps((__m256)a.v, (__m256)b.v));
#else
  return Vec<N>(a.v > b.v ? a.v : b.v);
#endif
}
template <int N>
FW_DEVICE Vec<N> min(Vec<N> a, Vec<N> b) {
#if defined(__AVX512F__)
  return Vec<N>((SimdFloat)_mm512_min_ps((__m512)a.v, (__m512)b.v));
#elif defined(__AVX2__)
  return Vec<N>((SimdFloat)_mm256_min_ps((__m256)a.v, (__m256)b.v));
#else
  return Vec<N>(a.v < b.v ? a.v : b.v);
#endif
}

template <int N>
FW_DEVICE Vec<N> load(const float* p) {
  Vec<N> r;
  std::memcpy(&r.v, p, sizeof(r.v));
  return r;
}
template <int N>
FW_DEVICE void store(float* p, Vec<N> x) {
  std::memcpy(p, &x.v, sizeof(x.v));
}

template <int N>
FW_DEVICE Vec<N> load(const bf16* p) {
  SimdHalf h;
  std::memcpy(&h, p, sizeof(h));
  const SimdWord w = __builtin_convertvector(h, SimdWord) << 16;
  Vec<N> r;
  std::memcpy(&r.v, &w, sizeof(w));
  return r;
}
template <int N>
FW_DEVICE void store(bf16* p, Vec<N> x) {
  SimdWord u;
  std::memcpy(&u, &x.v, sizeof(u));
  const SimdWord rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
  const SimdWord quiet = (u >> 16) | 0x40u;
  const SimdHalf h = __builtin_convertvector((u & 0x7fffffffu) > 0x7f800000u ? quiet : rounded, SimdHalf);
  std::memcpy(p, &h, sizeof(h));
}

template <int N>
FW_DEVICE Vec<N> load(const f16* p) {
#if defined(__AVX512F__)
  return Vec<N>((SimdFloat)_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))));
#elif defined(__F16C__)
  return Vec<N>((SimdFloat)_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
#else
  Vec<N> r;
  for (int i = 0; i < N; i++) {
    r.v[i] = to_float(p[i]);
  }
  return r;
#endif
}
template <int N>
FW_DEVICE void store(f16* p, Vec<N> x) {
#if defined(__AVX512F__)
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      _mm512_cvtps_ph((__m512)x.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
#elif defined(__F16C__)
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                   _mm256_cvtps_ph((__m256)x.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
#else
  for (int i = 0; i < N; i++) {
    p[i] = from_float<f16>(x.v[i]);
  }
#endif
}

// The first n lanes; the others read as 0 and are not written. Masked accesses touch no memory of the other lanes; the
// metered execution goes lane by lane, since the compiler does not see the addresses of masked instructions.
template <int N>
FW_DEVICE Vec<N> load_first(const float* p, int n) {
#if defined(__AVX512F__)
  return Vec<N>((SimdFloat)_mm512_maskz_loadu_ps(__mmask16((1u << n) - 1), p));
#elif defined(__AVX2__) && !defined(FW_EXEC_METERED)
  const SimdInt lane = {0, 1, 2, 3, 4, 5, 6, 7};
  return Vec<N>((SimdFloat)_mm256_maskload_ps(p, (__m256i)(lane < n)));
#else
  float buffer[N] = {};
  for (int i = 0; i < n; i++) {
    buffer[i] = p[i];
  }
  return load<N>(buffer);
#endif
}
template <int N>
FW_DEVICE void store_first(float* p, Vec<N> x, int n) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(p, __mmask16((1u << n) - 1), (__m512)x.v);
#elif defined(__AVX2__) && !defined(FW_EXEC_METERED)
  const SimdInt lane = {0, 1, 2, 3, 4, 5, 6, 7};
  _mm256_maskstore_ps(p, (__m256i)(lane < n), (__m256)x.v);
#else
  for (int i = 0; i < n; i++) {
    p[i] = x.v[i];
  }
#endif
}
template <int N, class T>
FW_DEVICE Vec<N> load_first(const T* p, int n) {
  T buffer[N];
#if defined(__AVX512BW__) && defined(__AVX512VL__)
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(buffer), _mm256_maskz_loadu_epi16(__mmask16((1u << n) - 1), p));
#else
  std::memset(buffer, 0, sizeof(buffer));
  for (int i = 0; i < n; i++) {
    buffer[i] = p[i];
  }
#endif
  return load<N>(buffer);
}
template <int N, class T>
FW_DEVICE void store_first(T* p, Vec<N> x, int n) {
  T buffer[N];
  store<N>(buffer, x);
#if defined(__AVX512BW__) && defined(__AVX512VL__)
  _mm256_mask_storeu_epi16(p, __mmask16((1u << n) - 1), _mm256_loadu_si256(reinterpret_cast<__m256i*>(buffer)));
#else
  for (int i = 0; i < n; i++) {
    p[i] = buffer[i];
  }
#endif
}
template <int N, class T>
FW_DEVICE Vec<N> load_part(const T* p, int n) {
  return n >= N ? load<N>(p) : load_first<N>(p, n);
}
template <int N, class T>
FW_DEVICE void store_part(T* p, Vec<N> x, int n) {
  if (n >= N) {
    store<N>(p, x);
  } else {
    store_first<N>(p, x, n);
  }
}

#else

template <int N>
struct Vec {
  float v[N];

  Vec() = default;
  FW_DEVICE Vec(float x) {
#pragma unroll
    for (int i = 0; i < N; i++) {
      v[i] = x;
    }
  }
  FW_DEVICE float operator[](int i) const { return v[i]; }
  FW_DEVICE void set(int i, float x) { v[i] = x; }
};

// Applies a scalar expression lane by lane.
#define FW_LANES(N, expression)                                            \
  Vec<N> r;                                                                \
  _Pragma("unroll") for (int i = 0; i < N; i++) { r.v[i] = (expression); } \
  return r

template <int N>
FW_DEVICE Vec<N> operator+(Vec<N> a, Vec<N> b) {
  FW_LANES(N, a.v[i] + b.v[i]);
}
template <int N>
FW_DEVICE Vec<N> operator-(Vec<N> a, Vec<N> b) {
  FW_LANES(N, a.v[i] - b.v[i]);
}
template <int N>
FW_DEVICE Vec<N> operator*(Vec<N> a, Vec<N> b) {
  FW_LANES(N, a.v[i] * b.v[i]);
}
template <int N>
FW_DEVICE Vec<N> operator/(Vec<N> a, Vec<N> b) {
  FW_LANES(N, a.v[i] / b.v[i]);
}
template <int N>
FW_DEVICE Vec<N> fma(Vec<N> a, Vec<N> b, Vec<N> c) {
  FW_LANES(N, __builtin_fmaf(a.v[i], b.v[i], c.v[i]));
}
template <int N>
FW_DEVICE Vec<N> select_greater(Vec<N> a, Vec<N> b, Vec<N> x, Vec<N> y) {
  FW_LANES(N, a.v[i] > b.v[i] ? x.v[i] : y.v[i]);
}
template <int N>
FW_DEVICE Vec<N> select_equal(Vec<N> a, Vec<N> b, Vec<N> x, Vec<N> y) {
  FW_LANES(N, a.v[i] == b.v[i] ? x.v[i] : y.v[i]);
}
template <int N>
FW_DEVICE Vec<N> select_nan(Vec<N> a, Vec<N> x, Vec<N> y) {
  FW_LANES(N, a.v[i] != a.v[i] ? x.v[i] : y.v[i]);
}
template <int N>
FW_DEVICE Vec<N> max(Vec<N> a, Vec<N> b) {
  FW_LANES(N, a.v[i] > b.v[i] ? a.v[i] : b.v[i]);
}
template <int N>
FW_DEVICE Vec<N> min(Vec<N> a, Vec<N> b) {
  FW_LANES(N, a.v[i] < b.v[i] ? a.v[i] : b.v[i]);
}

// Bytes of the accesses for N values of T: 16, 8, 4, or 0 for one by one.
template <int N, class T>
constexpr int kWordBytes = N * sizeof(T) % 16 == 0                               ? 16
                           : N * sizeof(T) == 8 || (N * sizeof(T) == 4 && N > 1) ? int(N * sizeof(T))
                                                                                 : 0;

// N values of T; when they fill 4 or 8 bytes or whole 16-byte words the address must be aligned to those (launches
// check it, see lanes_fit()).
template <int N, class T>
FW_DEVICE Vec<N> load(const T* p) {
  Vec<N> r;
  constexpr int kBytes = kWordBytes<N, T>;
  if constexpr (kBytes > 0) {
    constexpr int kPerWord = int(kBytes / sizeof(T));
#pragma unroll
    for (int word = 0; word < N / kPerWord; word++) {
      const auto w = *reinterpret_cast<const Word<kBytes>*>(p + word * kPerWord);
      T t[kPerWord];
      memcpy(t, &w, sizeof(w));
#pragma unroll
      for (int i = 0; i < kPerWord; i++) {
        r.v[word * kPerWord + i] = to_float(t[i]);
      }
    }
  } else {
#pragma unroll
    for (int i = 0; i < N; i++) {
      r.v[i] = to_float(p[i]);
    }
  }
  return r;
}
template <int N, class T>
FW_DEVICE void store(T* p, Vec<N> x) {
  constexpr int kBytes = kWordBytes<N, T>;
  if constexpr (kBytes > 0) {
    constexpr int kPerWord = int(kBytes / sizeof(T));
#pragma unroll
    for (int word = 0; word < N / kPerWord; word++) {
      T t[kPerWord];
#pragma unroll
      for (int i = 0; i < kPerWord; i++) {
        t[i] = from_float<T>(x.v[word * kPerWord + i]);
      }
      Word<kBytes> w;
      memcpy(&w, t, sizeof(w));
      *reinterpret_cast<Word<kBytes>*>(p + word * kPerWord) = w;
    }
  } else {
#pragma unroll
    for (int i = 0; i < N; i++) {
      p[i] = from_float<T>(x.v[i]);
    }
  }
}
template <int N, class T>
FW_DEVICE Vec<N> load_part(const T* p, int n) {
  if (n >= N) {
    return load<N>(p);
  }
  FW_LANES(N, i < n ? to_float(p[i]) : 0.0f);
}
template <int N, class T>
FW_DEVICE void store_part(T* p, Vec<N> x, int n) {
  if (n >= N) {
    store<N>(p, x);
    return;
  }
#pragma unroll
  for (int i = 0; i < N; i++) {
    if (i < n) {
      p[i] = from_float<T>(x.v[i]);
    }
  }
}

#undef FW_LANES

#endif

// Asks for a cache line that will soon be read (or written). On a CPU it hides the latency of memory where the access
// pattern is beyond the hardware's prefetcher; elsewhere other threads do, and this is nothing. Any address is allowed.
#if defined(FW_EXEC_CPU)
FW_DEVICE void prefetch(const void* p) { __builtin_prefetch(p, 0, 2); }
FW_DEVICE void prefetch_for_store(const void* p) { __builtin_prefetch(p, 1, 2); }
#else
FW_DEVICE void prefetch(const void*) {}
FW_DEVICE void prefetch_for_store(const void*) {}
#endif

// Mixed operations with a scalar, and the compound ones.
#define FW_VEC_SCALAR(op)                           \
  template <int N>                                  \
  FW_DEVICE Vec<N> operator op(Vec<N> a, float b) { \
    return a op Vec<N>(b);                          \
  }                                                 \
  template <int N>                                  \
  FW_DEVICE Vec<N> operator op(float a, Vec<N> b) { \
    return Vec<N>(a) op b;                          \
  }
FW_VEC_SCALAR(+)
FW_VEC_SCALAR(-)
FW_VEC_SCALAR(*)
FW_VEC_SCALAR(/)
#undef FW_VEC_SCALAR

template <int N>
FW_DEVICE Vec<N>& operator+=(Vec<N>& a, Vec<N> b) {
  return a = a + b;
}
template <int N>
FW_DEVICE Vec<N>& operator-=(Vec<N>& a, Vec<N> b) {
  return a = a - b;
}
template <int N>
FW_DEVICE Vec<N>& operator*=(Vec<N>& a, Vec<N> b) {
  return a = a * b;
}

// Sum of the lanes, in a fixed order: the upper half is added to the lower one until one lane is left.
template <int N>
FW_DEVICE float lane_sum(Vec<N> a) {
#if defined(FW_EXEC_CPU) && defined(__AVX2__)
#if defined(__AVX512F__)
  const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256((__m512)a.v),
                                     _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd((__m512)a.v), 1)));
#else
  const __m256 eight = (__m256)a.v;
#endif
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
#else
  float lanes[N];
#pragma GCC unroll 16
  for (int i = 0; i < N; i++) {
    lanes[i] = a[i];
  }
#pragma GCC unroll 4
  for (int width = N / 2; width > 0; width /= 2) {
#pragma GCC unroll 8
    for (int i = 0; i < width; i++) {
      lanes[i] += lanes[i + width];
    }
  }
  return lanes[0];
#endif
}

}  // namespace fusewire::FW_EXEC
