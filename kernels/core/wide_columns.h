// SPDX-License-Identifier: Apache-2.0
// Loads and stores of N channels of several columns, where N channels are less than the 16 bytes that a GPU thread
// should access at once. The threads of neighbouring vectors that share 16 bytes access one column each, whole, and
// hand each other the parts: as many accesses fewer as there are threads in such a group. Vectors of a column are
// handled by neighbouring threads, a group's first by one whose place is a multiple of the group, and all of a group
// come here together.
#pragma once

#include "core/exec.h"

namespace fusewire::FW_EXEC {

// Threads that share 16 bytes of T; 1 where a thread accesses its own N channels.
template <class T, int N>
constexpr int kColumnGroup = kOneThread || N * sizeof(T) >= 16 ? 1 : int(16 / (N * sizeof(T)));

// N values of T as words.
template <class T, int N>
struct ColumnPart {
  static constexpr int kWords = int(N * sizeof(T) / 4);
  uint32_t w[kWords];

  FW_DEVICE Vec<N> values() const {
    T t[N];
    memcpy(t, w, sizeof(t));
    Vec<N> r;
    FW_UNROLL
    for (int i = 0; i < N; i++) {
      r.set(i, to_float(t[i]));
    }
    return r;
  }
  FW_DEVICE static ColumnPart of(Vec<N> x) {
    T t[N];
    FW_UNROLL
    for (int i = 0; i < N; i++) {
      t[i] = from_float<T>(x[i]);
    }
    ColumnPart r;
    memcpy(r.w, t, sizeof(t));
    return r;
  }
};

// From a column's parts to a part's columns and back: afterwards part m is what member m had as this thread's part.
template <class Part, int kGroup>
FW_DEVICE void exchange_parts(const Block& block, Part (&parts)[kGroup]) {
  FW_UNROLL
  for (int distance = 1; distance < kGroup; distance *= 2) {
    const bool upper = (block.thread & distance) != 0;
    FW_UNROLL
    for (int low = 0; low < kGroup; low++) {
      if ((low & distance) != 0) {
        continue;
      }
      Part& a = parts[low];
      Part& b = parts[low | distance];
      FW_UNROLL
      for (int i = 0; i < Part::kWords; i++) {
        const uint32_t got = block.exchange_xor(upper ? a.w[i] : b.w[i], distance, kGroup);
        a.w[i] = upper ? got : a.w[i];
        b.w[i] = upper ? b.w[i] : got;
      }
    }
  }
}

// Where this thread accesses 16 bytes of its group's vectors, p being the address of its own one: in the column of its
// place in the group, columns being `stride` elements apart.
template <int N, class T>
FW_DEVICE T* column_of_member(const Block& block, T* p, int64_t stride) {
  const int member = block.thread % kColumnGroup<std::remove_const_t<T>, N>;
  return p - member * N + member * stride;
}

// Calls f(i, value) for the columns i < kColumns that lie in a row of `width`, column 0 being the row's column `first`
// and p the address of its channels; columns are `stride` elements apart. `lanes`: channels there are, N in a group.
template <int N, int kColumns, class T, class F>
FW_DEVICE void load_columns(const Block& block, const T* p, int64_t stride, int first, int width, int lanes, F f) {
  constexpr int kGroup = kColumnGroup<T, N>;
  const auto inside = [&](int i) { return i < kColumns && unsigned(first + i) < unsigned(width); };
  if constexpr (kGroup == 1) {
    FW_UNROLL
    for (int i = 0; i < kColumns; i++) {
      if (inside(i)) {
        f(i, load_part<N>(p + i * stride, lanes));
      }
    }
  } else {
    using Part = ColumnPart<T, N>;
    const int member = block.thread % kGroup;
    const T* mine = column_of_member<N>(block, p, stride);
    Part parts[(kColumns + kGroup - 1) / kGroup][kGroup] = {};
    FW_UNROLL
    for (int i = 0; i < kColumns; i += kGroup) {
      if (inside(i + member)) {
        const auto word = *reinterpret_cast<const Word<16>*>(mine + i * stride);
        memcpy(parts[i / kGroup], &word, sizeof(word));
      }
    }
    FW_UNROLL
    for (int i = 0; i < kColumns; i += kGroup) {
      exchange_parts(block, parts[i / kGroup]);
      FW_UNROLL
      for (int m = 0; m < kGroup; m++) {
        if (inside(i + m)) {
          f(i + m, parts[i / kGroup][m].values());
        }
      }
    }
  }
}

// Stores, for every member of a group for which there is a column (`exists`), what the others have as its part; `to` is
// what column_of_member() gives it.
template <class T, int N, int kGroup>
FW_DEVICE void store_parts(const Block& block, T* to, bool exists, ColumnPart<T, N> (&parts)[kGroup]) {
  exchange_parts(block, parts);
  if (exists) {
#if defined(FW_EXEC_CUDA)
    // A Word's store comes out as four of 32 bits here.
    uint32_t w[4];
    memcpy(w, parts, sizeof(w));
    asm volatile("st.global.v4.b32 [%0], {%1, %2, %3, %4};" ::"l"(__cvta_generic_to_global(to)), "r"(w[0]), "r"(w[1]),
                 "r"(w[2]), "r"(w[3])
                 : "memory");
#else
    memcpy(to, parts, sizeof(parts));
#endif
  }
}

// Stores f(i), N channels, for the same columns.
template <int N, int kColumns, class T, class F>
FW_DEVICE void store_columns(const Block& block, T* p, int64_t stride, int first, int width, int lanes, F f) {
  constexpr int kGroup = kColumnGroup<T, N>;
  const auto inside = [&](int i) { return i < kColumns && unsigned(first + i) < unsigned(width); };
  if constexpr (kGroup == 1) {
    FW_UNROLL
    for (int i = 0; i < kColumns; i++) {
      if (inside(i)) {
        store_part<N>(p + i * stride, f(i), lanes);
      }
    }
  } else {
    using Part = ColumnPart<T, N>;
    const int member = block.thread % kGroup;
    T* mine = column_of_member<N>(block, p, stride);
    FW_UNROLL
    for (int i = 0; i < kColumns; i += kGroup) {
      Part parts[kGroup] = {};
      FW_UNROLL
      for (int m = 0; m < kGroup; m++) {
        if (i + m < kColumns) {
          parts[m] = Part::of(f(i + m));
        }
      }
      store_parts(block, mine + i * stride, inside(i + member), parts);
    }
  }
}

}  // namespace fusewire::FW_EXEC
