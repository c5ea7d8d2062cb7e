// SPDX-License-Identifier: Apache-2.0
// fw_convert between all storage types, all bit patterns of the 16-bit ones, against the host's reference.
#include <cmath>
#include <cstring>

#include "device_fixture.h"

namespace fusewire::test {
namespace {

class ConvertTest : public DeviceTest {
 protected:
  std::vector<uint32_t> convert(int32_t src_dtype, const std::vector<uint32_t>& bits, int32_t dst_dtype) {
    Buffer src = buffer(src_dtype, int64_t(bits.size()));
    Buffer dst = buffer(dst_dtype, int64_t(bits.size()));
    src.upload_bits(bits);
    EXPECT_FW_OK(fw_convert(stream(), src_dtype, src.address(), dst_dtype, dst.address(), src.count()));
    return dst.download_bits();
  }
};
FUSEWIRE_ON_EVERY_DEVICE(ConvertTest);

uint32_t bits_of(float x) {
  uint32_t bits = 0;
  std::memcpy(&bits, &x, sizeof(bits));
  return bits;
}
float float_of(uint32_t bits) {
  float x = 0;
  std::memcpy(&x, &bits, sizeof(x));
  return x;
}

TEST_P(ConvertTest, EveryPatternOf16BitsWidensExactly) {
  std::vector<uint32_t> patterns(65536);
  for (uint32_t i = 0; i < 65536; i++) {
    patterns[i] = i;
  }
  for (const int32_t dtype : {FW_BF16, FW_F16}) {
    const std::vector<uint32_t> wide = convert(dtype, patterns, FW_F32);
    for (uint32_t i = 0; i < 65536; i++) {
      const double expected = format_of(dtype).decode(uint16_t(i));
      if (std::isnan(expected)) {
        ASSERT_TRUE(std::isnan(float_of(wide[i]))) << dtype_name(dtype) << " pattern " << i;
      } else {
        ASSERT_EQ(bits_of(float(expected)), wide[i]) << dtype_name(dtype) << " pattern " << i;
      }
    }
  }
}

// Every value of the 16-bit type, the midpoint to the next, and the floats next to that midpoint.
TEST_P(ConvertTest, RoundsToNearestEven) {
  for (const int32_t dtype : {FW_BF16, FW_F16}) {
    const Float16Format& format = format_of(dtype);
    std::vector<uint32_t> inputs;
    for (uint32_t i = 0; i < 65536; i += slow() ? 7 : 1) {
      const double value = format.decode(uint16_t(i));
      const double next = format.decode(uint16_t(i + 1));
      if (std::isnan(value)) {
        continue;
      }
      inputs.push_back(bits_of(float(value)));
      if (std::isfinite(value) && std::isfinite(next)) {
        const float middle = float((value + next) / 2);
        for (const float x : {middle, std::nextafter(middle, -INFINITY), std::nextafter(middle, INFINITY)}) {
          inputs.push_back(bits_of(x));
        }
      }
    }
    const double most = format.decode(uint16_t(format.encode(INFINITY) - 1));
    const double step = most - format.decode(uint16_t(format.encode(INFINITY) - 2));
    for (const float x : {float(most + step / 2), std::nextafter(float(most + step / 2), 0.0f), 3.4e38f, 1e-45f}) {
      inputs.push_back(bits_of(x));
      inputs.push_back(bits_of(-x));
    }
    const std::vector<uint32_t> narrow = convert(FW_F32, inputs, dtype);
    for (size_t i = 0; i < inputs.size(); i++) {
      ASSERT_EQ(format.encode(double(float_of(inputs[i]))), narrow[i])
          << dtype_name(dtype) << " of " << float_of(inputs[i]);
    }
  }
}

TEST_P(ConvertTest, NaNStaysNaN) {
  const std::vector<uint32_t> nans = {0x7fc00000u, 0xffc00000u, 0x7f800001u, 0xff800001u, 0x7fffffffu, 0xffffffffu};
  for (const int32_t dtype : kAllDtypes) {
    for (const uint32_t bits : convert(FW_F32, nans, dtype)) {
      const double value = dtype == FW_F32 ? double(float_of(bits)) : format_of(dtype).decode(uint16_t(bits));
      EXPECT_TRUE(std::isnan(value)) << dtype_name(dtype);
    }
  }
}

TEST_P(ConvertTest, AnyCountAndAlignment) {
  for (const int32_t src_dtype : kAllDtypes) {
    for (const int32_t dst_dtype : kAllDtypes) {
      for (const int64_t count : {1, 2, 7, 8, 15, 16, 17, 33, 1000}) {
        for (const int64_t misalignment : {0, 1}) {
          const std::vector<float> values = random_integers(uint64_t(count), count, 100);
          Buffer src(stream(), src_dtype, values, misalignment);
          Buffer dst(stream(), dst_dtype, count, misalignment);
          ASSERT_FW_OK(fw_convert(stream(), src_dtype, src.address(), dst_dtype, dst.address(), count));
          ASSERT_EQ(values, dst.download()) << dtype_name(src_dtype) << " to " << dtype_name(dst_dtype) << ", " << count
                                            << " elements, misaligned by " << misalignment;
        }
      }
    }
  }
}

TEST_P(ConvertTest, RefusesWhatDoesNotFit) {
  Buffer a = buffer(FW_F32, 4);
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_convert(stream(), 3, a.address(), FW_F32, a.address(), 4), "src_dtype is 3");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_convert(stream(), 0, a.address(), -1, a.address(), 4), "dst_dtype is -1");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_convert(stream(), 0, 0, 0, a.address(), 4), "address of src is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_convert(stream(), 0, a.address(), 0, a.address() + 2, 1),
                  "not a multiple of its element's 4 bytes");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_convert(stream(), 0, a.address(), 0, a.address(), -1), "count is -1");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_convert(stream(), 0, a.address(), 0, a.address(), INT64_MAX), "2^62 bytes");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_convert(stream() + 1000, 0, a.address(), 0, a.address(), 4), "stream");
  EXPECT_FW_OK(fw_convert(stream(), FW_F32, 0, FW_F16, 0, 0));
}

}  // namespace
}  // namespace fusewire::test
