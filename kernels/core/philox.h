// SPDX-License-Identifier: Apache-2.0
// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011), a counter-based
// generator: ten rounds of
//   hi0:lo0 = M0 * c0, hi1:lo1 = M1 * c2;  c = (hi1 ^ c1 ^ k0, lo1, hi0 ^ c3 ^ k1, lo0)
// with the key (k0, k1) advanced by the Weyl constants between rounds. The key is the seed; the counter is
// (element/4, sample, step, layer) and the element takes word element%4. Any element's number is had at once, so masks
// are never stored and every execution agrees bit by bit.
#pragma once

#include "core/exec.h"
#include "fusewire/fusewire.h"

namespace fusewire::FW_EXEC {

// The random numbers of one layer, step and sample.
struct RandomStream {
  uint64_t seed;
  uint32_t sample, step, layer;
};

struct RandomWords {
  uint32_t w[4];
};

constexpr uint32_t kPhiloxMultiplier0 = 0xD2511F53u;
constexpr uint32_t kPhiloxMultiplier1 = 0xCD9E8D57u;
constexpr uint32_t kPhiloxWeyl0 = 0x9E3779B9u;
constexpr uint32_t kPhiloxWeyl1 = 0xBB67AE85u;

// The four words of one counter.
FW_DEVICE RandomWords random_words(const RandomStream& stream, uint32_t counter) {
  uint32_t c0 = counter;
  uint32_t c1 = stream.sample;
  uint32_t c2 = stream.step;
  uint32_t c3 = stream.layer;
  uint32_t k0 = uint32_t(stream.seed);
  uint32_t k1 = uint32_t(stream.seed >> 32);
#pragma GCC unroll 10
  for (int round = 0; round < 10; round++) {
    const uint64_t product0 = uint64_t(kPhiloxMultiplier0) * c0;
    const uint64_t product1 = uint64_t(kPhiloxMultiplier1) * c2;
    c0 = uint32_t(product1 >> 32) ^ c1 ^ k0;
    c1 = uint32_t(product1);
    c2 = uint32_t(product0 >> 32) ^ c3 ^ k1;
    c3 = uint32_t(product0);
    k0 += kPhiloxWeyl0;
    k1 += kPhiloxWeyl1;
  }
  return {{c0, c1, c2, c3}};
}

// A word as a number in [0, 1), a multiple of 2^-24.
FW_DEVICE float random_uniform(uint32_t word) { return float(word >> 8) * 0x1p-24f; }

// The uniform number of one element.
FW_DEVICE float random_uniform(const RandomStream& stream, int64_t element) {
  const RandomWords words = random_words(stream, uint32_t(element / 4));
  const int word = int(element % 4);
  return random_uniform(word == 0 ? words.w[0] : word == 1 ? words.w[1] : word == 2 ? words.w[2] : words.w[3]);
}

#if defined(FW_EXEC_CPU)

typedef uint64_t SimdLong __attribute__((vector_size(kSimdLanes * 4)));

// The words of kSimdLanes/4 successive counters, in the elements' order. A 32x32->64-bit SIMD multiplication takes the
// even words, c0 and c2, and so a whole round is a multiplication, a reversal of every four words and three bit
// operations; nothing has to be transposed.
FW_DEVICE SimdWord random_words_simd(const RandomStream& stream, uint32_t counter) {
  SimdWord state;
  SimdWord key;
  SimdWord weyl;
  SimdWord multiplier;
  SimdWord reversed;
  for (int i = 0; i < kSimdLanes; i += 4) {
    state[i] = counter + uint32_t(i / 4);
    state[i + 1] = stream.sample;
    state[i + 2] = stream.step;
    state[i + 3] = stream.layer;
    key[i] = uint32_t(stream.seed);
    key[i + 2] = uint32_t(stream.seed >> 32);
    key[i + 1] = key[i + 3] = 0;
    weyl[i] = kPhiloxWeyl0;
    weyl[i + 2] = kPhiloxWeyl1;
    weyl[i + 1] = weyl[i + 3] = 0;
    multiplier[i] = kPhiloxMultiplier0;
    multiplier[i + 2] = kPhiloxMultiplier1;
    multiplier[i + 1] = multiplier[i + 3] = 0;
    for (int j = 0; j < 4; j++) {
      reversed[i + j] = uint32_t(i + 3 - j);
    }
  }
#pragma GCC unroll 10
  for (int round = 0; round < 10; round++) {
#if defined(__AVX512F__)
    const SimdWord product = (SimdWord)_mm512_mul_epu32((__m512i)state, (__m512i)multiplier);
#elif defined(__AVX2__)
    const SimdWord product = (SimdWord)_mm256_mul_epu32((__m256i)state, (__m256i)multiplier);
#else
    const SimdWord product = (SimdWord)(((SimdLong)state & 0xffffffffu) * (SimdLong)multiplier);
#endif
    state = __builtin_shuffle(product, reversed) ^ (SimdWord)((SimdLong)state >> 32) ^ key;
    key += weyl;
  }
  return state;
}

// The uniform numbers of elements [element, element + N).
template <int N>
FW_DEVICE Vec<N> random_uniforms(const RandomStream& stream, int64_t element) {
  SimdInt words = (SimdInt)(random_words_simd(stream, uint32_t(element / 4)) >> 8);
  if (element % 4 != 0) {
    SimdInt both[2] = {words, (SimdInt)(random_words_simd(stream, uint32_t(element / 4 + N / 4)) >> 8)};
    std::memcpy(&words, reinterpret_cast<const char*>(both) + element % 4 * 4, sizeof(words));
  }
  return Vec<N>(__builtin_convertvector(words, SimdFloat)) * 0x1p-24f;
}

#else

template <int N>
FW_DEVICE Vec<N> random_uniforms(const RandomStream& stream, int64_t element) {
  Vec<N> r;
  if constexpr (N == 1) {
    r.v[0] = random_uniform(stream, element);
  } else if (element % 4 == 0) {
#pragma unroll
    for (int i = 0; i < N; i += 4) {
      const RandomWords words = random_words(stream, uint32_t((element + i) / 4));
#pragma unroll
      for (int j = 0; j < 4; j++) {
        r.v[i + j] = random_uniform(words.w[j]);
      }
    }
  } else {
#pragma unroll
    for (int i = 0; i < N; i++) {
      r.v[i] = random_uniform(stream, element + i);
    }
  }
  return r;
}

#endif

// What dropout multiplies elements [element, element + N) with: 0 where the uniform number is below `rate`, else
// `scale`.
template <int N>
FW_DEVICE Vec<N> dropout_factors(const RandomStream& stream, int64_t element, float rate, float scale) {
  return select_greater(Vec<N>(rate), random_uniforms<N>(stream, element), Vec<N>(0.0f), Vec<N>(scale));
}

// The step's stream of random numbers for `layer`.
FW_DEVICE RandomStream random_stream(const fw_step& step, uint32_t layer, uint32_t sample) {
  return {step.seed, sample, step.step, layer};
}

}  // namespace fusewire::FW_EXEC
