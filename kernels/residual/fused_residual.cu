// SPDX-License-Identifier: Apache-2.0
// Residual sum of raw tensors, dst = act(norm(branch))*image_scale + skip_norm(skip), and the drop-connect factors of
// the images, which backward applies on load. Moves two inputs and one output. A block has a chunk of an image's pixels
// and a tile of the channels.
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
    T* dst;

    FW_DEVICE void map(const RowChunk& chunk, const RowRun& run, int lanes) const {
      const NormVector<N> z = norm_or_identity<N>(norm, run.channel, lanes);
      const NormVector<N> other = norm_or_identity<N>(skip_norm, run.channel, lanes);
      const Vec<N> factor(image_scale == nullptr ? 1.0f : image_scale[chunk.image]);
      int64_t at = (chunk.image * grid.rows + run.row) * grid.channels + run.channel;
#pragma unroll 2
      for (int64_t row = run.row; row < run.end; row += run.step, at += run.step * grid.channels) {
        const Vec<N> y = activate(norm.activation, z.apply(load_part<N>(branch + at, lanes)));
        store_part<N>(dst + at, fma(y, factor, other.apply(load_part<N>(skip + at, lanes))), lanes);
      }
    }
  };
  static constexpr int kThreads = kColumnThreads;

  FW_DEVICE static void run(const Params& p, Block& block) { map_columns<N>(p.grid, block, p); }
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

fw_status forward(const Launcher& launcher, const fw_normed& problem, fw_address branch, fw_address norm,
                  fw_address image_scale, fw_address skip, fw_address skip_norm, fw_address dst) {
  return with_dtype(problem.dtype, [&](auto t) {
    using T = decltype(t);
    return with_lanes<T>(problem.channels, branch | norm | skip | skip_norm | dst, [&](auto lanes) {
      constexpr int N = decltype(lanes)::value;
      const ColumnGrid grid = column_grid<N>(problem.batch, problem.pixels, problem.channels);
      return launch<FusedResidualKernel<T, N>>(
          launcher, grid.grid(), 0,
          {grid, reinterpret_cast<const T*>(branch), norm_of(problem, norm),
           reinterpret_cast<const float*>(image_scale), reinterpret_cast<const T*>(skip), norm_of(problem, skip_norm),
           reinterpret_cast<T*>(dst)});
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
  table.drop_connect_scales = scales;
}

}  // namespace fusewire::FW_EXEC
