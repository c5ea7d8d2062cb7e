// SPDX-License-Identifier: Apache-2.0
// Chooses the execution that this translation unit is compiled for. The build sets one of
//   FW_EXEC_CUDA     nvcc, one thread per CUDA thread
//   FW_EXEC_CPU      g++, a block has one thread that works on native SIMD vectors
//   FW_EXEC_CHECKED  g++, a block has as many threads as on the GPU, run as fibers (tests only)
// and FW_EXEC to the namespace of the execution (cuda, cpu_v3, cpu_v4, ..., checked, metered), so that the same kernel
// compiled for several executions lives in one library. FW_EXEC_METERED beside FW_EXEC_CPU is the CPU's execution with
// every load and store counted, see meter/hooks.cc. Kernels include this header only and never ask where they run: what
// differs is behind Block, Vec, the collectives and a few constants below.
#pragma once

#include <cstdint>

#if defined(FW_EXEC_CUDA)
#define FW_DEVICE __device__ __forceinline__
#define FW_HOST_DEVICE __host__ __device__ __forceinline__
#define FW_UNROLL _Pragma("unroll")
#else
#define FW_DEVICE __attribute__((always_inline)) inline
#define FW_HOST_DEVICE __attribute__((always_inline)) inline
#define FW_UNROLL _Pragma("GCC unroll 64")
#endif
// FW_UNROLL before a loop of constant length whose arrays are to live in registers.

namespace fusewire::FW_EXEC {

#if defined(FW_EXEC_CPU)
// Widest SIMD register, in floats.
#if defined(__AVX512F__)
constexpr int kSimdLanes = 16;
#elif defined(__AVX2__)
constexpr int kSimdLanes = 8;
#else
constexpr int kSimdLanes = 4;
#endif
// One thread per block: work is spread over SIMD lanes and, block by block, over cores.
constexpr bool kOneThread = true;
#else
constexpr int kSimdLanes = 0;
constexpr bool kOneThread = false;
#endif

// Channels that one thread handles at a time for storage type T: 16 bytes on a GPU, one SIMD register on a CPU.
template <class T>
constexpr int kLanes = kOneThread ? (kSimdLanes > 0 ? kSimdLanes : 1) : int(16 / sizeof(T));

}  // namespace fusewire::FW_EXEC

#include "core/block.h"
#include "core/dtype.h"
#include "core/launch.h"
#include "core/math.h"
#include "core/vector.h"
