// SPDX-License-Identifier: Apache-2.0
// Squeeze-and-excite forward in one launch: a cluster of blocks per image. Each block sums its rows of pixels; the
// mean, the hidden units and the gates are then dealt out over the blocks, each of which gives its share to all through
// their shared memory. Where dst is asked for, every block scales the rows that it has just read. Only src and dst are
// of the activation's size; nothing goes through a workspace.
#include "core/cluster.h"
#include "core/columns.h"
#include "norm/normed.h"
#include "squeeze_excite/layers.h"
#include "squeeze_excite/squeeze_excite.h"

namespace fusewire::FW_EXEC {
namespace {

// N: lanes of T's channels, L: lanes of the squeezed width.
template <class T, int N, int L>
struct ExciteClusterKernel {
  struct Params {
    int cluster;
    ColumnGrid grid;  // chunks: a cluster's blocks; tiles are looped over
    const T* src;
    Norm norm;
    T* dst;  // or nullptr
    int64_t squeezed;
    int activation, gate_kind;
    const float* reduce_weights;
    const float* reduce_bias;
    const float* expand_weights;
    const float* expand_bias;
    float* pooled;
    float* hidden;
    float* gate;
  };
  static constexpr int kThreads = kColumnThreads;
  using Scalar = Vec<kOneThread ? kLanes<float> : 1>;

  static int64_t shared(const ColumnGrid& grid, int64_t squeezed) {
    return 3 * shared_bytes<float>(grid.channels) + shared_bytes<float>(ceil_div(squeezed, L) * L) +
           sum_columns_shared<N, 1>(grid);
  }

  // Sums of this block's pixels, by channel.
  struct ChunkSum {
    const Params& p;
    float* part;
    FW_DEVICE void add(const RowChunk& chunk, const RowRun& run, int lanes, Vec<N>* sums) const {
      const NormVector<N> z = norm_or_identity<N>(p.norm, run.channel, lanes);
      const ColumnGrid& g = p.grid;
      int64_t at = (chunk.image * g.rows + run.row) * g.channels + run.channel;
#pragma unroll 4
      for (int64_t row = run.row; row < run.end; row += run.step, at += run.step * g.channels) {
        sums[0] += activate(p.norm.activation, z.apply(load_part<N>(p.src + at, lanes)));
      }
    }
    FW_DEVICE void finish(const RowChunk&, int64_t channel, int lanes, const Vec<N>* sums) const {
      store_part<N>(part + channel, sums[0], lanes);
    }
  };

  // dst = activation(norm(src))*gate.
  struct Scale {
    const Params& p;
    const float* gate;
    FW_DEVICE void map(const RowChunk& chunk, const RowRun& run, int lanes) const {
      const NormVector<N> z = norm_or_identity<N>(p.norm, run.channel, lanes);
      const Vec<N> g = load_part<N>(gate + run.channel, lanes);
      const ColumnGrid& columns = p.grid;
      int64_t at = (chunk.image * columns.rows + run.row) * columns.channels + run.channel;
#pragma unroll 4
      for (int64_t row = run.row; row < run.end; row += run.step, at += run.step * columns.channels) {
        const Vec<N> x = load_part<N>(p.src + at, lanes);
        store_part<N>(p.dst + at, activate(p.norm.activation, z.apply(x)) * g, lanes);
      }
    }
  };

  // The part of `count` that is this block's.
  struct Share {
    int64_t begin, end;
    FW_DEVICE Share(const Cluster& cluster, int64_t count) {
      const int64_t each = (count + cluster.size - 1) / cluster.size;
      begin = cluster.rank * each;
      end = begin + each < count ? begin + each : count;
    }
  };

  template <class V>
  FW_DEVICE static void give(const Cluster& cluster, float* mine, int64_t at, V value) {
    for (int other = 0; other < cluster.size; other++) {
      cluster.shared_of(other, mine)[at] = value;
    }
  }

  FW_DEVICE static void run(const Params& p, Block& block, const Cluster& cluster) {
    const int64_t channels = p.grid.channels;
    float* part = block.template shared<float>(channels);
    float* pooled = block.template shared<float>(channels);
    float* gate = block.template shared<float>(channels);
    float* activated = block.template shared<float>((p.squeezed + L - 1) / L * L);
    const int64_t image = block.x / p.cluster;
    for (int64_t tile = 0; tile < p.grid.tiles; tile++) {
      Block place = block;  // every tile uses the same shared memory
      place.y = tile;
      sum_columns<N, 1>(p.grid, place, ChunkSum{p, part});
      block.sync();
    }
    cluster.sync();
    const Share channel(cluster, channels);
    for (int64_t c = channel.begin + block.thread; c < channel.end; c += block.threads) {
      float sum = 0;
      for (int other = 0; other < cluster.size; other++) {
        sum += cluster.shared_of(other, part)[c];
      }
      const float mean = sum / float(p.grid.rows);
      p.pooled[image * channels + c] = mean;
      give(cluster, pooled, c, mean);
    }
    cluster.sync();
    const Share unit(cluster, p.squeezed);
    excite_hidden<4>(block, pooled, p.reduce_weights, p.reduce_bias, channels, unit.begin, unit.end,
                     [&](int64_t s, float x) {
                       p.hidden[image * p.squeezed + s] = x;
                       give(cluster, activated, s, activate(p.activation, Scalar(x))[0]);
                     });
    cluster.sync();
    excite_gates<L>(block, activated, p.expand_weights, p.expand_bias, p.squeezed, channel.begin, channel.end,
                    [&](int64_t c, float x) {
                      const float g = excite_gate(p.gate_kind, Scalar(x))[0];
                      p.gate[image * channels + c] = g;
                      if (p.dst != nullptr) {
                        give(cluster, gate, c, g);
                      }
                    });
    if (p.dst != nullptr) {
      cluster.sync();
      scale(p, block, gate);
    }
  }

  FW_DEVICE static void scale(const Params& p, const Block& block, const float* gate) {
    for (int64_t tile = 0; tile < p.grid.tiles; tile++) {
      Block place = block;
      // map_columns() goes backwards; the block keeps its rows.
      place.x = p.grid.images * p.grid.chunks - 1 - block.x;
      place.y = p.grid.tiles - 1 - tile;
      map_columns<N>(p.grid, place, Scale{p, gate});
    }
  }
};

// Blocks of an image's cluster: more for a large image, each of which has work for its threads.
int cluster_blocks(const fw_squeeze_excite& problem) {
  constexpr int64_t kElements = 8192;  // of a block, at least
  int blocks = 1;
  while (blocks < kMostClusterBlocks && problem.pixels * problem.channels >= 2 * blocks * kElements) {
    blocks *= 2;
  }
  return blocks;
}

template <class T, int N>
ColumnGrid cluster_grid(const fw_squeeze_excite& problem) {
  ColumnGrid g = column_grid<N>(problem.batch, problem.pixels, problem.channels);
  g.chunks = cluster_blocks(problem);
  g.chunk_rows = ceil_div(problem.pixels, g.chunks);
  return g;
}

}  // namespace

bool excite_fits_one_launch(const fw_squeeze_excite& problem, fw_address addresses) {
  if constexpr (kOneThread) {
    return false;
  } else {
    // With few images, blocks of one cluster alone would read a large one more slowly than a grid of its own.
    constexpr int64_t kEnoughBlocks = 256;
    constexpr int64_t kSmallShare = 64 * 1024;  // elements of a block
    constexpr int64_t kSharedBytes = 96 * 1024;
    const int64_t blocks = cluster_blocks(problem);
    const bool quick =
        problem.batch * blocks >= kEnoughBlocks || problem.pixels * problem.channels <= blocks * kSmallShare;
    return quick && problem.pixels > 0 && problem.channels % 8 == 0 && addresses % 16 == 0 &&
           (3 * problem.channels + problem.squeezed) * int64_t(sizeof(float)) <= kSharedBytes && clusters_run();
  }
}

fw_status excite_one_launch(const Launcher& launcher, const fw_squeeze_excite& problem, const Norm& norm,
                            fw_address src, const ExciteForward& a, fw_address dst) {
  return with_dtype(problem.dtype, [&](auto t) {
    using T = decltype(t);
    return with_lanes<float>(problem.squeezed, a.expand_weights, [&](auto squeezed) {
      if constexpr (kOneThread) {
        return fail(FW_UNSUPPORTED, "%s: a CPU has no clusters", launcher.operation);
      } else {
        constexpr int N = kLanes<T>;
        using Kernel = ExciteClusterKernel<T, N, decltype(squeezed)::value>;
        const ColumnGrid grid = cluster_grid<T, N>(problem);
        const auto in = [](fw_address address) { return reinterpret_cast<const float*>(address); };
        const auto out = [](fw_address address) { return reinterpret_cast<float*>(address); };
        return launch_clusters<Kernel>(
            launcher, {problem.batch * grid.chunks}, Kernel::shared(grid, problem.squeezed),
            {int(grid.chunks), grid, reinterpret_cast<const T*>(src), norm, reinterpret_cast<T*>(dst), problem.squeezed,
             problem.activation, problem.gate, in(a.reduce_weights), in(a.reduce_bias), in(a.expand_weights),
             in(a.expand_bias), out(a.pooled), out(a.hidden), out(a.gate)});
      }
    });
  });
}

}  // namespace fusewire::FW_EXEC
