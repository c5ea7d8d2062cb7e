// SPDX-License-Identifier: Apache-2.0
// Residual sum of raw tensors, dst = out(act(norm(branch))*image_scale + skip_act(skip_norm(skip))), its gradient where
// an activation follows the sum, and the drop-connect factors of the images, which backward applies on load. Each moves
// two inputs and one output. A block has a chunk of an image's pixels and a tile of the channels; of the gradient, a
// run of elements.
#include <limits>

#include "core/convert.h"
#include "core/philox.h"
#include "norm/normed.h"

namespace fusewire::FW_EXEC {
namespace {

template <class T, int N>
struct FusedResidualKernel {
  struct Params {
    ColumnGrid grid;
    const T* branch;
    Norm norm;
    const float* image_scale;  // or nullptr
    const T* skip;
    Norm skip_norm;
    int out_activation;
    T* dst;

    FW_DEVICE void map(const RowChunk& chunk, const RowRun& run, int lanes) const {
      const NormVector<N> z = norm_or_identity<N>(norm, run.channel, lanes);
      const NormVector<N> other = norm_or_identity<N>(skip_norm, run.channel, lanes);
      const Vec<N> factor(image_scale == nullptr ? 1.0f : image_scale[chunk.image]);
      int64_t at = (chunk.image * grid.rows + run.row) * grid.channels + run.channel;
#pragma unroll 2
      for (int64_t row = run.row; row < run.end; row += run.step, at += run.step * grid.channels) {
        const Vec<N> y = activate(norm.activation, z.apply(load_part<N>(branch + at, lanes)));
        const Vec<N> added = activate(skip_norm.activation, other.apply(load_part<N>(skip + at, lanes)));
        store_part<N>(dst + at, activate(out_activation, fma(y, factor, added)), lanes);
      }
    }
  };
  static constexpr int kThreads = kColumnThreads;

  FW_DEVICE static void run(const Params& p, Block& block) { map_columns<N>(p.grid, block, p); }
};

// diff_sum = diff_dst where 0 < dst < limit, else 0.
template <class T, int N>
struct FusedResidualBackwardKernel {
  struct Params {
    const T* dst;
    const T* diff_dst;
    T* diff_sum;
    int64_t elements;
    float limit;
  };
  static constexpr int kThreads = 256;
  static constexpr int64_t kVectorsPerBlock = kOneThread ? 1024 : 2048;

  FW_DEVICE static void run(const Params& p, Block& block) {
    const int64_t first = block.x * kVectorsPerBlock;
#pragma unroll 4
    for (int64_t i = block.thread; i < kVectorsPerBlock; i += block.threads) {
      const int64_t at = (first + i) * N;
      if (at < p.elements) {
        const int n = vector_lanes<N>(p.elements, at);
        const Vec<N> zero(0.0f);
        const Vec<N> y = load_part<N>(p.dst + at, n);
        const Vec<N> d = select_greater(Vec<N>(p.limit), y, load_part<N>(p.diff_dst + at, n), zero);
        store_part<N>(p.diff_sum + at, select_greater(y, zero, d, zero), n);
      }
    }
  }
};

struct DropConnectScalesKernel {
  struct Params {
    const fw_step* step;  // or nullptr: nothing is dropped
    int64_t batch;
    float drop_rate;
    uint32_t layer;
    float* scales;
  };
  static constexpr int kThreads = 256;
  static constexpr int64_t kImages = 1024;  // of a block

  FW_DEVICE static void run(const Params& p, Block& block) {
    const int64_t end = (block.x + 1) * kImages < p.batch ? (block.x + 1) * kImages : p.batch;
    for (int64_t image = block.x * kImages + block.thread; image < end; image += block.threads) {
      float scale = 1.0f;
      if (p.step != nullptr) {
        const float uniform = random_uniform(random_stream(*p.step, p.layer, 0), image);
        scale = uniform < p.drop_rate ? 0.0f : 1.0f / (1.0f - p.drop_rate);
      }
      p.scales[image] = scale;
    }
  }
};

fw_status forward(const Launcher& launcher, const fw_fused_residual& problem, fw_address branch, fw_address norm,
                  fw_address image_scale, fw_address skip, fw_address skip_norm, fw_address dst) {
  const fw_normed& p = problem.branch;
  return with_dtype(p.dtype, [&](auto t) {
    using T = decltype(t);
    return with_lanes<T>(p.channels, branch | norm | skip | skip_norm | dst, [&](auto lanes) {
      constexpr int N = decltype(lanes)::value;
      const ColumnGrid grid = column_grid<N>(p.batch, p.pixels, p.channels);
      const Norm other{reinterpret_cast<const float*>(skip_norm), p.channels, problem.skip_activation};
      return launch<FusedResidualKernel<T, N>>(
          launcher, grid.grid(), 0,
          {grid, reinterpret_cast<const T*>(branch), norm_of(p, norm), reinterpret_cast<const float*>(image_scale),
           reinterpret_cast<const T*>(skip), other, problem.out_activation, reinterpret_cast<T*>(dst)});
    });
  });
}

fw_status backward(const Launcher& launcher, const fw_fused_residual& problem, fw_address dst, fw_address diff_dst,
                   fw_address diff_sum) {
  const fw_normed& p = problem.branch;
  const int64_t elements = p.batch * p.pixels * p.channels;
  if (problem.out_activation == FW_IDENTITY) {
    return diff_sum == diff_dst ? FW_OK : convert(launcher, p.dtype, diff_dst, p.dtype, diff_sum, elements);
  }
  const float limit = problem.out_activation == FW_RELU6 ? 6.0f : std::numeric_limits<float>::infinity();
  return with_dtype(p.dtype, [&](auto t) {
    using T = decltype(t);
    return with_lanes<T>(elements, dst | diff_dst | diff_sum, [&](auto lanes) {
      using Kernel = FusedResidualBackwardKernel<T, decltype(lanes)::value>;
      return launch<Kernel>(launcher, {ceil_div(elements, Kernel::kVectorsPerBlock * decltype(lanes)::value)}, 0,
                            {reinterpret_cast<const T*>(dst), reinterpret_cast<const T*>(diff_dst),
                             reinterpret_cast<T*>(diff_sum), elements, limit});
    });
  });
}

fw_status scales(const Launcher& launcher, const fw_residual& problem, fw_address step, fw_address scales) {
  using Kernel = DropConnectScalesKernel;
  return launch<Kernel>(launcher, {ceil_div(problem.batch, Kernel::kImages)}, 0,
                        {problem.drop_rate > 0 ? reinterpret_cast<const fw_step*>(step) : nullptr, problem.batch,
                         problem.drop_rate, problem.layer, reinterpret_cast<float*>(scales)});
}

}  // namespace

void add_fused_residual(Operations& table) {
  table.fused_residual_forward = forward;
  table.fused_residual_backward = backward;
  table.drop_connect_scales = scales;
}

}  // namespace fusewire::FW_EXEC
