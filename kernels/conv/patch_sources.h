// SPDX-License-Identifier: Apache-2.0
// What patches.h reads at a pixel: one tensor as it is, or an operand that BatchNorm makes on load from one tensor or
// two, as the rows of normed_rows.h. Outside the tensor the operand is 0, whatever the norm would make of a 0. A source
// has
//   kSources, tensor(i), plain()            as an operand of operand_tile.h
//   Image image(n)                          what is to be known of an image
//   Constants<N> constants(channel, n, aligned)   of N channels, n of which exist
//   set(constants, e, channel)              the e-th of them, where the channels are no neighbours
//   apply(image, constants, x, y)           the operand from its tensors
#pragma once

#include "norm/norm.h"

namespace fusewire::FW_EXEC {

struct NothingKnown {};

template <class T>
struct PlainPixels {
  const T* src;

  static constexpr int kSources = 1;
  using Image = NothingKnown;
  template <int N>
  using Constants = NothingKnown;
  FW_DEVICE const T* tensor(int) const { return src; }
  FW_DEVICE bool plain() const { return true; }
  FW_DEVICE Image image(int64_t) const { return {}; }
  template <int N>
  FW_DEVICE Constants<N> constants(int64_t, int, bool) const {
    return {};
  }
  template <int N>
  FW_DEVICE void set(Constants<N>&, int, int64_t) const {}
  template <int N>
  FW_DEVICE Vec<N> apply(Image, const Constants<N>&, Vec<N> x, Vec<N>) const {
    return x;
  }
};

// activation(norm(src)), or src where there is no norm.
template <class T>
struct NormedPixels {
  const T* src;
  Norm norm;  // its table may be nullptr

  static constexpr int kSources = 1;
  using Image = NothingKnown;
  template <int N>
  using Constants = NormVector<N>;
  FW_DEVICE const T* tensor(int) const { return src; }
  FW_DEVICE bool plain() const { return !norm.present(); }
  FW_DEVICE Image image(int64_t) const { return {}; }
  template <int N>
  FW_DEVICE Constants<N> constants(int64_t channel, int n, bool aligned) const {
    return norm.vector<N>(channel, n, aligned);
  }
  template <int N>
  FW_DEVICE void set(Constants<N>& c, int e, int64_t channel) const {
    c.mean.set(e, norm.value(0, channel));
    c.scale.set(e, norm.value(2, channel));
    c.shift.set(e, norm.value(3, channel));
  }
  template <int N>
  FW_DEVICE Vec<N> apply(Image, const Constants<N>& c, Vec<N> x, Vec<N>) const {
    return activate(norm.activation, c.apply(x));
  }
};

// The gradient of a raw tensor `raw` from `diff`, the gradient of its norm, as NormGradientRows.
template <class T>
struct NormGradientPixels {
  const T* diff;
  const T* raw;
  Norm norm;
  const float* gradient;     // (2, channels)
  const float* image_scale;  // (images) or nullptr

  static constexpr int kSources = 2;
  using Image = float;
  template <int N>
  using Constants = NormGradientVector<N>;
  FW_DEVICE const T* tensor(int i) const { return i == 0 ? diff : raw; }
  FW_DEVICE bool plain() const { return false; }
  FW_DEVICE Image image(int64_t n) const { return image_scale == nullptr ? 1.0f : image_scale[n]; }
  template <int N>
  FW_DEVICE Constants<N> constants(int64_t channel, int n, bool aligned) const {
    return norm.gradient_vector<N>(gradient, channel, n, aligned);
  }
  template <int N>
  FW_DEVICE void set(Constants<N>& c, int e, int64_t channel) const {
    c.mean.set(e, norm.value(0, channel));
    c.scale.set(e, norm.value(2, channel));
    c.slope.set(e, gradient[channel]);
    c.offset.set(e, gradient[norm.channels + channel]);
  }
  template <int N>
  FW_DEVICE Vec<N> apply(Image scale, const Constants<N>& c, Vec<N> x, Vec<N> y) const {
    return c.apply(x * scale, y);
  }
};

}  // namespace fusewire::FW_EXEC
