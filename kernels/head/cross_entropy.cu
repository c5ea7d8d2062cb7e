// SPDX-License-Identifier: Apache-2.0
// Softmax cross-entropy with label smoothing over sets of logits (sets, batch, classes), with t = (1-e)*onehot +
// e/classes: loss[n] = mean over sets of -sum_k t[k]*log softmax(z)[k]; gradient (softmax(z)-t)/(sets*images that
// count), which may replace the logits in place. One block per image, one warp per set at a time. Also the inference
// head: logits without dropout, and their softmax.
#include "core/exec.h"
#include "core/operations.h"
#include "head/head.h"

namespace fusewire::FW_EXEC {
namespace {

constexpr int kClassLanes = kOneThread ? kLanes<float> : 1;

// One warp's view of a row of logits.
struct LogitRow {
  const float* z;
  int64_t classes;

  // Lanes past the end are -infinity: they change neither a maximum nor (by more than 2e-38) a sum of exponentials.
  FW_DEVICE Vec<kClassLanes> at(int64_t k) const {
    Vec<kClassLanes> v = load_part<kClassLanes>(z + k, lanes(k));
    for (int i = lanes(k); i < kClassLanes; i++) {
      v.set(i, -INFINITY);
    }
    return v;
  }
  FW_DEVICE int lanes(int64_t k) const { return classes - k < kClassLanes ? int(classes - k) : kClassLanes; }
};

struct Softmax {
  float max, exp_sum, sum;  // largest logit, sum of exp(z-max), sum of z
};

FW_DEVICE Softmax softmax(const Block& block, int lane, const LogitRow& row) {
  constexpr int N = kClassLanes;
  const int64_t stride = int64_t(block.warp_threads) * N;
  Vec<N> top(-INFINITY);
  Vec<N> sum(0.0f);
  for (int64_t k = int64_t(lane) * N; k < row.classes; k += stride) {
    top = max(row.at(k), top);
    sum += load_part<N>(row.z + k, row.lanes(k));
  }
  float largest = top[0];
  for (int i = 1; i < N; i++) {
    largest = top[i] > largest ? top[i] : largest;
  }
  Softmax s;
  s.max = block.warp_max(largest);
  s.sum = block.warp_sum(lane_sum(sum));
  Vec<N> exponentials(0.0f);
  for (int64_t k = int64_t(lane) * N; k < row.classes; k += stride) {
    exponentials += exp(row.at(k) - s.max);
  }
  s.exp_sum = block.warp_sum(lane_sum(exponentials));
  return s;
}

struct HeadLossKernel {
  struct Params {
    int64_t batch, classes, sets;
    float smoothing;
    const float* logits;
    const int32_t* labels;
    float* losses;
    int32_t* correct;
    float* diff_logits;  // or null
  };
  static constexpr int kThreads = 256;

  FW_DEVICE static void run(const Params& p, Block& block) {
    constexpr int N = kClassLanes;
    const int warps = block.threads / block.warp_threads;
    const int warp = block.thread / block.warp_threads;
    const int lane = block.thread % block.warp_threads;
    float* scratch = block.shared<float>(warps);
    float* set_losses = block.shared<float>(p.sets);
    const int64_t image = block.x;
    const int64_t label = p.labels[image];
    const bool valid = label >= 0 && label < p.classes;

    float counted = 0;
    for (int64_t i = block.thread; i < p.batch; i += block.threads) {
      counted += p.labels[i] >= 0 ? 1.0f : 0.0f;
    }
    counted = block_sum(block, counted, scratch);
    block.sync();
    const float beaten = valid ? count_rivals(p, block, image, label) : 1.0f;
    const float rivals = block_sum(block, beaten, scratch);  // all have read the logits, which may be overwritten now
    block.sync();

    const float smooth = p.smoothing / float(p.classes);
    const float factor = 1.0f / (counted * float(p.sets));
    for (int64_t set = warp; set < p.sets; set += warps) {
      const int64_t at = (set * p.batch + image) * p.classes;
      const LogitRow row = {p.logits + at, p.classes};
      float* diff = p.diff_logits == nullptr ? nullptr : p.diff_logits + at;
      if (!valid) {
        if (lane == 0) {
          set_losses[set] = label < 0 ? 0.0f : NAN;
        }
        for (int64_t k = lane; k < p.classes && diff != nullptr; k += block.warp_threads) {
          diff[k] = label < 0 ? 0.0f : NAN;
        }
        continue;
      }
      const Softmax s = softmax(block, lane, row);
      // Handed over by a shuffle, so that it has been read before its lane overwrites it.
      const float own = block.warp_sum(lane == 0 ? row.z[label] : 0.0f);
      const float log_sum = s.max + ::logf(s.exp_sum);
      if (lane == 0) {
        set_losses[set] = log_sum - (1.0f - p.smoothing) * own - smooth * s.sum;
      }
      if (diff != nullptr) {
        const float scale = factor / s.exp_sum;
        for (int64_t k = int64_t(lane) * N; k < p.classes; k += int64_t(block.warp_threads) * N) {
          Vec<N> d = fma(exp(row.at(k) - s.max), Vec<N>(scale), Vec<N>(-smooth * factor));
          if (label >= k && label < k + N) {
            d.set(int(label - k), d[int(label - k)] - (1.0f - p.smoothing) * factor);
          }
          store_part<N>(diff + k, d, row.lanes(k));
        }
      }
    }
    block.sync();
    if (block.thread == 0) {
      float loss = 0;
      for (int64_t set = 0; set < p.sets; set++) {
        loss += set_losses[set];
      }
      p.losses[image] = loss / float(p.sets);
      p.correct[image] = rivals == 0.0f ? 1 : 0;
    }
  }

  // How many of this thread's classes keep the label from being the first maximum of the mean logits; NaN does.
  FW_DEVICE static float count_rivals(const Params& p, const Block& block, int64_t image, int64_t label) {
    const float own = sum_of_sets(p, image, label);
    float count = own == own ? 0.0f : 1.0f;
    for (int64_t k = block.thread; k < p.classes; k += block.threads) {
      const float other = sum_of_sets(p, image, k);
      count += k == label || other < own || (other == own && k > label) ? 0.0f : 1.0f;
    }
    return count;
  }
  FW_DEVICE static float sum_of_sets(const Params& p, int64_t image, int64_t k) {
    float sum = 0;
    for (int64_t set = 0; set < p.sets; set++) {
      sum += p.logits[(set * p.batch + image) * p.classes + k];
    }
    return sum;
  }
};

struct ProbabilitiesKernel {
  struct Params {
    int64_t batch, classes;
    const float* logits;
    float* probabilities;
  };
  static constexpr int kThreads = 128;

  FW_DEVICE static void run(const Params& p, Block& block) {
    constexpr int N = kClassLanes;
    const int warps = block.threads / block.warp_threads;
    const int lane = block.thread % block.warp_threads;
    const int64_t image = block.x * warps + block.thread / block.warp_threads;
    if (image >= p.batch) {
      return;
    }
    const LogitRow row = {p.logits + image * p.classes, p.classes};
    const Softmax s = softmax(block, lane, row);
    const float scale = 1.0f / s.exp_sum;
    for (int64_t k = int64_t(lane) * N; k < p.classes; k += int64_t(block.warp_threads) * N) {
      store_part<N>(p.probabilities + image * p.classes + k, exp(row.at(k) - s.max) * scale, row.lanes(k));
    }
  }
};

fw_status inference(const Launcher& launcher, const fw_dropout_head& problem, fw_address pooled, fw_address weights,
                    fw_address bias, fw_address logits, fw_address probabilities, fw_address) {
  const HeadDropout none = {nullptr, 0, problem.channels, 1, 1, 0.0f};
  FW_TRY(head_logits(launcher, none, problem.batch, problem.classes, pooled, weights, bias, logits));
  if (probabilities == 0) {
    return FW_OK;
  }
  const int warps = kOneThread ? 1 : ProbabilitiesKernel::kThreads / 32;
  return launch<ProbabilitiesKernel>(launcher, {ceil_div(problem.batch, warps)}, 0,
                                     {problem.batch, problem.classes, reinterpret_cast<const float*>(logits),
                                      reinterpret_cast<float*>(probabilities)});
}

fw_status evaluate(const Launcher& launcher, const fw_dropout_head& problem, fw_address logits, fw_address labels,
                   fw_address losses, fw_address correct) {
  return head_loss(launcher, problem, 1, logits, labels, losses, correct, 0);
}

}  // namespace

fw_status head_loss(const Launcher& launcher, const fw_dropout_head& problem, int64_t sets, fw_address logits,
                    fw_address labels, fw_address losses, fw_address correct, fw_address diff_logits) {
  const int warps = kOneThread ? 1 : HeadLossKernel::kThreads / 32;
  return launch<HeadLossKernel>(
      launcher, {problem.batch}, shared_bytes<float>(warps) + shared_bytes<float>(sets),
      {problem.batch, problem.classes, sets, problem.label_smoothing, reinterpret_cast<const float*>(logits),
       reinterpret_cast<const int32_t*>(labels), reinterpret_cast<float*>(losses), reinterpret_cast<int32_t*>(correct),
       reinterpret_cast<float*>(diff_logits)});
}

void add_cross_entropy(Operations& table) {
  table.dropout_head_inference = inference;
  table.cross_entropy = evaluate;
}

}  // namespace fusewire::FW_EXEC
