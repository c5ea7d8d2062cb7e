// SPDX-License-Identifier: Apache-2.0
// Philox4x32-10 written straight from the paper, apart from the kernels': what the tests compare with. It is itself
// checked against the known answers that Random123 publishes.
#pragma once

#include <array>
#include <cstdint>

namespace fusewire::test {

using Words4 = std::array<uint32_t, 4>;

inline Words4 philox4x32_10(std::array<uint32_t, 2> key, Words4 counter) {
  for (int round = 0; round < 10; round++) {
    if (round > 0) {
      key[0] += 0x9E3779B9u;
      key[1] += 0xBB67AE85u;
    }
    const uint64_t a = uint64_t(0xD2511F53u) * counter[0];
    const uint64_t b = uint64_t(0xCD9E8D57u) * counter[2];
    counter = {uint32_t(b >> 32) ^ counter[1] ^ key[0], uint32_t(b), uint32_t(a >> 32) ^ counter[3] ^ key[1],
               uint32_t(a)};
  }
  return counter;
}

inline uint32_t reference_word(uint64_t seed, int64_t element, uint32_t sample, uint32_t step, uint32_t layer) {
  return philox4x32_10({uint32_t(seed), uint32_t(seed >> 32)},
                       {uint32_t(element / 4), sample, step, layer})[size_t(element % 4)];
}

inline float reference_uniform(uint64_t seed, int64_t element, uint32_t sample, uint32_t step, uint32_t layer) {
  return float(reference_word(seed, element, sample, step, layer) >> 8) / 16777216.0f;
}

}  // namespace fusewire::test
