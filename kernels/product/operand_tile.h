// SPDX-License-Identifier: Apache-2.0
// A tile of a product's operand on its way to tensor cores: copied raw into shared memory (asynchronously where its
// rows are whole chunks of 16 bytes), then turned in place into the operand by the thread that copied it, so that the
// operand's prologue runs once per element, in f32, and needs no barrier of its own. An operand is
//   State state(row)                   what is to be known of a row, worked out once
//   Column column(c)                   likewise of the chunk from column c on
//   source(i, row, state, column)      address of its i-th tensor's element there, nullptr for 0; i < kSources
//   used(i)                            whether there is that tensor
//   plain()                            the first tensor is the operand
//   Constants<N> constants(c, n)       of N columns, n of which exist
//   apply(state, constants, x, y)        the operand from its tensors
//   aligned                            whether rows are whole chunks on 16-byte boundaries
#pragma once

#include <algorithm>
#include <type_traits>

#include "core/access.h"
#include "core/async_copy.h"
#include "core/shared_tile.h"

namespace fusewire::FW_EXEC {

// Types whose products run on tensor cores. On a CPU none do.
template <class T>
constexpr bool kTensorCores = !kOneThread && (sizeof(T) == 2 || std::is_same_v<T, tf32>);

// What cuts a product's work, of its type.
struct ProductType {
  bool tensor;
  int bytes;  // of an element
};
template <class T>
constexpr ProductType product_type = {kTensorCores<T>, int(sizeof(T))};

// Calls f(T()) for the type that products of an fw_dtype have in this stream: its storage type, or tf32 where f32 is to
// be multiplied so and the device has tensor cores for it.
template <class F>
fw_status with_product_type(const Launcher& launcher, int32_t dtype, F f) {
  if constexpr (!kOneThread) {
    if (launcher.tf32 && dtype == FW_F32 && compute_capability() >= 80) {
      return f(tf32());
    }
  }
  return with_dtype(dtype, f);
}

// The largest f(T()) of the types that products of an fw_dtype may have in a stream: workspaces serve all.
template <class F>
int64_t most_of_product_types(int32_t dtype, F f) {
  int64_t most = 0;
  with_dtype(dtype, [&](auto t) {
    most = f(t);
    return FW_OK;
  });
  if constexpr (!kOneThread) {
    most = dtype == FW_F32 ? std::max<int64_t>(most, f(tf32())) : most;
  }
  return most;
}

// Whether rows of `columns` elements at these addresses (their bitwise or) start on boundaries of the 4 or 8 elements
// that a thread handles at a time in products of T.
template <class T>
bool rows_aligned(int64_t columns, fw_address addresses) {
  return columns % (kTensorCores<T> ? 8 : 4) == 0 && addresses % 16 == 0;
}

// The image that a row of `pixels` rows each belongs to. Divisions of 64 bits are slow on a GPU.
FW_DEVICE int64_t image_of(int64_t row, int64_t pixels) {
  if (kOneThread || (uint64_t(row | pixels) >> 32) != 0) {
    return row / pixels;
  }
  return int64_t(uint32_t(row) / uint32_t(pixels));
}

// kTileRows x kTileColumns of T for kThreads threads. A thread has one chunk of the columns of every kRowStep-th row.
template <class T, class Operand, int kTileRows, int kTileColumns, int kThreads>
struct OperandTile {
  using Tile = SharedTile<T, kTileColumns>;
  static constexpr int kLanes = Tile::kChunkLanes;
  static constexpr int kRowStep = kThreads / Tile::kChunks;
  static constexpr int kThreadRows = kTileRows / kRowStep;
  static constexpr int64_t kElements = Tile::elements(kTileRows);
  static constexpr int64_t kStageElements = kElements * Operand::kSources;
  static_assert(kTileRows % kRowStep == 0 && kThreads % Tile::kChunks == 0, "every thread has as much");

  using State = typename Operand::State;

  FW_DEVICE static int chunk_of(const Block& block) { return block.thread % Tile::kChunks; }
  FW_DEVICE static int row_of(const Block& block, int i) { return block.thread / Tile::kChunks + i * kRowStep; }
  // The state of the thread's i-th row.
  FW_DEVICE static State state_of(const Operand& operand, const Block& block, int64_t row0, int rows, int i) {
    const int r = row_of(block, i);
    return operand.state(row0 + (r < rows ? r : 0));
  }

  // Starts copying rows [row0, row0 + rows) and columns [column0, column0 + columns) into the stage; 0 beyond them.
  // state(i) is the operand's of the thread's i-th row.
  template <class States>
  FW_DEVICE static void copy(const Operand& operand, const Block& block, T* stage, int64_t row0, int rows,
                             int64_t column0, int columns, States state) {
    const int chunk = chunk_of(block);
    const int n = columns - chunk * kLanes;
    const auto column = operand.column(column0 + (n > 0 ? chunk * kLanes : 0));
#pragma unroll 1
    for (int i = 0; i < kThreadRows; i++) {
      const int r = row_of(block, i);
      const bool there = r < rows && n > 0;
      const State state_here = state(i);
#pragma unroll
      for (int s = 0; s < Operand::kSources; s++) {
        if (!operand.used(s)) {
          continue;
        }
        T* to = Tile{stage + s * kElements}.at(r, chunk);
        if (operand.aligned) {
          const T* from = there ? operand.source(s, row0 + r, state_here, column) : nullptr;
          async_copy(block, to, from == nullptr ? operand.base() : from, from != nullptr);
        } else {
          copy_elements(operand, s, row0 + r, state_here, column0 + chunk * kLanes, there ? n : 0, to);
        }
      }
    }
  }

  // Turns what this thread copied, and has waited for, into the operand.
  template <class States>
  FW_DEVICE static void apply(const Operand& operand, const Block& block, T* stage, int rows, int64_t column0,
                              int columns, States state) {
    const int chunk = chunk_of(block);
    const int n = columns - chunk * kLanes;
    if (operand.plain() || n <= 0) {
      return;
    }
    // Half a chunk at a time: there are not registers for more beside a warp's sums, nor for constants that a compiler
    // would keep from slice to slice if this were no loop.
    constexpr int N = kLanes / 2;
#pragma unroll 1
    for (int half = 0; half < 2; half++) {
      const int first = half * N;
      const auto constants = operand.template constants<N>(column0 + chunk * kLanes + first, n - first);
#pragma unroll 1
      for (int i = 0; i < kThreadRows; i++) {
        const int r = row_of(block, i);
        if (r < rows) {
          T* at = Tile{stage}.at(r, chunk) + first;
          const Vec<N> x = load<N>(at);
          Vec<N> y = x;
          if (Operand::kSources > 1 && operand.used(1)) {
            y = load<N>(at + kElements);
          }
          Vec<N> value = operand.template apply<N>(state(i), constants, x, y);
          if (n - first < N) {  // what lies beyond the columns meets weights of 0, and must be finite
#pragma unroll
            for (int e = 0; e < N; e++) {
              value.set(e, first + e < n ? value[e] : 0.0f);
            }
          }
          store<N>(at, value);
        }
      }
    }
  }

 private:
  FW_DEVICE static void copy_elements(const Operand& operand, int s, int64_t row, const State& state, int64_t column,
                                      int n, T* to) {
    Vec<kLanes> values(0.0f);
#pragma unroll
    for (int e = 0; e < kLanes; e++) {
      if (e < n) {
        const T* from = operand.source(s, row, state, operand.column(column + e));
        values.set(e, from == nullptr ? 0.0f : to_float(*from));
      }
    }
    store<kLanes>(to, values);
  }
};

}  // namespace fusewire::FW_EXEC
