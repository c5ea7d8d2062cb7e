// SPDX-License-Identifier: Apache-2.0
// Multi-sample-dropout head, forward: logits[s,n,k] = bias[k] + sum_c factor[s,n,c]*pooled[n,c]*weights[k,c], then the
// loss. A product of (batch*sets, channels) with (classes, channels) transposed whose left side is made in shared
// memory from the pooled features and Philox. A block has a tile of rows and a tile of classes; a warp takes 4 rows and
// 2 classes at a time and sums over channels, a vector per thread. Reads pooled once per class tile, weights once per
// row tile.
#include "core/exec.h"
#include "core/operations.h"
#include "head/head.h"

namespace fusewire::FW_EXEC {
namespace {

template <int N>
struct HeadLogitsKernel {
  struct Params {
    HeadDropout dropout;
    int64_t batch, channels, classes;
    int64_t rows;              // batch*sets
    int row_tile, class_tile;  // of a block
    const float* pooled;
    const float* weights;
    const float* bias;
    float* logits;  // (sets, batch, classes)
  };
  static constexpr int kThreads = 256;
  static constexpr int kChannelTile = kOneThread ? 512 : 1024;
  static constexpr int kRows = 4;
  static constexpr int kClasses = 2;

  FW_DEVICE static void run(const Params& p, Block& block) {
    float* features = block.template shared<float>(int64_t(p.row_tile) * kChannelTile);
    const int64_t first_row = block.x * p.row_tile;
    const int rows = int(p.rows - first_row < p.row_tile ? p.rows - first_row : p.row_tile);
    for (int64_t channel = 0; channel < p.channels; channel += kChannelTile) {
      const int width = int(p.channels - channel < kChannelTile ? p.channels - channel : kChannelTile);
      make_features(p, block, features, first_row, rows, channel, width);
      block.sync();
      multiply(p, block, features, first_row, rows, channel, width);
      block.sync();
    }
  }

  // features[row][c] = factor*pooled, zero-padded to whole vectors.
  FW_DEVICE static void make_features(const Params& p, const Block& block, float* features, int64_t first_row, int rows,
                                      int64_t channel, int width) {
    const int vectors = (width + N - 1) / N;
    for (int i = block.thread; i < rows * vectors; i += block.threads) {
      const int row = i / vectors;
      const int c = i % vectors * N;
      const int64_t image = (first_row + row) / p.dropout.sets;
      const int64_t set = (first_row + row) % p.dropout.sets;
      const int lanes = vector_lanes<N>(width, c);
      const Vec<N> x = load_part<N>(p.pooled + image * p.channels + channel + c, lanes);
      store<N>(features + row * kChannelTile + c, x * p.dropout.template factors<N>(image, set, channel + c));
    }
  }

  FW_DEVICE static void multiply(const Params& p, const Block& block, const float* features, int64_t first_row,
                                 int rows, int64_t channel, int width) {
    const int64_t first_class = block.y * p.class_tile;
    const int classes = int(p.classes - first_class < p.class_tile ? p.classes - first_class : p.class_tile);
    const int row_groups = (rows + kRows - 1) / kRows;
    const int class_groups = (classes + kClasses - 1) / kClasses;
    const int warp = block.thread / block.warp_threads;
    const int lane = block.thread % block.warp_threads;
    for (int unit = warp; unit < row_groups * class_groups; unit += block.threads / block.warp_threads) {
      const int first = unit % row_groups * kRows;
      const int64_t k = first_class + unit / row_groups * kClasses;
      const float* x[kRows];
      const float* w[kClasses];
#pragma unroll
      for (int i = 0; i < kRows; i++) {  // what is beyond the end repeats the last
        x[i] = features + (first + i < rows ? first + i : rows - 1) * kChannelTile;
      }
#pragma unroll
      for (int j = 0; j < kClasses; j++) {
        w[j] = p.weights + (k + j < p.classes ? k + j : p.classes - 1) * p.channels + channel;
      }
      Vec<N> sums[kRows][kClasses];
#pragma unroll
      for (int i = 0; i < kRows; i++) {
#pragma unroll
        for (int j = 0; j < kClasses; j++) {
          sums[i][j] = Vec<N>(0.0f);
        }
      }
      const int whole = width / N * N;
      for (int c = lane * N; c < whole; c += block.warp_threads * N) {
        add_products(x, w, c, N, sums);
      }
      if (whole < width && lane == 0) {
        add_products(x, w, whole, width - whole, sums);
      }
#pragma unroll
      for (int i = 0; i < kRows; i++) {
#pragma unroll
        for (int j = 0; j < kClasses; j++) {
          const float sum = block.warp_sum(lane_sum(sums[i][j]));
          if (lane == 0 && first + i < rows && k + j < p.classes) {
            const int64_t image = (first_row + first + i) / p.dropout.sets;
            const int64_t set = (first_row + first + i) % p.dropout.sets;
            float* out = p.logits + (set * p.batch + image) * p.classes + k + j;
            *out = (channel == 0 ? p.bias[k + j] : *out) + sum;
          }
        }
      }
    }
  }

  FW_DEVICE static void add_products(const float* const* x, const float* const* w, int c, int lanes,
                                     Vec<N> (*sums)[kClasses]) {
    Vec<N> b[kClasses];
#pragma unroll
    for (int j = 0; j < kClasses; j++) {
      b[j] = load_part<N>(w[j] + c, lanes);
    }
#pragma unroll
    for (int i = 0; i < kRows; i++) {
      const Vec<N> a = load<N>(x[i] + c);
#pragma unroll
      for (int j = 0; j < kClasses; j++) {
        sums[i][j] = fma(a, b[j], sums[i][j]);
      }
    }
  }
};

int64_t workspace(const fw_dropout_head&) { return 0; }

fw_status forward(const Launcher& launcher, const fw_dropout_head& problem, fw_address step, fw_address pooled,
                  fw_address weights, fw_address bias, fw_address labels, fw_address losses, fw_address correct,
                  fw_address diff_logits, fw_address) {
  FW_TRY(head_logits(launcher, head_dropout(problem, step), problem.batch, problem.classes, pooled, weights, bias,
                     diff_logits));
  return head_loss(launcher, problem, logit_sets(problem), diff_logits, labels, losses, correct, diff_logits);
}

}  // namespace

fw_status head_logits(const Launcher& launcher, const HeadDropout& dropout, int64_t batch, int64_t classes,
                      fw_address pooled, fw_address weights, fw_address bias, fw_address logits) {
  return with_lanes<float>(dropout.channels, pooled | weights, [&](auto lanes) {
    using Kernel = HeadLogitsKernel<decltype(lanes)::value>;
    const int64_t rows = batch * dropout.sets;
    int row_tile = 8;
    int class_tile = 64;
    if (kOneThread) {  // enough blocks for the cores; weights read once for many rows
      const int64_t share = ceil_div(ceil_div(rows, 16), 4) * 4;
      row_tile = int(share < 4 ? 4 : share > 64 ? 64 : share);
      class_tile = ceil_div(rows, row_tile) < 8 ? 64 : 512;
    }
    return launch<Kernel>(launcher, {ceil_div(rows, row_tile), ceil_div(classes, class_tile)},
                          shared_bytes<float>(int64_t(row_tile) * Kernel::kChannelTile),
                          {dropout, batch, dropout.channels, classes, rows, row_tile, class_tile,
                           reinterpret_cast<const float*>(pooled), reinterpret_cast<const float*>(weights),
                           reinterpret_cast<const float*>(bias), reinterpret_cast<float*>(logits)});
  });
}

void add_dropout_head_forward(Operations& table) {
  table.dropout_head_workspace = workspace;
  table.dropout_head_forward = forward;
}

}  // namespace fusewire::FW_EXEC
