// SPDX-License-Identifier: Apache-2.0
// Squeeze-and-excite in double, forward and back, and random weights for it.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "activation_reference.h"
#include "random_data.h"

namespace fusewire::test {

using Doubles = std::vector<double>;

inline Doubles doubles(const std::vector<float>& a) { return Doubles(a.begin(), a.end()); }

inline double gate_reference(int32_t gate, double x) {
  return gate == FW_SIGMOID ? 1 / (1 + std::exp(-x)) : std::min(std::max(x / 6 + 0.5, 0.0), 1.0);
}
inline double gate_gradient_reference(int32_t gate, double value) {
  return gate == FW_SIGMOID ? value * (1 - value) : value > 0 && value < 1 ? 1.0 / 6 : 0;
}

template <class Real>
struct ExciteWeights {
  std::vector<Real> reduce, reduce_bias, expand, expand_bias;
};

struct ExciteForward {
  Doubles pooled, hidden, gate, dst;
};

inline ExciteForward excite_forward(const fw_squeeze_excite& p, const Doubles& src, const ExciteWeights<double>& w) {
  const auto batch = size_t(p.batch);
  const auto pixels = size_t(p.pixels);
  const auto channels = size_t(p.channels);
  const auto squeezed = size_t(p.squeezed);
  ExciteForward f = {Doubles(batch * channels), Doubles(batch * squeezed), Doubles(batch * channels),
                     Doubles(src.size())};
  for (size_t n = 0; n < batch; n++) {
    for (size_t i = 0; i < pixels * channels; i++) {
      f.pooled[n * channels + i % channels] += src[n * pixels * channels + i] / double(pixels);
    }
    for (size_t s = 0; s < squeezed; s++) {
      double sum = w.reduce_bias[s];
      for (size_t c = 0; c < channels; c++) {
        sum += w.reduce[s * channels + c] * f.pooled[n * channels + c];
      }
      f.hidden[n * squeezed + s] = sum;
    }
    for (size_t c = 0; c < channels; c++) {
      double sum = w.expand_bias[c];
      for (size_t s = 0; s < squeezed; s++) {
        sum += w.expand[c * squeezed + s] * activate(p.activation, f.hidden[n * squeezed + s]);
      }
      f.gate[n * channels + c] = gate_reference(p.gate, sum);
    }
    for (size_t i = n * pixels * channels; i < (n + 1) * pixels * channels; i++) {
      f.dst[i] = src[i] * f.gate[n * channels + i % channels];
    }
  }
  return f;
}

struct ExciteGradients {
  Doubles src;
  ExciteWeights<double> weights;
  Doubles pooled;  // of the mean, divided by the pixels
};

// The chain rule step by step, checked against finite differences of excite_forward() in squeeze_excite_test.cc.
inline ExciteGradients excite_backward(const fw_squeeze_excite& p, const Doubles& src, const Doubles& diff_dst,
                                       const ExciteWeights<double>& w) {
  const ExciteForward f = excite_forward(p, src, w);
  const auto pixels = size_t(p.pixels);
  const auto channels = size_t(p.channels);
  const auto squeezed = size_t(p.squeezed);
  ExciteGradients g = {Doubles(src.size()),
                       {Doubles(w.reduce.size()), Doubles(squeezed), Doubles(w.expand.size()), Doubles(channels)},
                       {}};
  for (size_t n = 0; n < size_t(p.batch); n++) {
    Doubles expand(channels);
    Doubles hidden(squeezed);
    Doubles pooled(channels);
    for (size_t i = 0; i < pixels * channels; i++) {
      expand[i % channels] += diff_dst[n * pixels * channels + i] * src[n * pixels * channels + i];
    }
    for (size_t c = 0; c < channels; c++) {
      expand[c] *= gate_gradient_reference(p.gate, f.gate[n * channels + c]);
      g.weights.expand_bias[c] += expand[c];
      for (size_t s = 0; s < squeezed; s++) {
        const double h = f.hidden[n * squeezed + s];
        g.weights.expand[c * squeezed + s] += expand[c] * activate(p.activation, h);
        hidden[s] += expand[c] * w.expand[c * squeezed + s] * activate_gradient(p.activation, h);
      }
    }
    for (size_t s = 0; s < squeezed; s++) {
      g.weights.reduce_bias[s] += hidden[s];
      for (size_t c = 0; c < channels; c++) {
        g.weights.reduce[s * channels + c] += hidden[s] * f.pooled[n * channels + c];
        pooled[c] += hidden[s] * w.reduce[s * channels + c];
      }
    }
    for (const double gradient : pooled) {
      g.pooled.push_back(gradient / double(pixels));
    }
    for (size_t i = 0; i < pixels * channels; i++) {
      const size_t at = n * pixels * channels + i;
      g.src[at] = diff_dst[at] * f.gate[n * channels + i % channels] + pooled[i % channels] / double(pixels);
    }
  }
  return g;
}

inline ExciteWeights<float> random_weights(const fw_squeeze_excite& p, uint64_t seed) {
  const float scale = 1 / std::sqrt(float(p.channels));
  return {random_reals(seed, p.squeezed * p.channels, FW_F32, 0, 2 * scale), random_reals(seed + 1, p.squeezed),
          random_reals(seed + 2, p.squeezed * p.channels, FW_F32, 0, 0.5f), random_reals(seed + 3, p.channels)};
}
inline ExciteWeights<double> in_double(const ExciteWeights<float>& w) {
  return {doubles(w.reduce), doubles(w.reduce_bias), doubles(w.expand), doubles(w.expand_bias)};
}

}  // namespace fusewire::test
