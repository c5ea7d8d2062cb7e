// SPDX-License-Identifier: Apache-2.0
// Seeded test data. Small integers make sums exact in f32, so that a result can be asked for bit by bit.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "float16_bits.h"

namespace fusewire::test {

// Integers from -limit to limit.
inline std::vector<float> random_integers(uint64_t seed, int64_t count, int limit = 4) {
  std::mt19937_64 random(seed);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) {
    value = float(int(random() % uint64_t(2 * limit + 1)) - limit);
  }
  return values;
}

// Normally distributed, and rounded to the storage type so that a reference sees what the device sees.
inline std::vector<float> random_reals(uint64_t seed, int64_t count, int32_t dtype = FW_F32, float mean = 0,
                                       float deviation = 1) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal(mean, deviation);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) {
    value = rounded_to(dtype, normal(random));
  }
  return values;
}

// One of the given values, by turns of the generator.
template <class T>
T pick(std::mt19937_64& random, std::initializer_list<T> values) {
  return values.begin()[random() % values.size()];
}

}  // namespace fusewire::test
