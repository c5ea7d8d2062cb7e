// SPDX-License-Identifier: Apache-2.0
// One step of SGD, RMSProp or AdamW and the EMA over all parameters in one launch, then the loss scale's update in a
// tiny one (all blocks have to have read the scale). A block has FW_PARAMETER_BLOCK elements of one tensor and finds it
// by bisection. Reads value, gradient, states and EMA once and writes all but the gradient once.
#include "core/exec.h"
#include "core/operations.h"
#include "optimizer/optimizer.h"

namespace fusewire::FW_EXEC {
namespace {

struct OptimizerStepKernel {
  struct Params {
    fw_optimizer optimizer;
    const fw_parameter* table;
    int64_t parameters;
    const fw_step* step;
    const fw_loss_scale* loss_scale;
  };
  static constexpr int kThreads = 256;

  // What is the same for all elements of a block.
  struct Constants {
    float gradient_scale, weight_decay, learning_rate, momentum, decay, epsilon, ema_decay, correction_1, correction_2;
    bool nesterov;
  };

  FW_DEVICE static void run(const Params& p, Block& block) {
    if (p.loss_scale->overflow == 1) {
      return;
    }
    const fw_parameter& parameter = parameter_of_block(p.table, p.parameters, block.x);
    const ParameterPart part = parameter_part(parameter, block.x);
    const float norm = p.loss_scale->gradient_norm;
    const float clip = p.optimizer.clip_norm > 0 && norm > p.optimizer.clip_norm ? p.optimizer.clip_norm / norm : 1.0f;
    const Constants constants = {
        clip / p.loss_scale->scale, parameter.weight_decay,    p.step->learning_rate * parameter.learning_rate_scale,
        p.step->momentum,           p.optimizer.decay,         p.optimizer.epsilon,
        p.step->ema_decay,          p.step->bias_correction_1, p.step->bias_correction_2,
        p.optimizer.nesterov != 0};
    const fw_address all = parameter.value | parameter.gradient | parameter.state_0 | parameter.state_1 | parameter.ema;
    if (parameter_vectors_fit(all)) {
      update<kParameterLanes>(p.optimizer.kind, block, parameter, part, constants);
    } else {
      update<kOneThread ? kParameterLanes : 1>(p.optimizer.kind, block, parameter, part, constants);
    }
  }

  template <int N>
  FW_DEVICE static void update(int kind, const Block& block, const fw_parameter& parameter, ParameterPart part,
                               const Constants& c) {
    auto* value = reinterpret_cast<float*>(parameter.value);
    const auto* gradient = reinterpret_cast<const float*>(parameter.gradient);
    auto* state_0 = reinterpret_cast<float*>(parameter.state_0);
    auto* state_1 = reinterpret_cast<float*>(parameter.state_1);
    auto* ema = reinterpret_cast<float*>(parameter.ema);
    for (int64_t i = part.begin + block.thread * N; i < part.end; i += block.threads * N) {
      const int n = part.end - i < N ? int(part.end - i) : N;
      Vec<N> x = load_part<N>(value + i, n);
      if (gradient != nullptr) {
        const Vec<N> g = load_part<N>(gradient + i, n) * c.gradient_scale;
        const Vec<N> first = state_0 == nullptr ? Vec<N>(0.0f) : load_part<N>(state_0 + i, n);
        const Vec<N> second = state_1 == nullptr ? Vec<N>(0.0f) : load_part<N>(state_1 + i, n);
        Vec<N> new_first = first;
        Vec<N> new_second = second;
        if (kind == FW_SGD) {
          sgd(c, g, state_0 != nullptr, &x, &new_first);
        } else if (kind == FW_RMSPROP) {
          rmsprop(c, g, &x, &new_first, &new_second);
        } else {
          adamw(c, g, &x, &new_first, &new_second);
        }
        if (state_0 != nullptr) {
          store_part<N>(state_0 + i, new_first, n);
        }
        if (state_1 != nullptr) {
          store_part<N>(state_1 + i, new_second, n);
        }
        store_part<N>(value + i, x, n);
      }
      if (ema != nullptr) {
        const Vec<N> average = load_part<N>(ema + i, n);
        store_part<N>(ema + i, fma(average, Vec<N>(c.ema_decay), x * (1.0f - c.ema_decay)), n);
      }
    }
  }

  template <int N>
  FW_DEVICE static void sgd(const Constants& c, Vec<N> g, bool has_momentum, Vec<N>* x, Vec<N>* velocity) {
    g = fma(*x, Vec<N>(c.weight_decay), g);
    Vec<N> direction = g;
    if (has_momentum) {
      *velocity = fma(*velocity, Vec<N>(c.momentum), g);
      direction = c.nesterov ? fma(*velocity, Vec<N>(c.momentum), g) : *velocity;
    }
    *x -= direction * c.learning_rate;
  }
  template <int N>
  FW_DEVICE static void rmsprop(const Constants& c, Vec<N> g, Vec<N>* x, Vec<N>* velocity, Vec<N>* mean_square) {
    g = fma(*x, Vec<N>(c.weight_decay), g);
    *mean_square = fma(*mean_square, Vec<N>(c.decay), g * g * (1.0f - c.decay));
    const Vec<N> direction = g * c.learning_rate / square_root(*mean_square + c.epsilon);
    *velocity = fma(*velocity, Vec<N>(c.momentum), direction);
    *x -= *velocity;
  }
  template <int N>
  FW_DEVICE static void adamw(const Constants& c, Vec<N> g, Vec<N>* x, Vec<N>* first, Vec<N>* second) {
    *first = fma(*first, Vec<N>(c.momentum), g * (1.0f - c.momentum));
    *second = fma(*second, Vec<N>(c.decay), g * g * (1.0f - c.decay));
    const Vec<N> deviation = square_root(*second * (1.0f / c.correction_2)) + c.epsilon;
    const Vec<N> direction = *first * (1.0f / c.correction_1) / deviation;
    *x -= fma(*x, Vec<N>(c.weight_decay), direction) * c.learning_rate;
  }
};

struct LossScaleKernel {
  struct Params {
    fw_optimizer optimizer;
    fw_loss_scale* loss_scale;
  };
  static constexpr int kThreads = 32;

  FW_DEVICE static void run(const Params& p, Block& block) {
    if (block.thread != 0) {
      return;
    }
    fw_loss_scale state = *p.loss_scale;
    const bool dynamic = p.optimizer.dynamic_loss_scale == 1;
    if (state.overflow == 1) {
      state.skipped++;
      state.good_steps = 0;
      state.scale *= dynamic ? p.optimizer.backoff_factor : 1.0f;
    } else {
      state.good_steps++;
      if (dynamic && state.good_steps >= p.optimizer.growth_interval) {
        constexpr float kMost = 0x1p120f;  // an infinite scale could never come back
        const float grown = state.scale * p.optimizer.growth_factor;
        state.scale = grown < kMost ? grown : state.scale;
        state.good_steps = 0;
      }
    }
    *p.loss_scale = state;
  }
};

fw_status step(const Launcher& launcher, const fw_optimizer& optimizer, fw_address table, int64_t parameters,
               int64_t blocks, fw_address step, fw_address loss_scale) {
  FW_TRY(launch<OptimizerStepKernel>(
      launcher, {blocks}, 0,
      {optimizer, reinterpret_cast<const fw_parameter*>(table), parameters, reinterpret_cast<const fw_step*>(step),
       reinterpret_cast<const fw_loss_scale*>(loss_scale)}));
  return launch<LossScaleKernel>(launcher, {1}, 0, {optimizer, reinterpret_cast<fw_loss_scale*>(loss_scale)});
}

}  // namespace

void add_optimizer_step(Operations& table) { table.optimizer_step = step; }

}  // namespace fusewire::FW_EXEC
