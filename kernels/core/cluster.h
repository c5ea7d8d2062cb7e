// SPDX-License-Identifier: Apache-2.0
// Thread-block clusters: neighbouring blocks along x that run at the same time, wait for each other and reach each
// other's shared memory (compute capability 9.0). A kernel of clusters is one whose run() takes a Cluster as well:
//   FW_DEVICE static void run(const Params& p, Block& block, const Cluster& cluster);
// and whose Params have `int cluster`, the number of blocks of a cluster, 1 to kMostClusterBlocks, which divides the
// grid's x. A block does not return while others may still reach its shared memory.
//   GPU      cudaLaunchAttributeClusterDimension; where clusters_run() is false the caller takes launches of its own
//   checked  a cluster's blocks run side by side; what a block that has returned left in shared memory is NaN
//   CPU      never: a block has a core's whole cache, and nothing to gain
#pragma once

#include <cstdlib>

#include "core/exec.h"

namespace fusewire::FW_EXEC {

constexpr int kMostClusterBlocks = 8;  // what every GPU that has clusters takes

#if defined(FW_EXEC_CPU)

struct Cluster {
  static constexpr int rank = 0;
  static constexpr int size = 1;
  void sync() const {}
  template <class T>
  T* shared_of(int, T* mine) const {
    return mine;
  }
};

inline bool clusters_run() { return false; }

template <class Kernel>
fw_status launch_clusters(const Launcher& launcher, Grid, int64_t, const typename Kernel::Params&) {
  return fail(FW_UNSUPPORTED, "%s: a CPU has no clusters", launcher.operation);
}

#elif defined(FW_EXEC_CHECKED)

struct Cluster {
  int rank, size;
  const Block& block;

  // All threads of the cluster have come here, and see each other's writes.
  void sync() const { block.fibers->cluster_barrier(block.thread); }
  // What block `other` has where this one has `mine`.
  template <class T>
  T* shared_of(int other, T* mine) const {
    return reinterpret_cast<T*>(block.fibers->cluster_shared(reinterpret_cast<char*>(mine), other));
  }
};

inline bool clusters_run() { return compute_capability() >= 90; }

template <class Kernel>
void checked_cluster_body(const void* params, int thread, const int64_t* place, char* shared, FiberBlock* fibers) {
  const auto& p = *static_cast<const typename Kernel::Params*>(params);
  Block block;
  block.thread = thread;
  block.threads = Kernel::kThreads;
  block.x = place[0];
  block.y = place[1];
  block.z = place[2];
  block.shared_memory = shared;
  block.fibers = fibers;
  Kernel::run(p, block, Cluster{int(block.x % p.cluster), p.cluster, block});
}

template <class Kernel>
fw_status run_cluster_launch(const Launcher& launcher, const int64_t* size, int64_t shared, const void* params) {
  const int cluster = static_cast<const typename Kernel::Params*>(params)->cluster;
  if (size[0] % cluster != 0 || cluster > kMostClusterBlocks || shared > 227 * 1024) {
    return fail(FW_UNSUPPORTED, "%s: %lld blocks in clusters of %d with %lld bytes of shared memory each",
                launcher.operation, (long long)size[0], cluster, (long long)shared);
  }
  if (size[0] * size[1] * size[2] == 0) {
    return FW_OK;
  }
  const char* error =
      run_clusters(launcher.order, size, cluster, Kernel::kThreads, shared, &checked_cluster_body<Kernel>, params);
  return error == nullptr ? FW_OK : fail(FW_DEVICE_ERROR, "%s: %s", launcher.operation, error);
}

template <class Kernel>
fw_status launch_clusters(const Launcher& launcher, Grid grid, int64_t shared, const typename Kernel::Params& params) {
  return run_or_keep(launcher, &run_cluster_launch<Kernel>, grid, shared, params);
}

#else

struct Cluster {
  int rank, size;

  FW_DEVICE void sync() const {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
    __cluster_barrier_arrive();
    __cluster_barrier_wait();
#endif
  }
  template <class T>
  FW_DEVICE T* shared_of(int other, T* mine) const {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
    return static_cast<T*>(__cluster_map_shared_rank(mine, unsigned(other)));
#else
    return mine;
#endif
  }
};

// Whether the present device has clusters.
inline bool clusters_run() {
  int device = 0;
  int major = 0;
  return cudaGetDevice(&device) == cudaSuccess &&
         cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device) == cudaSuccess && major >= 9;
}

template <class Kernel>
__global__ void __launch_bounds__(Kernel::kThreads, 1)
    cluster_entry(const __grid_constant__ typename Kernel::Params params) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  extern __shared__ __align__(128) char shared_memory[];
  Block block;
  block.thread = int(threadIdx.x);
  block.threads = Kernel::kThreads;
  block.x = blockIdx.x;
  block.y = blockIdx.y;
  block.z = blockIdx.z;
  block.shared_memory = shared_memory;
  Kernel::run(params, block, Cluster{int(__clusterRelativeBlockRank()), params.cluster});
#endif
}

template <class Kernel>
fw_status launch_clusters(const Launcher& launcher, Grid grid, int64_t shared, const typename Kernel::Params& params) {
  static_assert(Kernel::kThreads % 32 == 0 && Kernel::kThreads <= 1024, "whole warps, at most 1024 threads");
  static_assert(sizeof(typename Kernel::Params) <= 4096, "kernel parameters of a GPU hold 4096 bytes");
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) {
    return FW_OK;
  }
  cudaError_t error = cudaSuccess;
  if (shared > 48 * 1024) {
    error = cudaFuncSetAttribute(cluster_entry<Kernel>, cudaFuncAttributeMaxDynamicSharedMemorySize, int(shared));
  }
  if (error == cudaSuccess) {
    cudaLaunchAttribute attribute = {};
    attribute.id = cudaLaunchAttributeClusterDimension;
    attribute.val.clusterDim.x = unsigned(params.cluster);
    attribute.val.clusterDim.y = 1;
    attribute.val.clusterDim.z = 1;
    cudaLaunchConfig_t config = {};
    config.gridDim = dim3(unsigned(grid.x), unsigned(grid.y), unsigned(grid.z));
    config.blockDim = dim3(Kernel::kThreads);
    config.dynamicSmemBytes = size_t(shared);
    config.stream = static_cast<cudaStream_t>(launcher.cuda_stream);
    config.attrs = &attribute;
    config.numAttrs = 1;
    error = cudaLaunchKernelEx(&config, cluster_entry<Kernel>, params);
  }
  return error == cudaSuccess ? FW_OK : cuda_failure(launcher.operation, int(error));
}

#endif

}  // namespace fusewire::FW_EXEC
