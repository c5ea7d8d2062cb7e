// SPDX-License-Identifier: Apache-2.0
// Pooling of windows: against a plain loop in float64, ties, NaN and minus infinity by PyTorch's rules, windows that
// reach over the edge or skip pixels, norm and activation on load, in place, determinism, errors.
#include <cmath>
#include <limits>

#include "device_fixture.h"
#include "fusewire/fused.h"
#include "norm_reference.h"

namespace fusewire::test {
namespace {

using Doubles = std::vector<double>;

fw_pool pool(int32_t dtype, int32_t kind, int64_t batch, int64_t height, int64_t width, int64_t channels,
             int64_t kernel, int64_t stride, int64_t before, int64_t after) {
  return {dtype,  kind,   FW_RELU, 0,      batch,  height, width,  channels,
          kernel, kernel, stride,  stride, before, after,  before, after};
}

struct Expected {
  Doubles dst, diff_src;
};

// x: in(src).
Expected reference(const fw_pool& p, int64_t out_height, int64_t out_width, const Doubles& x,
                   const std::vector<float>& diff, const std::vector<float>& addend) {
  Expected e = {Doubles(diff.size()), Doubles(addend.begin(), addend.end())};
  for (int64_t i = 0; i < int64_t(diff.size()); i++) {
    const int64_t channel = i % p.channels;
    const int64_t column = i / p.channels % out_width;
    const int64_t row = i / p.channels / out_width % out_height;
    const int64_t image = i / p.channels / out_width / out_height;
    std::vector<size_t> window;
    for (int64_t y = row * p.stride_height - p.pad_top; y < row * p.stride_height - p.pad_top + p.kernel_height; y++) {
      for (int64_t z = column * p.stride_width - p.pad_left; z < column * p.stride_width - p.pad_left + p.kernel_width;
           z++) {
        if (y >= 0 && y < p.in_height && z >= 0 && z < p.in_width) {
          window.push_back(size_t(((image * p.in_height + y) * p.in_width + z) * p.channels + channel));
        }
      }
    }
    double best = -std::numeric_limits<double>::infinity();
    size_t place = window[0];
    double sum = 0;
    for (const size_t at : window) {
      sum += x[at];
      if (x[at] > best || std::isnan(x[at])) {
        best = x[at];
        place = at;
      }
    }
    if (p.kind == FW_POOL_MAX) {
      e.dst[size_t(i)] = best;
      e.diff_src[place] += diff[size_t(i)];
    } else {
      e.dst[size_t(i)] = sum / double(window.size());
      for (const size_t at : window) {
        e.diff_src[at] += diff[size_t(i)] / double(window.size());
      }
    }
  }
  return e;
}

class PoolTest : public DeviceTest {
 protected:
  struct Results {
    std::vector<float> dst, diff_src;
  };

  Results run(const fw_pool& p, const std::vector<float>& src, const std::vector<float>& table,
              const std::vector<float>& diff, const std::vector<float>& addend, bool in_place,
              int64_t misalignment = 0) const {
    const Buffer a(stream(), p.dtype, src, misalignment), d(stream(), p.dtype, diff, misalignment),
        more(stream(), p.dtype, addend, misalignment), dst(stream(), p.dtype, int64_t(diff.size()), misalignment),
        other(stream(), p.dtype, int64_t(src.size()), misalignment);
    const Buffer norm = buffer(FW_F32, table.empty() ? std::vector<float>(1) : table);
    const fw_address in_norm = table.empty() ? 0 : norm.address();
    const Buffer& diff_src = in_place ? more : other;
    EXPECT_FW_OK(fw_pool_forward(stream(), &p, a.address(), in_norm, dst.address()));
    EXPECT_FW_OK(fw_pool_backward(stream(), &p, p.kind == FW_POOL_MAX ? a.address() : 0, in_norm, d.address(),
                                  more.address(), diff_src.address()));
    return {dst.download(), diff_src.download()};
  }

  static int64_t results(const fw_pool& p, int64_t* height, int64_t* width) {
    EXPECT_FW_OK(fw_pool_output(&p, height, width));
    return p.batch * *height * *width * p.channels;
  }

  void check(fw_pool p, bool normed, uint64_t seed) {
    SCOPED_TRACE(testing::Message() << dtype_name(p.dtype) << (p.kind == FW_POOL_MAX ? " max " : " average ") << p.batch
                                    << "x" << p.in_height << "x" << p.in_width << "x" << p.channels << " kernel "
                                    << p.kernel_height << "x" << p.kernel_width << " stride " << p.stride_height
                                    << " normed " << normed);
    int64_t height = 0;
    int64_t width = 0;
    const int64_t count = results(p, &height, &width);
    const int64_t pixels = p.batch * p.in_height * p.in_width * p.channels;
    const std::vector<float> src = random_reals(seed, pixels, p.dtype, 0.5f, 2);
    const std::vector<float> diff = random_reals(seed + 1, count, p.dtype);
    const std::vector<float> addend = random_reals(seed + 2, pixels, p.dtype);
    const NormReference norm = norm_reference(src, p.channels, p.in_activation, seed + 3);
    const Expected e =
        reference(p, height, width, normed ? norm.values(src) : Doubles(src.begin(), src.end()), diff, addend);
    const Results got =
        run(p, src, normed ? norm.table : std::vector<float>(), diff, addend, seed % 2 == 0, int64_t(seed % 3 == 0));
    EXPECT_TRUE(rule_of_two(p.dtype, e.dst, got.dst)) << "dst";
    EXPECT_TRUE(rule_of_two(p.dtype, e.diff_src, got.diff_src, 3)) << "diff_src";
  }
};
FUSEWIRE_ON_EVERY_DEVICE(PoolTest);

TEST_P(PoolTest, AgreesWithFloat64) {
  uint64_t seed = 1;
  for (const int32_t dtype : kAllDtypes) {
    for (const bool normed : {false, true}) {
      for (const int64_t channels : {1, 7, 24}) {
        check(pool(dtype, FW_POOL_MAX, 2, 8, 7, channels, 3, 2, 1, 1), normed, seed++);      // a stem's
        check(pool(dtype, FW_POOL_AVERAGE, 2, 7, 6, channels, 2, 2, 0, 1), normed, seed++);  // a shortcut's, ceil mode
      }
      check(pool(dtype, FW_POOL_MAX, 1, 5, 5, 16, 2, 3, 0, 0), normed, seed++);  // pixels that no window has
      check(pool(dtype, FW_POOL_MAX, 1, 4, 6, 8, 5, 1, 4, 4), normed, seed++);   // more windows than pixels
      check(pool(dtype, FW_POOL_AVERAGE, 1, 1, 1, 40, 3, 1, 1, 1), normed, seed++);
      check(pool(dtype, FW_POOL_AVERAGE, 3, 9, 4, 8, 3, 2, 2, 1), normed, seed++);
    }
    fw_pool oblong = pool(dtype, FW_POOL_MAX, 2, 6, 9, 16, 2, 1, 0, 1);
    oblong.kernel_width = 4;
    oblong.stride_width = 3;
    oblong.pad_left = 3;
    oblong.in_activation = FW_SILU;
    check(oblong, true, seed++);
    oblong.kind = FW_POOL_AVERAGE;
    check(oblong, true, seed++);
  }
  if (!slow()) {
    check(pool(FW_F32, FW_POOL_MAX, 3, 57, 56, 64, 3, 2, 1, 1), true, seed++);
    check(pool(FW_BF16, FW_POOL_AVERAGE, 2, 56, 57, 130, 2, 2, 0, 0), true, seed++);
  }
}

TEST_P(PoolTest, GradientGoesToTheFirstOfEqualValues) {
  const fw_pool p = pool(FW_F32, FW_POOL_MAX, 2, 7, 8, 20, 3, 2, 1, 1);
  int64_t height = 0;
  int64_t width = 0;
  const int64_t count = results(p, &height, &width);
  const std::vector<float> src = random_integers(1, 2 * 7 * 8 * 20, 1);  // -1, 0 and 1
  const std::vector<float> diff = random_integers(2, count, 9);
  const std::vector<float> zeros(src.size());
  const Expected e = reference(p, height, width, Doubles(src.begin(), src.end()), diff, zeros);
  const Results got = run(p, src, {}, diff, zeros, false);
  EXPECT_TRUE(exactly_equal(e.dst, got.dst));
  EXPECT_TRUE(exactly_equal(e.diff_src, got.diff_src));
}

TEST_P(PoolTest, NanAndInfinity) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float low = -std::numeric_limits<float>::infinity();
  for (const int32_t dtype : kAllDtypes) {
    const fw_pool p = pool(dtype, FW_POOL_MAX, 1, 2, 6, 1, 2, 2, 0, 0);
    //                                 a NaN among numbers, the last of two, nothing but minus infinity
    const std::vector<float> src = {1, nan, nan, 2, low, low, 5, 3, 4, nan, low, low};
    const Results got = run(p, src, {}, {1, 2, 4}, std::vector<float>(12), false);
    EXPECT_TRUE(std::isnan(got.dst[0]));
    EXPECT_TRUE(std::isnan(got.dst[1]));
    EXPECT_EQ(low, got.dst[2]);
    EXPECT_EQ((std::vector<float>{0, 1, 0, 0, 4, 0, 0, 0, 0, 2, 0, 0}), got.diff_src);
    fw_pool mean = p;
    mean.kind = FW_POOL_AVERAGE;
    const std::vector<float> averages = run(mean, src, {}, {1, 2, 4}, std::vector<float>(12), false).dst;
    EXPECT_TRUE(std::isnan(averages[0]));
    EXPECT_EQ(low, averages[2]);
  }
}

TEST_P(PoolTest, Deterministic) {
  for (const int32_t kind : {FW_POOL_MAX, FW_POOL_AVERAGE}) {
    const fw_pool p = pool(FW_BF16, kind, 2, 15, 15, 24, 3, 2, 1, 1);
    int64_t height = 0;
    int64_t width = 0;
    const int64_t count = results(p, &height, &width);
    const std::vector<float> src = random_reals(1, int64_t(2) * 15 * 15 * 24, FW_BF16);
    const std::vector<float> diff = random_reals(2, count, FW_BF16);
    const NormReference norm = norm_reference(src, 24, FW_RELU, 3);
    expect_deterministic([&] {
      Results r = run(p, src, norm.table, diff, src, false);
      r.dst.insert(r.dst.end(), r.diff_src.begin(), r.diff_src.end());
      return r.dst;
    });
  }
}

TEST_P(PoolTest, RefusesWhatDoesNotFit) {
  const Buffer some = buffer(FW_F32, 4096);
  const fw_address a = some.address();
  const fw_pool good = pool(FW_F32, FW_POOL_MAX, 1, 4, 4, 8, 3, 2, 1, 1);
  const auto refused = [&](auto change, const char* message) {
    fw_pool p = good;
    change(p);
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_pool_forward(stream(), &p, a, a, a), message);
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_pool_backward(stream(), &p, a, a, a, a, a), message);
  };
  refused([](fw_pool& p) { p.dtype = 7; }, "dtype is 7");
  refused([](fw_pool& p) { p.kind = 2; }, "kind is 2");
  refused([](fw_pool& p) { p.in_activation = 4; }, "activation is 4");
  refused([](fw_pool& p) { p.in_height = 0; }, "in_height is 0");
  refused([](fw_pool& p) { p.stride_width = 0; }, "stride_width is 0");
  refused([](fw_pool& p) { p.kernel_width = 5000; }, "kernel_width is 5000");
  refused([](fw_pool& p) { p.pad_top = 3; }, "pad_top is 3");
  refused([](fw_pool& p) { p.pad_right = -1; }, "pad_right is -1");
  refused([](fw_pool& p) { p.in_width = 1, p.pad_left = 0, p.pad_right = 0; }, "more than the padded input's 1");
  refused([](fw_pool& p) { p.batch = -1; }, "batch is -1");
  refused([](fw_pool& p) { p.channels = 0; }, "channels is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_pool_forward(stream(), nullptr, a, a, a), "pool is null");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_pool_forward(stream(), &good, 0, 0, a), "address of src is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_pool_forward(stream(), &good, a, a + 1, a), "address of in_norm");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_pool_forward(stream(), &good, a, 0, 0), "address of dst is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_pool_backward(stream(), &good, 0, 0, a, 0, a), "address of src is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_pool_backward(stream(), &good, a, 0, 0, 0, a), "address of diff_dst is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_pool_backward(stream(), &good, a, 0, a, a + 2, a), "address of addend");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_pool_backward(stream(), &good, a, 0, a, 0, 0), "address of diff_src is 0");
  int64_t height = 0;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_pool_output(&good, &height, nullptr), "out_width is null");
  fw_pool empty = good;
  empty.batch = 0;
  EXPECT_FW_OK(fw_pool_forward(stream(), &empty, 0, 0, 0));
  EXPECT_FW_OK(fw_pool_backward(stream(), &empty, 0, 0, 0, 0, 0));
}

}  // namespace
}  // namespace fusewire::test
