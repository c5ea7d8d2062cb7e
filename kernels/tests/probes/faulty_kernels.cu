// SPDX-License-Identifier: Apache-2.0
// Kernels with the faults that the checked execution is there to find, and a right one beside them: what
// checked_test.cc calls. Never part of the library.
#include "core/cluster.h"
#include "core/exec.h"

namespace fusewire::FW_EXEC {
namespace {

// dst[thread] = src[threads - 1 - thread], through shared memory.
template <bool Barrier>
struct ReverseKernel {
  struct Params {
    const float* src;
    float* dst;
  };
  static constexpr int kThreads = 64;

  FW_DEVICE static void run(const Params& p, Block& block) {
    float* shared = block.template shared<float>(block.threads);
    shared[block.thread] = p.src[block.thread];
    if (Barrier) {
      block.sync();
    }
    p.dst[block.thread] = shared[block.threads - 1 - block.thread];
  }
};

struct DivergentBarrierKernel {
  struct Params {};
  static constexpr int kThreads = 64;
  FW_DEVICE static void run(const Params&, Block& block) {
    if (block.thread < 32) {
      block.sync();
    }
  }
};

struct DivergentWarpKernel {
  struct Params {
    float* dst;
  };
  static constexpr int kThreads = 64;
  FW_DEVICE static void run(const Params& p, Block& block) {
    if (block.thread % 2 == 0) {
      p.dst[block.thread] = block.warp_sum(1.0f);
    }
  }
};

struct SharedOverrunKernel {
  struct Params {};
  static constexpr int kThreads = 32;
  FW_DEVICE static void run(const Params&, Block& block) {
    float* shared = block.template shared<float>(32);
    shared[block.thread + 4] = 1.0f;
  }
};

// Writes element `at`, wherever that is.
struct StrayWriteKernel {
  struct Params {
    float* dst;
    int64_t at;
  };
  static constexpr int kThreads = 32;
  FW_DEVICE static void run(const Params& p, Block& block) {
    if (block.thread == 0) {
      p.dst[p.at] = 1.0f;
    }
  }
};

// dst[thread] = the block's sum of src; then what never-written shared memory holds.
struct SumKernel {
  struct Params {
    const float* src;
    float* dst;
  };
  static constexpr int kThreads = 96;
  FW_DEVICE static void run(const Params& p, Block& block) {
    float* scratch = block.template shared<float>(3);
    p.dst[block.thread] = block_sum(block, p.src[block.thread], scratch);
    float* unwritten = block.template shared<float>(block.threads);
    p.dst[block.threads + block.thread] = unwritten[block.thread];
  }
};

// What a cluster of four blocks can do wrong; kRight passes each block's values on to the next one.
enum class ClusterFault { kRight, kMissingBarrier, kEarlyReturn, kDivergent };
template <ClusterFault kFault>
struct ClusterKernel {
  struct Params {
    int cluster;
    const float* src;
    float* dst;
  };
  static constexpr int kThreads = 32;

  FW_DEVICE static void run(const Params& p, Block& block, const Cluster& cluster) {
    float* shared = block.template shared<float>(block.threads);
    const int64_t at = block.x * block.threads + block.thread;
    shared[block.thread] = p.src[at];
    if (kFault == ClusterFault::kDivergent && cluster.rank == 2) {
      return;
    }
    if (kFault != ClusterFault::kMissingBarrier) {
      cluster.sync();
    }
    p.dst[at] = cluster.shared_of((cluster.rank + 1) % cluster.size, shared)[block.thread];
    if (kFault != ClusterFault::kEarlyReturn) {
      cluster.sync();
    }
  }
};

Launcher in_order(uint64_t order) {
  Launcher launcher;
  launcher.operation = "faulty";
  launcher.order = order;
  return launcher;
}

}  // namespace

fw_status run_reverse(uint64_t order, bool barrier, const float* src, float* dst) {
  return barrier ? launch<ReverseKernel<true>>(in_order(order), {}, shared_bytes<float>(64), {src, dst})
                 : launch<ReverseKernel<false>>(in_order(order), {}, shared_bytes<float>(64), {src, dst});
}
fw_status run_divergent_barrier(uint64_t order) { return launch<DivergentBarrierKernel>(in_order(order), {}, 0, {}); }
fw_status run_divergent_warp(uint64_t order, float* dst) {
  return launch<DivergentWarpKernel>(in_order(order), {}, 0, {dst});
}
fw_status run_shared_overrun(uint64_t order) {
  return launch<SharedOverrunKernel>(in_order(order), {}, shared_bytes<float>(32), {});
}
fw_status run_stray_write(uint64_t order, float* dst, int64_t at) {
  return launch<StrayWriteKernel>(in_order(order), {}, 0, {dst, at});
}
fw_status run_sum(uint64_t order, const float* src, float* dst) {
  return launch<SumKernel>(in_order(order), {}, shared_bytes<float>(3) + shared_bytes<float>(96), {src, dst});
}

template <ClusterFault kFault>
fw_status run_cluster_kernel(uint64_t order, const float* src, float* dst) {
  return launch_clusters<ClusterKernel<kFault>>(in_order(order), {8}, shared_bytes<float>(32), {4, src, dst});
}
fw_status run_cluster(uint64_t order, int fault, const float* src, float* dst) {
  switch (ClusterFault(fault)) {
    case ClusterFault::kMissingBarrier:
      return run_cluster_kernel<ClusterFault::kMissingBarrier>(order, src, dst);
    case ClusterFault::kEarlyReturn:
      return run_cluster_kernel<ClusterFault::kEarlyReturn>(order, src, dst);
    case ClusterFault::kDivergent:
      return run_cluster_kernel<ClusterFault::kDivergent>(order, src, dst);
    default:
      return run_cluster_kernel<ClusterFault::kRight>(order, src, dst);
  }
}

}  // namespace fusewire::FW_EXEC
