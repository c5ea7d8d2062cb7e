// SPDX-License-Identifier: Apache-2.0
// Second stages of BatchNorm's sums: from the chunks' partial results to the tables that loads use. Both read the few
// rows of partial sums only.
#include "norm/norm.h"

#include "core/columns.h"
#include "norm/merge_gradient.h"

namespace fusewire::FW_EXEC {
namespace {

// mean = sum n_i*mean_i / n and M2 = sum M2_i + n_i*(mean_i-mean)^2, with means taken relative to the first chunk's.
template <int N>
struct MergeMomentsKernel {
  struct Params {
    ColumnGrid grid;  // rows: the chunks
    const float* partial;
    const float* counts;
    float rows;
    const float* gamma;
    const float* beta;
    float* running_mean;  // or nullptr
    float* running_var;
    float epsilon, momentum;
    float* norm;
  };
  static constexpr int kThreads = kColumnThreads;

  struct Mean {
    const Params& p;
    FW_DEVICE void add(const RowChunk&, const RowRun& run, int lanes, Vec<N>* sums) const {
      const Vec<N> first = load_part<N>(p.partial + run.channel, lanes);
      for (int64_t chunk = run.row; chunk < run.end; chunk += run.step) {
        const Vec<N> mean = load_part<N>(p.partial + chunk * 2 * p.grid.channels + run.channel, lanes);
        sums[0] = fma(mean - first, Vec<N>(p.counts[chunk]), sums[0]);
      }
    }
    FW_DEVICE void finish(const RowChunk&, int64_t channel, int lanes, const Vec<N>* sums) const {
      const Vec<N> first = load_part<N>(p.partial + channel, lanes);
      store_part<N>(p.norm + channel, first + sums[0] / p.rows, lanes);
    }
  };
  struct Deviation {
    const Params& p;
    FW_DEVICE void add(const RowChunk&, const RowRun& run, int lanes, Vec<N>* sums) const {
      const Vec<N> all = load_part<N>(p.norm + run.channel, lanes);
      for (int64_t chunk = run.row; chunk < run.end; chunk += run.step) {
        const float* in = p.partial + chunk * 2 * p.grid.channels + run.channel;
        const Vec<N> d = load_part<N>(in, lanes) - all;
        sums[0] += fma(d * d, Vec<N>(p.counts[chunk]), load_part<N>(in + p.grid.channels, lanes));
      }
    }
    FW_DEVICE void finish(const RowChunk&, int64_t channel, int lanes, const Vec<N>* sums) const {
      const int64_t channels = p.grid.channels;
      const Vec<N> inverse = Vec<N>(1.0f) / square_root(sums[0] / p.rows + p.epsilon);
      store_part<N>(p.norm + channels + channel, inverse, lanes);
      store_part<N>(p.norm + 2 * channels + channel, load_part<N>(p.gamma + channel, lanes) * inverse, lanes);
      store_part<N>(p.norm + 3 * channels + channel, load_part<N>(p.beta + channel, lanes), lanes);
      if (p.running_mean != nullptr) {
        const float keep = 1.0f - p.momentum;
        const Vec<N> unbiased = sums[0] / (p.rows - 1.0f);
        float* m = p.running_mean + channel;
        float* v = p.running_var + channel;
        store_part<N>(m, keep * load_part<N>(m, lanes) + p.momentum * load_part<N>(p.norm + channel, lanes), lanes);
        store_part<N>(v, keep * load_part<N>(v, lanes) + p.momentum * unbiased, lanes);
      }
    }
  };

  FW_DEVICE static void run(const Params& p, Block& block) {
    Block first = block;  // both passes use the same shared memory
    sum_columns<N, 1>(p.grid, first, Mean{p});
    block.sync();
    sum_columns<N, 1>(p.grid, block, Deviation{p});
  }
};

template <class T>
T* pointer(fw_address address) {
  return reinterpret_cast<T*>(address);
}

}  // namespace

fw_status merge_moments(const Launcher& launcher, const Moments& moments, int64_t rows,
                        const NormParameters& parameters, fw_address norm) {
  const fw_address all = fw_address(reinterpret_cast<uintptr_t>(moments.values)) | parameters.gamma | parameters.beta |
                         parameters.running_mean | parameters.running_var | norm;
  return with_lanes<float>(moments.channels, all, [&](auto lanes) {
    constexpr int N = decltype(lanes)::value;
    const ColumnGrid grid = column_grid_second_stage<N>(1, moments.chunks, moments.channels);
    return launch<MergeMomentsKernel<N>>(
        launcher, grid.grid(), sum_columns_shared<N, 1>(grid),
        {grid, moments.values, moments.values + moments.chunks * 2 * moments.channels, float(rows),
         pointer<const float>(parameters.gamma), pointer<const float>(parameters.beta),
         pointer<float>(parameters.running_mean), pointer<float>(parameters.running_var), parameters.epsilon,
         parameters.momentum, pointer<float>(norm)});
  });
}

fw_status merge_norm_gradient(const Launcher& launcher, const float* partial, int64_t chunks, int64_t channels,
                              int64_t rows, fw_address norm, fw_address diff_gamma, fw_address diff_beta,
                              fw_address gradient) {
  const fw_address all = fw_address(reinterpret_cast<uintptr_t>(partial)) | norm | diff_gamma | diff_beta | gradient;
  return with_lanes<float>(channels, all, [&](auto lanes) {
    constexpr int N = decltype(lanes)::value;
    const auto part = norm_gradient_part<N>(partial, chunks, channels, rows, norm, diff_gamma, diff_beta, gradient);
    return launch<MergeNormGradientKernel<N>>(launcher, part.grid, part.shared, part.params);
  });
}

}  // namespace fusewire::FW_EXEC
