// SPDX-License-Identifier: Apache-2.0
// Loads and stores of columns by groups of threads (core/wide_columns.h) for wide_columns_test.cc. Never part of the
// library.
#include "core/wide_columns.h"

namespace fusewire::FW_EXEC {

#if defined(FW_EXEC_CHECKED)

namespace {

// Every worker has a row of `width` columns of kVectors*N channels; to dst goes what load_columns() gives for the
// kColumns from `first` on, times two, by way of store_columns().
template <class T, int N>
struct ColumnsKernel {
  struct Params {
    const T* src;
    T* dst;
    int first, width;
  };
  static constexpr int kVectors = 8;
  static constexpr int kThreads = 64;
  static constexpr int kColumns = 7;

  FW_DEVICE static void run(const Params& p, Block& block) {
    const int worker = block.thread / kVectors;
    const int64_t channels = kVectors * N;
    const int64_t at = (int64_t(worker) * p.width + p.first) * channels + block.thread % kVectors * N;
    Vec<N> x[kColumns];
    load_columns<N, kColumns>(block, p.src + at, channels, p.first, p.width, N,
                              [&](int i, Vec<N> value) { x[i] = value + value; });
    store_columns<N, kColumns>(block, p.dst + at, channels, p.first, p.width, N, [&](int i) { return x[i]; });
  }
};

// Of each group of `group` threads one does not come to the exchange.
struct DivergentGroupKernel {
  struct Params {
    int group;
  };
  static constexpr int kThreads = 64;
  FW_DEVICE static void run(const Params& p, Block& block) {
    if (block.thread % p.group != p.group - 1) {
      block.exchange_xor(0, 1, p.group);
    }
  }
};

template <class T, int N>
fw_status run_columns_of(uint64_t order, const void* src, void* dst, int first, int width) {
  return launch<ColumnsKernel<T, N>>({"columns", 0, order}, {1}, 0,
                                     {static_cast<const T*>(src), static_cast<T*>(dst), first, width});
}

}  // namespace

fw_status run_columns(uint64_t order, int32_t dtype, int lanes, const void* src, void* dst, int first, int width) {
  return with_dtype(dtype, [&](auto t) {
    using T = decltype(t);
    return lanes == 2 ? run_columns_of<T, 2>(order, src, dst, first, width)
                      : run_columns_of<T, 4>(order, src, dst, first, width);
  });
}

fw_status run_divergent_group(uint64_t order, int group) {
  return launch<DivergentGroupKernel>({"group", 0, order}, {1}, 0, {group});
}

#endif

}  // namespace fusewire::FW_EXEC
