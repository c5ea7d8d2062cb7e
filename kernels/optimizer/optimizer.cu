// SPDX-License-Identifier: Apache-2.0
// Examines all gradients in two launches, whatever the number of tensors: every block gives its part's sum of squares
// (unscaled) and whether all were finite; one block adds these up in order and writes overflow flag and 2-norm.
// Reads every gradient once.
#include "core/exec.h"
#include "core/operations.h"
#include "optimizer/optimizer.h"

namespace fusewire::FW_EXEC {
namespace {

struct GradientSumsKernel {
  struct Params {
    const fw_parameter* table;
    int64_t parameters;
    const fw_loss_scale* loss_scale;
    float* sums;  // (blocks, 2): squares; 0, or NaN where a gradient is not finite
  };
  static constexpr int kThreads = 256;

  FW_DEVICE static void run(const Params& p, Block& block) {
    float* scratch = block.shared<float>(2 * kThreads / 32);
    const fw_parameter& parameter = parameter_of_block(p.table, p.parameters, block.x);
    float sums[2] = {0, 0};
    if (parameter.gradient != 0) {
      const auto* gradient = reinterpret_cast<const float*>(parameter.gradient);
      const ParameterPart part = parameter_part(parameter, block.x);
      const float unscale = 1.0f / p.loss_scale->scale;
      if (parameter_vectors_fit(parameter.gradient)) {
        add<kParameterLanes>(block, gradient, part, unscale, sums);
      } else {
        add<kOneThread ? kParameterLanes : 1>(block, gradient, part, unscale, sums);
      }
    }
    const float squares = block_sum(block, sums[0], scratch);
    const float finite = block_sum(block, sums[1], scratch + kThreads / 32);
    if (block.thread == 0) {
      p.sums[2 * block.x] = squares;
      p.sums[2 * block.x + 1] = finite;
    }
  }

  template <int N>
  FW_DEVICE static void add(const Block& block, const float* gradient, ParameterPart part, float unscale, float* sums) {
    Vec<N> squares(0.0f);
    Vec<N> finite(0.0f);
#pragma unroll 4
    for (int64_t i = part.begin + block.thread * N; i < part.end; i += block.threads * N) {
      const Vec<N> scaled = load_part<N>(gradient + i, part.end - i < N ? int(part.end - i) : N);
      const Vec<N> g = scaled * unscale;
      squares = fma(g, g, squares);
      finite = fma(scaled, Vec<N>(0.0f), finite);  // 0 times a finite number is 0, of anything else NaN
    }
    sums[0] = lane_sum(squares);
    sums[1] = lane_sum(finite);
  }
};

struct GradientTotalKernel {
  struct Params {
    const float* sums;
    int64_t blocks;
    fw_loss_scale* loss_scale;
  };
  static constexpr int kThreads = 256;

  FW_DEVICE static void run(const Params& p, Block& block) {
    float* scratch = block.shared<float>(2 * kThreads / 32);
    float squares = 0;
    float finite = 0;
    for (int64_t i = block.thread; i < p.blocks; i += block.threads) {
      squares += p.sums[2 * i];
      finite += p.sums[2 * i + 1];
    }
    squares = block_sum(block, squares, scratch);
    finite = block_sum(block, finite, scratch + kThreads / 32);
    if (block.thread == 0) {
      p.loss_scale->overflow = finite == 0.0f ? 0 : 1;
      p.loss_scale->gradient_norm = ::sqrtf(squares);
    }
  }
};

int64_t workspace(int64_t blocks) { return blocks * 2 * int64_t(sizeof(float)); }

fw_status gradients(const Launcher& launcher, const fw_optimizer&, fw_address table, int64_t parameters, int64_t blocks,
                    fw_address loss_scale, fw_address workspace) {
  const int64_t shared = shared_bytes<float>(2 * GradientSumsKernel::kThreads / 32);
  auto* state = reinterpret_cast<fw_loss_scale*>(loss_scale);
  auto* sums = reinterpret_cast<float*>(workspace);
  FW_TRY(launch<GradientSumsKernel>(launcher, {blocks}, shared,
                                    {reinterpret_cast<const fw_parameter*>(table), parameters, state, sums}));
  return launch<GradientTotalKernel>(launcher, {1}, shared, {sums, blocks, state});
}

}  // namespace

void add_optimizer(Operations& table) {
  table.optimizer_workspace = workspace;
  table.optimizer_gradients = gradients;
  add_optimizer_step(table);
}

}  // namespace fusewire::FW_EXEC
