// SPDX-License-Identifier: Apache-2.0
// Graphs: capturing runs nothing, a replay has the bits of the same calls made anew, whatever a captured stream cannot
// do is refused and spoils nothing.
#include <cstdlib>
#include <memory>
#include <thread>

#include "device_fixture.h"

namespace fusewire::test {
namespace {

// A chain of operations on buffers of its own: a convolution, a sum with random drops by the step in device memory, a
// conversion, a copy and a fill.
class Chain {
 public:
  explicit Chain(fw_stream stream)
      : src(stream, FW_F32, kCount),
        weights(stream, FW_F32, random_reals(7, int64_t(9) * kChannels)),
        middle(stream, FW_F32, kCount),
        sum(stream, FW_F32, kCount),
        halves(stream, FW_BF16, kCount),
        result(stream, FW_BF16, kCount + 8),
        step(stream, sizeof(fw_step)) {
    conv_.batch = kBatch;
    conv_.in_height = conv_.in_width = kSide;
    conv_.in_channels = conv_.out_channels = kChannels;
    conv_.kernel_height = conv_.kernel_width = 3;
    conv_.stride_height = conv_.stride_width = 1;
    conv_.dilation_height = conv_.dilation_width = 1;
    conv_.pad_top = conv_.pad_bottom = conv_.pad_left = conv_.pad_right = 1;
    conv_.activation = FW_SILU;
  }

  fw_status run(fw_stream stream) const {
    const fw_residual residual = {FW_F32, 3, kBatch, kCount / kBatch, 0.5f, 0};
    const fw_status calls[] = {
        fw_depthwise_forward(stream, &conv_, src.address(), weights.address(), 0, middle.address()),
        fw_residual_forward(stream, &residual, step.address(), middle.address(), src.address(), sum.address()),
        fw_convert(stream, FW_F32, sum.address(), FW_BF16, halves.address(), kCount),
        fw_copy(stream, result.address(), halves.address(), halves.bytes()),
        fw_fill(stream, result.address() + uint64_t(halves.bytes()), 0x3f, 16),
    };
    for (const fw_status status : calls) {
      if (status != FW_OK) {
        return status;
      }
    }
    return FW_OK;
  }
  static constexpr int64_t kLaunches = 5;

  // What changes from one launch to the next.
  void prepare(fw_stream stream, uint32_t number) {
    src.upload(random_reals(100 + number, kCount));
    const fw_step values = {99, number, 0, 0, 0, 1, 1};
    ASSERT_FW_OK(fw_write(stream, step.address(), &values, sizeof(values)));
    result.fill_nan();
  }

  static constexpr int64_t kBatch = 6;
  static constexpr int64_t kSide = 5;
  static constexpr int64_t kChannels = 24;
  static constexpr int64_t kCount = kBatch * kSide * kSide * kChannels;

  Buffer src, weights, middle, sum, halves, result;
  Bytes step;

 private:
  fw_conv conv_ = {};
};

class GraphTest : public DeviceTest {
 protected:
  int64_t allocations() const {
    int64_t count = 0;
    EXPECT_FW_OK(fw_memory_allocations(device(), &count));
    return count;
  }
};
FUSEWIRE_ON_EVERY_DEVICE(GraphTest);

TEST_P(GraphTest, ReplaysHaveTheBitsOfCallsMadeAnew) {
  Chain chain(stream());
  std::vector<std::vector<float>> expected;
  for (uint32_t number = 0; number < 4; number++) {
    chain.prepare(stream(), number);
    ASSERT_FW_OK(chain.run(stream()));
    expected.push_back(chain.result.download());
  }
  EXPECT_FALSE(same_bits(expected[0], expected[1]));

  chain.prepare(stream(), 0);
  const std::vector<float> before = chain.result.download();
  fw_graph graph = 0;
  ASSERT_FW_OK(fw_graph_begin(stream(), "chain"));
  ASSERT_FW_OK(chain.run(stream()));
  ASSERT_FW_OK(fw_graph_end(stream(), &graph));
  EXPECT_TRUE(same_bits(before, chain.result.download())) << "capturing ran something";
  int64_t launches = 0;
  ASSERT_FW_OK(fw_graph_launches(graph, &launches));
  EXPECT_EQ(Chain::kLaunches, launches);

  const int64_t allocated = allocations();
  for (const uint32_t number : {0, 1, 2, 3, 1, 1}) {
    chain.prepare(stream(), number);
    ASSERT_FW_OK(fw_graph_launch(graph, stream()));
    EXPECT_TRUE(same_bits(expected[number], chain.result.download())) << "step " << number;
  }
  chain.prepare(stream(), 2);
  expect_deterministic([&] {
    chain.result.fill_nan();
    EXPECT_FW_OK(fw_graph_launch(graph, stream()));
    return chain.result.download();
  });
  EXPECT_EQ(allocated, allocations()) << "launching allocates nothing";

  // Another stream of the device does as well, and calls made anew still work.
  fw_stream other = 0;
  ASSERT_FW_OK(fw_stream_create(device(), &other));
  chain.prepare(stream(), 3);
  ASSERT_FW_OK(fw_stream_synchronize(stream()));
  ASSERT_FW_OK(fw_graph_launch(graph, other));
  ASSERT_FW_OK(fw_stream_destroy(other));
  EXPECT_TRUE(same_bits(expected[3], chain.result.download()));
  chain.prepare(stream(), 1);
  ASSERT_FW_OK(chain.run(stream()));
  EXPECT_TRUE(same_bits(expected[1], chain.result.download()));
  ASSERT_FW_OK(fw_graph_destroy(graph));
}

TEST_P(GraphTest, WhatAGraphCannotHoldIsRefusedAndSpoilsNothing) {
  Chain chain(stream());
  chain.prepare(stream(), 5);
  ASSERT_FW_OK(chain.run(stream()));
  const std::vector<float> expected = chain.result.download();
  chain.prepare(stream(), 5);
  fw_event event = 0;
  ASSERT_FW_OK(fw_event_create(device(), &event));
  fw_graph graph = 0;
  fw_address address = 0;
  float host = 0;
  int64_t bytes = 0;
  fw_conv conv = {};
  fw_graph other = 0;
  ASSERT_FW_OK(fw_graph_begin(stream(), "other"));
  ASSERT_FW_OK(fw_graph_end(stream(), &other));

  ASSERT_FW_OK(fw_graph_begin(stream(), "careful"));
  const char* text = "the stream is captured into the graph \"careful\"";
  const fw_address dst = chain.result.address();
  EXPECT_FW_ERROR(FW_UNSUPPORTED, fw_stream_synchronize(stream()), text);
  EXPECT_FW_ERROR(FW_UNSUPPORTED, fw_copy_from_host(stream(), dst, &host, 4), text);
  EXPECT_FW_ERROR(FW_UNSUPPORTED, fw_copy_to_host(stream(), &host, dst, 4), text);
  EXPECT_FW_ERROR(FW_UNSUPPORTED, fw_write(stream(), dst, &host, 4), text);
  EXPECT_FW_ERROR(FW_UNSUPPORTED, fw_event_record(event, stream()), text);
  EXPECT_FW_ERROR(FW_UNSUPPORTED, fw_stream_wait(stream(), event), text);
  EXPECT_FW_ERROR(FW_UNSUPPORTED, fw_graph_launch(other, stream()), text);
  text = "this thread captures the graph \"careful\"";
  EXPECT_FW_ERROR(FW_UNSUPPORTED, fw_memory_allocate(device(), 64, &address), text);
  EXPECT_FW_ERROR(FW_UNSUPPORTED, fw_host_pin(device(), &host, 4), text);
  EXPECT_FW_ERROR(FW_UNSUPPORTED, fw_graph_begin(stream(), "second"), text);
  // Wrong arguments are what they always are, and questions are answered.
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_depthwise_forward(stream(), nullptr, 0, 0, 0, 0), "conv is null");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_fill(stream(), 0, 1, 4), "dst is null");
  EXPECT_EQ(FW_INVALID_ARGUMENT, fw_depthwise_workspace(stream(), &conv, &bytes));
  ASSERT_FW_OK(chain.run(stream()));
  std::thread([&] {
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_graph_end(stream(), &graph), "another thread began the capture");
    fw_address elsewhere = 0;
    EXPECT_FW_OK(fw_memory_allocate(device(), 64, &elsewhere));
    EXPECT_FW_OK(fw_memory_free(device(), elsewhere));
  }).join();
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_graph_end(stream(), nullptr), "graph is null");
  ASSERT_FW_OK(fw_graph_end(stream(), &graph));
  ASSERT_FW_OK(fw_graph_launch(graph, stream()));
  EXPECT_TRUE(same_bits(expected, chain.result.download()));
  ASSERT_FW_OK(fw_graph_destroy(graph));
  ASSERT_FW_OK(fw_graph_destroy(other));
  ASSERT_FW_OK(fw_event_destroy(event));
}

TEST_P(GraphTest, CapturesEndInEveryWay) {
  Chain chain(stream());
  chain.prepare(stream(), 1);
  fw_graph graph = 77;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_graph_end(stream(), &graph), "the stream is not captured");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_graph_cancel(stream()), "the stream is not captured");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_graph_begin(stream(), nullptr), "name is null");
  ASSERT_FW_OK(fw_graph_begin(stream(), "cancelled"));
  ASSERT_FW_OK(chain.run(stream()));
  ASSERT_FW_OK(fw_graph_cancel(stream()));
  EXPECT_EQ(77u, graph);
  ASSERT_FW_OK(fw_stream_synchronize(stream()));
  ASSERT_FW_OK(chain.run(stream()));

  // A captured stream may be destroyed, and its thread captures another.
  fw_stream gone = 0;
  ASSERT_FW_OK(fw_stream_create(device(), &gone));
  ASSERT_FW_OK(fw_graph_begin(gone, "destroyed"));
  ASSERT_FW_OK(chain.run(gone));
  ASSERT_FW_OK(fw_stream_destroy(gone));
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_graph_begin(gone, "x"), "is closed or was never made");
  ASSERT_FW_OK(fw_graph_begin(stream(), "empty"));
  ASSERT_FW_OK(fw_graph_end(stream(), &graph));
  int64_t launches = -1;
  ASSERT_FW_OK(fw_graph_launches(graph, &launches));
  EXPECT_EQ(0, launches);
  ASSERT_FW_OK(fw_graph_launch(graph, stream()));
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_graph_launches(graph, nullptr), "launches is null");

  for (int32_t other = 0; other < fw_device_count(); other++) {
    if (other != device()) {
      fw_stream elsewhere = 0;
      ASSERT_FW_OK(fw_stream_create(other, &elsewhere));
      EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_graph_launch(graph, elsewhere),
                      "graph empty and the stream belong to different devices");
      ASSERT_FW_OK(fw_stream_destroy(elsewhere));
    }
  }
  ASSERT_FW_OK(fw_graph_destroy(graph));
  for (const fw_graph bad : {graph, fw_graph(0), fw_graph(1) << 50}) {
    const std::string text = "graph " + std::to_string(bad) + " is closed or was never made";
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_graph_launch(bad, stream()), text);
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_graph_launches(bad, &launches), text);
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_graph_destroy(bad), text);
  }
}

TEST_P(GraphTest, SmallWritesAndPinnedCopiesArrive) {
  Buffer dst = buffer(FW_F32, 512);
  std::vector<float> values = random_reals(3, 64);
  const std::vector<float> given = values;
  ASSERT_FW_OK(fw_write(stream(), dst.address(), values.data(), 256));
  values.assign(64, 0.0f);  // what was given counts
  std::vector<float> got = dst.download();
  got.resize(64);
  EXPECT_TRUE(same_bits(given, got));
  EXPECT_FW_OK(fw_write(stream(), 0, nullptr, 0));
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_write(stream(), dst.address(), values.data(), 257), "0 to 256 fits");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_write(stream(), 0, values.data(), 4), "dst is null");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_write(stream(), dst.address(), nullptr, 4), "src is null");

  constexpr int64_t kPage = 4096;
  const std::unique_ptr<void, void (*)(void*)> memory(std::aligned_alloc(kPage, 2 * kPage), &std::free);
  auto* host = static_cast<float*>(memory.get());
  const std::vector<float> many = random_reals(4, 512);
  std::copy(many.begin(), many.end(), host);
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_copy_from_host_async(stream(), dst.address(), host, 2048),
                  "not within memory that is pinned");
  ASSERT_FW_OK(fw_host_pin(device(), host, kPage));
  ASSERT_FW_OK(fw_copy_from_host_async(stream(), dst.address(), host, 2048));
  EXPECT_TRUE(same_bits(many, dst.download()));
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_copy_from_host_async(stream(), dst.address(), host + 1023, 8),
                  "not within memory that is pinned");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_copy_from_host_async(stream(), dst.address(), host - 1, 8),
                  "not within memory that is pinned");
  EXPECT_FW_OK(fw_copy_from_host_async(stream(), dst.address(), host + 1022, 8));
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_host_pin(device(), host, kPage), "are pinned for device");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_host_pin(device(), host + 100, 8), "are pinned for device");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_host_pin(device(), host, 0), "bytes is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_host_pin(device(), nullptr, 8), "memory is null");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_host_unpin(device(), host + 1), "is pinned for device");
  ASSERT_FW_OK(fw_host_unpin(device(), host));
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_host_unpin(device(), host), "is pinned for device");
  ASSERT_FW_OK(fw_stream_synchronize(stream()));
}

}  // namespace
}  // namespace fusewire::test
