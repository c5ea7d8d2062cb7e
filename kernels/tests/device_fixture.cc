// SPDX-License-Identifier: Apache-2.0
#include "device_fixture.h"

#include <stdexcept>

namespace fusewire::test {

std::vector<DeviceCase> device_cases() {
  std::vector<DeviceCase> cases;
  for (int32_t device = 0; device < fw_device_count(); device++) {
    fw_device_info info = {};
    if (fw_device_info_get(device, &info) != FW_OK) {
      throw std::runtime_error(fw_last_error());
    }
    if (info.kind == FW_CPU) {
      cases.push_back({device, info.kind, 0, "cpu"});
    } else if (info.kind == FW_CUDA) {
      cases.push_back({device, info.kind, 0, "cuda" + std::to_string(device)});
    } else if (info.kind == FW_METERED) {
      cases.push_back({device, info.kind, 0, "metered"});
    } else {
      cases.push_back({device, info.kind, 0, "checked_ascending"});
      cases.push_back({device, info.kind, 1, "checked_descending"});
      cases.push_back({device, info.kind, 12345, "checked_random_12345"});
      cases.push_back({device, info.kind, 98765, "checked_random_98765"});
    }
  }
  return cases;
}

std::vector<DeviceCase> product_cases() {
  std::vector<DeviceCase> cases = device_cases();
  for (DeviceCase c : device_cases()) {
    fw_device_info info = {};
    if (fw_device_info_get(c.device, &info) != FW_OK) {
      throw std::runtime_error(fw_last_error());
    }
    const bool cuda = c.kind == FW_CUDA && info.compute_capability >= 80;
    if (cuda || (c.kind == FW_CHECKED && c.order > 1)) {
      c.name += "_tf32";
      c.tf32 = true;
      cases.push_back(c);
    }
  }
  return cases;
}

void DeviceTest::SetUp() {
  int64_t bytes = 0;
  ASSERT_FW_OK(fw_memory_live(device(), &bytes, &live_before_));
  ASSERT_FW_OK(fw_stream_create(device(), &stream_));
  ASSERT_FW_OK(fw_stream_set_order(stream_, GetParam().order));
  ASSERT_FW_OK(fw_stream_set_math(stream_, tf32() ? FW_MATH_TF32 : FW_MATH_F32));
}

void DeviceTest::TearDown() {
  EXPECT_FW_OK(fw_stream_synchronize(stream_));
  EXPECT_FW_OK(fw_stream_destroy(stream_));
  int64_t bytes = 0;
  int64_t live = 0;
  EXPECT_FW_OK(fw_memory_live(device(), &bytes, &live));
  EXPECT_EQ(live_before_, live) << "allocations leaked by the test";
}

void DeviceTest::expect_deterministic(const std::function<std::vector<float>()>& run) {
  const std::vector<float> first = run();
  switch (GetParam().kind) {
    case FW_CPU:
      for (const int threads : {1, 2, 5}) {
        ASSERT_FW_OK(fw_stream_set_threads(stream_, threads));
        EXPECT_TRUE(same_bits(first, run())) << threads << " threads";
      }
      ASSERT_FW_OK(fw_stream_set_threads(stream_, 0));
      break;
    case FW_CHECKED:
      for (const uint64_t order : {uint64_t(0), uint64_t(1), uint64_t(77)}) {
        ASSERT_FW_OK(fw_stream_set_order(stream_, order));
        EXPECT_TRUE(same_bits(first, run())) << "order " << order;
      }
      ASSERT_FW_OK(fw_stream_set_order(stream_, GetParam().order));
      break;
    case FW_METERED:
      EXPECT_TRUE(same_bits(first, run()));
      break;
    default:
      for (int repeat = 0; repeat < 20; repeat++) {
        EXPECT_TRUE(same_bits(first, run())) << "run " << repeat;
      }
  }
}

}  // namespace fusewire::test
