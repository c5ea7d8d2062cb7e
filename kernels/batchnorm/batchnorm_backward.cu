// SPDX-License-Identifier: Apache-2.0
// BatchNorm backward from the raw input. With h = (src-mean)*inv_std and g = diff_dst*act'(gamma*h+beta):
//   diff_beta = sum g, diff_gamma = sum g*h, diff_src = gamma*inv_std*(g - diff_beta/rows - h*diff_gamma/rows).
// Three launches: chunk sums, their sum in order, the map. Moves src and diff_dst twice, diff_src once; recomputing h
// and act' is cheaper than storing either.
#include "batchnorm/batchnorm.h"
#include "core/exec.h"
#include "core/operations.h"

namespace fusewire::FW_EXEC {
namespace {

// A channel vector's constants, and g and h from an element.
template <int N>
struct BatchnormChannel {
  Vec<N> mean, inv_std, gamma, beta;
  int activation;

  FW_DEVICE Vec<N> normalised(Vec<N> x) const { return (x - mean) * inv_std; }
  FW_DEVICE Vec<N> gradient(Vec<N> h, Vec<N> diff_dst) const {
    return activation == FW_IDENTITY ? diff_dst : diff_dst * activate_gradient(activation, fma(h, gamma, beta));
  }
};

template <class T, int N>
struct BatchnormBackwardParams {
  ColumnGrid grid;
  const T* src;
  const T* diff_dst;
  T* diff_src;
  const float* gamma;
  const float* beta;
  const float* mean;
  const float* inv_std;
  float* partial;          // (chunks, 2, channels): sums of g and of g*h
  const float* diff_beta;  // their totals
  const float* diff_gamma;
  int activation;

  FW_DEVICE BatchnormChannel<N> channel(int64_t c, int lanes) const {
    return {load_part<N>(mean + c, lanes), load_part<N>(inv_std + c, lanes), load_part<N>(gamma + c, lanes),
            load_part<N>(beta + c, lanes), activation};
  }
};

template <class T, int N>
struct BatchnormBackwardSumsKernel {
  struct Params : BatchnormBackwardParams<T, N> {
    FW_DEVICE void add(const RowChunk&, const RowRun& run, int lanes, Vec<N>* sums) const {
      const BatchnormChannel<N> channel = this->channel(run.channel, lanes);
      int64_t at = run.row * this->grid.channels + run.channel;
#pragma unroll 2
      for (int64_t row = run.row; row < run.end; row += run.step, at += run.step * this->grid.channels) {
        const Vec<N> h = channel.normalised(load_part<N>(this->src + at, lanes));
        const Vec<N> g = channel.gradient(h, load_part<N>(this->diff_dst + at, lanes));
        sums[0] += g;
        sums[1] = fma(g, h, sums[1]);
      }
    }
    FW_DEVICE void finish(const RowChunk& chunk, int64_t channel, int lanes, const Vec<N>* sums) const {
      float* out = this->partial + chunk.chunk * 2 * this->grid.channels + channel;
      store_part<N>(out, sums[0], lanes);
      store_part<N>(out + this->grid.channels, sums[1], lanes);
    }
  };
  static constexpr int kThreads = kColumnThreads;

  FW_DEVICE static void run(const Params& p, Block& block) { sum_columns<N, 2>(p.grid, block, p); }
};

template <int N>
struct BatchnormBackwardTotalKernel {
  struct Params {
    ColumnGrid grid;  // rows: the chunks
    const float* partial;
    float* diff_beta;
    float* diff_gamma;

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
    }
  };
  static constexpr int kThreads = kColumnThreads;

  FW_DEVICE static void run(const Params& p, Block& block) { sum_columns<N, 2>(p.grid, block, p); }
};

template <class T, int N>
struct BatchnormBackwardApplyKernel {
  struct Params : BatchnormBackwardParams<T, N> {
    FW_DEVICE void map(const RowChunk&, const RowRun& run, int lanes) const {
      const BatchnormChannel<N> channel = this->channel(run.channel, lanes);
      const float inverse_rows = 1.0f / float(this->grid.rows);
      const Vec<N> mean_g = load_part<N>(this->diff_beta + run.channel, lanes) * inverse_rows;
      const Vec<N> mean_gh = load_part<N>(this->diff_gamma + run.channel, lanes) * inverse_rows;
      const Vec<N> scale = channel.gamma * channel.inv_std;
      int64_t at = run.row * this->grid.channels + run.channel;
#pragma unroll 2
      for (int64_t row = run.row; row < run.end; row += run.step, at += run.step * this->grid.channels) {
        const Vec<N> h = channel.normalised(load_part<N>(this->src + at, lanes));
        const Vec<N> g = channel.gradient(h, load_part<N>(this->diff_dst + at, lanes));
        store_part<N>(this->diff_src + at, scale * (g - mean_g - h * mean_gh), lanes);
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

fw_status backward(const Launcher& launcher, const fw_batchnorm& problem, fw_address src, fw_address diff_dst,
                   fw_address gamma, fw_address beta, fw_address saved_mean, fw_address saved_inv_std,
                   fw_address diff_src, fw_address diff_gamma, fw_address diff_beta, fw_address workspace) {
  const fw_address all = src | diff_dst | gamma | beta | saved_mean | saved_inv_std | diff_src | diff_gamma | diff_beta;
  return with_dtype(problem.dtype, [&](auto t) {
    using T = decltype(t);
    return with_lanes<T>(problem.channels, all, [&](auto lanes) {
      constexpr int N = decltype(lanes)::value;
      constexpr int M = kOneThread ? N : N == 1 ? 1 : kLanes<float>;
      const ColumnGrid grid = column_grid<N>(1, problem.rows, problem.channels);
      const BatchnormBackwardParams<T, N> params = {grid,
                                                    pointer<const T>(src),
                                                    pointer<const T>(diff_dst),
                                                    pointer<T>(diff_src),
                                                    pointer<const float>(gamma),
                                                    pointer<const float>(beta),
                                                    pointer<const float>(saved_mean),
                                                    pointer<const float>(saved_inv_std),
                                                    pointer<float>(workspace),
                                                    pointer<const float>(diff_beta),
                                                    pointer<const float>(diff_gamma),
                                                    problem.activation};
      FW_TRY(
          (launch<BatchnormBackwardSumsKernel<T, N>>(launcher, grid.grid(), sum_columns_shared<N, 2>(grid), {params})));
      const ColumnGrid total = column_grid_second_stage<M>(1, grid.chunks, problem.channels);
      FW_TRY(launch<BatchnormBackwardTotalKernel<M>>(
          launcher, total.grid(), sum_columns_shared<M, 2>(total),
          {total, pointer<const float>(workspace), pointer<float>(diff_beta), pointer<float>(diff_gamma)}));
      return launch<BatchnormBackwardApplyKernel<T, N>>(launcher, grid.grid(), 0, {params});
    });
  });
}

}  // namespace

void add_batchnorm_backward(Operations& table) { table.batchnorm_backward = backward; }

}  // namespace fusewire::FW_EXEC
