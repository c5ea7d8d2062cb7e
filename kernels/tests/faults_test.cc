// SPDX-License-Identifier: Apache-2.0
// A lost device: who finds out, what the message names, and that everything can still be freed.
#include "fusewire/faults.h"

#include <cstdlib>
#include <string>

#include "device_fixture.h"

namespace fusewire::test {
namespace {

#if defined(FW_HAVE_CHECKED)

class FaultTest : public DeviceTest {
 protected:
  // Heals the device when it goes out of scope, before buffers look at their fences.
  class Healer {
   public:
    explicit Healer(int32_t device) : device_(device) {}
    Healer(const Healer&) = delete;
    Healer& operator=(const Healer&) = delete;
    ~Healer() { EXPECT_FW_OK(fw_fault_clear(device_)); }

   private:
    int32_t device_;
  };
  fw_status convert(const Buffer& src, const Buffer& dst) const {
    return fw_convert(stream(), FW_F32, src.address(), FW_F32, dst.address(), src.count());
  }
};
FUSEWIRE_ON_EVERY_DEVICE(FaultTest);

TEST_P(FaultTest, IsFoundByWhoWaitsAndNamesWhatRan) {
  Buffer a = buffer(FW_F32, 8);
  Buffer b = buffer(FW_F32, 8);
  const Healer healer(device());
  ASSERT_FW_OK(fw_stream_synchronize(stream()));
  ASSERT_FW_OK(fw_fault_inject(device(), "convert", 2));
  ASSERT_FW_OK(convert(a, b));
  ASSERT_FW_OK(fw_stream_synchronize(stream()));
  ASSERT_FW_OK(fw_fill(stream(), a.address(), 0, 4));
  ASSERT_FW_OK(convert(a, b));  // the one that is struck
  ASSERT_FW_OK(fw_copy(stream(), b.address(), a.address(), 4));
  EXPECT_FW_ERROR(FW_DEVICE_LOST, fw_stream_synchronize(stream()),
                  "stream synchronize: a fault was injected; it happened in one of the 3 operations since the stream "
                  "was last synchronized (fill, convert, copy). With FUSEWIRE_LAUNCH_BLOCKING=1");

  // From now on every call says so.
  const std::string text = ": the device was lost: stream synchronize: a fault was injected";
  float host = 0;
  fw_address address = 0;
  fw_stream made = 0;
  fw_event event = 0;
  fw_device_info info = {};
  EXPECT_FW_ERROR(FW_DEVICE_LOST, fw_stream_synchronize(stream()), "stream synchronize" + text);
  EXPECT_FW_ERROR(FW_DEVICE_LOST, convert(a, b), "convert" + text);
  EXPECT_FW_ERROR(FW_DEVICE_LOST, fw_fill(stream(), a.address(), 0, 4), "fill" + text);
  EXPECT_FW_ERROR(FW_DEVICE_LOST, fw_copy(stream(), a.address(), b.address(), 4), "copy" + text);
  EXPECT_FW_ERROR(FW_DEVICE_LOST, fw_write(stream(), a.address(), &host, 4), "write" + text);
  EXPECT_FW_ERROR(FW_DEVICE_LOST, fw_copy_to_host(stream(), &host, a.address(), 4), "copy to host" + text);
  EXPECT_FW_ERROR(FW_DEVICE_LOST, fw_memory_allocate(device(), 64, &address), "memory allocate" + text);
  EXPECT_FW_ERROR(FW_DEVICE_LOST, fw_stream_create(device(), &made), "stream create" + text);
  EXPECT_FW_ERROR(FW_DEVICE_LOST, fw_event_create(device(), &event), "event create" + text);
  EXPECT_FW_ERROR(FW_DEVICE_LOST, fw_graph_begin(stream(), "x"), "graph begin" + text);
  EXPECT_FW_ERROR(FW_DEVICE_LOST, fw_device_info_get(device(), &info), "device info" + text);
  ASSERT_FW_OK(fw_fault_clear(device()));
  EXPECT_FW_OK(convert(a, b));
}

TEST_P(FaultTest, FreeingAndDestroyingStillWork) {
  const Healer healer(device());
  fw_stream other = 0;
  fw_event event = 0;
  fw_address address = 0;
  fw_graph graph = 0;
  ASSERT_FW_OK(fw_stream_create(device(), &other));
  ASSERT_FW_OK(fw_event_create(device(), &event));
  ASSERT_FW_OK(fw_memory_allocate(device(), 64, &address));
  ASSERT_FW_OK(fw_graph_begin(other, "idle"));
  ASSERT_FW_OK(fw_fill(other, address, 1, 64));
  ASSERT_FW_OK(fw_graph_end(other, &graph));
  ASSERT_FW_OK(fw_graph_begin(other, "captured"));
  ASSERT_FW_OK(fw_fault_inject(device(), "fill", 1));
  ASSERT_FW_OK(fw_fill(stream(), address, 1, 64));
  // An event finds out as well.
  EXPECT_FW_ERROR(FW_DEVICE_LOST, fw_event_synchronize(event), "event synchronize: a fault was injected");
  EXPECT_FW_ERROR(FW_DEVICE_LOST, fw_event_record(event, stream()), "the device was lost");
  EXPECT_FW_ERROR(FW_DEVICE_LOST, fw_graph_launch(graph, stream()), "graph idle: the device was lost");
  EXPECT_FW_OK(fw_graph_destroy(graph));
  EXPECT_FW_OK(fw_memory_free(device(), address));
  EXPECT_FW_OK(fw_event_destroy(event));
  EXPECT_FW_OK(fw_stream_destroy(other));
}

TEST_P(FaultTest, BlockingStreamsNameTheOne) {
  Buffer a = buffer(FW_F32, 8);
  Buffer b = buffer(FW_F32, 8);
  const Healer healer(device());
  setenv("FUSEWIRE_LAUNCH_BLOCKING", "1", 1);
  fw_stream blocking = 0;
  ASSERT_FW_OK(fw_stream_create(device(), &blocking));
  unsetenv("FUSEWIRE_LAUNCH_BLOCKING");
  ASSERT_FW_OK(fw_fault_inject(device(), "convert", 1));
  ASSERT_FW_OK(fw_fill(blocking, a.address(), 0, 4));
  EXPECT_FW_ERROR(FW_DEVICE_LOST, fw_convert(blocking, FW_F32, a.address(), FW_F32, b.address(), 8),
                  "convert: a fault was injected");
  EXPECT_EQ(std::string(fw_last_error()), "convert: a fault was injected");
  EXPECT_FW_OK(fw_stream_destroy(blocking));
}

TEST_P(FaultTest, GraphsAreNamed) {
  Buffer a = buffer(FW_F32, 8);
  Buffer b = buffer(FW_F32, 8);
  const Healer healer(device());
  fw_graph graph = 0;
  ASSERT_FW_OK(fw_graph_begin(stream(), "training step"));
  ASSERT_FW_OK(convert(a, b));
  ASSERT_FW_OK(fw_fill(stream(), a.address(), 0, 4));
  ASSERT_FW_OK(fw_graph_end(stream(), &graph));
  ASSERT_FW_OK(fw_fault_inject(device(), "convert", 2));
  ASSERT_FW_OK(fw_graph_launch(graph, stream()));
  ASSERT_FW_OK(fw_stream_synchronize(stream()));
  ASSERT_FW_OK(fw_graph_launch(graph, stream()));
  float host = 0;
  EXPECT_FW_ERROR(FW_DEVICE_LOST, fw_copy_to_host(stream(), &host, a.address(), 4),
                  "copy to host: a fault was injected; it happened in graph training step. With "
                  "FUSEWIRE_LAUNCH_BLOCKING=1");
  EXPECT_FW_OK(fw_graph_destroy(graph));
}

TEST_P(FaultTest, LongListsKeepTheLast) {
  Buffer a = buffer(FW_F32, 8);
  Buffer b = buffer(FW_F32, 8);
  const Healer healer(device());
  ASSERT_FW_OK(fw_stream_synchronize(stream()));
  ASSERT_FW_OK(convert(a, b));
  for (int i = 0; i < 99; i++) {
    ASSERT_FW_OK(fw_copy(stream(), b.address(), a.address(), 4));
  }
  ASSERT_FW_OK(fw_fault_inject(device(), "fill", 1));
  ASSERT_FW_OK(fw_fill(stream(), a.address(), 0, 4));
  EXPECT_FW_ERROR(FW_DEVICE_LOST, fw_stream_synchronize(stream()),
                  "one of the 101 operations since the stream was last synchronized (..., copy, fill)");
}

TEST(FaultArgumentsTest, AreChecked) {
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_fault_inject(-1, "fill", 1), "there is no device -1");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_fault_inject(0, nullptr, 1), "operation is null");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_fault_inject(0, "fill", 0), "call is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_fault_clear(1000), "there is no device 1000");
}

#else

TEST(FaultTest, IsOnlyInCheckedBuilds) {
  EXPECT_FW_ERROR(FW_UNSUPPORTED, fw_fault_inject(0, "fill", 1), "without FUSEWIRE_CHECKED");
  EXPECT_FW_ERROR(FW_UNSUPPORTED, fw_fault_clear(0), "without FUSEWIRE_CHECKED");
}

#endif

}  // namespace
}  // namespace fusewire::test
