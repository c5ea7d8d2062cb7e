// SPDX-License-Identifier: Apache-2.0
// Sums over raw tensors that are normalised and activated on load.
#pragma once

#include "core/columns.h"
#include "core/exec.h"
#include "core/operations.h"
#include "core/pixel_sums.h"
#include "norm/norm.h"

namespace fusewire::FW_EXEC {

// Constants that leave a value as it is where there is no norm, so that loops need not ask.
template <int N>
FW_DEVICE NormVector<N> norm_or_identity(const Norm& norm, int64_t channel, int lanes) {
  if (norm.present()) {
    return norm.template vector<N>(channel, lanes);
  }
  return {Vec<N>(0.0f), Vec<N>(1.0f), Vec<N>(0.0f)};
}

// First stage of a mean over pixels: activation(norm(src)) (images, pixels, channels) to the sums of each chunk of
// pixels, f32 (images, chunks, channels). Reads src once.
template <class T, int N>
struct NormedSumsKernel {
  struct Params {
    ColumnGrid grid;
    const T* src;
    Norm norm;
    float* sums;
    float scale;  // of the sums

    FW_DEVICE void add(const RowChunk& chunk, const RowRun& run, int lanes, Vec<N>* total) const {
      const NormVector<N> z = norm_or_identity<N>(norm, run.channel, lanes);
      int64_t at = (chunk.image * grid.rows + run.row) * grid.channels + run.channel;
#pragma unroll 4
      for (int64_t row = run.row; row < run.end; row += run.step, at += run.step * grid.channels) {
        total[0] += activate(norm.activation, z.apply(load_part<N>(src + at, lanes)));
      }
    }
    FW_DEVICE void finish(const RowChunk& chunk, int64_t channel, int lanes, const Vec<N>* total) const {
      float* out = sums + (chunk.image * grid.chunks + chunk.chunk) * grid.channels + channel;
      store_part<N>(out, total[0] * scale, lanes);
    }
  };
  static constexpr int kThreads = kColumnThreads;

  FW_DEVICE static void run(const Params& p, Block& block) { sum_columns<N, 1>(p.grid, block, p); }
};

// Bytes of the partial sums (chunks, 2, channels) of a BatchNorm's gradient over all pixels of all images.
template <class T>
int64_t norm_gradient_bytes(const fw_normed& problem) {
  const int64_t chunks = pixel_chunks<T>(1, problem.batch * problem.pixels, problem.channels);
  return chunks * 2 * problem.channels * int64_t(sizeof(float));
}

// Bytes of NormedSumsKernel's result.
template <class T>
int64_t normed_sums_bytes(const fw_normed& problem) {
  const int64_t chunks = pixel_chunks<T>(problem.batch, problem.pixels, problem.channels);
  return problem.batch * chunks * problem.channels * int64_t(sizeof(float));
}

inline Norm norm_of(const fw_normed& problem, fw_address table) {
  return {reinterpret_cast<const float*>(table), problem.channels, problem.activation};
}

}  // namespace fusewire::FW_EXEC
