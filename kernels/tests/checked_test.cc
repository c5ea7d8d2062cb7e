// SPDX-License-Identifier: Apache-2.0
// The checked execution finds the faults it is there for; the faulty kernels are in probes/faulty_kernels.cu.
#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "core/error.h"
#include "device_fixture.h"

namespace fusewire::probe_checked {
fw_status run_reverse(uint64_t order, bool barrier, const float* src, float* dst);
fw_status run_divergent_barrier(uint64_t order);
fw_status run_divergent_warp(uint64_t order, float* dst);
fw_status run_shared_overrun(uint64_t order);
fw_status run_stray_write(uint64_t order, float* dst, int64_t at);
fw_status run_sum(uint64_t order, const float* src, float* dst);
// fault: 0 none, 1 no barrier before another block's memory is read, 2 none after, 3 one block returns.
fw_status run_cluster(uint64_t order, int fault, const float* src, float* dst);
}  // namespace fusewire::probe_checked

namespace fusewire::test {
namespace {

using namespace fusewire::probe_checked;  // NOLINT(google-build-using-namespace)

constexpr uint64_t kOrders[] = {0, 1, 12345, 98765};

// What the test's own copy of core/error.cc was told; fw_last_error() is the library's.
std::string message() { return last_error(); }

std::vector<float> reversed(uint64_t order, bool barrier) {
  const std::vector<float> src = random_integers(1, 64, 1000);
  std::vector<float> dst(64);
  EXPECT_EQ(FW_OK, run_reverse(order, barrier, src.data(), dst.data())) << message();
  return dst;
}

TEST(CheckedTest, WithItsBarrierAKernelGivesTheSameInEveryOrder) {
  const std::vector<float> src = random_integers(1, 64, 1000);
  for (const uint64_t order : kOrders) {
    EXPECT_EQ(std::vector<float>(src.rbegin(), src.rend()), reversed(order, true)) << "order " << order;
  }
}

TEST(CheckedTest, AMissingBarrierShows) {
  for (const uint64_t order : kOrders) {
    int poisoned = 0;
    for (const float value : reversed(order, false)) {
      poisoned += std::isnan(value) ? 1 : 0;
    }
    EXPECT_GT(poisoned, 0) << "order " << order << ": shared memory not yet written must read as NaN";
  }
  EXPECT_FALSE(same_bits(reversed(0, false), reversed(1, false)));
}

TEST(CheckedTest, DivergentBarriersAreErrors) {
  std::vector<float> dst(64);
  for (const uint64_t order : kOrders) {
    EXPECT_NE(FW_OK, run_divergent_barrier(order));
    EXPECT_NE(message().find("barrier divergence"), std::string::npos) << message();
    EXPECT_NE(FW_OK, run_divergent_warp(order, dst.data()));
    EXPECT_NE(message().find("warp divergence"), std::string::npos) << message();
  }
}

TEST(CheckedTest, OverrunOfSharedMemoryIsAnError) {
  for (const uint64_t order : kOrders) {
    EXPECT_NE(FW_OK, run_shared_overrun(order));
    EXPECT_NE(message().find("past the end of its shared memory"), std::string::npos) << message();
  }
}

TEST(CheckedTest, SumsHaveOneOrderAndUnwrittenSharedMemoryIsNaN) {
  const std::vector<float> src = random_reals(7, 96);
  std::vector<float> first;
  for (const uint64_t order : kOrders) {
    std::vector<float> dst(192);
    ASSERT_EQ(FW_OK, run_sum(order, src.data(), dst.data())) << message();
    for (size_t i = 0; i < 96; i++) {
      EXPECT_EQ(dst[0], dst[i]);
      EXPECT_TRUE(std::isnan(dst[96 + i]));
    }
    first = first.empty() ? std::vector<float>{dst[0]} : first;
    EXPECT_EQ(first[0], dst[0]) << "order " << order;
  }
  double sum = 0;
  for (const float value : src) {
    sum += double(value);
  }
  EXPECT_NEAR(sum, double(first[0]), 1e-4);
}

TEST(CheckedTest, BlocksOfAClusterReachEachOther) {
  constexpr size_t kCount = 8 * 32;
  const std::vector<float> src = random_integers(3, kCount, 1000);
  std::vector<float> expected(kCount);
  for (size_t i = 0; i < kCount; i++) {
    const size_t block = i / 32;
    expected[i] = src[(block / 4 * 4 + (block + 1) % 4) * 32 + i % 32];
  }
  for (const uint64_t order : kOrders) {
    std::vector<float> dst(kCount);
    ASSERT_EQ(FW_OK, run_cluster(order, 0, src.data(), dst.data())) << message();
    EXPECT_EQ(expected, dst) << "order " << order;
    for (const int fault : {1, 2}) {
      ASSERT_EQ(FW_OK, run_cluster(order, fault, src.data(), dst.data())) << message();
      EXPECT_FALSE(same_bits(expected, dst)) << "order " << order << ": fault " << fault << " must show";
    }
    EXPECT_NE(FW_OK, run_cluster(order, 3, src.data(), dst.data()));
    EXPECT_NE(message().find("some blocks of a cluster returned"), std::string::npos) << message();
  }
}

// A write beside an allocation of the checked device is reported by the next operation there.
class GuardTest : public DeviceTest {};
std::vector<DeviceCase> checked_cases() {
  std::vector<DeviceCase> cases;
  for (const DeviceCase& c : device_cases()) {
    if (c.kind == FW_CHECKED) {
      cases.push_back(c);
    }
  }
  return cases;
}
INSTANTIATE_TEST_SUITE_P(On, GuardTest, ::testing::ValuesIn(checked_cases()),
                         [](const auto& info) { return info.param.name; });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GuardTest);

TEST_P(GuardTest, AStrayWriteIsReported) {
  fw_address memory = 0;
  ASSERT_FW_OK(fw_memory_allocate(device(), 64, &memory));
  auto* floats = reinterpret_cast<float*>(static_cast<uintptr_t>(memory));
  EXPECT_TRUE(std::isnan(floats[0])) << "fresh memory is poisoned";
  for (const int64_t at : {int64_t(16), int64_t(-1), int64_t(40)}) {
    float before = 0;
    ASSERT_FW_OK(fw_convert(stream(), FW_F32, memory, FW_F32, memory, 0));
    std::memcpy(&before, floats + at, sizeof(before));
    ASSERT_EQ(FW_OK, run_stray_write(GetParam().order, floats, at));
    EXPECT_FW_ERROR(FW_DEVICE_ERROR, fw_convert(stream(), FW_F32, memory, FW_F32, memory, 0),
                    "wrote outside an allocation of 64 bytes, at offset " + std::to_string(at * 4));
    std::memcpy(floats + at, &before, sizeof(before));
  }
  ASSERT_FW_OK(fw_convert(stream(), FW_F32, memory, FW_F32, memory, 0));
  ASSERT_FW_OK(fw_memory_free(device(), memory));
}

}  // namespace
}  // namespace fusewire::test
