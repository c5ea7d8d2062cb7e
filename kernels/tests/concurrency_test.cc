// SPDX-License-Identifier: Apache-2.0
// Many host threads launch at once, each on a stream of its own: every result is the one a single thread gets.
#include <atomic>
#include <thread>

#include "device_fixture.h"

namespace fusewire::test {
namespace {

class ConcurrencyTest : public DeviceTest {
 protected:
  // One host thread's work: convolutions with a varying number of threads. Counts what goes wrong.
  static int failures(const DeviceCase& where, int index, const std::vector<float>& src_values,
                      const std::vector<float>& weights_values, const std::vector<float>& expected, const fw_conv& conv,
                      int rounds) {
    fw_stream stream = 0;
    if (fw_stream_create(where.device, &stream) != FW_OK || fw_stream_set_order(stream, where.order) != FW_OK) {
      return 1;
    }
    int wrong = 0;
    {
      const Buffer src(stream, FW_F32, src_values);
      const Buffer weights(stream, FW_F32, weights_values);
      for (int round = 0; round < rounds; round++) {
        Buffer dst(stream, FW_F32, int64_t(expected.size()));
        wrong += fw_stream_set_threads(stream, (index + round) % 4) == FW_OK ? 0 : 1;
        wrong +=
            fw_depthwise_forward(stream, &conv, src.address(), weights.address(), 0, dst.address()) == FW_OK ? 0 : 1;
        wrong += same_bits(expected, dst.download()) ? 0 : 1;
      }
    }
    return wrong + (fw_stream_destroy(stream) == FW_OK ? 0 : 1);
  }
};
FUSEWIRE_ON_EVERY_DEVICE(ConcurrencyTest);

TEST_P(ConcurrencyTest, LaunchesFromManyThreads) {
  fw_conv conv = {};
  conv.batch = 2;
  conv.in_height = conv.in_width = 9;
  conv.in_channels = conv.out_channels = 24;
  conv.kernel_height = conv.kernel_width = 3;
  conv.stride_height = conv.stride_width = 1;
  conv.dilation_height = conv.dilation_width = 1;
  conv.pad_top = conv.pad_bottom = conv.pad_left = conv.pad_right = 1;
  const int64_t count = conv.batch * conv.in_height * conv.in_width * conv.in_channels;
  const std::vector<float> src_values = random_reals(1, count);
  const std::vector<float> weights_values = random_reals(2, 9 * conv.in_channels);
  const Buffer src = buffer(FW_F32, src_values);
  const Buffer weights = buffer(FW_F32, weights_values);
  const Buffer dst = buffer(FW_F32, count);
  ASSERT_FW_OK(fw_depthwise_forward(stream(), &conv, src.address(), weights.address(), 0, dst.address()));
  const std::vector<float> expected = dst.download();

  // The checked device looks at the guards of all live memory, so threads must not free theirs meanwhile: one thread.
  const int threads_count = slow() ? 1 : 8;
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  threads.reserve(size_t(threads_count));
  for (int i = 0; i < threads_count; i++) {
    threads.emplace_back(
        [&, i] { wrong += failures(GetParam(), i, src_values, weights_values, expected, conv, slow() ? 2 : 100); });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(0, wrong.load());
}

// Each thread reads its own last message.
TEST(ErrorTest, MessagesBelongToTheirThread) {
  EXPECT_EQ(FW_INVALID_ARGUMENT, fw_stream_destroy(123456789));
  std::string other;
  std::thread([&] {
    other = fw_last_error();
    fw_stream_destroy(987654321);
  }).join();
  EXPECT_EQ("", other);
  EXPECT_NE(std::string(fw_last_error()).find("123456789"), std::string::npos);
}

}  // namespace
}  // namespace fusewire::test
