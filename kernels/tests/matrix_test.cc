// SPDX-License-Identifier: Apache-2.0
// The tensor-core layer lane by lane, against the layouts that the PTX ISA gives ("Matrix fragments for mma.m16n8k16
// with floating point type", "... for mma.m16n8k8", "ldmatrix"), in the checked execution; that tiles are swizzled
// without bank conflicts; and that a missing wait or barrier after an asynchronous copy shows. The kernels are in
// probes/matrix_probe.cu.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "core/error.h"
#include "device_fixture.h"

namespace fusewire::probe_checked {
fw_status run_multiply(uint64_t order, int32_t dtype, bool shuffled, const uint32_t* a, const uint32_t* b, float* c);
fw_status run_load(uint64_t order, bool transposed, int shift, const uint16_t* rows, uint32_t* r);
fw_status run_copy(uint64_t order, bool wait, bool barrier, bool read, const float* src, float* dst);
fw_status run_tile(uint64_t order, int32_t dtype, int side, bool depth_rows, const void* a, const void* b, float* c,
                   int rows, int columns);
int bank_conflicts(int row_bytes, int row, int chunk);
int tile_place(int row_bytes, int row, int chunk);
int word_conflicts(int row_bytes, int row, int column);
int word_place(int row_bytes, int row, int chunk);
}  // namespace fusewire::probe_checked

namespace fusewire::test {
namespace {

using namespace fusewire::probe_checked;  // NOLINT(google-build-using-namespace)

constexpr uint64_t kOrders[] = {0, 1, 12345};

size_t at(int64_t i) { return size_t(i); }

uint32_t bits(float x) {
  uint32_t u = 0;
  std::memcpy(&u, &x, sizeof(u));
  return u;
}

struct Element {
  int row, column;
};

// Of the PTX ISA: where element i of a lane's fragment lies in its matrix. 16-bit a has 8 elements, b 4; TF32's a 4,
// b 2.
Element element_a(int32_t dtype, int lane, int i) {
  const int group = lane >> 2;
  const int member = lane % 4;
  if (dtype == FW_F32) {
    return {i == 0 || i == 2 ? group : group + 8, i < 2 ? member : member + 4};
  }
  return {i < 2 || (i >= 4 && i < 6) ? group : group + 8, i < 4 ? member * 2 + (i & 1) : member * 2 + (i & 1) + 8};
}
Element element_b(int32_t dtype, int lane, int i) {
  const int group = lane >> 2;
  const int member = lane % 4;
  if (dtype == FW_F32) {
    return {i == 0 ? member : member + 4, group};
  }
  return {i < 2 ? member * 2 + (i & 1) : member * 2 + (i & 1) + 8, group};
}
Element element_c(int lane, int i) {
  const int group = lane >> 2;
  const int member = lane % 4;
  return {i < 2 ? group : group + 8, member * 2 + (i & 1)};
}

// Registers of all lanes that hold a matrix, by the layout `element`.
template <class Layout>
std::vector<uint32_t> registers(int32_t dtype, int per_lane, const std::vector<float>& matrix, int columns,
                                Layout element) {
  std::vector<uint32_t> r(at(32 * per_lane));
  for (int lane = 0; lane < 32; lane++) {
    for (int i = 0; i < per_lane * (dtype == FW_F32 ? 1 : 2); i++) {
      const Element e = element(dtype, lane, i);
      const float value = matrix[at(e.row * columns + e.column)];
      if (dtype == FW_F32) {
        r[at(lane * per_lane + i)] = bits(value);
      } else {  // the lower index in the lower half
        r[at(lane * per_lane + i / 2)] |= uint32_t(format_of(dtype).encode(double(value))) << (i % 2 * 16);
      }
    }
  }
  return r;
}

// By tensor cores, and as GPUs without one for the type do it.
class FragmentTest : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Products, FragmentTest, ::testing::Bool(), [](const ::testing::TestParamInfo<bool>& info) {
  return info.param ? "Shuffled" : "TensorCores";
});

TEST_P(FragmentTest, LiesAsThePtxIsaSays) {
  const bool shuffled = GetParam();
  for (const int32_t dtype : kAllDtypes) {
    if (shuffled && dtype == FW_F32) {
      continue;  // those GPUs multiply f32 as f32
    }
    const int depth = dtype == FW_F32 ? 8 : 16;
    const std::vector<float> a = random_integers(1, 16 * depth, 9), b = random_integers(2, depth * 8, 9),
                             addend = random_integers(3, 16 * 8, 100);
    std::vector<float> first(128);
    for (int lane = 0; lane < 32; lane++) {
      for (int i = 0; i < 4; i++) {
        const Element e = element_c(lane, i);
        first[at(lane * 4 + i)] = addend[at(e.row * 8 + e.column)];
      }
    }
    for (const uint64_t order : kOrders) {
      std::vector<float> c = first;
      ASSERT_EQ(FW_OK, run_multiply(order, dtype, shuffled, registers(dtype, 4, a, depth, element_a).data(),
                                    registers(dtype, 2, b, 8, element_b).data(), c.data()))
          << last_error();
      for (int lane = 0; lane < 32; lane++) {
        for (int i = 0; i < 4; i++) {
          const Element e = element_c(lane, i);
          float expected = addend[at(e.row * 8 + e.column)];
          for (int k = 0; k < depth; k++) {
            expected += a[at(e.row * depth + k)] * b[at(k * 8 + e.column)];
          }
          EXPECT_EQ(expected, c[at(lane * 4 + i)])
              << dtype_name(dtype) << ", lane " << lane << ", value " << i << ", order " << order;
        }
      }
    }
  }
}

// Each register of each lane alone: only the elements that the layout names may change the product, and by what they
// are.
TEST(MatrixTest, EveryRegisterOfEveryLaneIsWhereItBelongs) {
  for (const int32_t dtype : kAllDtypes) {
    const int depth = dtype == FW_F32 ? 8 : 16;
    const int halves = dtype == FW_F32 ? 1 : 2;
    const std::vector<float> ones_a(at(16 * depth), 1.0f), ones_b(at(depth * 8), 1.0f);
    for (int lane = 0; lane < 32; lane++) {
      for (int i = 0; i < 4 * halves; i++) {
        const Element e = element_a(dtype, lane, i);
        std::vector<float> a(ones_a.size());
        a[at(e.row * depth + e.column)] = 3.0f;
        std::vector<float> c(128);
        ASSERT_EQ(FW_OK, run_multiply(0, dtype, false, registers(dtype, 4, a, depth, element_a).data(),
                                      registers(dtype, 2, ones_b, 8, element_b).data(), c.data()));
        for (int j = 0; j < 128; j++) {
          EXPECT_EQ(element_c(j / 4, j % 4).row == e.row ? 3.0f : 0.0f, c[at(j)]) << "a of lane " << lane << ", " << i;
        }
      }
      for (int i = 0; i < 2 * halves; i++) {
        const Element e = element_b(dtype, lane, i);
        std::vector<float> b(ones_b.size());
        b[at(e.row * 8 + e.column)] = 3.0f;
        std::vector<float> c(128);
        ASSERT_EQ(FW_OK, run_multiply(0, dtype, false, registers(dtype, 4, ones_a, depth, element_a).data(),
                                      registers(dtype, 2, b, 8, element_b).data(), c.data()));
        for (int j = 0; j < 128; j++) {
          EXPECT_EQ(element_c(j / 4, j % 4).column == e.column ? 3.0f : 0.0f, c[at(j)])
              << "b of lane " << lane << ", " << i;
        }
      }
    }
  }
}

// TF32 has 10 bits of mantissa: 1 + 2^-11 is rounded away from zero, less than that is dropped.
TEST(MatrixTest, Tf32IsRounded) {
  for (const auto& [given, expected] : {std::pair<float, float>{1.0f + 0x1p-11f, 1.0f + 0x1p-10f},
                                        {1.0f + 0x1p-12f, 1.0f},
                                        {-1.0f - 0x1.8p-11f, -1.0f - 0x1p-10f}}) {
    std::vector<float> a(128), b(64);
    a[0] = given;
    b[0] = 1.0f;
    std::vector<float> c(128);
    ASSERT_EQ(FW_OK, run_multiply(0, FW_F32, false, registers(FW_F32, 4, a, 8, element_a).data(),
                                  registers(FW_F32, 2, b, 8, element_b).data(), c.data()));
    EXPECT_EQ(expected, c[0]);
  }
}

TEST(MatrixTest, LoadedMatricesLieAsThePtxIsaSays) {
  std::vector<uint16_t> rows(256);
  for (int i = 0; i < 256; i++) {
    rows[at(i)] = uint16_t(1000 + i);
  }
  for (const uint64_t order : kOrders) {
    for (const bool transposed : {false, true}) {
      std::vector<uint32_t> r(128);
      ASSERT_EQ(FW_OK, run_load(order, transposed, 0, rows.data(), r.data())) << last_error();
      for (int lane = 0; lane < 32; lane++) {
        for (int matrix = 0; matrix < 4; matrix++) {
          for (int half = 0; half < 2; half++) {
            const int row = transposed ? lane % 4 * 2 + half : lane / 4;
            const int column = transposed ? lane / 4 : lane % 4 * 2 + half;
            EXPECT_EQ(1000u + unsigned((matrix * 8 + row) * 8 + column),
                      r[at(lane * 4 + matrix)] >> (half * 16) & 0xffffu)
                << "lane " << lane << ", matrix " << matrix << (transposed ? ", transposed" : "");
          }
        }
      }
    }
  }
}

TEST(MatrixTest, RowsThatAreNotAlignedAreRefused) {
  const std::vector<uint16_t> rows(256);
  std::vector<uint32_t> r(128);
  EXPECT_EQ(FW_DEVICE_ERROR, run_load(0, false, 4, rows.data(), r.data()));
  EXPECT_NE(std::string(last_error()).find("not a multiple of 16"), std::string::npos) << last_error();
}

// Every chunk has a place of its own in its row, and the eight rows of a matrix are in different banks.
TEST(MatrixTest, SwizzlingIsABijectionWithoutBankConflicts) {
  for (const int row_bytes : {64, 128, 256}) {
    const int chunks = row_bytes / 16;
    for (int row = 0; row < 64; row++) {
      std::set<int> places;
      for (int chunk = 0; chunk < chunks; chunk++) {
        places.insert(tile_place(row_bytes, row, chunk));
        EXPECT_EQ(row, tile_place(row_bytes, row, chunk) / chunks);
        if (row % 8 == 0) {
          EXPECT_EQ(1, bank_conflicts(row_bytes, row, chunk)) << row_bytes << " bytes, row " << row;
        }
      }
      EXPECT_EQ(chunks, int(places.size()));
    }
  }
}

// As much for tiles of f32 whose rows are the depth, from which a warp loads eight columns of four rows at a time.
TEST(MatrixTest, WordsAreSwizzledWithoutBankConflicts) {
  for (const int row_bytes : {256, 512}) {
    const int chunks = row_bytes / 16;
    for (int row = 0; row < 16; row++) {
      std::set<int> places;
      for (int chunk = 0; chunk < chunks; chunk++) {
        places.insert(word_place(row_bytes, row, chunk));
        EXPECT_EQ(row, word_place(row_bytes, row, chunk) / chunks);
      }
      EXPECT_EQ(chunks, int(places.size()));
      for (int column = 0; row % 4 == 0 && column < row_bytes / 4; column += 8) {
        EXPECT_EQ(1, word_conflicts(row_bytes, row, column)) << row_bytes << " bytes, row " << row;
      }
    }
  }
}

// A whole block's product, both ways the operands may lie, on every edge of the warps' groups.
TEST(MatrixTest, TilesAreExact) {
  for (const int32_t dtype : kAllDtypes) {
    const int depth = dtype == FW_F32 ? 16 : 32;
    for (const int side : {64, 128}) {
      for (const bool depth_rows : {false, true}) {
        const std::vector<float> a = random_integers(5, side * depth, 9), b = random_integers(6, side * depth, 9);
        const auto stored = [&](const std::vector<float>& values) {
          std::vector<uint32_t> words((values.size() + 1) / 2 * (dtype == FW_F32 ? 2 : 1));
          for (size_t i = 0; i < values.size(); i++) {
            if (dtype == FW_F32) {
              words[i] = bits(values[i]);
            } else {
              words[i / 2] |= uint32_t(format_of(dtype).encode(double(values[i]))) << (i % 2 * 16);
            }
          }
          return words;
        };
        const std::vector<uint32_t> stored_a = stored(a), stored_b = stored(b);
        const auto value = [&](const std::vector<float>& m, int i, int k) {
          return m[at(depth_rows ? k * side + i : i * depth + k)];
        };
        for (const auto& [rows, columns] : {std::pair<int, int>{side, side}, {17, side}, {side, 9}, {1, 1}, {50, 43}}) {
          const uint64_t order = kOrders[at(rows % 3)];
          std::vector<float> c(at(side * side), -1.0f);
          ASSERT_EQ(FW_OK,
                    run_tile(order, dtype, side, depth_rows, stored_a.data(), stored_b.data(), c.data(), rows, columns))
              << last_error();
          for (int r = 0; r < side; r++) {
            for (int column = 0; column < side; column++) {
              double sum = 0;
              for (int k = 0; k < depth; k++) {
                sum += double(value(a, r, k)) * double(value(b, column, k));
              }
              ASSERT_EQ(r < rows && column < columns ? float(sum) : -1.0f, c[at(r * side + column)])
                  << dtype_name(dtype) << ", side " << side << ", row " << r << ", column " << column;
            }
          }
        }
      }
    }
  }
}

std::vector<float> copied(uint64_t order, bool wait, bool barrier, bool read = true) {
  alignas(16) static float src[256];
  for (int i = 0; i < 256; i++) {
    src[i] = float(i + 1);
  }
  std::vector<float> dst(256);
  EXPECT_EQ(FW_OK, run_copy(order, wait, barrier, read, src, dst.data())) << last_error();
  return dst;
}

int poisoned(const std::vector<float>& values) {
  int count = 0;
  for (const float value : values) {
    count += std::isnan(value) ? 1 : 0;
  }
  return count;
}

TEST(MatrixTest, AsynchronousCopiesNeedTheirWaitAndTheirBarrier) {
  for (const uint64_t order : kOrders) {
    const std::vector<float> right = copied(order, true, true);
    for (int i = 0; i < 256; i++) {
      EXPECT_EQ(float(i + 1), right[at(i)]);
    }
    EXPECT_EQ(std::vector<float>(256), copied(order, true, true, false)) << "nothing read, zeros";
    EXPECT_EQ(256, poisoned(copied(order, false, true))) << "no wait";
    EXPECT_LT(0, poisoned(copied(order, true, false))) << "no barrier";
  }
}

}  // namespace
}  // namespace fusewire::test
