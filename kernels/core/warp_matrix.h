// SPDX-License-Identifier: Apache-2.0
// Matrix products of a warp, one definition per execution:
//   GPU      mma.sync and ldmatrix. Before compute capability 8.0 f16 takes two products of half the depth, and bf16,
//            which those tensor cores lack, fused multiply-adds on values that the lanes give each other; TF32, which
//            they lack as well, is not asked for there (product/operand_tile.h)
//   checked  every lane gives the registers that it would hold on a GPU, so a fragment's wrong index shows
// Fragments are laid out as in the PTX ISA ("Matrix fragments for mma.m16n8k16", ".m16n8k8"). With group = lane / 4 and
// member = lane % 4, for 16-bit elements, two to a register with the lower index in the lower half:
//   a (16 x 16)  register i: row group + 8*(i%2), columns 2*member + 8*(i/2) and the next
//   b (16 x 8)   register i: column group, rows 2*member + 8*i and the next
//   c (16 x 8)   value i:    row group + 8*(i/2), column 2*member + i%2
// and for 32-bit elements, of which a tensor core reads the upper 19 bits (TF32; round_operands() rounds them to that,
// or else they are cut off), with a depth of 8:
//   a (16 x 8)   register i: row group + 8*(i%2), column member + 4*(i/2)
//   b (8 x 8)    register i: column group, row member + 4*i
// Not for the CPU's single thread.
#pragma once

#include <type_traits>

#include "core/exec.h"

namespace fusewire::FW_EXEC {

struct FragmentA {
  uint32_t r[4];
};
struct FragmentB {
  uint32_t r[2];
};
struct FragmentC {
  float v[4];
};

// Depth of one product of a warp.
template <class T>
constexpr int kMatrixDepth = int(32 / sizeof(T));

// Rounded as a tensor core wants its TF32: to 10 bits of mantissa, halves away from zero. As bits of a float.
FW_DEVICE uint32_t tf32_bits(uint32_t x) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  uint32_t r;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(r) : "f"(__uint_as_float(x)));
  return r;
#else
  if ((x & 0x7f800000u) == 0x7f800000u) {
    return (x & 0x007fffffu) == 0 ? x : x | 0x00400000u;  // a NaN stays one without the bits that are not read
  }
  return (x + 0x1000u) & 0xffffe000u;
#endif
}

// What a product of T takes for x where it is stored as T: rounded, if T's 32 bits are more than a tensor core reads.
template <class T>
FW_DEVICE T product_operand(float x) {
  if constexpr (std::is_same_v<T, tf32>) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    bits = tf32_bits(bits);
    memcpy(&x, &bits, 4);
  }
  return from_float<T>(x);
}

#if !defined(FW_EXEC_CPU)

// Rounds 32-bit elements that a product is to read as TF32; others are what they are to be.
template <class T, int kCount>
FW_DEVICE void round_operands(uint32_t (&r)[kCount]) {
  if constexpr (sizeof(T) == 4) {
#pragma unroll
    for (int i = 0; i < kCount; i++) {
      r[i] = tf32_bits(r[i]);
    }
  }
}

// Element `half` of a register.
template <class T>
FW_DEVICE float element_of(uint32_t word, int half) {
  if constexpr (sizeof(T) == 4) {
    float x;
    memcpy(&x, &word, 4);
    return x;
  } else {
    const uint16_t bits = uint16_t(half == 0 ? word : word >> 16);
    T x;
    memcpy(&x, &bits, 2);
    return to_float(x);
  }
}

// c += a*b from all lanes' registers: word(lane, i) is a's register i, and b's register i - 4.
template <class T, class Word>
FW_DEVICE void multiply_exchanged(int lane, FragmentC& c, Word word) {
  constexpr int kPerWord = int(4 / sizeof(T));
  for (int i = 0; i < 4; i++) {
    const int column = 2 * (lane % 4) + i % 2;
    for (int k = 0; k < kMatrixDepth<T>; k++) {
      const int member = k / kPerWord % 4;
      const int upper = k / (4 * kPerWord);
      const float a = element_of<T>(word(lane / 4 * 4 + member, i / 2 + 2 * upper), k % kPerWord);
      const float b = element_of<T>(word(column * 4 + member, 4 + upper), k % kPerWord);
      c.v[i] = __builtin_fmaf(a, b, c.v[i]);
    }
  }
}

// The value that another lane gives.
FW_DEVICE uint32_t shuffle(const Block& block, uint32_t value, int lane) {
#if defined(FW_EXEC_CHECKED)
  return block.fibers->exchange(block.thread, &value, 1)[lane * FiberBlock::kExchangeWords];
#else
  (void)block;
  return __shfl_sync(0xffffffffu, value, lane);
#endif
}

// c += a*b by values that the lanes give each other, where there is no tensor core for them.
template <class T>
FW_DEVICE void multiply_shuffled(const Block& block, const FragmentA& a, const FragmentB& b, FragmentC& c) {
  static_assert(sizeof(T) == 2, "two elements to a register");
  const int lane = block.thread % 32;
#pragma unroll
  for (int member = 0; member < 4; member++) {
#pragma unroll
    for (int upper = 0; upper < 2; upper++) {
      const uint32_t rows[2] = {shuffle(block, a.r[2 * upper], lane / 4 * 4 + member),
                                shuffle(block, a.r[2 * upper + 1], lane / 4 * 4 + member)};
      const uint32_t columns[2] = {shuffle(block, b.r[upper], lane % 4 * 8 + member),
                                   shuffle(block, b.r[upper], lane % 4 * 8 + 4 + member)};
#pragma unroll
      for (int half = 0; half < 2; half++) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
          c.v[i] = __builtin_fmaf(element_of<T>(rows[i / 2], half), element_of<T>(columns[i % 2], half), c.v[i]);
        }
      }
    }
  }
}

#if defined(FW_EXEC_CHECKED)

template <class T>
void mma(const Block& block, const FragmentA& a, const FragmentB& b, FragmentC& c) {
  uint32_t mine[6] = {a.r[0], a.r[1], a.r[2], a.r[3], b.r[0], b.r[1]};
  const uint32_t* all = block.fibers->exchange(block.thread, mine, 6);
  multiply_exchanged<T>(block.thread % 32, c, [&](int lane, int i) {
    const uint32_t word = all[lane * FiberBlock::kExchangeWords + i];
    return sizeof(T) == 4 ? word & 0xffffe000u : word;
  });
}

// Four matrices of 8 rows of 16 bytes: lane l gives the address of row l%8 of matrix l/8. Register i is of matrix i: of
// row group the word `member`; transposed (16-bit elements), of rows 2*member and the next the element `group`.
template <bool kTransposed>
void load_matrices(const Block& block, const void* row, uint32_t (&r)[4]) {
  const auto address = reinterpret_cast<uintptr_t>(row);
  if (address % 16 != 0) {
    block.fibers->fault("ldmatrix of a row whose address is not a multiple of 16");
  }
  const uint32_t mine[2] = {uint32_t(address), uint32_t(address >> 32)};
  const uint32_t* all = block.fibers->exchange(block.thread, mine, 2);
  const auto row_of = [&](int lane) {
    const uint32_t* words = all + lane * FiberBlock::kExchangeWords;
    return reinterpret_cast<const char*>(uintptr_t(words[0]) | uintptr_t(words[1]) << 32);
  };
  const int lane = block.thread % 32;
  for (int i = 0; i < 4; i++) {
    if (!kTransposed) {
      std::memcpy(&r[i], row_of(8 * i + lane / 4) + lane % 4 * 4, 4);
    } else {
      uint16_t pair[2];
      std::memcpy(&pair[0], row_of(8 * i + lane % 4 * 2) + lane / 4 * 2, 2);
      std::memcpy(&pair[1], row_of(8 * i + lane % 4 * 2 + 1) + lane / 4 * 2, 2);
      r[i] = pair[0] | uint32_t(pair[1]) << 16;
    }
  }
}

#else

template <bool kTransposed>
FW_DEVICE void load_matrices(const Block&, const void* row, uint32_t (&r)[4]) {
  const unsigned address = unsigned(__cvta_generic_to_shared(row));
  if constexpr (kTransposed) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
  }
}

#define FW_MMA(text, ...)                                                                         \
  asm("mma.sync.aligned." text " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};" \
      : "+f"(c.v[0]), "+f"(c.v[1]), "+f"(c.v[2]), "+f"(c.v[3])                                    \
      : __VA_ARGS__)

template <class T>
FW_DEVICE void mma(const Block& block, const FragmentA& a, const FragmentB& b, FragmentC& c) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  if constexpr (sizeof(T) == 4) {
    FW_MMA("m16n8k8.row.col.f32.tf32.tf32.f32", "r"(a.r[0]), "r"(a.r[1]), "r"(a.r[2]), "r"(a.r[3]), "r"(b.r[0]),
           "r"(b.r[1]));
  } else if constexpr (std::is_same_v<T, bf16>) {
    FW_MMA("m16n8k16.row.col.f32.bf16.bf16.f32", "r"(a.r[0]), "r"(a.r[1]), "r"(a.r[2]), "r"(a.r[3]), "r"(b.r[0]),
           "r"(b.r[1]));
  } else {
    FW_MMA("m16n8k16.row.col.f32.f16.f16.f32", "r"(a.r[0]), "r"(a.r[1]), "r"(a.r[2]), "r"(a.r[3]), "r"(b.r[0]),
           "r"(b.r[1]));
  }
#else
  if constexpr (std::is_same_v<T, f16>) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
      asm("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
          : "+f"(c.v[0]), "+f"(c.v[1]), "+f"(c.v[2]), "+f"(c.v[3])
          : "r"(a.r[2 * half]), "r"(a.r[2 * half + 1]), "r"(b.r[half]));
    }
  } else if constexpr (sizeof(T) == 4) {
    __trap();
  } else {
    multiply_shuffled<T>(block, a, b, c);
  }
#endif
  (void)block;
}

#undef FW_MMA

#endif
#endif

}  // namespace fusewire::FW_EXEC
