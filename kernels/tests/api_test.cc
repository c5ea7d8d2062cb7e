// SPDX-License-Identifier: Apache-2.0
// Devices, memory, streams and events: what they give, and what they refuse. Nothing here may crash.
#include <cstring>
#include <string>

#include "device_fixture.h"

namespace fusewire::test {
namespace {

class ApiTest : public DeviceTest {};
FUSEWIRE_ON_EVERY_DEVICE(ApiTest);

TEST(LibraryTest, SaysWhatItIs) {
  EXPECT_FALSE(std::string(fw_version()).empty());
  EXPECT_FALSE(std::string(fw_build_info()).empty());
  EXPECT_GE(fw_device_count(), 1);
  fw_device_info info = {};
  ASSERT_FW_OK(fw_device_info_get(0, &info));
  EXPECT_EQ(FW_CPU, info.kind);
  EXPECT_GE(info.processors, 1);
  EXPECT_GT(info.total_memory, 0);
  EXPECT_GT(info.free_memory, 0);
  EXPECT_GT(std::strlen(info.name), 0u);
  EXPECT_GT(std::strlen(info.level), 0u);
  bool cuda = false;
  for (int32_t device = 0; device < fw_device_count(); device++) {
    ASSERT_FW_OK(fw_device_info_get(device, &info));
    cuda = cuda || info.kind == FW_CUDA;
  }
  EXPECT_EQ(cuda, std::string(fw_cuda_unavailable_reason()).empty()) << fw_cuda_unavailable_reason();
}

TEST(LibraryTest, RefusesUnknownDevices) {
  const int32_t count = fw_device_count();
  const std::string fits = "0 to " + std::to_string(count - 1) + " fits";
  fw_device_info info = {};
  fw_address address = 0;
  fw_stream stream = 0;
  fw_event event = 0;
  int64_t bytes = 0;
  int64_t allocations = 0;
  for (const int32_t device : {-1, count, INT32_MAX, INT32_MIN}) {
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_device_info_get(device, &info), fits);
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_memory_allocate(device, 64, &address), fits);
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_memory_free(device, 64), fits);
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_memory_live(device, &bytes, &allocations), fits);
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_stream_create(device, &stream), fits);
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_event_create(device, &event), fits);
  }
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_device_info_get(0, nullptr), "info is null");
}

TEST_P(ApiTest, MemoryIsCountedAlignedAndFreedOnce) {
  int64_t bytes_before = 0;
  int64_t count_before = 0;
  ASSERT_FW_OK(fw_memory_live(device(), &bytes_before, &count_before));
  for (const int64_t size : {int64_t(1), int64_t(255), int64_t(100000), int64_t(9) << 20}) {
    fw_address address = 0;
    ASSERT_FW_OK(fw_memory_allocate(device(), size, &address));
    EXPECT_NE(0u, address);
    EXPECT_EQ(0u, address % 256);
    int64_t bytes = 0;
    int64_t count = 0;
    ASSERT_FW_OK(fw_memory_live(device(), &bytes, &count));
    EXPECT_EQ(bytes_before + size, bytes);
    EXPECT_EQ(count_before + 1, count);
    ASSERT_FW_OK(fw_fill(stream(), address, 1, size));
    ASSERT_FW_OK(fw_stream_synchronize(stream()));
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_memory_free(device(), address + 1), "not a live allocation");
    ASSERT_FW_OK(fw_memory_free(device(), address));
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_memory_free(device(), address), "not a live allocation");
  }
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_memory_free(device(), 0), "not a live allocation");
}

TEST_P(ApiTest, RefusesImpossibleAllocations) {
  fw_address address = 77;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_memory_allocate(device(), 0, &address), "bytes is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_memory_allocate(device(), -5, &address), "bytes is -5");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_memory_allocate(device(), 64, nullptr), "address is null");
  EXPECT_FW_ERROR(FW_OUT_OF_MEMORY, fw_memory_allocate(device(), int64_t(1) << 60, &address), "1152921504606846976");
  EXPECT_FW_ERROR(FW_OUT_OF_MEMORY, fw_memory_allocate(device(), INT64_MAX, &address), "bytes asked for");
  EXPECT_EQ(77u, address) << "a refused call changes nothing";
}

TEST_P(ApiTest, ClosedStreamsAreRefused) {
  fw_stream closed = 0;
  ASSERT_FW_OK(fw_stream_create(device(), &closed));
  int32_t where = -1;
  ASSERT_FW_OK(fw_stream_device(closed, &where));
  EXPECT_EQ(device(), where);
  ASSERT_FW_OK(fw_stream_destroy(closed));
  float host = 0;
  fw_event event = 0;
  ASSERT_FW_OK(fw_event_create(device(), &event));
  for (const fw_stream bad : {closed, fw_stream(0), fw_stream(~uint64_t(0)), fw_stream(1) << 40}) {
    const std::string text = "stream " + std::to_string(bad) + " is closed or was never made";
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_stream_destroy(bad), text);
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_stream_synchronize(bad), text);
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_stream_set_threads(bad, 1), text);
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_stream_set_order(bad, 1), text);
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_stream_device(bad, &where), text);
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_event_record(event, bad), text);
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_stream_wait(bad, event), text);
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_copy_from_host(bad, 256, &host, 4), text);
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_copy_to_host(bad, &host, 256, 4), text);
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_copy(bad, 256, 512, 4), text);
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_fill(bad, 256, 0, 4), text);
  }
  ASSERT_FW_OK(fw_event_destroy(event));
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_stream_create(device(), nullptr), "stream is null");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_stream_device(stream(), nullptr), "device is null");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_stream_set_threads(stream(), -1), "threads is -1; 0 to 1024 fits");
}

TEST_P(ApiTest, EventsMeasureAndAreRefusedOnceClosed) {
  fw_event start = 0;
  fw_event end = 0;
  ASSERT_FW_OK(fw_event_create(device(), &start));
  ASSERT_FW_OK(fw_event_create(device(), &end));
  ASSERT_FW_OK(fw_event_record(start, stream()));
  ASSERT_FW_OK(fw_stream_wait(stream(), start));
  ASSERT_FW_OK(fw_event_record(end, stream()));
  ASSERT_FW_OK(fw_event_synchronize(end));
  float milliseconds = -1;
  ASSERT_FW_OK(fw_event_elapsed(start, end, &milliseconds));
  EXPECT_GE(milliseconds, 0);
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_event_elapsed(start, end, nullptr), "milliseconds is null");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_event_create(device(), nullptr), "event is null");
  ASSERT_FW_OK(fw_event_destroy(end));
  for (const fw_event bad : {end, fw_event(0), fw_event(1) << 50}) {
    const std::string text = "event " + std::to_string(bad) + " is closed or was never made";
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_event_destroy(bad), text);
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_event_record(bad, stream()), text);
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_event_synchronize(bad), text);
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_stream_wait(stream(), bad), text);
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_event_elapsed(start, bad, &milliseconds), text);
  }
  ASSERT_FW_OK(fw_event_destroy(start));
}

TEST_P(ApiTest, EventsAndStreamsOfDifferentDevicesDoNotMix) {
  for (int32_t other = 0; other < fw_device_count(); other++) {
    if (other == device()) {
      continue;
    }
    fw_event mine = 0;
    fw_event foreign = 0;
    ASSERT_FW_OK(fw_event_create(device(), &mine));
    ASSERT_FW_OK(fw_event_create(other, &foreign));
    float milliseconds = 0;
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_event_record(foreign, stream()), "different devices");
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_stream_wait(stream(), foreign), "different devices");
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_event_elapsed(mine, foreign, &milliseconds), "different devices");
    ASSERT_FW_OK(fw_event_destroy(mine));
    ASSERT_FW_OK(fw_event_destroy(foreign));
  }
}

TEST_P(ApiTest, CopiesAndFills) {
  const std::vector<float> values = random_reals(3, 1000);
  Buffer a = buffer(FW_F32, values);
  Buffer b = buffer(FW_F32, 1000);
  ASSERT_FW_OK(fw_copy(stream(), b.address(), a.address(), a.bytes()));
  EXPECT_TRUE(same_bits(values, b.download()));
  ASSERT_FW_OK(fw_fill(stream(), b.address(), 0, b.bytes()));
  EXPECT_EQ(std::vector<float>(1000, 0.0f), b.download());
  float host = 0;
  EXPECT_FW_OK(fw_copy(stream(), 0, 0, 0));
  EXPECT_FW_OK(fw_fill(stream(), 0, 0, 0));
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_copy(stream(), 0, a.address(), 4), "dst is null");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_copy(stream(), a.address(), 0, 4), "src is null");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_copy_from_host(stream(), a.address(), &host, -4), "bytes is -4");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_copy_from_host(stream(), a.address(), nullptr, 4), "src is null");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_copy_to_host(stream(), nullptr, a.address(), 4), "dst is null");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_fill(stream(), 0, 1, 4), "dst is null");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_fill(stream(), a.address(), 1, -1), "bytes is -1");
}

TEST(LibraryTest, ConvolutionSizes) {
  fw_conv conv = {};
  conv.batch = 1;
  conv.in_height = 224;
  conv.in_width = 15;
  conv.in_channels = conv.out_channels = 3;
  conv.kernel_height = conv.kernel_width = 3;
  conv.stride_height = conv.stride_width = 2;
  conv.dilation_height = 1;
  conv.dilation_width = 2;
  conv.pad_bottom = 1;
  int64_t height = 0;
  int64_t width = 0;
  ASSERT_FW_OK(fw_conv_output(&conv, &height, &width));
  EXPECT_EQ(112, height);
  EXPECT_EQ(6, width);
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_conv_output(nullptr, &height, &width), "conv is null");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_conv_output(&conv, nullptr, &width), "out_height is null");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_conv_output(&conv, &height, nullptr), "out_width is null");
}

}  // namespace
}  // namespace fusewire::test
