// SPDX-License-Identifier: Apache-2.0
// Second stage of the sums of BatchNorm's gradient: see merge_norm_gradient(). The kernel alone, for launches that do
// more beside it.
#pragma once

#include "core/beside.h"
#include "core/columns.h"
#include "norm/norm.h"

namespace fusewire::FW_EXEC {

template <int N>
struct MergeNormGradientKernel {
  struct Params {
    ColumnGrid grid;  // rows: the chunks
    const float* partial;
    float rows;
    const float* norm;
    float* diff_gamma;
    float* diff_beta;
    float* gradient;

    FW_DEVICE void add(const RowChunk&, const RowRun& run, int lanes, Vec<N>* sums) const {
      for (int64_t chunk = run.row; chunk < run.end; chunk += run.step) {
        const float* in = partial + chunk * 2 * grid.channels + run.channel;
        sums[0] += load_part<N>(in, lanes);
        sums[1] += load_part<N>(in + grid.channels, lanes);
      }
    }
    FW_DEVICE void finish(const RowChunk&, int64_t channel, int lanes, const Vec<N>* sums) const {
      store_part<N>(diff_beta + channel, sums[0], lanes);
      store_part<N>(diff_gamma + channel, sums[1], lanes);
      const Vec<N> inverse = load_part<N>(norm + grid.channels + channel, lanes);
      const Vec<N> scale = load_part<N>(norm + 2 * grid.channels + channel, lanes);
      const Vec<N> zero(0.0f);
      store_part<N>(gradient + channel, zero - scale * inverse * (sums[1] / rows), lanes);
      store_part<N>(gradient + grid.channels + channel, zero - scale * (sums[0] / rows), lanes);
    }
  };
  static constexpr int kThreads = kColumnThreads;

  FW_DEVICE static void run(const Params& p, Block& block) { sum_columns<N, 2>(p.grid, block, p); }
};

// `rows`: values of each channel in all. The tables' addresses allow vectors of N.
template <int N>
LaunchPart<MergeNormGradientKernel<N>> norm_gradient_part(const float* partial, int64_t chunks, int64_t channels,
                                                          int64_t rows, fw_address norm, fw_address diff_gamma,
                                                          fw_address diff_beta, fw_address gradient) {
  const ColumnGrid grid = column_grid_second_stage<N>(1, chunks, channels);
  return {
      grid.grid(),
      sum_columns_shared<N, 2>(grid),
      {grid, partial, float(rows > 0 ? rows : 1), reinterpret_cast<const float*>(norm),
       reinterpret_cast<float*>(diff_gamma), reinterpret_cast<float*>(diff_beta), reinterpret_cast<float*>(gradient)}};
}

}  // namespace fusewire::FW_EXEC
