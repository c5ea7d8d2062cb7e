// SPDX-License-Identifier: Apache-2.0
// Single steps of the tensor-core layer (core/warp_matrix.h, async_copy.h, tile_mma.h) for matrix_test.cc. Never part
// of the library.
#include "core/async_copy.h"
#include "core/exec.h"
#include "core/tile_mma.h"

namespace fusewire::FW_EXEC {

#if defined(FW_EXEC_CHECKED)

namespace {

// One warp multiplies fragments that are given register by register: a[lane*4 + i], b[lane*2 + i], c[lane*4 + i]. Those
// of 32 bits are rounded first.
template <class T>
struct MultiplyKernel {
  struct Params {
    const uint32_t* a;
    const uint32_t* b;
    float* c;
    bool shuffled;  // as GPUs without a tensor core for T do it; 16-bit T
  };
  static constexpr int kThreads = 32;

  FW_DEVICE static void run(const Params& p, Block& block) {
    FragmentA a;
    FragmentB b;
    FragmentC c;
    std::memcpy(&a, p.a + block.thread * 4, sizeof(a));
    std::memcpy(&b, p.b + block.thread * 2, sizeof(b));
    std::memcpy(&c, p.c + block.thread * 4, sizeof(c));
    round_operands<T>(a.r);
    round_operands<T>(b.r);
    if constexpr (sizeof(T) == 2) {
      p.shuffled ? multiply_shuffled<T>(block, a, b, c) : mma<T>(block, a, b, c);
    } else {
      mma<T>(block, a, b, c);
    }
    std::memcpy(p.c + block.thread * 4, &c, sizeof(c));
  }
};

// ldmatrix of 32 rows of 8 elements, lane l giving the address of row l; registers to r[lane*4 + i].
struct LoadKernel {
  struct Params {
    const uint16_t* rows;
    bool transposed;
    int shift;  // elements off the rows' starts
    uint32_t* r;
  };
  static constexpr int kThreads = 32;

  FW_DEVICE static void run(const Params& p, Block& block) {
    uint16_t* rows = block.shared<uint16_t>(32 * 8 + 8);
    std::memcpy(rows + block.thread * 8, p.rows + block.thread * 8, 16);
    block.sync();
    uint32_t r[4];
    const uint16_t* row = rows + block.thread * 8 + p.shift;
    p.transposed ? load_matrices<true>(block, row, r) : load_matrices<false>(block, row, r);
    std::memcpy(p.r + block.thread * 4, r, sizeof(r));
  }
};

// dst = src, 16 bytes per thread, by way of shared memory; the next thread's bytes are read. Faults on request.
struct CopyKernel {
  struct Params {
    const float* src;
    float* dst;
    bool wait, barrier, read;
  };
  static constexpr int kThreads = 64;

  FW_DEVICE static void run(const Params& p, Block& block) {
    float* shared = block.shared<float>(kThreads * 4);
    async_copy(block, shared + block.thread * 4, p.src + block.thread * 4, p.read);
    async_commit(block);
    async_commit(block);
    if (p.wait) {
      async_wait<1>(block);
    }
    if (p.barrier) {
      block.sync();
    }
    const int other = (block.thread + 1) % kThreads;
    for (int i = 0; i < 4; i++) {
      p.dst[other * 4 + i] = shared[other * 4 + i];
    }
  }
};

// c (128, 128) = a * b with both tiles in shared memory: a (128, 32), or (32, 128) if its rows are the depth, b alike.
template <class T, int kRows, int kColumns, int kBlockThreads, bool kDepthRowsA, bool kDepthRowsB>
struct TileKernel {
  struct Params {
    const T* a;
    const T* b;
    float* c;
    int rows, columns;
  };
  static constexpr int kThreads = kBlockThreads;
  static constexpr int kDepth = int(64 / sizeof(T));
  using Sums = MmaAccumulator<T, kRows, kColumns, kBlockThreads>;
  using A = SharedTile<T, kDepthRowsA ? kRows : kDepth>;
  using B = SharedTile<T, kDepthRowsB ? kColumns : kDepth>;

  static int64_t shared() {
    return shared_bytes<T>(kRows * kDepth) + shared_bytes<T>(kColumns * kDepth) +
           shared_bytes<float>(Sums::kStagedElements);
  }

  template <class Tile>
  FW_DEVICE static void load_tile(const Block& block, const T* from, int rows, const Tile& to) {
    for (int i = block.thread; i < rows * Tile::kChunks; i += block.threads) {
      std::memcpy(to.at(i / Tile::kChunks, i % Tile::kChunks), from + int64_t(i) * Tile::kChunkLanes, 16);
    }
  }

  FW_DEVICE static void run(const Params& p, Block& block) {
    const A a{block.template shared<T>(kRows * kDepth)};
    const B b{block.template shared<T>(kColumns * kDepth)};
    Sums sums;
    sums.staged = block.template shared<float>(Sums::kStagedElements);
    load_tile(block, p.a, kDepthRowsA ? kDepth : kRows, a);
    load_tile(block, p.b, kDepthRowsB ? kDepth : kColumns, b);
    sums.clear();
    block.sync();
    sums.template multiply<kDepthRowsA, kDepthRowsB>(block, a, b, p.rows, p.columns, kDepth / Sums::kDepth);
    sums.template each<8>(block, p.rows, p.columns, [&](int row, int column, auto x, int n) {
      for (int e = 0; e < 8 && e < n; e++) {
        p.c[row * kColumns + column + e] = x[e];
      }
    });
  }
};

template <class T, int kRows, int kColumns, int kBlockThreads, bool kDepthRowsA, bool kDepthRowsB>
fw_status run_tile_of(uint64_t order, const void* a, const void* b, float* c, int rows, int columns) {
  using Kernel = TileKernel<T, kRows, kColumns, kBlockThreads, kDepthRowsA, kDepthRowsB>;
  return launch<Kernel>({"tile", 0, order}, {1}, Kernel::shared(),
                        {static_cast<const T*>(a), static_cast<const T*>(b), c, rows, columns});
}

template <class T, int kRows, int kColumns, int kBlockThreads>
fw_status run_tile_of(uint64_t order, bool depth_rows, const void* a, const void* b, float* c, int rows, int columns) {
  if (depth_rows) {
    return run_tile_of<T, kRows, kColumns, kBlockThreads, true, true>(order, a, b, c, rows, columns);
  }
  return run_tile_of<T, kRows, kColumns, kBlockThreads, false, false>(order, a, b, c, rows, columns);
}

template <int kRows, int kColumns, int kBlockThreads>
fw_status run_tile_of(uint64_t order, int32_t dtype, bool depth_rows, const void* a, const void* b, float* c, int rows,
                      int columns) {
  return with_dtype(dtype, [&](auto t) {
    return run_tile_of<decltype(t), kRows, kColumns, kBlockThreads>(order, depth_rows, a, b, c, rows, columns);
  });
}

}  // namespace

fw_status run_multiply(uint64_t order, int32_t dtype, bool shuffled, const uint32_t* a, const uint32_t* b, float* c) {
  return with_dtype(dtype, [&](auto t) {
    return launch<MultiplyKernel<decltype(t)>>({"multiply", 0, order}, {1}, 0, {a, b, c, shuffled});
  });
}

fw_status run_load(uint64_t order, bool transposed, int shift, const uint16_t* rows, uint32_t* r) {
  return launch<LoadKernel>({"load", 0, order}, {1}, shared_bytes<uint16_t>(32 * 8 + 8), {rows, transposed, shift, r});
}

fw_status run_copy(uint64_t order, bool wait, bool barrier, bool read, const float* src, float* dst) {
  return launch<CopyKernel>({"copy", 0, order}, {1}, shared_bytes<float>(256), {src, dst, wait, barrier, read});
}

// side: 128 for the tile of products and gradients, 64 for that of the expansion. c has `side` columns.
fw_status run_tile(uint64_t order, int32_t dtype, int side, bool depth_rows, const void* a, const void* b, float* c,
                   int rows, int columns) {
  return side == 128 ? run_tile_of<128, 128, 512>(order, dtype, depth_rows, a, b, c, rows, columns)
                     : run_tile_of<64, 64, 256>(order, dtype, depth_rows, a, b, c, rows, columns);
}

// Banks of 4 bytes that the 8 rows of each matrix of an ldmatrix touch, at most how often the same one; for tiles with
// rows of `row_bytes`, from row `row` and chunk `chunk` on.
int bank_conflicts(int row_bytes, int row, int chunk) {
  int uses[32] = {};
  int most = 0;
  for (int line = 0; line < 8; line++) {
    const int place = row_bytes == 64    ? SharedTile<uint16_t, 32>::place(row + line, chunk)
                      : row_bytes == 128 ? SharedTile<uint16_t, 64>::place(row + line, chunk)
                                         : SharedTile<uint16_t, 128>::place(row + line, chunk);
    for (int bank = 0; bank < 4; bank++) {
      const int count = ++uses[(place * 4 + bank) % 32];
      most = count > most ? count : most;
    }
  }
  return most;
}
// The same for what a warp loads element by element of a tile of f32: of 8 columns from `column` on, in 4 rows. Rows of
// 256 or 512 bytes.
int word_conflicts(int row_bytes, int row, int column) {
  int uses[32] = {};
  int most = 0;
  for (int lane = 0; lane < 32; lane++) {
    const int r = row + lane % 4;
    const int c = column + lane / 4;
    const int place =
        row_bytes == 256 ? SharedTile<float, 64>::place(r, c / 4) : SharedTile<float, 128>::place(r, c / 4);
    const int count = ++uses[(place * 4 + c % 4) % 32];
    most = count > most ? count : most;
  }
  return most;
}
int word_place(int row_bytes, int row, int chunk) {
  return row_bytes == 256 ? SharedTile<float, 64>::place(row, chunk) : SharedTile<float, 128>::place(row, chunk);
}
int tile_place(int row_bytes, int row, int chunk) {
  return row_bytes == 64    ? SharedTile<uint16_t, 32>::place(row, chunk)
         : row_bytes == 128 ? SharedTile<uint16_t, 64>::place(row, chunk)
                            : SharedTile<uint16_t, 128>::place(row, chunk);
}

#endif

}  // namespace fusewire::FW_EXEC
