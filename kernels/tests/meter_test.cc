// SPDX-License-Identifier: Apache-2.0
// The meter counts what a kernel moves: kernels of known traffic (probes/meter_probe.cu), and operations through the C
// API.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/launcher.h"
#include "device_fixture.h"
#include "fusewire/meter.h"
#include "meter/meter.h"

#if defined(FW_HAVE_METERED)

namespace fusewire::probe_metered {
fw_status meter_strided_copy(const Launcher& launcher, const float* src, float* dst, int64_t stride, int64_t count);
fw_status meter_reuse(const Launcher& launcher, const float* src, float* dst, int64_t count, int64_t blocks);
fw_status meter_own_writes(const Launcher& launcher, float* memory, float* dst, int64_t written, int64_t count);
fw_status meter_vectors(const Launcher& launcher, int32_t dtype, const void* src, void* dst, int64_t count);
}  // namespace fusewire::probe_metered

namespace fusewire::test {
namespace {

using namespace fusewire::probe_metered;  // NOLINT(google-build-using-namespace)

constexpr int64_t kSector = FW_SECTOR_BYTES;
constexpr int64_t kFloats = kSector / int64_t(sizeof(float));  // of a sector

void expect_traffic(const fw_traffic& traffic, int64_t read, int64_t written, int64_t requested_read,
                    int64_t requested_written) {
  EXPECT_EQ(read, traffic.read_bytes);
  EXPECT_EQ(written, traffic.written_bytes);
  EXPECT_EQ(requested_read, traffic.requested_read_bytes);
  EXPECT_EQ(requested_written, traffic.requested_written_bytes);
}

// A meter of the test's own, listening to the probe kernels.
class MeterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    launcher_.operation = "probe";
    launcher_.meter = &meter_;
    memory_.add(src_, sizeof(src_));
    memory_.add(dst_, sizeof(dst_));
  }

  void watch(const void* address, int64_t bytes, int32_t id) {
    ASSERT_EQ(FW_OK, meter_.watch("watch", fw_address(reinterpret_cast<uintptr_t>(address)), bytes, id))
        << last_error();
  }
  fw_traffic traffic(int32_t id) {
    fw_traffic found = {};
    EXPECT_EQ(FW_OK, meter_.traffic("read", id, &found)) << last_error();
    return found;
  }
  int64_t launches() {
    int64_t launches = 0;
    int64_t bytes = 0;
    meter_.unwatched(&launches, &bytes);
    return launches;
  }
  int64_t unwatched() {
    int64_t launches = 0;
    int64_t bytes = 0;
    meter_.unwatched(&launches, &bytes);
    return bytes;
  }

  alignas(64) float src_[1024] = {};
  alignas(64) float dst_[1024] = {};
  MeteredMemory memory_;
  Meter meter_{&memory_};
  Launcher launcher_;
};

TEST_F(MeterTest, DenseCopyMovesEverySectorOnce) {
  watch(src_, sizeof(src_), 1);
  watch(dst_, sizeof(dst_), 2);
  ASSERT_EQ(FW_OK, meter_strided_copy(launcher_, src_, dst_, 1, 512));
  expect_traffic(traffic(1), 2048, 0, 2048, 0);
  expect_traffic(traffic(2), 0, 2048, 0, 2048);
  EXPECT_EQ(1, launches());
  EXPECT_EQ(0, unwatched());
}

TEST_F(MeterTest, PartsOfSectorsMoveWhole) {
  watch(src_, sizeof(src_), 1);
  watch(dst_, sizeof(dst_), 2);
  ASSERT_EQ(FW_OK, meter_strided_copy(launcher_, src_, dst_, kFloats, 100));
  expect_traffic(traffic(1), 100 * kSector, 0, 400, 0);
  expect_traffic(traffic(2), 0, 100 * kSector, 0, 400);
}

TEST_F(MeterTest, ReuseWithinALaunchIsOneReadAndSharedMemoryIsNotCounted) {
  watch(src_, sizeof(src_), 1);
  watch(dst_, sizeof(dst_), 2);
  ASSERT_EQ(FW_OK, meter_reuse(launcher_, src_, dst_, 256, 16));
  expect_traffic(traffic(1), 1024, 0, 16 * 1024, 0);
  expect_traffic(traffic(2), 0, 64, 0, 64);
  EXPECT_EQ(0, unwatched());
}

TEST_F(MeterTest, NothingIsInheritedFromTheLaunchBefore) {
  watch(src_, sizeof(src_), 1);
  watch(dst_, sizeof(dst_), 2);
  for (int launch = 0; launch < 3; launch++) {
    ASSERT_EQ(FW_OK, meter_strided_copy(launcher_, src_, dst_, 1, 64));
  }
  // The second kind of launch reads what the first one wrote, and overlaps it in part.
  ASSERT_EQ(FW_OK, meter_strided_copy(launcher_, dst_ + 32, src_ + 512, 1, 64));
  expect_traffic(traffic(1), 3 * 256, 256, 3 * 256, 256);
  expect_traffic(traffic(2), 256, 3 * 256, 256, 3 * 256);
  EXPECT_EQ(4, launches());
}

TEST_F(MeterTest, WhatALaunchWroteItselfNeedNotBeRead) {
  watch(src_, sizeof(src_), 1);
  watch(dst_, sizeof(dst_), 2);
  // 12 floats are written: a sector and a half. Of 16 read, the last four come from memory, as one sector.
  ASSERT_EQ(FW_OK, meter_own_writes(launcher_, src_, dst_, 12, 12));
  expect_traffic(traffic(1), 0, 2 * kSector, 48, 48);
  ASSERT_EQ(FW_OK, meter_own_writes(launcher_, src_, dst_, 12, 16));
  expect_traffic(traffic(1), kSector, 4 * kSector, 48 + 64, 96);
  // The next launch writes less, and so finds less.
  ASSERT_EQ(FW_OK, meter_own_writes(launcher_, src_, dst_, 4, 16));
  expect_traffic(traffic(1), 3 * kSector, 5 * kSector, 48 + 2 * 64, 112);
}

TEST_F(MeterTest, AddressesDecideWhatIsASector) {
  // 8 floats from the middle of a sector on lie in two; a tensor that ends there shares its sectors with the next one.
  watch(src_ + 4, 32, 1);
  watch(src_ + 12, 32, 2);
  watch(dst_, sizeof(dst_), 3);
  ASSERT_EQ(FW_OK, meter_strided_copy(launcher_, src_, dst_, 1, 20));
  expect_traffic(traffic(1), 2 * kSector, 0, 32, 0);
  expect_traffic(traffic(2), 2 * kSector, 0, 32, 0);
  EXPECT_EQ(16, unwatched()) << "floats 0 to 3 of the source are nobody's";
}

TEST_F(MeterTest, VectorsAndTheirTailsAreCountedToTheByte) {
  for (const int32_t dtype : kAllDtypes) {
    for (const int64_t count : {1, 3, 8, 13, 16, 31, 64, 77}) {
      const int64_t bytes = count * (dtype == FW_F32 ? 4 : 2);
      const int64_t sectors = (bytes + kSector - 1) / kSector * kSector;
      meter_.reset();
      watch(src_, sizeof(src_), 1);
      watch(dst_, sizeof(dst_), 2);
      ASSERT_EQ(FW_OK, meter_vectors(launcher_, dtype, src_, dst_, count));
      SCOPED_TRACE(std::string(dtype_name(dtype)) + ", " + std::to_string(count));
      expect_traffic(traffic(1), sectors, 0, bytes, 0);
      expect_traffic(traffic(2), 0, sectors, 0, bytes);
    }
  }
}

TEST_F(MeterTest, AnAccessAcrossTwoTensorsIsSharedOut) {
  watch(src_, 16, 1);
  watch(src_ + 4, 16, 2);
  ASSERT_EQ(FW_OK, meter_vectors(launcher_, FW_F32, src_, dst_, 8));
  EXPECT_EQ(16, traffic(1).requested_read_bytes);
  EXPECT_EQ(16, traffic(2).requested_read_bytes);
  EXPECT_EQ(32, unwatched()) << "the destination";
}

TEST_F(MeterTest, WatchesMayShareAnIdAndEndWithAReset) {
  watch(src_, 128, 7);
  watch(src_ + 512, 128, 7);
  ASSERT_EQ(FW_OK, meter_strided_copy(launcher_, src_, dst_, 512, 2));
  expect_traffic(traffic(7), 2 * kSector, 0, 8, 0);
  meter_.reset();
  fw_traffic gone = {};
  EXPECT_EQ(FW_INVALID_ARGUMENT, meter_.traffic("read", 7, &gone));
  EXPECT_EQ(0, launches());
  EXPECT_EQ(0, unwatched());
}

// The C API, on the library's metered device.
class MeteredDeviceTest : public DeviceTest {};
std::vector<DeviceCase> metered_cases() {
  std::vector<DeviceCase> cases;
  for (const DeviceCase& c : device_cases()) {
    if (c.kind == FW_METERED) {
      cases.push_back(c);
    }
  }
  return cases;
}
INSTANTIATE_TEST_SUITE_P(On, MeteredDeviceTest, ::testing::ValuesIn(metered_cases()),
                         [](const auto& info) { return info.param.name; });

TEST_P(MeteredDeviceTest, IsTheLastDevice) {
  EXPECT_EQ(fw_device_count() - 1, device());
  fw_device_info info = {};
  ASSERT_FW_OK(fw_device_info_get(device(), &info));
  EXPECT_EQ(std::string("metered"), info.level);
}

TEST_P(MeteredDeviceTest, CountsOperationsCopiesAndFills) {
  const Buffer src = buffer(FW_F32, 1000);
  const Buffer dst = buffer(FW_BF16, 1000);
  ASSERT_FW_OK(fw_meter_reset(stream()));
  ASSERT_FW_OK(fw_meter_watch(stream(), src.address(), src.bytes(), 0));
  ASSERT_FW_OK(fw_meter_watch(stream(), dst.address(), dst.bytes(), 1));
  fw_traffic read = {};
  fw_traffic written = {};
  const auto look = [&] {
    ASSERT_FW_OK(fw_meter_read(stream(), 0, &read));
    ASSERT_FW_OK(fw_meter_read(stream(), 1, &written));
  };
  ASSERT_FW_OK(fw_convert(stream(), FW_F32, src.address(), FW_BF16, dst.address(), 1000));
  look();
  expect_traffic(read, 4000, 0, 4000, 0);
  expect_traffic(written, 0, 2016, 0, 2000);
  ASSERT_FW_OK(fw_fill(stream(), dst.address(), 0, 64));
  ASSERT_FW_OK(fw_copy(stream(), dst.address(), src.address(), 64));
  float host[16] = {};
  ASSERT_FW_OK(fw_copy_to_host(stream(), host, src.address(), 64));
  ASSERT_FW_OK(fw_copy_from_host(stream(), dst.address(), host, 64));
  look();
  expect_traffic(read, 4128, 0, 4128, 0);
  expect_traffic(written, 0, 2016 + 192, 0, 2000 + 192);
  int64_t launches = 0;
  int64_t bytes = 0;
  ASSERT_FW_OK(fw_meter_unwatched(stream(), &launches, &bytes));
  EXPECT_EQ(5, launches);
  EXPECT_EQ(0, bytes);
  ASSERT_FW_OK(fw_meter_reset(stream()));
  ASSERT_FW_OK(fw_fill(stream(), src.address(), 0, 100));
  ASSERT_FW_OK(fw_meter_unwatched(stream(), &launches, &bytes));
  EXPECT_EQ(1, launches);
  EXPECT_EQ(100, bytes);
}

TEST_P(MeteredDeviceTest, CountsAreTheSameAgain) {
  const Buffer src = buffer(FW_F16, random_reals(1, 2 * 15 * 15 * 40));
  const Buffer weights = buffer(FW_F32, random_reals(2, 9 * 40));
  const Buffer dst = buffer(FW_F16, 2 * 15 * 15 * 40);
  fw_conv conv = {};
  conv.dtype = FW_F16;
  conv.batch = 2;
  conv.in_height = conv.in_width = 15;
  conv.in_channels = conv.out_channels = 40;
  conv.kernel_height = conv.kernel_width = 3;
  conv.stride_height = conv.stride_width = conv.dilation_height = conv.dilation_width = 1;
  conv.pad_top = conv.pad_bottom = conv.pad_left = conv.pad_right = 1;
  fw_traffic first = {};
  for (int run = 0; run < 3; run++) {
    ASSERT_FW_OK(fw_stream_set_threads(stream(), run));
    ASSERT_FW_OK(fw_meter_reset(stream()));
    ASSERT_FW_OK(fw_meter_watch(stream(), src.address(), src.bytes(), 0));
    ASSERT_FW_OK(fw_depthwise_forward(stream(), &conv, src.address(), weights.address(), 0, dst.address()));
    fw_traffic traffic = {};
    ASSERT_FW_OK(fw_meter_read(stream(), 0, &traffic));
    EXPECT_EQ(src.bytes(), traffic.read_bytes);
    EXPECT_GT(traffic.requested_read_bytes, src.bytes() * 3 / 2) << "neighbouring rows read the same pixels";
    first = run == 0 ? traffic : first;
    EXPECT_EQ(first.requested_read_bytes, traffic.requested_read_bytes);
  }
}

TEST_P(MeteredDeviceTest, RefusesWhatCannotBeWatched) {
  const Buffer memory = buffer(FW_F32, 64);
  const fw_address at = memory.address();
  fw_traffic traffic = {};
  int64_t number = 0;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_meter_watch(stream(), 0, 64, 0), "address");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_meter_watch(stream(), at, 0, 0), "bytes is 0; 1 to");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_meter_watch(stream(), at, 64, -1), "id is -1; 0 to");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_meter_watch(stream(), UINT64_MAX - 3, 64, 0),
                  "more than there are addresses");
  EXPECT_FW_ERROR(FW_OUT_OF_MEMORY, fw_meter_watch(stream(), at, INT64_MAX, 0), "no memory to count");
  ASSERT_FW_OK(fw_meter_watch(stream(), at + 64, 64, 3));
  for (const int64_t offset : {64, 32, 96, 0}) {
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_meter_watch(stream(), at + uint64_t(offset), offset == 0 ? 256 : 64, 4),
                    "some are watched already: 64 bytes at");
  }
  ASSERT_FW_OK(fw_meter_watch(stream(), at, 64, 4));
  ASSERT_FW_OK(fw_meter_watch(stream(), at + 128, 128, 4));
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_meter_read(stream(), 5, &traffic), "nothing is watched as 5");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_meter_read(stream(), 3, nullptr), "traffic is null");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_meter_unwatched(stream(), nullptr, &number), "launches is null");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_meter_unwatched(stream(), &number, nullptr), "requested_bytes is null");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_meter_reset(stream() + 1000), "is closed or was never made");
}

TEST(MeterApiTest, OtherDevicesDoNotCount) {
  fw_stream stream = 0;
  ASSERT_FW_OK(fw_stream_create(0, &stream));
  fw_traffic traffic = {};
  int64_t number = 0;
  const char* text = "of device 0, which does not count bytes; only the metered device does";
  EXPECT_FW_ERROR(FW_UNSUPPORTED, fw_meter_watch(stream, 64, 64, 0), text);
  EXPECT_FW_ERROR(FW_UNSUPPORTED, fw_meter_read(stream, 0, &traffic), text);
  EXPECT_FW_ERROR(FW_UNSUPPORTED, fw_meter_unwatched(stream, &number, &number), text);
  EXPECT_FW_ERROR(FW_UNSUPPORTED, fw_meter_reset(stream), text);
  ASSERT_FW_OK(fw_stream_destroy(stream));
}

}  // namespace
}  // namespace fusewire::test

#endif
