// SPDX-License-Identifier: Apache-2.0
// Kernels that move a known number of bytes: what meter_test.cc measures.
#include "core/exec.h"

namespace fusewire::FW_EXEC {
namespace {

// dst[i*stride] = src[i*stride], one block each.
struct StridedCopyKernel {
  struct Params {
    const float* src;
    float* dst;
    int64_t stride;
  };
  static constexpr int kThreads = 32;
  FW_DEVICE static void run(const Params& p, Block& block) {
    if (block.thread == 0) {
      p.dst[block.x * p.stride] = p.src[block.x * p.stride];
    }
  }
};

// Every block reads all of src, by way of shared memory, and writes one sum.
struct ReuseKernel {
  struct Params {
    const float* src;
    float* dst;
    int64_t count;
  };
  static constexpr int kThreads = 32;
  FW_DEVICE static void run(const Params& p, Block& block) {
    float* shared = block.template shared<float>(p.count);
    for (int64_t i = block.thread; i < p.count; i += block.threads) {
      shared[i] = p.src[i];
    }
    block.sync();
    if (block.thread == 0) {
      float sum = 0;
      for (int64_t i = 0; i < p.count; i++) {
        sum += shared[i];
      }
      p.dst[block.x] = sum;
    }
  }
};

// Writes `written` floats, then reads `count` through another pointer to the same memory.
struct OwnWritesKernel {
  struct Params {
    float* memory;
    const float* again;
    float* dst;
    int64_t written, count;
  };
  static constexpr int kThreads = 32;
  FW_DEVICE static void run(const Params& p, Block& block) {
    if (block.thread == 0) {
      for (int64_t i = 0; i < p.written; i++) {
        p.memory[i] = 1.0f;
      }
      float sum = 0;
      for (int64_t i = 0; i < p.count; i++) {
        sum += p.again[i];
      }
      p.dst[0] = sum;
    }
  }
};

// dst = 2*src in vectors, the last one in part; n elements of T.
template <class T>
struct VectorsKernel {
  struct Params {
    const T* src;
    T* dst;
    int64_t count;
  };
  static constexpr int kThreads = 32;
  FW_DEVICE static void run(const Params& p, Block& block) {
    constexpr int N = kLanes<T>;
    for (int64_t i = int64_t(block.thread) * N; i < p.count; i += int64_t(block.threads) * N) {
      const int n = p.count - i < N ? int(p.count - i) : N;
      store_part<N>(p.dst + i, load_part<N>(p.src + i, n) * 2.0f, n);
    }
  }
};

}  // namespace

fw_status meter_strided_copy(const Launcher& launcher, const float* src, float* dst, int64_t stride, int64_t count) {
  return launch<StridedCopyKernel>(launcher, {count}, 0, {src, dst, stride});
}
fw_status meter_reuse(const Launcher& launcher, const float* src, float* dst, int64_t count, int64_t blocks) {
  return launch<ReuseKernel>(launcher, {blocks}, shared_bytes<float>(count), {src, dst, count});
}
fw_status meter_own_writes(const Launcher& launcher, float* memory, float* dst, int64_t written, int64_t count) {
  return launch<OwnWritesKernel>(launcher, {}, 0, {memory, memory, dst, written, count});
}
fw_status meter_vectors(const Launcher& launcher, int32_t dtype, const void* src, void* dst, int64_t count) {
  return with_dtype(dtype, [&](auto tag) {
    using T = decltype(tag);
    return launch<VectorsKernel<T>>(launcher, {}, 0, {static_cast<const T*>(src), static_cast<T*>(dst), count});
  });
}

}  // namespace fusewire::FW_EXEC
