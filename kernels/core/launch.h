// SPDX-License-Identifier: Apache-2.0
// Launching a kernel. A kernel is a struct
//   struct Scale {
//     struct Params { ... plain values ... };
//     static constexpr int kThreads = 256;                     // per block, on a GPU; a multiple of 32
//     FW_DEVICE static void run(const Params& p, Block& block);
//   };
// and launch<Scale>(launcher, {blocks}, shared, params) runs it over a grid of blocks. While a stream is captured into
// a graph nothing runs: CUDA notes the launch by itself, the other executions keep it with its parameters in the
// stream's LaunchRecord, and a replay runs what was kept. So whatever changes between replays is read from device
// memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <type_traits>

#include "core/block.h"
#include "core/error.h"
#include "core/launch_record.h"
#include "core/launcher.h"
#include "core/pool.h"

#if defined(FW_EXEC_METERED)
#include "meter/launch.h"
#endif

namespace fusewire::FW_EXEC {

struct Grid {
  int64_t x = 1, y = 1, z = 1;
};

constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Compute capability of the calling thread's device as major*10+minor, 0 on a CPU.
inline int compute_capability() {
#if defined(FW_EXEC_CUDA)
  int device = 0;
  int major = 0;
  int minor = 0;
  if (cudaGetDevice(&device) == cudaSuccess &&
      cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device) == cudaSuccess &&
      cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device) == cudaSuccess) {
    return major * 10 + minor;
  }
  return 0;
#elif defined(FW_EXEC_CHECKED)
  // 9.0, unless FUSEWIRE_CHECKED_SM asks for an earlier one.
  const char* capability = std::getenv("FUSEWIRE_CHECKED_SM");
  return capability != nullptr && std::atoi(capability) < 90 ? std::atoi(capability) : 90;
#else
  return 0;
#endif
}

// Bytes of shared memory that a block of this launch may ask for.
inline int64_t shared_limit() {
#if defined(FW_EXEC_CUDA)
  int device = 0;
  int bytes = 0;
  if (cudaGetDevice(&device) == cudaSuccess &&
      cudaDeviceGetAttribute(&bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device) == cudaSuccess) {
    return bytes;
  }
#elif defined(FW_EXEC_CHECKED)
  if (compute_capability() < 90) {
    return (compute_capability() < 80 ? 64 : 163) * 1024;
  }
#endif
  return 227 * 1024;
}

#if defined(FW_EXEC_CPU)

template <class Kernel>
struct CpuLaunch {
  typename Kernel::Params params;
  Grid grid;

  static void run(const void* self, int64_t index, void* arena) {
    const CpuLaunch& launch = *static_cast<const CpuLaunch*>(self);
    Block block;
    block.x = index % launch.grid.x;
    block.y = index / launch.grid.x % launch.grid.y;
    block.z = index / launch.grid.x / launch.grid.y;
    block.shared_memory = static_cast<char*>(arena);
    Kernel::run(launch.params, block);
  }
};

template <class Kernel>
fw_status run_launch(const Launcher& launcher, const int64_t* size, int64_t shared, const void* params) {
  const Grid grid{size[0], size[1], size[2]};
  const CpuLaunch<Kernel> task{*static_cast<const typename Kernel::Params*>(params), grid};
#if defined(FW_EXEC_METERED)
  const MeteredLaunch metered(launcher.meter);
  constexpr int threads = 1;  // the calling one, which the meter listens to
#else
  const int threads = launcher.threads;
#endif
  if (!run_blocks(threads, grid.x * grid.y * grid.z, shared, &CpuLaunch<Kernel>::run, &task)) {
    return fail(FW_OUT_OF_MEMORY, "%s: no %lld bytes of scratch memory for a CPU block", launcher.operation,
                static_cast<long long>(shared));
  }
  return FW_OK;
}

#elif defined(FW_EXEC_CHECKED)

template <class Kernel>
void checked_body(const void* params, int thread, const int64_t* place, char* shared, FiberBlock* fibers) {
  Block block;
  block.thread = thread;
  block.threads = Kernel::kThreads;
  block.x = place[0];
  block.y = place[1];
  block.z = place[2];
  block.shared_memory = shared;
  block.fibers = fibers;
  Kernel::run(*static_cast<const typename Kernel::Params*>(params), block);
}

template <class Kernel>
fw_status run_launch(const Launcher& launcher, const int64_t* size, int64_t shared, const void* params) {
  static_assert(Kernel::kThreads % 32 == 0 && Kernel::kThreads <= 1024, "whole warps, at most 1024 threads");
  static_assert(sizeof(typename Kernel::Params) <= 4096, "kernel parameters of a GPU hold 4096 bytes");
  if (size[0] > 0x7fffffffLL || size[1] > 65535 || size[2] > 65535 || shared > 227 * 1024) {
    return fail(FW_UNSUPPORTED, "%s: a grid of %lld x %lld x %lld blocks with %lld bytes of shared memory",
                launcher.operation, (long long)size[0], (long long)size[1], (long long)size[2], (long long)shared);
  }
  if (size[0] * size[1] * size[2] == 0) {
    return FW_OK;
  }
  const char* error = run_fibers(launcher.order, size, Kernel::kThreads, shared, &checked_body<Kernel>, params);
  return error == nullptr ? FW_OK : fail(FW_DEVICE_ERROR, "%s: %s", launcher.operation, error);
}

#else

// Bytes of shared memory that launches of a kernel typically ask for: what it says (kTypicalShared), else 0. In the
// name of the compiled kernel, where gpu_figures reads it for the occupancy.
template <class Kernel, class = void>
struct TypicalShared {
  static constexpr int value = 0;
};
template <class Kernel>
struct TypicalShared<Kernel, std::void_t<decltype(Kernel::kTypicalShared)>> {
  static constexpr int value = int(Kernel::kTypicalShared);
};

// Blocks that the registers of a multiprocessor shall suffice for: what a kernel says (kLeastResident), else 1.
template <class Kernel, class = void>
struct LeastResident {
  static constexpr int value = 1;
};
template <class Kernel>
struct LeastResident<Kernel, std::void_t<decltype(Kernel::kLeastResident)>> {
  static constexpr int value = Kernel::kLeastResident;
};

template <class Kernel, int kTypicalShared = TypicalShared<Kernel>::value>
__global__ void __launch_bounds__(Kernel::kThreads, LeastResident<Kernel>::value)
    kernel_entry(const __grid_constant__ typename Kernel::Params params) {
  extern __shared__ __align__(128) char shared_memory[];
  Block block;
  block.thread = int(threadIdx.x);
  block.threads = Kernel::kThreads;
  block.x = blockIdx.x;
  block.y = blockIdx.y;
  block.z = blockIdx.z;
  block.shared_memory = shared_memory;
  Kernel::run(params, block);
}

template <class Kernel>
fw_status launch(const Launcher& launcher, Grid grid, int64_t shared, const typename Kernel::Params& params) {
  static_assert(Kernel::kThreads % 32 == 0 && Kernel::kThreads <= 1024, "whole warps, at most 1024 threads");
  static_assert(sizeof(typename Kernel::Params) <= 4096, "kernel parameters of a GPU hold 4096 bytes");
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) {
    return FW_OK;
  }
  if (grid.x > 0x7fffffffLL || grid.y > 65535 || grid.z > 65535) {
    return fail(FW_UNSUPPORTED, "%s: a grid of %lld x %lld x %lld blocks is more than a GPU takes", launcher.operation,
                (long long)grid.x, (long long)grid.y, (long long)grid.z);
  }
  cudaError_t error = cudaSuccess;
  if (shared > 48 * 1024) {
    error = cudaFuncSetAttribute(kernel_entry<Kernel>, cudaFuncAttributeMaxDynamicSharedMemorySize, int(shared));
  }
  if (error == cudaSuccess) {
    kernel_entry<Kernel><<<dim3(unsigned(grid.x), unsigned(grid.y), unsigned(grid.z)), Kernel::kThreads, size_t(shared),
                           static_cast<cudaStream_t>(launcher.cuda_stream)>>>(params);
    error = cudaGetLastError();
  }
  return error == cudaSuccess ? FW_OK : cuda_failure(launcher.operation, int(error));
}

#endif

#if !defined(FW_EXEC_CUDA)

// Runs a launch or, while the stream is captured, keeps it with a copy of its parameters.
template <class Params>
fw_status run_or_keep(const Launcher& launcher, LaunchRecord::Run run, Grid grid, int64_t shared,
                      const Params& params) {
  static_assert(std::is_trivially_copyable_v<Params> && alignof(Params) <= alignof(std::max_align_t),
                "parameters are copied as bytes");
  const int64_t size[3] = {grid.x, grid.y, grid.z};
  if (launcher.record != nullptr) {
    launcher.record->add(launcher.operation, run, size, shared, &params, sizeof(params));
    return FW_OK;
  }
  return run(launcher, size, shared, &params);
}

// shared: bytes of shared memory per block, the sum of shared_bytes<T>(count) of its shared<T>(count) calls.
template <class Kernel>
fw_status launch(const Launcher& launcher, Grid grid, int64_t shared, const typename Kernel::Params& params) {
  return run_or_keep(launcher, &run_launch<Kernel>, grid, shared, params);
}

#endif

// Whether vectors of `lanes` channels of T may be used: every row starts on a 16-byte boundary. `addresses` is the
// bitwise or of all addresses that are accessed in vectors, parameters included.
template <class T>
bool lanes_fit(int64_t channels, fw_address addresses) {
  return channels % kLanes<T> == 0 && addresses % 16 == 0;
}

// How many of the N values at `at` of a row of `count` exist. On a GPU all do, as lanes_fit() saw to: no code is needed
// there for parts of vectors.
template <int N>
FW_DEVICE int vector_lanes(int64_t count, int64_t at) {
  return kOneThread && count - at < N ? int(count - at) : N;
}

// Calls f(lanes) with std::integral_constant-like tag: the native vector on a CPU (tails are partial vectors), 16 bytes
// on a GPU where they fit, else one channel per thread.
template <int N>
struct LanesTag {
  static constexpr int value = N;
};
template <class T, class F>
fw_status with_lanes(int64_t channels, fw_address addresses, F f) {
  if constexpr (kOneThread) {
    return f(LanesTag<kLanes<T>>());
  } else {
    return lanes_fit<T>(channels, addresses) ? f(LanesTag<kLanes<T>>()) : f(LanesTag<1>());
  }
}

// Calls f(T()) for the storage type of an fw_dtype.
template <class F>
fw_status with_dtype(int32_t dtype, F f) {
  switch (dtype) {
    case FW_F32:
      return f(float());
    case FW_BF16:
      return f(bf16());
    default:
      return f(f16());
  }
}

}  // namespace fusewire::FW_EXEC
