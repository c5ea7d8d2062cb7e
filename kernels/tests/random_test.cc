// SPDX-License-Identifier: Apache-2.0
// fw_random_uniform: Random123's known answers, every device against the reference, and the numbers' distribution.
#include <cmath>

#include "device_fixture.h"
#include "philox_reference.h"

namespace fusewire::test {
namespace {

class RandomTest : public DeviceTest {
 protected:
  std::vector<float> uniforms(uint64_t seed, uint32_t sample, uint32_t step, uint32_t layer, int64_t count,
                              int64_t misalignment = 0) {
    Buffer dst(stream(), FW_F32, count, misalignment);
    EXPECT_FW_OK(fw_random_uniform(stream(), seed, sample, step, layer, dst.address(), count));
    return dst.download();
  }
};
FUSEWIRE_ON_EVERY_DEVICE(RandomTest);

TEST(Philox, ReferenceGivesRandom123KnownAnswers) {
  EXPECT_EQ((Words4{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}), philox4x32_10({0, 0}, {0, 0, 0, 0}));
  constexpr uint32_t kOnes = 0xffffffff;
  EXPECT_EQ((Words4{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}),
            philox4x32_10({kOnes, kOnes}, {kOnes, kOnes, kOnes, kOnes}));
  EXPECT_EQ((Words4{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}),
            philox4x32_10({0xa4093822, 0x299f31d0}, {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}));
}

TEST_P(RandomTest, KnownAnswerOfTheFirstCounter) {
  const std::vector<float> got = uniforms(0, 0, 0, 0, 4);
  const uint32_t words[] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
  for (size_t i = 0; i < 4; i++) {
    EXPECT_EQ(float(words[i] >> 8) * 0x1p-24f, got[i]);
  }
}

TEST_P(RandomTest, MatchesTheReferenceForAnyCountAlignmentAndStream) {
  std::mt19937_64 random(3);
  for (const int64_t count : {1, 3, 4, 5, 15, 16, 17, 63, 1000, 20000}) {
    for (const int64_t misalignment : {0, 1, 2}) {
      const uint64_t seed = random();
      const auto sample = uint32_t(random());
      const auto step = uint32_t(random());
      const auto layer = uint32_t(random());
      const std::vector<float> got = uniforms(seed, sample, step, layer, count, misalignment);
      for (int64_t i = 0; i < count; i++) {
        ASSERT_EQ(reference_uniform(seed, i, sample, step, layer), got[size_t(i)])
            << "number " << i << " of " << count << ", seed " << seed;
      }
    }
  }
}

TEST_P(RandomTest, MomentsOfUniformNumbers) {
  const int64_t count = slow() ? 100000 : 4000000;
  const std::vector<float> got = uniforms(42, 1, 2, 3, count);
  double sum = 0;
  double squares = 0;
  double neighbours = 0;
  for (size_t i = 0; i < got.size(); i++) {
    ASSERT_GE(got[i], 0.0f);
    ASSERT_LT(got[i], 1.0f);
    sum += got[i];
    squares += double(got[i]) * got[i];
    neighbours += (got[i] - 0.5) * (got[(i + 1) % got.size()] - 0.5);
  }
  const double limit = 5 / std::sqrt(double(count));  // five standard deviations of a unit variable's mean
  EXPECT_NEAR(0.5, sum / double(count), limit * 0.289);
  EXPECT_NEAR(1.0 / 3, squares / double(count), limit * 0.299);
  EXPECT_NEAR(0, neighbours / double(count), limit * 0.084);
}

TEST_P(RandomTest, Deterministic) {
  expect_deterministic([&] { return uniforms(7, 0, 1, 2, 50000); });
}

TEST_P(RandomTest, RefusesWhatDoesNotFit) {
  Buffer a = buffer(FW_F32, 4);
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_random_uniform(stream(), 0, 0, 0, 0, 0, 4), "address of dst is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_random_uniform(stream(), 0, 0, 0, 0, a.address() + 2, 1), "multiple");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_random_uniform(stream(), 0, 0, 0, 0, a.address(), -1), "count is -1");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_random_uniform(stream(), 0, 0, 0, 0, a.address(), (int64_t(1) << 34) + 1),
                  "count is 17179869185");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_random_uniform(stream() + 1000, 0, 0, 0, 0, a.address(), 4), "stream");
  EXPECT_FW_OK(fw_random_uniform(stream(), 0, 0, 0, 0, 0, 0));
}

}  // namespace
}  // namespace fusewire::test
