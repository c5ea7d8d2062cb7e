// SPDX-License-Identifier: Apache-2.0
// Tests that run on every device there is: the CPU, each GPU, the checked device in ascending, descending and two
// random thread orders, and the metered device. A test file writes
//   class ConvertTest : public DeviceTest {};
//   FUSEWIRE_ON_EVERY_DEVICE(ConvertTest);
//   TEST_P(ConvertTest, Rounds) { Buffer src = buffer(FW_F32, values); ... fw_convert(stream(), ...); }
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "buffer.h"
#include "compare.h"
#include "float16_bits.h"
#include "fusewire/fusewire.h"
#include "random_data.h"

namespace fusewire::test {

struct DeviceCase {
  int32_t device;
  int32_t kind;    // fw_device_kind
  uint64_t order;  // of a block's threads, on the checked device
  std::string name;
  bool tf32 = false;  // products of f32 are TF32's
};
inline std::ostream& operator<<(std::ostream& out, const DeviceCase& c) { return out << c.name; }

// All of them, the CPU first.
std::vector<DeviceCase> device_cases();
// Those, and once more those with tensor cores, set to TF32.
std::vector<DeviceCase> product_cases();

class DeviceTest : public ::testing::TestWithParam<DeviceCase> {
 protected:
  void SetUp() override;
  void TearDown() override;

  int32_t device() const { return GetParam().device; }
  fw_stream stream() const { return stream_; }
  // The checked device runs every thread as a fiber, the metered one counts every access: they get smaller problems.
  bool slow() const { return GetParam().kind == FW_CHECKED || GetParam().kind == FW_METERED; }

  // Tensor cores take operands of the storage type: where a product's prologue, or f32 weights, make operands that this
  // type does not hold, they are rounded to it, as in every framework; the sums are f32 all the same. Other devices
  // multiply in f32.
  bool rounds_operands(int32_t dtype) const {
    return (dtype != FW_F32 || tf32()) && (GetParam().kind == FW_CHECKED || GetParam().kind == FW_CUDA);
  }
  bool tf32() const { return GetParam().tf32; }
  // The type whose rounding results in `dtype` are judged by: TF32 has as many significant bits as f16.
  int32_t judged(int32_t dtype) const { return dtype == FW_F32 && tf32() ? FW_F16 : dtype; }
  // The storage types to go through, for products.
  std::vector<int32_t> dtypes() const {
    return tf32() ? std::vector<int32_t>{FW_F32} : std::vector<int32_t>{FW_F32, FW_BF16, FW_F16};
  }
  // rule_of_two() for sums of products of two operands, kept in f32, that come from tensors of type `dtype`. Where both
  // are rounded their independent errors make sqrt(2) times that of rounding once.
  ::testing::AssertionResult sums_of_products(int32_t dtype, const std::vector<double>& expected,
                                              const std::vector<float>& got) const {
    return rounds_operands(dtype) ? rule_of_two(judged(dtype), expected, got, 1.5)
                                  : rule_of_two(FW_F32, expected, got, 3);
  }

  Buffer buffer(int32_t dtype, int64_t count) const { return Buffer(stream_, dtype, count); }
  Buffer buffer(int32_t dtype, const std::vector<float>& values) const { return Buffer(stream_, dtype, values); }

  // Calls run(), which does the whole operation and returns what it computed, several times: with 1, 2 and 5 threads on
  // the CPU, in all orders on the checked device, again and again on a GPU. All results have the same bits.
  void expect_deterministic(const std::function<std::vector<float>()>& run);

 private:
  fw_stream stream_ = 0;
  int64_t live_before_ = 0;
};

// The storage types, for loops in tests.
constexpr int32_t kAllDtypes[] = {FW_F32, FW_BF16, FW_F16};
inline const char* dtype_name(int32_t dtype) { return dtype == FW_F32 ? "f32" : dtype == FW_BF16 ? "bf16" : "f16"; }

#define FUSEWIRE_ON_EVERY_DEVICE(Suite)                                 \
  INSTANTIATE_TEST_SUITE_P(                                             \
      On, Suite, ::testing::ValuesIn(::fusewire::test::device_cases()), \
      [](const ::testing::TestParamInfo<::fusewire::test::DeviceCase>& info) { return info.param.name; })

// For what multiplies matrices.
#define FUSEWIRE_ON_EVERY_DEVICE_AND_MATH(Suite)                         \
  INSTANTIATE_TEST_SUITE_P(                                              \
      On, Suite, ::testing::ValuesIn(::fusewire::test::product_cases()), \
      [](const ::testing::TestParamInfo<::fusewire::test::DeviceCase>& info) { return info.param.name; })

#define ASSERT_FW_OK(call) ASSERT_EQ(FW_OK, (call)) << fw_last_error()
#define EXPECT_FW_OK(call) EXPECT_EQ(FW_OK, (call)) << fw_last_error()
// The call is refused with `status` and a message that contains `text`.
#define EXPECT_FW_ERROR(status, call, text)                                        \
  do {                                                                             \
    EXPECT_EQ(status, (call));                                                     \
    EXPECT_NE(std::string(fw_last_error()).find(text), std::string::npos)          \
        << "the message is: " << fw_last_error() << "; it should say: " << (text); \
  } while (false)

}  // namespace fusewire::test
