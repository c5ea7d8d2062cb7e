// SPDX-License-Identifier: Apache-2.0
// Columns that groups of threads load and store for each other arrive where they belong, in every order of the threads,
// and nothing beside them is touched; a thread that does not come to its group's exchange is an error. The kernels are
// in probes/wide_columns_probe.cu.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "core/error.h"
#include "device_fixture.h"
#include "float16_bits.h"

namespace fusewire::probe_checked {
// src and dst: (8 workers, width, 8 vectors of `lanes` channels). dst = 2 * src in columns first..first+6 of the row.
fw_status run_columns(uint64_t order, int32_t dtype, int lanes, const void* src, void* dst, int first, int width);
fw_status run_divergent_group(uint64_t order, int group);
}  // namespace fusewire::probe_checked

namespace fusewire::test {
namespace {

using namespace fusewire::probe_checked;  // NOLINT(google-build-using-namespace)

constexpr uint64_t kOrders[] = {0, 1, 12345, 98765};

std::vector<uint16_t> as_bits(int32_t dtype, const std::vector<float>& x) {
  const Float16Format& format = dtype == FW_BF16 ? kBf16 : kF16;
  std::vector<uint16_t> bits(x.size());
  for (size_t i = 0; i < x.size(); i++) {
    bits[i] = format.encode(double(x[i]));
  }
  return bits;
}

TEST(WideColumnsTest, ColumnsArriveWhereTheyBelong) {
  constexpr int kWorkers = 8;
  constexpr int kColumns = 7;
  for (const int32_t dtype : kAllDtypes) {
    for (const int lanes : {2, 4}) {
      const int channels = 8 * lanes;
      for (const int first : {-3, -1, 0, 2, 5}) {
        for (const int width : {1, 6, 9}) {
          const std::vector<float> src = random_integers(5, kWorkers * width * channels, 100);
          std::vector<float> expected(src.size());
          for (size_t i = 0; i < src.size(); i++) {
            const int column = int(i) / channels % width;
            expected[i] = column >= first && column < first + kColumns ? 2 * src[i] : 7;
          }
          const std::vector<float> untouched(src.size(), 7.0f);
          for (const uint64_t order : kOrders) {
            SCOPED_TRACE(dtype_name(dtype) + std::string(" lanes ") + std::to_string(lanes) + " first " +
                         std::to_string(first) + " width " + std::to_string(width) + " order " + std::to_string(order));
            if (dtype == FW_F32) {
              std::vector<float> dst = untouched;
              ASSERT_EQ(FW_OK, run_columns(order, dtype, lanes, src.data(), dst.data(), first, width)) << last_error();
              ASSERT_EQ(expected, dst);
            } else {
              std::vector<uint16_t> dst = as_bits(dtype, untouched);
              const std::vector<uint16_t> from = as_bits(dtype, src);
              ASSERT_EQ(FW_OK, run_columns(order, dtype, lanes, from.data(), dst.data(), first, width)) << last_error();
              ASSERT_EQ(as_bits(dtype, expected), dst);
            }
          }
        }
      }
    }
  }
}

TEST(WideColumnsTest, AMissingMemberOfAGroupIsAnError) {
  for (const uint64_t order : kOrders) {
    for (const int group : {2, 4, 32}) {
      EXPECT_NE(FW_OK, run_divergent_group(order, group));
      EXPECT_NE(std::string(last_error()).find("missed their exchange"), std::string::npos) << last_error();
    }
  }
}

}  // namespace
}  // namespace fusewire::test
