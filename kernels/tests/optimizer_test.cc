// SPDX-License-Identifier: Apache-2.0
// Optimizers over a table of parameters: several steps against float64, weight decay, clipping, overflow, loss scale,
// EMA, any number and size of tensors, errors.
#include <cmath>

#include "device_fixture.h"

namespace fusewire::test {
namespace {

using Doubles = std::vector<double>;

// One tensor in float64.
struct Tensor {
  Doubles value, state_0, state_1, ema;
  double weight_decay = 0;
  double learning_rate_scale = 1;
  bool trained = true;  // has a gradient
};

struct Hyper {
  double learning_rate, momentum, ema_decay, correction_1, correction_2;
};

void reference_step(const fw_optimizer& o, const Hyper& h, const Doubles& gradient, double gradient_scale, Tensor* t) {
  const double lr = h.learning_rate * t->learning_rate_scale;
  for (size_t i = 0; i < t->value.size(); i++) {
    double& p = t->value[i];
    double& m = t->state_0[i];
    double& s = t->state_1[i];
    if (t->trained) {
      double g = gradient[i] * gradient_scale;
      if (o.kind == FW_SGD) {
        g += t->weight_decay * p;
        m = h.momentum * m + g;
        p -= lr * (o.nesterov != 0 ? g + h.momentum * m : m);
      } else if (o.kind == FW_RMSPROP) {
        g += t->weight_decay * p;
        s = double(o.decay) * s + (1 - double(o.decay)) * g * g;
        m = h.momentum * m + lr * g / std::sqrt(s + double(o.epsilon));
        p -= m;
      } else {
        m = h.momentum * m + (1 - h.momentum) * g;
        s = double(o.decay) * s + (1 - double(o.decay)) * g * g;
        p -= lr * (m / h.correction_1 / (std::sqrt(s / h.correction_2) + double(o.epsilon)) + t->weight_decay * p);
      }
    }
    t->ema[i] = h.ema_decay * t->ema[i] + (1 - h.ema_decay) * p;
  }
}

double norm(const std::vector<std::vector<float>>& gradients, double scale) {
  double sum = 0;
  for (const auto& gradient : gradients) {
    for (const float g : gradient) {
      sum += double(g) * g * scale * scale;
    }
  }
  return std::sqrt(sum);
}

// The tensors of one run on the device.
struct DeviceTensor {
  Buffer value, gradient, state_0, state_1, ema;
};

class OptimizerTest : public DeviceTest {
 protected:
  fw_optimizer optimizer(int32_t kind) const {
    fw_optimizer o = {};
    o.kind = kind;
    o.decay = kind == FW_RMSPROP ? 0.9f : 0.999f;
    o.epsilon = kind == FW_RMSPROP ? 1e-3f : 1e-8f;
    return o;
  }

  DeviceTensor device_tensor(uint64_t seed, int64_t count, int64_t misalignment = 0) {
    std::vector<float> zeros(static_cast<size_t>(count), 0.0f);
    std::vector<float> ones(static_cast<size_t>(count), 1.0f);
    return {Buffer(stream(), FW_F32, random_reals(seed, count), misalignment), Buffer(stream(), FW_F32, count),
            buffer(FW_F32, zeros), buffer(FW_F32, ones), buffer(FW_F32, random_reals(seed, count))};
  }

  // The table, and its number of blocks.
  std::vector<fw_parameter> table(const std::vector<DeviceTensor>& tensors, const std::vector<Tensor>& like,
                                  int64_t* blocks) {
    std::vector<fw_parameter> entries;
    *blocks = 0;
    for (size_t i = 0; i < tensors.size(); i++) {
      const DeviceTensor& t = tensors[i];
      const bool trained = like[i].trained;
      entries.push_back({t.value.address(), trained ? t.gradient.address() : 0, trained ? t.state_0.address() : 0,
                         trained ? t.state_1.address() : 0, t.ema.address(), t.value.count(),
                         float(like[i].weight_decay), float(like[i].learning_rate_scale), *blocks});
      *blocks += (t.value.count() + FW_PARAMETER_BLOCK - 1) / FW_PARAMETER_BLOCK;
    }
    return entries;
  }

  // Gradients and step; gives the loss scale's state in between and after.
  struct Run {
    fw_loss_scale examined, after;
  };
  Run run(const fw_optimizer& o, const std::vector<fw_parameter>& entries, int64_t blocks, const Hyper& h,
          const fw_loss_scale& before) {
    const Bytes device_table(stream(), entries.data(), int64_t(entries.size() * sizeof(fw_parameter)));
    const fw_step step = {1,
                          0,
                          float(h.learning_rate),
                          float(h.momentum),
                          float(h.ema_decay),
                          float(h.correction_1),
                          float(h.correction_2)};
    const Bytes device_step(stream(), &step, sizeof(step));
    const Bytes state(stream(), &before, sizeof(before));
    int64_t bytes = 0;
    EXPECT_FW_OK(fw_optimizer_workspace(stream(), blocks, &bytes));
    const Bytes workspace(stream(), bytes);
    Run r = {};
    EXPECT_FW_OK(fw_optimizer_gradients(stream(), &o, device_table.address(), int64_t(entries.size()), blocks,
                                        state.address(), workspace.address(), bytes));
    state.download(&r.examined);
    EXPECT_FW_OK(fw_optimizer_step(stream(), &o, device_table.address(), int64_t(entries.size()), blocks,
                                   device_step.address(), state.address()));
    state.download(&r.after);
    return r;
  }

  // Several steps on tensors of odd sizes, one of them not trained, against float64.
  void check(const fw_optimizer& o, float loss_scale, double weight_decay) {
    SCOPED_TRACE(testing::Message() << "kind " << o.kind << " nesterov " << o.nesterov << " clip " << o.clip_norm
                                    << " scale " << loss_scale << " weight decay " << weight_decay);
    const std::vector<int64_t> counts = {1, 7, 40, 1000, slow() ? 16385 : 50001, 32, 16384, 5};
    std::vector<DeviceTensor> tensors;
    std::vector<Tensor> expected;
    for (size_t i = 0; i < counts.size(); i++) {
      tensors.push_back(device_tensor(i, counts[i], int64_t(i % 2)));
      Tensor t;
      const std::vector<float> value = tensors[i].value.download();
      t.value.assign(value.begin(), value.end());
      t.state_0.assign(value.size(), 0);
      t.state_1.assign(value.size(), 1);
      t.ema = t.value;
      t.weight_decay = i % 3 == 0 ? double(float(weight_decay)) : 0;
      t.learning_rate_scale = i % 4 == 1 ? 0.5 : 1;
      t.trained = i != 5;
      expected.push_back(t);
    }
    int64_t blocks = 0;
    const std::vector<fw_parameter> entries = table(tensors, expected, &blocks);
    for (int step = 0; step < 4; step++) {
      const Hyper h = {double(0.05f), double(0.9f), double(0.75f), 1 - std::pow(double(0.9f), step + 1),
                       1 - std::pow(double(0.999f), step + 1)};
      std::vector<std::vector<float>> gradients;
      for (size_t i = 0; i < counts.size(); i++) {
        gradients.push_back(random_reals(uint64_t(step) * 100 + i, counts[i], FW_F32, 0, loss_scale));
        tensors[i].gradient.upload(gradients[i]);
      }
      std::vector<std::vector<float>> trained = gradients;
      trained.erase(trained.begin() + 5);
      const double length = norm(trained, 1 / double(loss_scale));
      const double clip = o.clip_norm > 0 && length > double(o.clip_norm) ? double(o.clip_norm) / length : 1;
      const Run r = run(o, entries, blocks, h, {loss_scale, step, 0, 3, 0});
      EXPECT_EQ(0, r.examined.overflow);
      EXPECT_NEAR(1, double(r.examined.gradient_norm) / length, 1e-5);
      EXPECT_EQ(loss_scale, r.after.scale);
      EXPECT_EQ(step + 1, r.after.good_steps);
      EXPECT_EQ(3, r.after.skipped);
      for (size_t i = 0; i < counts.size(); i++) {
        Doubles gradient(gradients[i].begin(), gradients[i].end());
        reference_step(o, h, gradient, clip / double(loss_scale), &expected[i]);
        EXPECT_TRUE(close_to(expected[i].value, tensors[i].value.download(), 2e-5, 2e-6)) << "tensor " << i;
        EXPECT_TRUE(close_to(expected[i].ema, tensors[i].ema.download(), 2e-5, 2e-6)) << "tensor " << i;
        EXPECT_TRUE(close_to(expected[i].state_0, tensors[i].state_0.download(), 2e-5, 2e-6)) << "tensor " << i;
        EXPECT_TRUE(close_to(expected[i].state_1, tensors[i].state_1.download(), 2e-5, 2e-6)) << "tensor " << i;
      }
    }
  }
};
FUSEWIRE_ON_EVERY_DEVICE(OptimizerTest);

TEST_P(OptimizerTest, EveryKindAgainstFloat64) {
  for (const int32_t kind : {FW_SGD, FW_RMSPROP, FW_ADAMW}) {
    fw_optimizer o = optimizer(kind);
    // SGD does not touch its second state: the reference leaves it alone as well.
    check(o, 1, 0);
    o.clip_norm = 20;
    check(o, 1024, 0.01);
  }
  fw_optimizer o = optimizer(FW_SGD);
  o.nesterov = 1;
  check(o, 1, 0.1);
}

TEST_P(OptimizerTest, ExactOnPowersOfTwo) {
  DeviceTensor t = device_tensor(1, 100);
  t.value.upload(random_integers(2, 100, 50));
  t.gradient.upload(random_integers(3, 100, 50));
  Doubles expected;
  const std::vector<float> value = t.value.download();
  const std::vector<float> gradient = t.gradient.download();
  for (size_t i = 0; i < value.size(); i++) {
    expected.push_back(double(value[i]) - 0.25 * gradient[i] / 8);
  }
  const std::vector<fw_parameter> entries = {{t.value.address(), t.gradient.address(), 0, 0, 0, 100, 0, 1, 0}};
  run(optimizer(FW_SGD), entries, 1, {0.25, 0.9, 0.5, 1, 1}, {8, 0, 0, 0, 0});
  EXPECT_TRUE(exactly_equal(expected, t.value.download()));
}

TEST_P(OptimizerTest, AnOverflowChangesNothing) {
  for (const float bad : {INFINITY, -INFINITY, NAN}) {
    for (const int32_t kind : {FW_SGD, FW_RMSPROP, FW_ADAMW}) {
      std::vector<DeviceTensor> tensors;
      tensors.push_back(device_tensor(1, 20000));
      tensors.push_back(device_tensor(2, 33));
      tensors[0].gradient.upload(random_reals(3, 20000));
      std::vector<float> gradient = random_reals(4, 33);
      gradient[32] = bad;
      tensors[1].gradient.upload(gradient);
      std::vector<Tensor> like(2);
      int64_t blocks = 0;
      const std::vector<fw_parameter> entries = table(tensors, like, &blocks);
      const std::vector<float> value = tensors[0].value.download();
      fw_optimizer o = optimizer(kind);
      o.dynamic_loss_scale = 1;
      o.growth_factor = 2;
      o.backoff_factor = 0.5f;
      o.growth_interval = 3;
      const Run r = run(o, entries, blocks, {0.1, 0.9, 0.5, 1, 1}, {64, 2, 0, 5, 0});
      EXPECT_EQ(1, r.examined.overflow);
      EXPECT_EQ(64, r.examined.scale);
      EXPECT_EQ(32, r.after.scale);
      EXPECT_EQ(0, r.after.good_steps);
      EXPECT_EQ(6, r.after.skipped);
      EXPECT_TRUE(same_bits(value, tensors[0].value.download()));
      EXPECT_TRUE(same_bits(value, tensors[0].ema.download()));
      EXPECT_TRUE(same_bits(std::vector<float>(20000, 0), tensors[0].state_0.download()));
      EXPECT_TRUE(same_bits(std::vector<float>(20000, 1), tensors[0].state_1.download()));
    }
  }
}

TEST_P(OptimizerTest, LossScaleGrowsAndStaysFinite) {
  DeviceTensor t = device_tensor(1, 10);
  t.gradient.upload(random_reals(2, 10));
  const std::vector<fw_parameter> entries = {{t.value.address(), t.gradient.address(), 0, 0, 0, 10, 0, 1, 0}};
  fw_optimizer o = optimizer(FW_SGD);
  const Hyper h = {0.001, 0, 0, 1, 1};
  fw_loss_scale state = {4, 0, 0, 0, 0};
  for (int step = 1; step <= 7; step++) {  // without dynamic scaling the scale stays
    state = run(o, entries, 1, h, state).after;
    EXPECT_EQ(4, state.scale);
    EXPECT_EQ(step, state.good_steps);
  }
  o.dynamic_loss_scale = 1;
  o.growth_factor = 2;
  o.backoff_factor = 0.5f;
  o.growth_interval = 3;
  state = {4, 0, 0, 0, 0};
  const float scales[] = {4, 4, 8, 8, 8, 16};
  for (const float scale : scales) {
    state = run(o, entries, 1, h, state).after;
    EXPECT_EQ(scale, state.scale);
  }
  state = {0x1p119f, 2, 0, 0, 0};
  state = run(o, entries, 1, h, state).after;
  EXPECT_EQ(0x1p119f, state.scale);
}

TEST_P(OptimizerTest, AnEmptyTableOnlyKeepsTheBooks) {
  const Run r = run(optimizer(FW_ADAMW), {}, 0, {0.1, 0.9, 0.5, 1, 1}, {2, 7, 1, 1, 5});
  EXPECT_EQ(0, r.examined.overflow);
  EXPECT_EQ(0, r.examined.gradient_norm);
  EXPECT_EQ(8, r.after.good_steps);
}

TEST_P(OptimizerTest, Deterministic) {
  std::vector<float> gradient = random_reals(9, 100000);
  expect_deterministic([&] {
    DeviceTensor t = device_tensor(1, 100000);
    t.gradient.upload(gradient);
    const std::vector<fw_parameter> entries = {{t.value.address(), t.gradient.address(), t.state_0.address(),
                                                t.state_1.address(), t.ema.address(), 100000, 0.1f, 1, 0}};
    fw_optimizer o = optimizer(FW_ADAMW);
    o.clip_norm = 1;
    const Run r = run(o, entries, 7, {0.1, 0.9, 0.5, 0.1, 0.1}, {1, 0, 0, 0, 0});
    std::vector<float> result = t.value.download();
    result.push_back(r.after.gradient_norm);
    return result;
  });
}

TEST_P(OptimizerTest, RefusesWhatDoesNotFit) {
  Buffer a = buffer(FW_F32, 64);
  const fw_address x = a.address();
  const fw_optimizer good = optimizer(FW_RMSPROP);
  const auto step = [&](const fw_optimizer* o, fw_address table, fw_address at, fw_address scale) {
    return fw_optimizer_step(stream(), o, table, 1, 1, at, scale);
  };
  const auto gradients = [&](const fw_optimizer* o, fw_address table, int64_t bytes) {
    return fw_optimizer_gradients(stream(), o, table, 1, 1, x, x, bytes);
  };
  int64_t bytes = 0;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, step(nullptr, x, x, x), "optimizer is null");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, step(&good, 0, x, x), "address of table is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, step(&good, x + 4, x, x), "address of table");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, step(&good, x, 0, x), "address of step is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, step(&good, x, x, 0), "address of loss_scale is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, gradients(&good, 0, 100), "address of table is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, gradients(&good, x, 4), "workspace has 4 bytes; 8 are needed");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_optimizer_workspace(stream(), -1, &bytes), "blocks is -1");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_optimizer_workspace(stream() + 1000, 1, &bytes), "stream");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_optimizer_step(stream(), &good, x, -1, 1, x, x), "parameters is -1");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_optimizer_step(stream(), &good, x, 0, 1, x, x), "without parameters");
  fw_optimizer o = good;
  o.kind = 3;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, step(&o, x, x, x), "kind is 3");
  o = good;
  o.nesterov = 2;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, step(&o, x, x, x), "nesterov is 2");
  o = good;
  o.decay = 1;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, gradients(&o, x, 100), "decay is 1");
  o = good;
  o.epsilon = -1;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, step(&o, x, x, x), "epsilon is -1");
  o = good;
  o.clip_norm = NAN;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, step(&o, x, x, x), "clip_norm is nan");
  o = good;
  o.dynamic_loss_scale = 5;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, step(&o, x, x, x), "dynamic_loss_scale is 5");
  o.dynamic_loss_scale = 1;
  o.growth_factor = 0.5f;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, step(&o, x, x, x), "growth_factor is 0.5");
  o.growth_factor = 2;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, step(&o, x, x, x), "backoff_factor is 0");
  o.backoff_factor = 0.5f;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, step(&o, x, x, x), "growth_interval is 0");
}

}  // namespace
}  // namespace fusewire::test
