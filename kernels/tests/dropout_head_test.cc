// SPDX-License-Identifier: Apache-2.0
// Multi-sample-dropout head: forward, backward, inference and evaluation against float64 with the reference's masks.
#include <cmath>

#include "device_fixture.h"
#include "dropout_head_reference.h"

namespace fusewire::test {
namespace {

using namespace head;
constexpr float kLossScale = 1024;

Doubles times(const Doubles& a, double factor) {
  Doubles r = a;
  for (double& v : r) {
    v *= factor;
  }
  return r;
}

class DropoutHeadTest : public DeviceTest {
 protected:
  struct Forward {
    std::vector<float> losses, diff_logits;
    std::vector<int32_t> correct;
  };
  struct Backward {
    std::vector<float> pooled, weights, bias;
  };

  fw_dropout_head problem(int32_t mode, int64_t batch, int64_t channels, int64_t classes, int64_t samples,
                          float dropout = 0.3f, float smoothing = 0.1f) const {
    return {mode, 11, batch, channels, classes, samples, dropout, smoothing};
  }
  Input input(const fw_dropout_head& p, uint64_t seed) const {
    Input in = {random_reals(seed, p.batch * p.channels, FW_F32, 0.3f, 0.7f),
                random_reals(seed + 1, p.classes * p.channels, FW_F32, 0, 2 / std::sqrt(float(p.channels))),
                random_reals(seed + 2, p.classes), std::vector<int32_t>(size_t(p.batch))};
    std::mt19937_64 random(seed + 3);
    for (int32_t& label : in.labels) {
      label = int32_t(random() % uint64_t(p.classes));
    }
    return in;
  }
  Bytes step() const {
    const fw_step s = {kSeed, kStep, 0.1f, 0.9f, 0.99f, 1, 1};
    return Bytes(stream(), &s, sizeof(s));
  }
  Bytes integers(const std::vector<int32_t>& values) const {
    return Bytes(stream(), values.data(), int64_t(values.size() * sizeof(int32_t)));
  }
  std::vector<int32_t> integers(const Bytes& bytes) const {
    std::vector<int32_t> r(size_t(bytes.bytes()) / 4);
    bytes.download(r.data());
    return r;
  }
  int64_t workspace_bytes(const fw_dropout_head& p) const {
    int64_t bytes = 0;
    EXPECT_FW_OK(fw_dropout_head_workspace(stream(), &p, &bytes));
    return bytes;
  }

  Forward forward(const fw_dropout_head& p, const Input& in) {
    const Bytes s = step();
    const Bytes labels = integers(in.labels);
    Bytes correct(stream(), p.batch * 4);
    Buffer x = buffer(FW_F32, in.pooled);
    Buffer w = buffer(FW_F32, in.weights);
    Buffer b = buffer(FW_F32, in.bias);
    Buffer losses = buffer(FW_F32, p.batch);
    Buffer diff = buffer(FW_F32, sets_of(p) * p.batch * p.classes);
    Bytes workspace(stream(), workspace_bytes(p));
    EXPECT_FW_OK(fw_dropout_head_forward(stream(), &p, s.address(), x.address(), w.address(), b.address(),
                                         labels.address(), losses.address(), correct.address(), diff.address(),
                                         workspace.address(), workspace.bytes()));
    return {losses.download(), diff.download(), integers(correct)};
  }

  Backward backward(const fw_dropout_head& p, const Input& in, const std::vector<float>& diff_logits,
                    bool scaled = true) {
    const fw_loss_scale scale = {kLossScale, 0, 0, 0, 0};
    const Bytes loss_scale(stream(), &scale, sizeof(scale));
    const Bytes s = step();
    Buffer x = buffer(FW_F32, in.pooled);
    Buffer w = buffer(FW_F32, in.weights);
    Buffer diff = buffer(FW_F32, diff_logits);
    Buffer dx = buffer(FW_F32, p.batch * p.channels);
    Buffer dw = buffer(FW_F32, p.classes * p.channels);
    Buffer db = buffer(FW_F32, p.classes);
    Bytes workspace(stream(), workspace_bytes(p));
    EXPECT_FW_OK(fw_dropout_head_backward(stream(), &p, s.address(), scaled ? loss_scale.address() : 0, x.address(),
                                          w.address(), diff.address(), dx.address(), dw.address(), db.address(),
                                          workspace.address(), workspace.bytes()));
    return {dx.download(), dw.download(), db.download()};
  }

  void check(const fw_dropout_head& p, const Input& in) {
    SCOPED_TRACE(testing::Message() << "mode " << p.mode << ", batch " << p.batch << ", channels " << p.channels
                                    << ", classes " << p.classes << ", samples " << p.samples << ", dropout "
                                    << p.dropout << ", smoothing " << p.label_smoothing);
    const Reference r = reference(p, in, doubles(in.pooled), doubles(in.weights), doubles(in.bias));
    const Forward got = forward(p, in);
    EXPECT_EQ(r.correct, got.correct);
    const Gradients g = gradients(p, in, r);
    const Backward back = backward(p, in, got.diff_logits);
    if (p.classes == 1) {  // nothing to choose: everything cancels to 0
      EXPECT_TRUE(close_to(r.losses, got.losses, 0, 2e-6));
      EXPECT_TRUE(close_to(g.logits, got.diff_logits, 0, 1e-7));
      return;
    }
    EXPECT_TRUE(relative_error_below(2e-6, r.losses, got.losses));
    EXPECT_TRUE(relative_error_below(4e-6, g.logits, got.diff_logits));
    EXPECT_TRUE(relative_error_below(5e-6, times(g.pooled, kLossScale), back.pooled));
    EXPECT_TRUE(relative_error_below(5e-6, times(g.weights, kLossScale), back.weights));
    EXPECT_TRUE(close_to(times(g.bias, kLossScale), back.bias, 5e-6, 1e-3));
  }
};
FUSEWIRE_ON_EVERY_DEVICE(DropoutHeadTest);

TEST(DropoutHeadReference, GradientsAreTheDerivativesOfTheLoss) {
  for (const int32_t mode : {FW_AVERAGE_LOSSES, FW_AVERAGE_LOGITS}) {
    const fw_dropout_head p = {mode, 11, 3, 6, 4, 3, 0.4f, 0.1f};
    const Input in = {random_reals(1, 18), random_reals(2, 24), random_reals(3, 4), {2, -1, 0}};
    const Doubles x = doubles(in.pooled);
    const Doubles w = doubles(in.weights);
    const Doubles b = doubles(in.bias);
    const Gradients g = gradients(p, in, reference(p, in, x, w, b));
    const auto differences = [](Doubles a, auto f) {
      std::vector<float> r;
      for (double& v : a) {
        const double kept = v;
        v = kept + 1e-6;
        const double up = f(a);
        v = kept - 1e-6;
        r.push_back(float((up - f(a)) / 2e-6));
        v = kept;
      }
      return r;
    };
    EXPECT_TRUE(
        close_to(g.pooled, differences(x, [&](auto& a) { return reference(p, in, a, w, b).loss; }), 1e-5, 1e-7));
    EXPECT_TRUE(
        close_to(g.weights, differences(w, [&](auto& a) { return reference(p, in, x, a, b).loss; }), 1e-5, 1e-7));
    EXPECT_TRUE(close_to(g.bias, differences(b, [&](auto& a) { return reference(p, in, x, w, a).loss; }), 1e-5, 1e-7));
  }
}

TEST_P(DropoutHeadTest, AgainstFloat64) {
  for (const int32_t mode : {FW_AVERAGE_LOSSES, FW_AVERAGE_LOGITS}) {
    for (const int64_t samples : {1, 3, 8}) {
      for (const int64_t channels : {1, 7, 64, 130}) {
        for (const int64_t classes : {1, 2, 10, 37}) {
          const fw_dropout_head p = problem(mode, 5, channels, classes, samples);
          check(p, input(p, uint64_t(channels * 100 + classes)));
        }
      }
    }
  }
}

TEST_P(DropoutHeadTest, ManyClassesAndImages) {
  const fw_dropout_head wide = problem(FW_AVERAGE_LOSSES, slow() ? 2 : 9, slow() ? 40 : 1280, slow() ? 200 : 1000, 8);
  check(wide, input(wide, 1));
  const fw_dropout_head tall = problem(FW_AVERAGE_LOSSES, slow() ? 20 : 131, slow() ? 50 : 1100, 10, 5);
  check(tall, input(tall, 2));
}

TEST_P(DropoutHeadTest, WithoutDropoutOrSmoothing) {
  const fw_dropout_head p = problem(FW_AVERAGE_LOSSES, 4, 33, 6, 2, 0, 0);
  check(p, input(p, 5));
  const fw_dropout_head strong = problem(FW_AVERAGE_LOSSES, 4, 33, 6, 2, 0.9f, 0.5f);
  check(strong, input(strong, 6));
}

TEST_P(DropoutHeadTest, IgnoredAndImpossibleLabels) {
  const fw_dropout_head p = problem(FW_AVERAGE_LOSSES, 6, 20, 5, 3);
  Input in = input(p, 8);
  in.labels[1] = -1;
  in.labels[4] = INT32_MIN;
  check(p, in);
  in.labels[2] = 5;
  const Forward got = forward(p, in);
  for (size_t n = 0; n < 6; n++) {
    EXPECT_EQ(n == 2, std::isnan(got.losses[n])) << n;
  }
  EXPECT_EQ(0, got.correct[2]);
  EXPECT_EQ(0.0f, got.losses[1]);
  in.labels.assign(6, -1);
  const Forward none = forward(p, in);
  EXPECT_EQ(std::vector<float>(6, 0), none.losses);
  EXPECT_EQ(std::vector<float>(size_t(3 * 6 * 5), 0), none.diff_logits);
}

TEST_P(DropoutHeadTest, LargeLogitsDoNotOverflow) {
  const fw_dropout_head p = problem(FW_AVERAGE_LOSSES, 2, 1, 3, 1, 0, 0);
  const Input in = {{1, 1}, {1e4f, -1e4f, 0}, {0, 0, 0}, {0, 1}};
  const Forward got = forward(p, in);
  EXPECT_EQ((std::vector<float>{0, 20000}), got.losses);
  EXPECT_TRUE(close_to({0, 0, 0, 0.5, -0.5, 0}, got.diff_logits, 0, 1e-30));
  EXPECT_EQ((std::vector<int32_t>{1, 0}), got.correct);
}

TEST_P(DropoutHeadTest, TiesGoToTheFirst) {
  const fw_dropout_head p = problem(FW_AVERAGE_LOSSES, 3, 4, 3, 2, 0.5f, 0);
  Input in = {std::vector<float>(12, 1), std::vector<float>(12, 0), {0, 0, 0}, {0, 1, 2}};
  EXPECT_EQ((std::vector<int32_t>{1, 0, 0}), forward(p, in).correct);
}

TEST_P(DropoutHeadTest, NaNFeaturesGiveNaN) {
  const fw_dropout_head p = problem(FW_AVERAGE_LOSSES, 2, 16, 4, 2, 0, 0.1f);
  Input in = input(p, 1);
  in.pooled[3] = NAN;
  const Forward got = forward(p, in);
  EXPECT_TRUE(std::isnan(got.losses[0]));
  EXPECT_FALSE(std::isnan(got.losses[1]));
  EXPECT_EQ(0, got.correct[0]);
  for (size_t i = 0; i < got.diff_logits.size(); i++) {
    EXPECT_EQ(i / 4 % 2 == 0, std::isnan(got.diff_logits[i]));
  }
}

TEST_P(DropoutHeadTest, BackwardWithoutLossScaleAndEmptyBatch) {
  const fw_dropout_head p = problem(FW_AVERAGE_LOSSES, 3, 24, 6, 2);
  const Input in = input(p, 1);
  const std::vector<float> diff = random_reals(2, 3 * 6 * 2);
  const Backward plain = backward(p, in, diff, false);
  Backward scaled = backward(p, in, diff, true);
  for (float& v : scaled.pooled) {
    v /= kLossScale;
  }
  EXPECT_TRUE(same_bits(plain.pooled, scaled.pooled));
  const fw_dropout_head none = problem(FW_AVERAGE_LOSSES, 0, 24, 6, 2);
  Input empty = in;
  empty.pooled.clear();
  const Backward zero = backward(none, empty, {});
  EXPECT_EQ(std::vector<float>(24 * 6, 0), zero.weights);
  EXPECT_EQ(std::vector<float>(6, 0), zero.bias);
}

TEST_P(DropoutHeadTest, KeepsAboutTheRightShareAndTheSameMaskBothWays) {
  // One class with weight 1 and features 1: the logit counts what is kept; the gradient of a feature is its mask.
  const int64_t channels = slow() ? 2000 : 100000;
  const fw_dropout_head p = problem(FW_AVERAGE_LOSSES, 1, channels, 1, 2, 0.25f, 0);
  const Input in = {std::vector<float>(size_t(channels), 1), std::vector<float>(size_t(channels), 1), {0}, {0}};
  const Backward one = backward(p, in, {1, 0}, false);
  const Backward two = backward(p, in, {0, 1}, false);
  double kept = 0;
  double both = 0;
  for (size_t c = 0; c < one.pooled.size(); c++) {
    ASSERT_EQ(float(factor(p, 0, int64_t(c), 0)), one.pooled[c]);
    kept += one.pooled[c] != 0 ? 1 : 0;
    both += one.pooled[c] != 0 && two.pooled[c] != 0 ? 1 : 0;
  }
  EXPECT_TRUE(same_bits(one.pooled, one.weights));
  const double limit = 5 * 0.5 / std::sqrt(double(channels));
  EXPECT_NEAR(0.75, kept / double(channels), limit);
  EXPECT_NEAR(0.5625, both / double(channels), limit);
}

TEST_P(DropoutHeadTest, InferenceAndEvaluation) {
  for (const int64_t batch : {1, 3, slow() ? 5 : 64}) {
    for (const int64_t channels : {5, 64, slow() ? 66 : 1280}) {
      for (const int64_t classes : {1, 10, slow() ? 70 : 1000}) {
        const fw_dropout_head p = problem(FW_AVERAGE_LOSSES, batch, channels, classes, 8);
        fw_dropout_head plain = p;
        plain.dropout = 0;
        plain.samples = 1;
        const Input in = input(p, uint64_t(batch));
        const Reference r = reference(plain, in, doubles(in.pooled), doubles(in.weights), doubles(in.bias));
        Doubles probabilities;
        for (int64_t n = 0; n < batch; n++) {
          double sum = 0;
          for (int64_t k = 0; k < classes; k++) {
            sum += std::exp(r.logits[size_t(n * classes + k)]);
          }
          for (int64_t k = 0; k < classes; k++) {
            probabilities.push_back(std::exp(r.logits[size_t(n * classes + k)]) / sum);
          }
        }
        Buffer x = buffer(FW_F32, in.pooled);
        Buffer w = buffer(FW_F32, in.weights);
        Buffer b = buffer(FW_F32, in.bias);
        Buffer logits = buffer(FW_F32, batch * classes);
        Buffer shares = buffer(FW_F32, batch * classes);
        Bytes workspace(stream(), workspace_bytes(p));
        ASSERT_FW_OK(fw_dropout_head_inference(stream(), &p, x.address(), w.address(), b.address(), logits.address(),
                                               shares.address(), workspace.address(), workspace.bytes()));
        EXPECT_TRUE(relative_error_below(2e-6, r.logits, logits.download()));
        EXPECT_TRUE(relative_error_below(3e-6, probabilities, shares.download()));
        ASSERT_FW_OK(fw_dropout_head_inference(stream(), &p, x.address(), w.address(), b.address(), logits.address(), 0,
                                               workspace.address(), workspace.bytes()));
        const Bytes labels = integers(in.labels);
        Bytes correct(stream(), batch * 4);
        Buffer losses = buffer(FW_F32, batch);
        ASSERT_FW_OK(
            fw_cross_entropy(stream(), &p, logits.address(), labels.address(), losses.address(), correct.address()));
        EXPECT_TRUE(close_to(r.losses, losses.download(), 3e-6, 3e-6));
        EXPECT_EQ(r.correct, integers(correct));
      }
    }
  }
}

TEST_P(DropoutHeadTest, Deterministic) {
  const fw_dropout_head p = problem(FW_AVERAGE_LOSSES, slow() ? 3 : 40, slow() ? 70 : 320, 21, 8);
  const Input in = input(p, 1);
  expect_deterministic([&] {
    Forward f = forward(p, in);
    const Backward b = backward(p, in, f.diff_logits);
    f.diff_logits.insert(f.diff_logits.end(), f.losses.begin(), f.losses.end());
    f.diff_logits.insert(f.diff_logits.end(), b.pooled.begin(), b.pooled.end());
    f.diff_logits.insert(f.diff_logits.end(), b.weights.begin(), b.weights.end());
    f.diff_logits.insert(f.diff_logits.end(), b.bias.begin(), b.bias.end());
    return f.diff_logits;
  });
}

TEST_P(DropoutHeadTest, RefusesWhatDoesNotFit) {
  Buffer a = buffer(FW_F32, 64);
  const Bytes s = step();
  const fw_address x = a.address();
  const fw_dropout_head good = problem(FW_AVERAGE_LOSSES, 2, 4, 3, 2);
  const auto train = [&](const fw_dropout_head* p, fw_address step_at, fw_address pooled, fw_address labels) {
    return fw_dropout_head_forward(stream(), p, step_at, pooled, x, x, labels, x, x, x, 0, 0);
  };
  const auto back = [&](const fw_dropout_head* p, fw_address step_at, fw_address diff_bias) {
    return fw_dropout_head_backward(stream(), p, step_at, 0, x, x, x, x, x, diff_bias, 0, 0);
  };
  int64_t bytes = 0;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, train(nullptr, s.address(), x, x), "problem is null");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, train(&good, 0, x, x), "address of step is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, train(&good, s.address(), 0, x), "address of pooled is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, train(&good, s.address(), x, x + 2), "address of labels");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, back(&good, 0, x), "address of step is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, back(&good, s.address(), 0), "address of diff_bias is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_dropout_head_inference(stream(), &good, x, x, x, 0, 0, 0, 0),
                  "address of logits is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_cross_entropy(stream(), &good, 0, x, x, x), "address of logits is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_cross_entropy(stream() + 1000, &good, x, x, x, x), "stream");
  fw_dropout_head p = good;
  p.mode = 2;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, train(&p, s.address(), x, x), "mode is 2");
  p = good;
  p.samples = 0;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, train(&p, s.address(), x, x), "samples is 0");
  p = good;
  p.classes = 0;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, back(&p, s.address(), x), "classes is 0");
  p = good;
  p.channels = -3;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_dropout_head_workspace(stream(), &p, &bytes), "channels is -3");
  p = good;
  p.batch = -1;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_cross_entropy(stream(), &p, x, x, x, x), "batch is -1");
  p = good;
  p.batch = int64_t(1) << 34;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, train(&p, s.address(), x, x), "more than 2^34 random numbers");
  p = good;
  p.dropout = 1;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, train(&p, s.address(), x, x), "dropout is 1");
  p = good;
  p.label_smoothing = -0.5f;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, train(&p, s.address(), x, x), "label_smoothing is -0.5");
  p = good;
  p.batch = 0;
  EXPECT_FW_OK(train(&p, s.address(), 0, 0));
  EXPECT_FW_OK(fw_cross_entropy(stream(), &p, 0, 0, 0, 0));
}

}  // namespace
}  // namespace fusewire::test
