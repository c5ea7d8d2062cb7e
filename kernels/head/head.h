// SPDX-License-Identifier: Apache-2.0
// What the head's kernels share: the sets of logits, their rows, and the dropout factors, which are made where they are
// needed and never stored. A row is one image's features under one set of logits: row = image*sets + set, and
// sets = samples, or 1 when logits are averaged: then a row's factor is the mean of the samples' masks, by linearity.
#pragma once

#include "core/exec.h"
#include "core/operations.h"
#include "core/philox.h"

namespace fusewire::FW_EXEC {

void add_mean_pool(Operations& table);
void add_fused_mean_pool(Operations& table);
void add_dropout_head_forward(Operations& table);
void add_dropout_head_backward(Operations& table);
void add_cross_entropy(Operations& table);

inline int64_t logit_sets(const fw_dropout_head& problem) {
  return problem.mode == FW_AVERAGE_LOGITS ? 1 : problem.samples;
}

// The masks of a head.
struct HeadDropout {
  const fw_step* step;  // null: nothing is dropped
  uint32_t layer;
  int64_t channels, samples, sets;
  float rate;

  // What channels [channel, channel + N) of an image are multiplied with in a set.
  template <int N>
  FW_DEVICE Vec<N> factors(int64_t image, int64_t set, int64_t channel) const {
    if (step == nullptr) {
      return Vec<N>(1.0f);
    }
    const int64_t element = image * channels + channel;
    const float scale = 1.0f / (1.0f - rate);
    if (sets == samples) {
      return dropout_factors<N>(random_stream(*step, layer, uint32_t(set)), element, rate, scale);
    }
    Vec<N> sum(0.0f);
    for (int64_t sample = 0; sample < samples; sample++) {
      sum += dropout_factors<N>(random_stream(*step, layer, uint32_t(sample)), element, rate, 1.0f);
    }
    return sum * (scale / float(samples));
  }
};

inline HeadDropout head_dropout(const fw_dropout_head& problem, fw_address step) {
  return {problem.dropout > 0 ? reinterpret_cast<const fw_step*>(step) : nullptr,
          problem.layer,
          problem.channels,
          problem.samples,
          logit_sets(problem),
          problem.dropout};
}

// Logits (sets, batch, classes) into `logits`, which may be where the gradient will be.
fw_status head_logits(const Launcher& launcher, const HeadDropout& dropout, int64_t batch, int64_t classes,
                      fw_address pooled, fw_address weights, fw_address bias, fw_address logits);
// Losses, correctness and, with diff_logits (which then replaces `logits` in place), the gradient.
fw_status head_loss(const Launcher& launcher, const fw_dropout_head& problem, int64_t sets, fw_address logits,
                    fw_address labels, fw_address losses, fw_address correct, fw_address diff_logits);

}  // namespace fusewire::FW_EXEC
