// SPDX-License-Identifier: Apache-2.0
// BatchNorm that is never an operation of its own: whoever writes a convolution's raw result sums its statistics, and
// whoever reads it normalises on load. Three tables, f32, describe it:
//   norm     (4, channels): mean, 1/std, scale = gamma/std, shift = beta;      y = (x-mean)*scale + shift
//   moments  (chunks, 2, channels) and (chunks): mean, sum of squared deviations, and number of values of each chunk
//   gradient (2, channels): slope, offset;                                     dx = scale*g + slope*(x-mean) + offset
// with g the gradient of y. The gradient is BatchNorm's usual one, scale*(g - mean(g) - h*mean(g*h)) with
// h = (x-mean)/std, so slope = -scale*mean(g*h)/std and offset = -scale*mean(g).
#pragma once

#include "core/access.h"
#include "core/exec.h"

namespace fusewire::FW_EXEC {

// Constants of N channels, to normalise with.
template <int N>
struct NormVector {
  Vec<N> mean, scale, shift;

  FW_DEVICE Vec<N> apply(Vec<N> x) const { return fma(x - mean, scale, shift); }
};

// Constants of N channels, for the gradient of the raw tensor.
template <int N>
struct NormGradientVector {
  Vec<N> mean, scale, slope, offset;

  FW_DEVICE Vec<N> apply(Vec<N> g, Vec<N> x) const { return fma(scale, g, fma(slope, x - mean, offset)); }
};

struct Norm {
  const float* table;  // nullptr: nothing is normalised
  int64_t channels;
  int activation;  // after it

  FW_DEVICE bool present() const { return table != nullptr; }
  // One value of the table: 0 mean, 1 1/std, 2 scale, 3 shift.
  FW_DEVICE float value(int index, int64_t channel) const { return table[index * channels + channel]; }
  // Of channels [channel, channel + lanes). aligned: whether rows of the table start on 16 bytes.
  template <int N>
  FW_DEVICE NormVector<N> vector(int64_t channel, int lanes, bool aligned = true) const {
    return {row<N>(0, channel, lanes, aligned), row<N>(2, channel, lanes, aligned), row<N>(3, channel, lanes, aligned)};
  }
  template <int N>
  FW_DEVICE Vec<N> inverse_deviation(int64_t channel, int lanes, bool aligned = true) const {
    return row<N>(1, channel, lanes, aligned);
  }
  template <int N>
  FW_DEVICE NormGradientVector<N> gradient_vector(const float* gradient, int64_t channel, int lanes,
                                                  bool aligned = true) const {
    return {row<N>(0, channel, lanes, aligned), row<N>(2, channel, lanes, aligned),
            load_row<N>(gradient + channel, lanes, aligned),
            load_row<N>(gradient + channels + channel, lanes, aligned)};
  }

 private:
  template <int N>
  FW_DEVICE Vec<N> row(int index, int64_t channel, int lanes, bool aligned) const {
    return load_row<N>(table + index * channels + channel, lanes, aligned);
  }
};

// Where a chunk's moments go, and how they come from sums of d = x - shift and d*d over the chunk's values.
struct Moments {
  float* values;  // (chunks, 2, channels), then the counts (chunks)
  int64_t chunks, channels;

  static int64_t bytes(int64_t chunks, int64_t channels) {
    return chunks * (2 * channels + 1) * int64_t(sizeof(float));
  }
  FW_DEVICE void set_count(int64_t chunk, float count) const { values[chunks * 2 * channels + chunk] = count; }
  template <int N>
  FW_DEVICE void set(int64_t chunk, int64_t channel, int lanes, Vec<N> shift, Vec<N> sum, Vec<N> squares,
                     float count) const {
    const Vec<N> mean = sum / count;
    set_merged<N>(chunk, channel, lanes, shift + mean, max(Vec<N>(0.0f), squares - sum * mean));
  }
  template <int N>
  FW_DEVICE void set_merged(int64_t chunk, int64_t channel, int lanes, Vec<N> mean, Vec<N> deviations,
                            bool aligned = true) const {
    float* out = values + chunk * 2 * channels + channel;
    store_row<N>(out, mean, lanes, aligned);
    store_row<N>(out + channels, deviations, lanes, aligned);
  }
};

// Addresses that belong to a BatchNorm's training step.
struct NormParameters {
  fw_address gamma, beta;
  fw_address running_mean, running_var;  // both or none
  float epsilon, momentum;
};

// Merges moments in the order of their chunks (Chan et al. 1979), writes the norm table and updates the running
// averages. `rows`: values of each channel in all.
fw_status merge_moments(const Launcher& launcher, const Moments& moments, int64_t rows,
                        const NormParameters& parameters, fw_address norm);

// Adds partial sums (chunks, 2, channels) of g and g*h in their order; writes diff_beta and diff_gamma (channels), and
// the gradient table.
fw_status merge_norm_gradient(const Launcher& launcher, const float* partial, int64_t chunks, int64_t channels,
                              int64_t rows, fw_address norm, fw_address diff_gamma, fw_address diff_beta,
                              fw_address gradient);

// x as it is read back after a store in T: statistics are those of the stored values.
template <class T, int N>
FW_DEVICE Vec<N> as_stored(Vec<N> x) {
  if constexpr (sizeof(T) == 4) {
    return x;
  } else {
    T stored[N];
    if constexpr (kOneThread) {
      store<N>(stored, x);
      return load<N>(static_cast<const T*>(stored));
    } else {
#pragma unroll
      for (int i = 0; i < N; i++) {
        x.set(i, to_float(from_float<T>(x[i])));
      }
      return x;
    }
  }
}

}  // namespace fusewire::FW_EXEC
