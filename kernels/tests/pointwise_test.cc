// SPDX-License-Identifier: Apache-2.0
// Pointwise convolution against products in double: exact integers on every tile edge, real numbers in every storage
// type, the prologue and epilogue of activated products, determinism and refusals.
#include <cmath>
#include <cstdlib>

#include "activation_reference.h"
#include "device_fixture.h"

namespace fusewire::test {
namespace {

struct Shape {
  int64_t rows, in, out;
};
std::ostream& operator<<(std::ostream& out, const Shape& s) {
  return out << s.rows << " rows, " << s.in << " to " << s.out << " channels";
}

using Doubles = std::vector<double>;

// c (n, m) = a (n, k) * b (k, m), each with its strides.
Doubles product(int64_t n, int64_t k, int64_t m, const Doubles& a, int64_t a_row, int64_t a_column, const Doubles& b,
                int64_t b_row, int64_t b_column) {
  Doubles c(size_t(n * m));
  for (int64_t i = 0; i < n; i++) {
    for (int64_t j = 0; j < m; j++) {
      double sum = 0;
      for (int64_t l = 0; l < k; l++) {
        sum += a[size_t(i * a_row + l * a_column)] * b[size_t(l * b_row + j * b_column)];
      }
      c[size_t(i * m + j)] = sum;
    }
  }
  return c;
}

Doubles doubles(const std::vector<float>& v) { return Doubles(v.begin(), v.end()); }

// One problem with all its tensors, computed on the device and in double.
struct Case {
  Shape shape;
  int32_t dtype = FW_F32;
  int32_t activation = FW_IDENTITY;
  bool integers = true;
  bool extras = true;  // bias, residual, raw and addend
  int64_t misalignment = 0;
  uint64_t seed = 1;
};

class PointwiseTest : public DeviceTest {
 protected:
  struct Results {
    std::vector<float> dst, raw, diff_src, diff_weights, diff_bias;
  };

  std::vector<float> data(const Case& c, uint64_t salt, int64_t count, int32_t dtype) const {
    return c.integers ? random_integers(c.seed * 31 + salt, count, 3) : random_reals(c.seed * 31 + salt, count, dtype);
  }

  static fw_pointwise problem(const Case& c) {
    fw_pointwise p = {};
    p.dtype = c.dtype;
    p.activation = c.activation;
    p.rows = c.shape.rows;
    p.in_channels = c.shape.in;
    p.out_channels = c.shape.out;
    return p;
  }

  Results run(const Case& c, bool packed = false) const {
    const auto [rows, in, out] = c.shape;
    fw_pointwise p = problem(c);
    int64_t bytes = 0;
    EXPECT_FW_OK(fw_pointwise_workspace(stream(), &p, &bytes));
    const Bytes workspace(stream(), bytes);
    Buffer src(stream(), c.dtype, data(c, 1, rows * in, c.dtype), c.misalignment);
    Buffer weights(stream(), FW_F32, data(c, 2, out * in, FW_F32), c.misalignment);
    Buffer bias(stream(), FW_F32, data(c, 3, out, FW_F32), c.misalignment);
    Buffer residual(stream(), c.dtype, data(c, 4, rows * out, c.dtype), c.misalignment);
    Buffer diff_dst(stream(), c.dtype, data(c, 5, rows * out, c.dtype), c.misalignment);
    Buffer addend(stream(), c.dtype, data(c, 6, rows * in, c.dtype), c.misalignment);
    Buffer dst(stream(), c.dtype, rows * out, c.misalignment);
    Buffer raw(stream(), c.dtype, rows * out, c.misalignment);
    Buffer diff_src(stream(), c.dtype, rows * in, c.misalignment);
    Buffer diff_weights(stream(), FW_F32, out * in, c.misalignment);
    Buffer diff_bias(stream(), FW_F32, out, c.misalignment);
    fw_address forward_weights = weights.address();
    int64_t packed_bytes = 0;
    EXPECT_FW_OK(fw_pointwise_packed_bytes(stream(), &p, &packed_bytes));
    const Bytes packed_weights(stream(), packed_bytes);
    if (packed) {
      EXPECT_FW_OK(fw_pointwise_pack(stream(), &p, weights.address(), packed_weights.address()));
      p.packed = 1;
      forward_weights = packed_weights.address();
    }
    const auto optional = [&](const Buffer& b) { return c.extras ? b.address() : fw_address(0); };
    EXPECT_FW_OK(fw_pointwise_forward(stream(), &p, src.address(), forward_weights, optional(bias), optional(residual),
                                      dst.address(), optional(raw), workspace.address(), bytes));
    p.packed = 0;
    EXPECT_FW_OK(fw_pointwise_backward_data(stream(), &p, diff_dst.address(), weights.address(), optional(raw),
                                            optional(addend), diff_src.address(), workspace.address(), bytes));
    EXPECT_FW_OK(fw_pointwise_backward_weights(stream(), &p, src.address(), diff_dst.address(), optional(raw),
                                               diff_weights.address(), optional(diff_bias), workspace.address(),
                                               bytes));
    return {dst.download(), raw.download(), diff_src.download(), diff_weights.download(), diff_bias.download()};
  }

  struct Expected {
    Doubles dst, raw, diff_src, diff_weights, diff_bias;
  };

  // `raw_seen` is what the device stored: the backward pass starts from it.
  Expected reference(const Case& c, const std::vector<float>& raw_seen) const {
    const auto [rows, in, out] = c.shape;
    const Doubles src = doubles(data(c, 1, rows * in, c.dtype));
    const Doubles weights = doubles(data(c, 2, out * in, FW_F32));
    const Doubles bias = doubles(data(c, 3, out, FW_F32));
    const Doubles residual = doubles(data(c, 4, rows * out, c.dtype));
    Doubles diff = doubles(data(c, 5, rows * out, c.dtype));
    Expected e;
    e.raw = product(rows, in, out, src, in, 1, weights, 1, in);
    e.dst = e.raw;
    for (size_t i = 0; i < e.raw.size(); i++) {
      if (c.extras) {
        e.raw[i] += bias[i % size_t(out)];
        diff[i] *= activate_gradient(c.activation, double(raw_seen[i]));
      }
      e.dst[i] = activate(c.activation, e.raw[i]) + (c.extras ? residual[i] : 0.0);
    }
    e.diff_src = product(rows, out, in, diff, out, 1, weights, in, 1);
    e.diff_weights = product(out, rows, in, diff, 1, out, src, in, 1);
    e.diff_bias.assign(size_t(out), 0.0);
    for (size_t i = 0; i < diff.size(); i++) {
      e.diff_bias[i % size_t(out)] += diff[i];
    }
    if (c.extras) {
      const Doubles addend = doubles(data(c, 6, rows * in, c.dtype));
      for (size_t i = 0; i < e.diff_src.size(); i++) {
        e.diff_src[i] += addend[i];
      }
    }
    return e;
  }

  // Sums of integers are exact in f32; what is stored in 16 bits is rounded once.
  void expect_exact(const Case& c, bool packed = false) const {
    SCOPED_TRACE(::testing::Message() << dtype_name(c.dtype) << ", " << c.shape << ", seed " << c.seed
                                      << ", misaligned by " << c.misalignment);
    const Results got = run(c, packed);
    Expected want = reference(c, got.raw);
    for (Doubles* stored : {&want.dst, &want.raw, &want.diff_src}) {
      for (double& x : *stored) {
        x = double(rounded_to(c.dtype, x));
      }
    }
    const bool tiny = c.shape.rows * c.shape.in * c.shape.out < 64;
    EXPECT_TRUE(exactly_equal(want.dst, got.dst, tiny)) << "dst";
    EXPECT_TRUE(exactly_equal(want.diff_src, got.diff_src, tiny)) << "diff_src";
    EXPECT_TRUE(exactly_equal(want.diff_weights, got.diff_weights, tiny)) << "diff_weights";
    if (c.extras) {
      EXPECT_TRUE(exactly_equal(want.raw, got.raw, tiny)) << "raw";
      EXPECT_TRUE(exactly_equal(want.diff_bias, got.diff_bias, true)) << "diff_bias";
    }
  }
};
FUSEWIRE_ON_EVERY_DEVICE_AND_MATH(PointwiseTest);

// Around the tile sizes of every execution (48, 64 and 128 rows; 8 to 128 columns; 16, 32 and 2048 deep), and
// EfficientNet's.
const Shape kShapes[] = {{1, 1, 1},    {2, 3, 5},     {7, 8, 16},    {47, 16, 15},  {48, 17, 64},   {49, 24, 65},
                         {63, 33, 63}, {64, 40, 80},  {65, 96, 24},  {97, 112, 48}, {300, 15, 33},  {127, 31, 129},
                         {17, 32, 16}, {128, 8, 128}, {129, 64, 40}, {33, 136, 8},  {130, 128, 136}};

TEST_P(PointwiseTest, IntegersAreExactAtEveryTileEdge) {
  for (const int32_t dtype : dtypes()) {
    for (const Shape& shape : kShapes) {
      Case c;
      c.dtype = dtype;
      c.shape = shape;
      expect_exact(c);
      c.extras = false;
      expect_exact(c);
    }
  }
}

TEST_P(PointwiseTest, DeepProductsAndManyRowsAreExact) {
  for (const int32_t dtype : dtypes()) {
    Case c;
    c.dtype = dtype;
    c.shape = {5, 2051, 9};
    expect_exact(c);
    c.shape = {slow() ? 1100 : 9000, 12, 24};  // several chunks of the weight gradient
    expect_exact(c);
  }
}

TEST_P(PointwiseTest, MisalignedTensorsAreExact) {
  for (const int32_t dtype : dtypes()) {
    for (const int64_t misalignment : {1, 3}) {
      Case c;
      c.dtype = dtype;
      c.shape = {50, 24, 40};
      c.misalignment = misalignment;
      expect_exact(c);
    }
  }
}

// A GPU of compute capability 7.5 has shared memory for two stages of what takes five elsewhere, and no TF32. (Other
// devices do not ask for the variable.)
TEST_P(PointwiseTest, LessSharedMemoryGivesTheSameBits) {
  for (const int32_t dtype : dtypes()) {
    Case c;
    c.dtype = dtype;
    c.shape = {140, 104, 72};
    c.activation = FW_SILU;  // two tensors make an operand
    c.integers = false;
    const Results usual = run(c);
    ASSERT_EQ(0, setenv("FUSEWIRE_CHECKED_SM", tf32() ? "80" : "75", 1));
    const Results little = run(c);
    ASSERT_EQ(0, unsetenv("FUSEWIRE_CHECKED_SM"));
    EXPECT_TRUE(same_bits(usual.dst, little.dst));
    EXPECT_TRUE(same_bits(usual.diff_src, little.diff_src));
    EXPECT_TRUE(same_bits(usual.diff_weights, little.diff_weights));
  }
}

TEST_P(PointwiseTest, PackedWeightsGiveTheSameBits) {
  for (const Shape& shape : {Shape{50, 24, 40}, Shape{49, 33, 97}}) {
    for (const int32_t dtype : dtypes()) {
      Case c;
      c.dtype = dtype;
      c.shape = shape;
      c.integers = false;
      EXPECT_TRUE(same_bits(run(c).dst, run(c, true).dst)) << shape;
    }
  }
}

TEST_P(PointwiseTest, RandomShapesAreExact) {
  std::mt19937_64 random(20);
  for (int i = 0; i < (slow() ? 12 : 40); i++) {
    Case c;
    c.dtype = kAllDtypes[i % 3];
    c.shape = {1 + int64_t(random() % 150), 1 + int64_t(random() % 130), 1 + int64_t(random() % 150)};
    c.extras = random() % 2 == 0;
    c.seed = random() % 1000;
    expect_exact(c);
  }
}

TEST_P(PointwiseTest, RealsInEveryTypeAndActivation) {
  for (const int32_t dtype : dtypes()) {
    for (const int32_t activation : {FW_IDENTITY, FW_SILU, FW_RELU, FW_RELU6}) {
      Case c;
      c.shape = {130, 72, 50};
      c.dtype = dtype;
      c.activation = activation;
      c.integers = false;
      SCOPED_TRACE(::testing::Message() << dtype_name(dtype) << ", activation " << activation);
      const Results got = run(c);
      const Expected want = reference(c, got.raw);
      EXPECT_TRUE(rule_of_two(judged(dtype), want.dst, got.dst)) << "dst";
      EXPECT_TRUE(rule_of_two(judged(dtype), want.raw, got.raw)) << "raw";
      EXPECT_TRUE(rule_of_two(judged(dtype), want.diff_src, got.diff_src, 3)) << "diff_src";
      // Without an activation to go back through, the operands are tensors as they are: nothing is rounded.
      const int32_t made = activation == FW_IDENTITY ? FW_F32 : dtype;
      EXPECT_TRUE(sums_of_products(made, want.diff_weights, got.diff_weights)) << "diff_weights";
      EXPECT_TRUE(sums_of_products(made, want.diff_bias, got.diff_bias)) << "diff_bias";
    }
  }
}

TEST_P(PointwiseTest, ResidualAndAddendMayBeTheOutput) {
  fw_pointwise p = {};
  p.rows = 50;
  p.in_channels = 20;
  p.out_channels = 20;
  int64_t bytes = 0;
  ASSERT_FW_OK(fw_pointwise_workspace(stream(), &p, &bytes));
  const Bytes workspace(stream(), bytes);
  const std::vector<float> x = random_integers(1, 1000);
  const std::vector<float> w = random_integers(2, 400);
  const std::vector<float> start = random_integers(3, 1000);
  Buffer src = buffer(FW_F32, x);
  Buffer weights = buffer(FW_F32, w);
  Buffer out = buffer(FW_F32, start);
  Doubles want = product(50, 20, 20, doubles(x), 20, 1, doubles(w), 1, 20);
  Doubles back = product(50, 20, 20, doubles(x), 20, 1, doubles(w), 20, 1);
  for (size_t i = 0; i < want.size(); i++) {
    want[i] += double(start[i]);
    back[i] += double(start[i]);
  }
  ASSERT_FW_OK(fw_pointwise_forward(stream(), &p, src.address(), weights.address(), 0, out.address(), out.address(), 0,
                                    workspace.address(), bytes));
  EXPECT_TRUE(exactly_equal(want, out.download()));
  out.upload(start);
  ASSERT_FW_OK(fw_pointwise_backward_data(stream(), &p, src.address(), weights.address(), 0, out.address(),
                                          out.address(), workspace.address(), bytes));
  EXPECT_TRUE(exactly_equal(back, out.download()));
}

TEST_P(PointwiseTest, NoRowsGiveZeroGradients) {
  Case c;
  c.shape = {0, 8, 8};
  const Results got = run(c);
  EXPECT_TRUE(exactly_equal(Doubles(64, 0.0), got.diff_weights, true));
  EXPECT_TRUE(exactly_equal(Doubles(8, 0.0), got.diff_bias, true));
}

TEST_P(PointwiseTest, NaNIsNotLost) {
  Case c;
  c.shape = {50, 24, 40};
  fw_pointwise p = problem(c);
  int64_t bytes = 0;
  ASSERT_FW_OK(fw_pointwise_workspace(stream(), &p, &bytes));
  const Bytes workspace(stream(), bytes);
  std::vector<float> x(50 * 24, 1.0f);
  x[7 * 24 + 5] = NAN;
  Buffer src = buffer(FW_F32, x);
  Buffer weights = buffer(FW_F32, std::vector<float>(40 * 24, 1.0f));
  Buffer dst = buffer(FW_F32, 50 * 40);
  ASSERT_FW_OK(fw_pointwise_forward(stream(), &p, src.address(), weights.address(), 0, 0, dst.address(), 0,
                                    workspace.address(), bytes));
  const std::vector<float> got = dst.download();
  for (size_t i = 0; i < got.size(); i++) {
    EXPECT_EQ(i / 40 == 7, std::isnan(got[i])) << i;
  }
}

TEST_P(PointwiseTest, SameBitsForAnyNumberOfThreads) {
  Case c;
  c.shape = {slow() ? 530 : 4000, 40, 72};
  c.activation = FW_SILU;
  c.integers = false;
  expect_deterministic([&] {
    Results r = run(c);
    for (const auto* v : {&r.diff_src, &r.diff_weights, &r.diff_bias}) {
      r.dst.insert(r.dst.end(), v->begin(), v->end());
    }
    return r.dst;
  });
}

TEST_P(PointwiseTest, RefusesWhatDoesNotFit) {
  fw_pointwise p = {};
  p.rows = 4;
  p.in_channels = 8;
  p.out_channels = 8;
  int64_t bytes = 0;
  ASSERT_FW_OK(fw_pointwise_workspace(stream(), &p, &bytes));
  const Bytes workspace(stream(), bytes + 16);
  Buffer b = buffer(FW_F32, 128);
  const fw_address a = b.address();
  const auto forward = [&](const fw_pointwise* problem, fw_address src, fw_address dst) {
    return fw_pointwise_forward(stream(), problem, src, a, 0, 0, dst, 0, workspace.address(), bytes);
  };
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(nullptr, a, a), "problem is null");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(&p, 0, a), "the address of src is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(&p, a, 0), "the address of dst is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(&p, a + 2, a), "not a multiple");
  if (bytes > 0) {
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT,
                    fw_pointwise_forward(stream(), &p, a, a, 0, 0, a, 0, workspace.address(), bytes - 1), "workspace");
  }
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_pointwise_workspace(stream(), &p, nullptr), "bytes is null");
  fw_pointwise bad = p;
  bad.dtype = 3;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(&bad, a, a), "dtype is 3");
  bad = p;
  bad.activation = -1;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(&bad, a, a), "activation is -1");
  bad = p;
  bad.rows = -1;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(&bad, a, a), "rows is -1");
  bad = p;
  bad.in_channels = 0;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(&bad, a, a), "in_channels is 0");
  bad = p;
  bad.rows = int64_t(1) << 60;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(&bad, a, a), "2^62 bytes");
  bad = p;
  bad.packed = 2;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(&bad, a, a), "packed is 2");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_pointwise_forward(0, &p, a, a, 0, 0, a, 0, 0, 0), "closed or was never made");
}

}  // namespace
}  // namespace fusewire::test
