// SPDX-License-Identifier: Apache-2.0
// Multi-sample-dropout head, backward, with the masks made anew from their counters:
//   diff_pooled[n,c]  = scale * sum_s factor[s,n,c] * sum_k diff_logits[s,n,k]*weights[k,c]
//   diff_weights[k,c] = scale * sum_{s,n} diff_logits[s,n,k] * factor[s,n,c]*pooled[n,c]
//   diff_bias[k]      = scale * sum_{s,n} diff_logits[s,n,k]
#include <cstddef>

#include "core/exec.h"
#include "core/operations.h"
#include "core/pixel_sums.h"
#include "head/head.h"

namespace fusewire::FW_EXEC {
namespace {

struct HeadGradient {
  HeadDropout dropout;
  int64_t batch, channels, classes;
  const float* loss_scale;  // or null
  const float* pooled;
  const float* weights;
  const float* diff_logits;  // (sets, batch, classes)

  FW_DEVICE float scale() const { return loss_scale == nullptr ? 1.0f : *loss_scale; }
};

// diff_pooled: a thread has one or two vectors of channels of one image, and sums over classes for four sets at once.
// A CPU block has several images, so that the strip of weights it reads stays in its cache.
template <int N>
struct HeadBackwardPooledKernel {
  struct Params {
    HeadGradient head;
    int images;  // of a block
    float* diff_pooled;
  };
  static constexpr int kThreads = 256;
  static constexpr int kVectors = kOneThread ? 2 : 1;
  static constexpr int kStrips = kOneThread ? 4 : kThreads;  // of kVectors vectors, of a block
  static constexpr int64_t kChannelTile = int64_t(kStrips) * kVectors * N;

  FW_DEVICE static void run(const Params& p, Block& block) {
    for (int i = block.thread; i < kStrips * p.images; i += block.threads) {
      const int64_t channel = block.y * kChannelTile + int64_t(i / p.images) * kVectors * N;
      const int64_t image = block.x * p.images + i % p.images;
      if (channel >= p.head.channels || image >= p.head.batch) {
        continue;
      }
      Vec<N> total[kVectors];
#pragma unroll
      for (int v = 0; v < kVectors; v++) {
        total[v] = Vec<N>(0.0f);
      }
      int64_t set = 0;
      for (; set + 4 <= p.head.dropout.sets; set += 4) {
        add_sets<4>(p, image, channel, set, total);
      }
      for (; set < p.head.dropout.sets; set++) {
        add_sets<1>(p, image, channel, set, total);
      }
#pragma unroll
      for (int v = 0; v < kVectors; v++) {
        const int64_t c = channel + v * N;
        if (c < p.head.channels) {
          store_part<N>(p.diff_pooled + image * p.head.channels + c, total[v] * p.head.scale(), lanes(p, c));
        }
      }
    }
  }

  FW_DEVICE static int lanes(const Params& p, int64_t channel) { return vector_lanes<N>(p.head.channels, channel); }

  template <int kSets>
  FW_DEVICE static void add_sets(const Params& p, int64_t image, int64_t channel, int64_t set, Vec<N>* total) {
    Vec<N> sums[kSets][kVectors];
#pragma unroll
    for (int s = 0; s < kSets; s++) {
#pragma unroll
      for (int v = 0; v < kVectors; v++) {
        sums[s][v] = Vec<N>(0.0f);
      }
    }
    const float* diff = p.head.diff_logits + (set * p.head.batch + image) * p.head.classes;
    const int64_t set_stride = p.head.batch * p.head.classes;
    const float* w = p.head.weights + channel;
    int n[kVectors];
#pragma unroll
    for (int v = 0; v < kVectors; v++) {  // a vector wholly past the end reads nothing
      n[v] = channel + v * N < p.head.channels ? lanes(p, channel + v * N) : 0;
    }
    for (int64_t k = 0; k < p.head.classes; k++, w += p.head.channels) {
#pragma unroll
      for (int v = 0; v < kVectors; v++) {
        const Vec<N> weight = load_part<N>(w + v * N, n[v]);
#pragma unroll
        for (int s = 0; s < kSets; s++) {
          sums[s][v] = fma(weight, Vec<N>(diff[s * set_stride + k]), sums[s][v]);
        }
      }
    }
#pragma unroll
    for (int v = 0; v < kVectors; v++) {
#pragma unroll
      for (int s = 0; s < kSets; s++) {
        const Vec<N> factors = p.head.dropout.template factors<N>(image, set + s, channel + v * N);
        total[v] = fma(sums[s][v], factors, total[v]);
      }
    }
  }
};

// diff_weights: a block has a tile of classes and channels. It makes the dropped-out features of some rows in shared
// memory and adds their products with diff_logits, a thread holding four classes by one or two vectors of channels.
template <int N>
struct HeadBackwardWeightsKernel {
  struct Params {
    HeadGradient head;
    int class_tile;
    float* diff_weights;
  };
  static constexpr int kThreads = 128;
  static constexpr int kVectors = kOneThread ? 2 : 1;
  static constexpr int kClasses = 4;
  static constexpr int kRows = 64;  // made at a time
  static constexpr int kStrips = kOneThread ? 2 : 16;
  static constexpr int kChannelTile = kStrips * kVectors * N;

  FW_DEVICE static void run(const Params& p, Block& block) {
    float* features = block.template shared<float>(kRows * kChannelTile);
    const int64_t channel = block.x * kChannelTile;
    const int64_t all_rows = p.head.batch * p.head.dropout.sets;
    int64_t row = 0;
    do {  // once even for an empty batch, whose gradient is 0
      const int rows = int(all_rows - row < kRows ? all_rows - row : kRows);
      make_features(p, block, features, channel, row, rows);
      block.sync();
      multiply(p, block, features, channel, row, rows);
      block.sync();
      row += kRows;
    } while (row < all_rows);
  }

  FW_DEVICE static void make_features(const Params& p, const Block& block, float* features, int64_t channel,
                                      int64_t first_row, int rows) {
    constexpr int kPerRow = kStrips * kVectors;
    for (int i = block.thread; i < rows * kPerRow; i += block.threads) {
      const int row = i / kPerRow;
      const int64_t c = channel + i % kPerRow * N;
      Vec<N> x(0.0f);
      if (c < p.head.channels) {
        const int64_t image = (first_row + row) / p.head.dropout.sets;
        const int64_t set = (first_row + row) % p.head.dropout.sets;
        const int lanes = vector_lanes<N>(p.head.channels, c);
        x = load_part<N>(p.head.pooled + image * p.head.channels + c, lanes) *
            p.head.dropout.template factors<N>(image, set, c);
      }
      store<N>(features + row * kChannelTile + (c - channel), x);
    }
  }

  FW_DEVICE static void multiply(const Params& p, const Block& block, const float* features, int64_t channel,
                                 int64_t first_row, int rows) {
    const int64_t first_class = block.y * p.class_tile;
    const int classes = int(p.head.classes - first_class < p.class_tile ? p.head.classes - first_class : p.class_tile);
    const int groups = (classes + kClasses - 1) / kClasses;
    for (int i = block.thread; i < groups * kStrips; i += block.threads) {
      const int strip = i % kStrips * kVectors * N;
      const int64_t k = first_class + i / kStrips * kClasses;
      if (channel + strip >= p.head.channels) {
        continue;
      }
      int64_t column[kClasses];  // classes past the end repeat the last
#pragma unroll
      for (int j = 0; j < kClasses; j++) {
        column[j] = k + j < p.head.classes ? k + j : p.head.classes - 1;
      }
      Vec<N> sums[kClasses][kVectors];
#pragma unroll
      for (int j = 0; j < kClasses; j++) {
#pragma unroll
        for (int v = 0; v < kVectors; v++) {
          sums[j][v] = Vec<N>(0.0f);
        }
      }
      int64_t image = first_row / p.head.dropout.sets;
      int64_t set = first_row % p.head.dropout.sets;
      for (int row = 0; row < rows; row++) {
        const float* diff = p.head.diff_logits + (set * p.head.batch + image) * p.head.classes;
        Vec<N> x[kVectors];
#pragma unroll
        for (int v = 0; v < kVectors; v++) {
          x[v] = load<N>(features + row * kChannelTile + strip + v * N);
        }
#pragma unroll
        for (int j = 0; j < kClasses; j++) {
          const Vec<N> d(diff[column[j]]);
#pragma unroll
          for (int v = 0; v < kVectors; v++) {
            sums[j][v] = fma(x[v], d, sums[j][v]);
          }
        }
        set++;
        if (set == p.head.dropout.sets) {
          set = 0;
          image++;
        }
      }
      const float scale = p.head.scale();
#pragma unroll
      for (int j = 0; j < kClasses; j++) {
#pragma unroll
        for (int v = 0; v < kVectors; v++) {
          const int64_t c = channel + strip + v * N;
          if (k + j < p.head.classes && c < p.head.channels) {
            const int lanes = vector_lanes<N>(p.head.channels, c);
            float* out = p.diff_weights + (k + j) * p.head.channels + c;
            const Vec<N> before = first_row == 0 ? Vec<N>(0.0f) : load_part<N>(out, lanes);
            store_part<N>(out, fma(sums[j][v], Vec<N>(scale), before), lanes);
          }
        }
      }
    }
  }
};

fw_status backward(const Launcher& launcher, const fw_dropout_head& problem, fw_address step, fw_address loss_scale,
                   fw_address pooled, fw_address weights, fw_address diff_logits, fw_address diff_pooled,
                   fw_address diff_weights, fw_address diff_bias, fw_address) {
  static_assert(offsetof(fw_loss_scale, scale) == 0, "kernels read the scale at the struct's address");
  const HeadGradient head = {head_dropout(problem, step),
                             problem.batch,
                             problem.channels,
                             problem.classes,
                             reinterpret_cast<const float*>(loss_scale),
                             reinterpret_cast<const float*>(pooled),
                             reinterpret_cast<const float*>(weights),
                             reinterpret_cast<const float*>(diff_logits)};
  FW_TRY(with_lanes<float>(problem.channels, pooled | weights | diff_pooled | diff_weights, [&](auto lanes) {
    using Pooled = HeadBackwardPooledKernel<decltype(lanes)::value>;
    const int64_t share = kOneThread ? problem.batch / 16 : 1;
    const int images = int(share < 1 ? 1 : share > 8 ? 8 : share);
    FW_TRY(launch<Pooled>(launcher, {ceil_div(problem.batch, images), ceil_div(problem.channels, Pooled::kChannelTile)},
                          0, {head, images, reinterpret_cast<float*>(diff_pooled)}));
    using Weights = HeadBackwardWeightsKernel<decltype(lanes)::value>;
    const int class_tile = kOneThread ? 512 : 32;
    return launch<Weights>(launcher,
                           {ceil_div(problem.channels, Weights::kChannelTile), ceil_div(problem.classes, class_tile)},
                           shared_bytes<float>(Weights::kRows * Weights::kChannelTile),
                           {head, class_tile, reinterpret_cast<float*>(diff_weights)});
  }));
  return with_lanes<float>(problem.classes, diff_logits | diff_bias, [&](auto lanes) {
    constexpr int N = decltype(lanes)::value;
    const ColumnGrid grid = column_grid_second_stage<N>(1, problem.batch * logit_sets(problem), problem.classes);
    return launch<RowSumsKernel<N>>(
        launcher, grid.grid(), sum_columns_shared<N, 1>(grid),
        {grid, reinterpret_cast<const float*>(diff_logits), reinterpret_cast<float*>(diff_bias),
         reinterpret_cast<const float*>(loss_scale), 1.0f});
  });
}

}  // namespace

void add_dropout_head_backward(Operations& table) { table.dropout_head_backward = backward; }

}  // namespace fusewire::FW_EXEC
