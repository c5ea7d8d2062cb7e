// SPDX-License-Identifier: Apache-2.0
// The multi-sample-dropout head in float64 with the reference's masks: the forward from the definition, the gradients
// by their formulas (which a test holds against finite differences of the forward).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "fusewire/fusewire.h"
#include "philox_reference.h"

namespace fusewire::test::head {

using Doubles = std::vector<double>;
constexpr uint64_t kSeed = 0xfeedfacecafebeefu;
constexpr uint32_t kStep = 3;

struct Input {
  std::vector<float> pooled, weights, bias;
  std::vector<int32_t> labels;
};

// The whole head in float64, forward only: everything else is a derivative of it.
struct Reference {
  Doubles logits;  // (sets, batch, classes)
  Doubles losses;
  std::vector<int32_t> correct;
  double loss = 0;  // mean over the images that count
};

inline int64_t sets_of(const fw_dropout_head& p) { return p.mode == FW_AVERAGE_LOGITS ? 1 : p.samples; }

inline double factor(const fw_dropout_head& p, int64_t image, int64_t channel, int64_t set) {
  const auto one = [&](int64_t sample) {
    const float u = reference_uniform(kSeed, image * p.channels + channel, uint32_t(sample), kStep, p.layer);
    return u >= p.dropout ? 1 / (1 - double(p.dropout)) : 0.0;
  };
  if (p.mode == FW_AVERAGE_LOSSES) {
    return one(set);
  }
  double sum = 0;
  for (int64_t sample = 0; sample < p.samples; sample++) {
    sum += one(sample);
  }
  return sum / double(p.samples);
}

// log softmax cross-entropy of one row of logits.
inline double row_loss(const fw_dropout_head& p, const double* z, int64_t label) {
  double largest = z[0];
  for (int64_t k = 1; k < p.classes; k++) {
    largest = std::max(largest, z[k]);
  }
  double sum = 0;
  for (int64_t k = 0; k < p.classes; k++) {
    sum += std::exp(z[k] - largest);
  }
  const double smooth = double(p.label_smoothing) / double(p.classes);
  double loss = 0;
  for (int64_t k = 0; k < p.classes; k++) {
    const double target = smooth + (k == label ? 1 - double(p.label_smoothing) : 0);
    loss -= target * (z[k] - largest - std::log(sum));
  }
  return loss;
}

inline void losses_from_logits(const fw_dropout_head& p, int64_t sets, const std::vector<int32_t>& labels,
                               Reference* r) {
  double counted = 0;
  for (int64_t n = 0; n < p.batch; n++) {
    const int64_t label = labels[size_t(n)];
    double loss = 0;
    Doubles mean(static_cast<size_t>(p.classes));
    for (int64_t s = 0; s < sets && label >= 0; s++) {
      const double* z = &r->logits[size_t((s * p.batch + n) * p.classes)];
      loss += row_loss(p, z, label) / double(sets);
      for (int64_t k = 0; k < p.classes; k++) {
        mean[size_t(k)] += z[k];
      }
    }
    const auto top = std::max_element(mean.begin(), mean.end()) - mean.begin();
    r->losses.push_back(loss);
    r->correct.push_back(label >= 0 && top == label ? 1 : 0);
    r->loss += loss;
    counted += label >= 0 ? 1 : 0;
  }
  r->loss /= std::max(counted, 1.0);
}

inline Reference reference(const fw_dropout_head& p, const Input& in, const Doubles& pooled, const Doubles& weights,
                           const Doubles& bias) {
  Reference r;
  const int64_t sets = sets_of(p);
  r.logits.resize(size_t(sets * p.batch * p.classes));
  Doubles x(static_cast<size_t>(p.channels));
  for (int64_t s = 0; s < sets; s++) {
    for (int64_t n = 0; n < p.batch; n++) {
      for (int64_t c = 0; c < p.channels; c++) {
        x[size_t(c)] = pooled[size_t(n * p.channels + c)] * factor(p, n, c, s);
      }
      for (int64_t k = 0; k < p.classes; k++) {
        double sum = bias[size_t(k)];
        for (int64_t c = 0; c < p.channels; c++) {
          sum += x[size_t(c)] * weights[size_t(k * p.channels + c)];
        }
        r.logits[size_t((s * p.batch + n) * p.classes + k)] = sum;
      }
    }
  }
  losses_from_logits(p, sets, in.labels, &r);
  return r;
}

inline Doubles doubles(const std::vector<float>& a) { return Doubles(a.begin(), a.end()); }

struct Gradients {
  Doubles logits, pooled, weights, bias;
};

// By the formulas, checked against finite differences of reference() below.
inline Gradients gradients(const fw_dropout_head& p, const Input& in, const Reference& r) {
  const int64_t sets = sets_of(p);
  Gradients g = {Doubles(r.logits.size()), Doubles(in.pooled.size()), Doubles(in.weights.size()),
                 Doubles(in.bias.size())};
  double counted = 0;
  for (const int32_t label : in.labels) {
    counted += label >= 0 ? 1 : 0;
  }
  for (int64_t s = 0; s < sets; s++) {
    for (int64_t n = 0; n < p.batch; n++) {
      const int64_t label = in.labels[size_t(n)];
      const double* z = &r.logits[size_t((s * p.batch + n) * p.classes)];
      const double largest = *std::max_element(z, z + p.classes);
      double sum = 0;
      for (int64_t k = 0; k < p.classes; k++) {
        sum += std::exp(z[k] - largest);
      }
      for (int64_t k = 0; k < p.classes && label >= 0; k++) {
        const double target =
            double(p.label_smoothing) / double(p.classes) + (k == label ? 1 - double(p.label_smoothing) : 0);
        const double d = (std::exp(z[k] - largest) / sum - target) / (counted * double(sets));
        g.logits[size_t((s * p.batch + n) * p.classes + k)] = d;
        g.bias[size_t(k)] += d;
      }
      for (int64_t c = 0; c < p.channels; c++) {
        const double f = factor(p, n, c, s);
        for (int64_t k = 0; k < p.classes; k++) {
          const double d = g.logits[size_t((s * p.batch + n) * p.classes + k)];
          g.pooled[size_t(n * p.channels + c)] += f * d * in.weights[size_t(k * p.channels + c)];
          g.weights[size_t(k * p.channels + c)] += f * d * in.pooled[size_t(n * p.channels + c)];
        }
      }
    }
  }
  return g;
}

}  // namespace fusewire::test::head
