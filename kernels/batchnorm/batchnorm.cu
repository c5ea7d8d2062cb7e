// SPDX-License-Identifier: Apache-2.0
// BatchNorm forward over (rows, channels): dst = act(gamma*(src-mean)*inv_std + beta).
// Training: three launches. (1) every block sums x-shift and (x-shift)^2 over its chunk of rows, shift being the
// chunk's first row, and keeps the chunk's mean and sum of squared deviations; (2) the chunks are merged in order (Chan
// et al. 1979); (3) the map. Moves: src twice, dst once. One-pass E[x^2]-E[x]^2 would lose all digits where the mean is
// large beside the deviation.
#include "batchnorm/batchnorm.h"
#include "core/exec.h"
#include "core/operations.h"

namespace fusewire::FW_EXEC {
namespace {

template <class T, int N>
struct BatchnormStatisticsKernel {
  struct Params {
    ColumnGrid grid;
    const T* src;
    float* partial;  // (chunks, 2, channels): mean, sum of squared deviations

    FW_DEVICE void add(const RowChunk& chunk, const RowRun& run, int lanes, Vec<N>* sums) const {
      const Vec<N> shift = load_part<N>(src + chunk.begin * grid.channels + run.channel, lanes);
      const T* p = src + run.row * grid.channels + run.channel;
#pragma unroll 4
      for (int64_t row = run.row; row < run.end; row += run.step, p += run.step * grid.channels) {
        const Vec<N> d = load_part<N>(p, lanes) - shift;
        sums[0] += d;
        sums[1] = fma(d, d, sums[1]);
      }
    }
    FW_DEVICE void finish(const RowChunk& chunk, int64_t channel, int lanes, const Vec<N>* sums) const {
      const Vec<N> shift = load_part<N>(src + chunk.begin * grid.channels + channel, lanes);
      const Vec<N> mean = sums[0] / float(chunk.end - chunk.begin);  // of x - shift
      float* out = partial + chunk.chunk * 2 * grid.channels + channel;
      store_part<N>(out, shift + mean, lanes);
      store_part<N>(out + grid.channels, max(Vec<N>(0.0f), sums[1] - sums[0] * mean), lanes);
    }
  };
  static constexpr int kThreads = kColumnThreads;

  FW_DEVICE static void run(const Params& p, Block& block) { sum_columns<N, 2>(p.grid, block, p); }
};

// Merges the chunks' moments: mean = sum n_i*mean_i / n, M2 = sum M2_i + n_i*(mean_i-mean)^2, with means taken relative
// to the first chunk's. Then the running averages.
template <int N>
struct BatchnormMergeKernel {
  struct Params {
    ColumnGrid grid;  // rows: the chunks
    const float* partial;
    int64_t rows, chunk_rows;  // of the tensor
    float* saved_mean;
    float* saved_inv_std;
    float* running_mean;  // or null
    float* running_var;
    float epsilon, momentum;

    FW_DEVICE float count(int64_t chunk) const {
      const int64_t rest = rows - chunk * chunk_rows;
      return float(rest < chunk_rows ? rest : chunk_rows);
    }
  };
  static constexpr int kThreads = kColumnThreads;

  struct Mean {
    const Params& p;
    FW_DEVICE void add(const RowChunk&, const RowRun& run, int lanes, Vec<N>* sums) const {
      const Vec<N> first = load_part<N>(p.partial + run.channel, lanes);
      for (int64_t chunk = run.row; chunk < run.end; chunk += run.step) {
        const Vec<N> mean = load_part<N>(p.partial + chunk * 2 * p.grid.channels + run.channel, lanes);
        sums[0] = fma(mean - first, Vec<N>(p.count(chunk)), sums[0]);
      }
    }
    FW_DEVICE void finish(const RowChunk&, int64_t channel, int lanes, const Vec<N>* sums) const {
      const Vec<N> first = load_part<N>(p.partial + channel, lanes);
      store_part<N>(p.saved_mean + channel, first + sums[0] / float(p.rows), lanes);
    }
  };
  struct Deviation {
    const Params& p;
    FW_DEVICE void add(const RowChunk&, const RowRun& run, int lanes, Vec<N>* sums) const {
      const Vec<N> all = load_part<N>(p.saved_mean + run.channel, lanes);
      for (int64_t chunk = run.row; chunk < run.end; chunk += run.step) {
        const float* in = p.partial + chunk * 2 * p.grid.channels + run.channel;
        const Vec<N> d = load_part<N>(in, lanes) - all;
        sums[0] += fma(d * d, Vec<N>(p.count(chunk)), load_part<N>(in + p.grid.channels, lanes));
      }
    }
    FW_DEVICE void finish(const RowChunk&, int64_t channel, int lanes, const Vec<N>* sums) const {
      const Vec<N> variance = sums[0] / float(p.rows);
      store_part<N>(p.saved_inv_std + channel, Vec<N>(1.0f) / square_root(variance + p.epsilon), lanes);
      if (p.running_mean != nullptr) {
        const float keep = 1.0f - p.momentum;
        const Vec<N> mean = load_part<N>(p.saved_mean + channel, lanes);
        const Vec<N> unbiased = sums[0] / float(p.rows - 1);
        float* m = p.running_mean + channel;
        float* v = p.running_var + channel;
        store_part<N>(m, keep * load_part<N>(m, lanes) + p.momentum * mean, lanes);
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

template <class T, int N>
struct BatchnormApplyKernel {
  struct Params {
    ColumnGrid grid;
    const T* src;
    T* dst;
    const float* mean;
    const float* spread;  // 1/std; the variance where is_variance
    const float* gamma;
    const float* beta;
    float epsilon;
    bool is_variance;
    int activation;

    FW_DEVICE void map(const RowChunk&, const RowRun& run, int lanes) const {
      const Vec<N> m = load_part<N>(mean + run.channel, lanes);
      Vec<N> inv_std = load_part<N>(spread + run.channel, lanes);
      if (is_variance) {
        inv_std = Vec<N>(1.0f) / square_root(inv_std + epsilon);
      }
      const Vec<N> scale = load_part<N>(gamma + run.channel, lanes) * inv_std;
      const Vec<N> b = load_part<N>(beta + run.channel, lanes);
      int64_t at = run.row * grid.channels + run.channel;
#pragma unroll 4
      for (int64_t row = run.row; row < run.end; row += run.step, at += run.step * grid.channels) {
        const Vec<N> x = load_part<N>(src + at, lanes);
        store_part<N>(dst + at, activate(activation, fma(x - m, scale, b)), lanes);
      }
    }
  };
  static constexpr int kThreads = kColumnThreads;

  FW_DEVICE static void run(const Params& p, Block& block) { map_columns<N>(p.grid, block, p); }
};

template <class T>
T* pointer(fw_address address) {
  return reinterpret_cast<T*>(address);
}

int64_t workspace(const fw_batchnorm& problem) {
  int64_t bytes = 0;
  with_dtype(problem.dtype, [&](auto t) {
    bytes = batchnorm_partial_bytes<decltype(t)>(problem);
    return FW_OK;
  });
  return bytes;
}

fw_status forward_training(const Launcher& launcher, const fw_batchnorm& problem, fw_address src, fw_address gamma,
                           fw_address beta, fw_address running_mean, fw_address running_var, fw_address saved_mean,
                           fw_address saved_inv_std, fw_address dst, fw_address workspace) {
  const fw_address all = src | gamma | beta | running_mean | running_var | saved_mean | saved_inv_std | dst;
  return with_dtype(problem.dtype, [&](auto t) {
    using T = decltype(t);
    return with_lanes<T>(problem.channels, all, [&](auto lanes) {
      constexpr int N = decltype(lanes)::value;
      constexpr int M = kOneThread ? N : N == 1 ? 1 : kLanes<float>;
      const ColumnGrid grid = column_grid<N>(1, problem.rows, problem.channels);
      using Statistics = BatchnormStatisticsKernel<T, N>;
      FW_TRY(launch<Statistics>(launcher, grid.grid(), sum_columns_shared<N, 2>(grid),
                                {grid, pointer<const T>(src), pointer<float>(workspace)}));
      const ColumnGrid merge = column_grid_second_stage<M>(1, grid.chunks, problem.channels);
      FW_TRY(launch<BatchnormMergeKernel<M>>(
          launcher, merge.grid(), sum_columns_shared<M, 1>(merge),
          {merge, pointer<const float>(workspace), problem.rows, grid.chunk_rows, pointer<float>(saved_mean),
           pointer<float>(saved_inv_std), pointer<float>(running_mean), pointer<float>(running_var), problem.epsilon,
           problem.momentum}));
      using Apply = BatchnormApplyKernel<T, N>;
      return launch<Apply>(launcher, grid.grid(), 0,
                           {grid, pointer<const T>(src), pointer<T>(dst), pointer<const float>(saved_mean),
                            pointer<const float>(saved_inv_std), pointer<const float>(gamma),
                            pointer<const float>(beta), 0.0f, false, problem.activation});
    });
  });
}

fw_status forward_inference(const Launcher& launcher, const fw_batchnorm& problem, fw_address src, fw_address gamma,
                            fw_address beta, fw_address running_mean, fw_address running_var, fw_address dst) {
  const fw_address all = src | gamma | beta | running_mean | running_var | dst;
  return with_dtype(problem.dtype, [&](auto t) {
    using T = decltype(t);
    return with_lanes<T>(problem.channels, all, [&](auto lanes) {
      constexpr int N = decltype(lanes)::value;
      const ColumnGrid grid = column_grid<N>(1, problem.rows, problem.channels);
      using Apply = BatchnormApplyKernel<T, N>;
      return launch<Apply>(launcher, grid.grid(), 0,
                           {grid, pointer<const T>(src), pointer<T>(dst), pointer<const float>(running_mean),
                            pointer<const float>(running_var), pointer<const float>(gamma), pointer<const float>(beta),
                            problem.epsilon, true, problem.activation});
    });
  });
}

}  // namespace

void add_batchnorm(Operations& table) {
  table.batchnorm_workspace = workspace;
  table.batchnorm_forward_training = forward_training;
  table.batchnorm_forward_inference = forward_inference;
  add_batchnorm_backward(table);
}

}  // namespace fusewire::FW_EXEC
