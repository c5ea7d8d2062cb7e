// SPDX-License-Identifier: Apache-2.0
// Image batches: against float64 with the reference's random numbers; identity, padding, flip, resampling, errors.
#include <cmath>

#include "device_fixture.h"
#include "philox_reference.h"

namespace fusewire::test {
namespace {

constexpr uint64_t kSeed = 99;
constexpr uint32_t kStep = 4;
constexpr uint32_t kLayer = 7;

int64_t draw(uint32_t word, int64_t count) { return int64_t((uint64_t(word) * uint64_t(count)) >> 32); }

std::vector<double> reference(const fw_image_batch& p, const std::vector<uint8_t>& src) {
  std::vector<double> dst;
  for (int64_t n = 0; n < p.batch; n++) {
    const Words4 words = philox4x32_10({uint32_t(kSeed), uint32_t(kSeed >> 32)}, {uint32_t(n), 0, kStep, kLayer});
    auto top = int64_t(std::floor(double(p.in_height - p.crop_height) / 2));
    auto left = int64_t(std::floor(double(p.in_width - p.crop_width) / 2));
    if (p.random != 0) {
      top = draw(words[0], p.in_height - p.crop_height + 2 * p.padding + 1) - p.padding;
      left = draw(words[1], p.in_width - p.crop_width + 2 * p.padding + 1) - p.padding;
    }
    const bool flip = p.flip != 0 && float(words[2] >> 8) / 16777216.0f < 0.5f;
    const auto pixel = [&](int64_t y, int64_t x, int64_t c) {  // of the window, repeated at its edges
      y = top + std::min(std::max(y, int64_t(0)), p.crop_height - 1);
      x = left + std::min(std::max(x, int64_t(0)), p.crop_width - 1);
      const bool inside = y >= 0 && y < p.in_height && x >= 0 && x < p.in_width;
      return inside ? double(src[size_t(((n * p.in_height + y) * p.in_width + x) * p.channels + c)]) : 0.0;
    };
    for (int64_t y = 0; y < p.out_height; y++) {
      for (int64_t x = 0; x < p.out_width; x++) {
        const double sy = (double(y) + 0.5) * double(p.crop_height) / double(p.out_height) - 0.5;
        const double mirrored = double(flip ? p.out_width - 1 - x : x);
        const double sx = (mirrored + 0.5) * double(p.crop_width) / double(p.out_width) - 0.5;
        const auto y0 = int64_t(std::floor(sy));
        const auto x0 = int64_t(std::floor(sx));
        const double wy = sy - double(y0);
        const double wx = sx - double(x0);
        for (int64_t c = 0; c < p.channels; c++) {
          const double value = (1 - wy) * ((1 - wx) * pixel(y0, x0, c) + wx * pixel(y0, x0 + 1, c)) +
                               wy * ((1 - wx) * pixel(y0 + 1, x0, c) + wx * pixel(y0 + 1, x0 + 1, c));
          dst.push_back((value / 255 - double(p.mean[c])) / double(p.std[c]));
        }
      }
    }
  }
  return dst;
}

class ImageTest : public DeviceTest {
 protected:
  fw_image_batch problem(int32_t dtype, int64_t batch, int64_t height, int64_t width, int64_t channels) const {
    return {dtype,
            0,
            0,
            kLayer,
            batch,
            height,
            width,
            channels,
            height,
            width,
            height,
            width,
            0,
            {0.485f, 0.456f, 0.406f, 0.5f},
            {0.229f, 0.224f, 0.225f, 0.25f}};
  }
  std::vector<uint8_t> images(const fw_image_batch& p) const {
    std::mt19937_64 random(5);
    std::vector<uint8_t> src(static_cast<size_t>(p.batch * p.in_height * p.in_width * p.channels));
    for (uint8_t& v : src) {
      v = uint8_t(random());
    }
    return src;
  }
  Bytes step() const {
    const fw_step s = {kSeed, kStep, 0, 0, 0, 1, 1};
    return Bytes(stream(), &s, sizeof(s));
  }
  std::vector<float> run(const fw_image_batch& p, const std::vector<uint8_t>& src) {
    const Bytes s = step();
    const Bytes in(stream(), src.data(), int64_t(src.size()));
    Buffer out = buffer(p.dtype, p.batch * p.out_height * p.out_width * p.channels);
    const bool random = p.random != 0 || p.flip != 0;
    EXPECT_FW_OK(fw_image_batch_forward(stream(), &p, random ? s.address() : 0, in.address(), out.address()));
    return out.download();
  }
};
FUSEWIRE_ON_EVERY_DEVICE(ImageTest);

TEST_P(ImageTest, AgainstFloat64) {
  struct Case {
    int64_t height, width, crop_height, crop_width, out_height, out_width, padding;
  };
  const Case cases[] = {{28, 28, 28, 28, 28, 28, 0}, {28, 28, 28, 28, 32, 32, 2}, {30, 41, 24, 25, 24, 25, 0},
                        {13, 9, 13, 9, 40, 31, 0},   {64, 48, 40, 40, 17, 23, 4}, {1, 1, 1, 1, 5, 7, 0},
                        {10, 10, 16, 15, 16, 15, 3}, {5, 300, 5, 280, 3, 290, 1}};
  for (const Case& c : cases) {
    for (const int64_t channels : {1, 2, 3, 4}) {
      for (const int mode : {int(c.height + channels) % 4, int(c.height + channels + 1) % 4}) {
        fw_image_batch p = problem(kAllDtypes[(mode + channels) % 3], 5, c.height, c.width, channels);
        p.crop_height = c.crop_height;
        p.crop_width = c.crop_width;
        p.out_height = c.out_height;
        p.out_width = c.out_width;
        p.padding = c.padding;
        p.random = mode & 1;
        p.flip = mode >> 1;
        const std::vector<uint8_t> src = images(p);
        EXPECT_TRUE(rule_of_two(p.dtype, reference(p, src), run(p, src)))
            << c.height << "x" << c.width << "x" << channels << " to " << c.out_height << "x" << c.out_width << " mode "
            << mode << " " << dtype_name(p.dtype);
      }
    }
  }
}

TEST_P(ImageTest, ExactWithoutResampling) {
  fw_image_batch p = problem(FW_F32, 3, 20, 33, 3);
  for (int c = 0; c < 4; c++) {
    p.mean[c] = 0;
    p.std[c] = 1.0f / 255;
  }
  p.random = p.flip = 1;
  p.padding = 4;
  const std::vector<uint8_t> src = images(p);
  std::vector<double> expected = reference(p, src);
  for (double& v : expected) {
    v = std::round(v);
  }
  EXPECT_TRUE(close_to(expected, run(p, src), 1e-6, 0));
}

TEST_P(ImageTest, CornersAndFlipsAreSpreadEvenly) {
  const int64_t batch = slow() ? 300 : 6000;
  fw_image_batch p = problem(FW_F32, batch, 5, 5, 1);
  p.crop_height = p.crop_width = p.out_height = p.out_width = 2;
  p.random = p.flip = 1;
  p.mean[0] = 0;
  p.std[0] = 1;
  std::vector<uint8_t> src;
  for (int64_t n = 0; n < batch; n++) {
    for (int i = 0; i < 25; i++) {
      src.push_back(uint8_t(i));
    }
  }
  const std::vector<float> got = run(p, src);
  double flips = 0;
  std::vector<double> corners(16);
  for (size_t n = 0; n < size_t(batch); n++) {
    const auto a = int(std::lround(got[4 * n] * 255));
    const auto b = int(std::lround(got[4 * n + 1] * 255));
    flips += a > b ? 1 : 0;
    const auto corner = size_t(std::min(a, b));
    corners[corner / 5 * 4 + corner % 5]++;
  }
  EXPECT_NEAR(0.5, flips / double(batch), 2.5 / std::sqrt(double(batch)));
  for (const double count : corners) {
    EXPECT_NEAR(1.0 / 16, count / double(batch), 5 * 0.242 / std::sqrt(double(batch)));
  }
}

TEST_P(ImageTest, Deterministic) {
  fw_image_batch p = problem(FW_F32, 7, 40, 40, 3);
  p.out_height = p.out_width = 56;
  p.random = p.flip = 1;
  p.padding = 3;
  const std::vector<uint8_t> src = images(p);
  expect_deterministic([&] { return run(p, src); });
}

TEST_P(ImageTest, RefusesWhatDoesNotFit) {
  Buffer a = buffer(FW_F32, 64);
  const Bytes s = step();
  const fw_address x = a.address();
  const fw_image_batch good = problem(FW_F32, 1, 4, 4, 3);
  const auto call = [&](const fw_image_batch* p, fw_address at, fw_address src, fw_address dst) {
    return fw_image_batch_forward(stream(), p, at, src, dst);
  };
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, call(nullptr, 0, x, x), "problem is null");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, call(&good, 0, 0, x), "address of src is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, call(&good, 0, x, x + 2), "address of dst");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_image_batch_forward(stream() + 1000, &good, 0, x, x), "stream");
  const auto refused = [&](auto change, const char* text) {
    fw_image_batch p = good;
    change(p);
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, call(&p, s.address(), x, x), text);
  };
  refused([](fw_image_batch& p) { p.dtype = 8; }, "dtype is 8");
  refused([](fw_image_batch& p) { p.random = 2; }, "random is 2");
  refused([](fw_image_batch& p) { p.flip = -1; }, "flip is -1");
  refused([](fw_image_batch& p) { p.batch = -1; }, "batch is -1");
  refused([](fw_image_batch& p) { p.channels = 5; }, "channels is 5");
  refused([](fw_image_batch& p) { p.in_height = 0; }, "in_height is 0");
  refused([](fw_image_batch& p) { p.crop_width = 0; }, "crop_width is 0");
  refused([](fw_image_batch& p) { p.out_height = 0; }, "out_height is 0");
  refused([](fw_image_batch& p) { p.out_width = 100000; }, "out_width is 100000");
  refused([](fw_image_batch& p) { p.padding = -1; }, "padding is -1");
  refused([](fw_image_batch& p) { p.random = 1, p.crop_height = 5; }, "window of height 5 does not fit into 4");
  refused([](fw_image_batch& p) { p.std[2] = 0; }, "std of channel 2");
  refused([](fw_image_batch& p) { p.mean[0] = NAN; }, "std of channel 0 are nan");
  fw_image_batch p = good;
  p.flip = 1;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, call(&p, 0, x, x), "address of step is 0");
  p.batch = 0;
  EXPECT_FW_OK(call(&p, s.address(), 0, 0));
}

}  // namespace
}  // namespace fusewire::test
