// SPDX-License-Identifier: Apache-2.0
// Kernels whose figures are known, among them bad ones: canary.sh compiles them and looks whether they are found out.
// No part of the library.
#include <cstdint>

// One load and one store of 16 bytes.
extern "C" __global__ void __launch_bounds__(256) wide_copy(const float4* src, float4* dst) {
  dst[threadIdx.x] = src[threadIdx.x];
}

// Two loads and a store of 4 bytes.
extern "C" __global__ void __launch_bounds__(128) narrow_sum(const float* a, const float* b, float* dst) {
  dst[threadIdx.x] = a[threadIdx.x] + b[threadIdx.x];
}

// 512 bytes of shared memory.
extern "C" __global__ void __launch_bounds__(128) reverse(float* x) {
  __shared__ float block[128];
  block[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  x[threadIdx.x] = block[127 - threadIdx.x];
}

// An array that is indexed by a variable lives in local memory.
extern "C" __global__ void __launch_bounds__(64) local_array(const float* src, float* dst, int n) {
  float values[64];
  for (int i = 0; i < 64; i++) {
    values[i] = src[i + threadIdx.x];
  }
  for (int i = 0; i < n; i++) {
    values[n * i & 63] = float(i) + values[3 * i & 63];
  }
  dst[threadIdx.x] = values[n & 63];
}

// One matrix product on a tensor core.
extern "C" __global__ void __launch_bounds__(32) tensor_product(uint32_t a, uint32_t b, float* dst) {
  float c[4] = {};
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %4, %4, %4}, {%5, %5}, "
      "{%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a), "r"(b));
  dst[threadIdx.x] = c[0] + c[1] + c[2] + c[3];
}
