// SPDX-License-Identifier: Apache-2.0
// How results are judged (see the tests' rules in kernels/README.md): exactly, or by relative error against float64.
// NaN never passes.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace fusewire::test {

// Every element equal in value. An output of which more than nine tenths is zero is mistrusted, and fails, unless
// `mostly_zero` says that it has to be.
::testing::AssertionResult exactly_equal(const std::vector<double>& expected, const std::vector<float>& got,
                                         bool mostly_zero = false);
// Bit for bit, NaN included.
::testing::AssertionResult same_bits(const std::vector<float>& a, const std::vector<float>& b);

// ||got - expected|| / ||expected||; infinite where got has a NaN, 0 where both are all zeros.
double relative_error(const std::vector<double>& expected, const std::vector<float>& got);
::testing::AssertionResult relative_error_below(double limit, const std::vector<double>& expected,
                                                const std::vector<float>& got);

// The rule of two: for storage `dtype` the error against float64 may be at most `factor` (2; 3 for backward) times the
// error that rounding the float64 result to the storage type alone makes; for f32 the limit is 1.3e-6 times `factor`.
// `expected` comes from inputs already rounded to the storage type.
::testing::AssertionResult rule_of_two(int32_t dtype, const std::vector<double>& expected,
                                       const std::vector<float>& got, double factor = 2);

// Each |got - expected| <= absolute + relative * |expected|.
::testing::AssertionResult close_to(const std::vector<double>& expected, const std::vector<float>& got, double relative,
                                    double absolute);

}  // namespace fusewire::test
