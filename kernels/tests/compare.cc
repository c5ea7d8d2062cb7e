// SPDX-License-Identifier: Apache-2.0
#include "compare.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "float16_bits.h"

namespace fusewire::test {
namespace {

using ::testing::AssertionFailure;
using ::testing::AssertionResult;
using ::testing::AssertionSuccess;

AssertionResult same_size(size_t expected, size_t got) {
  if (expected != got) {
    return AssertionFailure() << expected << " elements expected, " << got << " given";
  }
  return AssertionSuccess();
}

}  // namespace

AssertionResult exactly_equal(const std::vector<double>& expected, const std::vector<float>& got, bool mostly_zero) {
  if (AssertionResult size = same_size(expected.size(), got.size()); !size) {
    return size;
  }
  size_t wrong = 0;
  size_t first = 0;
  size_t zeros = 0;
  for (size_t i = 0; i < expected.size(); i++) {
    zeros += expected[i] == 0 ? 1 : 0;
    if (!(double(got[i]) == expected[i])) {
      first = wrong == 0 ? i : first;
      wrong++;
    }
  }
  if (wrong > 0) {
    return AssertionFailure() << wrong << " of " << expected.size() << " elements differ, the first at " << first
                              << ": " << expected[first] << " expected, " << got[first] << " given";
  }
  if (!mostly_zero && zeros * 10 > expected.size() * 9) {
    return AssertionFailure() << "mistrusted: " << zeros << " of " << expected.size() << " elements are zero";
  }
  return AssertionSuccess();
}

AssertionResult same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  if (AssertionResult size = same_size(a.size(), b.size()); !size) {
    return size;
  }
  for (size_t i = 0; i < a.size(); i++) {
    if (std::memcmp(&a[i], &b[i], sizeof(float)) != 0) {
      return AssertionFailure() << "element " << i << " of " << a.size() << ": " << a[i] << " and " << b[i];
    }
  }
  return AssertionSuccess();
}

double relative_error(const std::vector<double>& expected, const std::vector<float>& got) {
  double difference = 0;
  double norm = 0;
  for (size_t i = 0; i < expected.size(); i++) {
    if (!std::isfinite(got[i]) || !std::isfinite(expected[i])) {
      return std::numeric_limits<double>::infinity();
    }
    difference += (double(got[i]) - expected[i]) * (double(got[i]) - expected[i]);
    norm += expected[i] * expected[i];
  }
  return difference == 0 ? 0 : std::sqrt(difference / norm);
}

AssertionResult relative_error_below(double limit, const std::vector<double>& expected, const std::vector<float>& got) {
  if (AssertionResult size = same_size(expected.size(), got.size()); !size) {
    return size;
  }
  const double error = relative_error(expected, got);
  if (!(error <= limit)) {
    return AssertionFailure() << "relative error " << error << ", at most " << limit << " fits";
  }
  return AssertionSuccess();
}

AssertionResult rule_of_two(int32_t dtype, const std::vector<double>& expected, const std::vector<float>& got,
                            double factor) {
  double allowed = 1.3e-6;
  if (dtype != FW_F32) {
    std::vector<float> rounded(expected.size());
    for (size_t i = 0; i < expected.size(); i++) {
      rounded[i] = rounded_to(dtype, expected[i]);
    }
    allowed = relative_error(expected, rounded) + 1.3e-6;
  }
  return relative_error_below(factor * allowed, expected, got);
}

AssertionResult close_to(const std::vector<double>& expected, const std::vector<float>& got, double relative,
                         double absolute) {
  if (AssertionResult size = same_size(expected.size(), got.size()); !size) {
    return size;
  }
  for (size_t i = 0; i < expected.size(); i++) {
    if (!(std::fabs(double(got[i]) - expected[i]) <= absolute + relative * std::fabs(expected[i]))) {
      return AssertionFailure() << "element " << i << " of " << expected.size() << ": " << expected[i] << " expected, "
                                << got[i] << " given";
    }
  }
  return AssertionSuccess();
}

}  // namespace fusewire::test
