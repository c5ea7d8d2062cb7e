// SPDX-License-Identifier: Apache-2.0
// The gate from sums over chunks of an image's pixels, and the product with a gate on load and a residual in its
// epilogue, against float64 and against the operations that are not fused.
#include <cmath>
#include <string>

#include "device_fixture.h"
#include "fusewire/inference.h"
#include "squeeze_excite_reference.h"

namespace fusewire::test {
namespace {

class SqueezedGateTest : public DeviceTest {
 protected:
  struct Result {
    std::vector<float> pooled, hidden, gate;
  };

  // sums (batch, chunks, channels) of src (batch, pixels, channels), in f32.
  static std::vector<float> chunk_sums(const fw_squeeze_excite& p, const std::vector<float>& src, int64_t chunks) {
    const auto channels = size_t(p.channels);
    const auto image = size_t(p.pixels) * channels;
    Doubles sums(size_t(p.batch * chunks) * channels);
    for (size_t i = 0; i < src.size(); i++) {
      const size_t chunk = i % image / channels * size_t(chunks) / size_t(p.pixels);
      sums[(i / image * size_t(chunks) + chunk) * channels + i % channels] += double(src[i]);
    }
    return {sums.begin(), sums.end()};
  }

  Result run(const fw_squeeze_excite& p, const std::vector<float>& sums, int64_t chunks, const ExciteWeights<float>& w,
             int64_t misalignment = 0) const {
    Buffer s(stream(), FW_F32, sums, misalignment);
    Buffer a = buffer(FW_F32, w.reduce);
    Buffer b = buffer(FW_F32, w.reduce_bias);
    Buffer c(stream(), FW_F32, w.expand, misalignment);
    Buffer d = buffer(FW_F32, w.expand_bias);
    Buffer pooled = buffer(FW_F32, p.batch * p.channels);
    Buffer hidden = buffer(FW_F32, p.batch * p.squeezed);
    Buffer gate = buffer(FW_F32, p.batch * p.channels);
    EXPECT_FW_OK(fw_squeezed_gate_forward(stream(), &p, s.address(), chunks, a.address(), b.address(), c.address(),
                                          d.address(), pooled.address(), hidden.address(), gate.address()));
    return {pooled.download(), hidden.download(), gate.download()};
  }

  // As the squeeze-and-excite of the tensor itself makes it.
  Result unfused(const fw_squeeze_excite& p, const std::vector<float>& src, const ExciteWeights<float>& w) const {
    int64_t bytes = 0;
    EXPECT_FW_OK(fw_squeeze_excite_workspace(stream(), &p, &bytes));
    const Bytes workspace(stream(), bytes);
    Buffer x = buffer(p.dtype, src);
    Buffer a = buffer(FW_F32, w.reduce);
    Buffer b = buffer(FW_F32, w.reduce_bias);
    Buffer c = buffer(FW_F32, w.expand);
    Buffer d = buffer(FW_F32, w.expand_bias);
    Buffer pooled = buffer(FW_F32, p.batch * p.channels);
    Buffer hidden = buffer(FW_F32, p.batch * p.squeezed);
    Buffer gate = buffer(FW_F32, p.batch * p.channels);
    Buffer dst = buffer(p.dtype, p.batch * p.pixels * p.channels);
    EXPECT_FW_OK(fw_squeeze_excite_forward(stream(), &p, x.address(), a.address(), b.address(), c.address(),
                                           d.address(), pooled.address(), hidden.address(), gate.address(),
                                           dst.address(), workspace.address(), bytes));
    return {pooled.download(), hidden.download(), gate.download()};
  }
};
FUSEWIRE_ON_EVERY_DEVICE(SqueezedGateTest);

TEST_P(SqueezedGateTest, IsTheGateOfSqueezeAndExcite) {
  struct Shape {
    int64_t batch, pixels, channels, squeezed, chunks;
  };
  std::vector<Shape> shapes = {{1, 1, 1, 1, 1}, {2, 9, 7, 3, 4}, {3, 49, 33, 6, 1}, {1, 100, 96, 4, 13}};
  if (!slow()) {
    shapes.insert(shapes.end(), {{1, 784, 1152, 48, 28}, {8, 49, 672, 28, 2}, {2, 3000, 32, 8, 500}});
  }
  uint64_t seed = 1;
  for (const Shape& s : shapes) {
    for (const int32_t gate : {FW_SIGMOID, FW_HARD_SIGMOID}) {
      const fw_squeeze_excite p = {FW_F32,    seed % 3 == 0 ? FW_RELU : FW_SILU, gate, 0, s.batch, s.pixels, s.channels,
                                   s.squeezed};
      SCOPED_TRACE(::testing::Message() << s.batch << "x" << s.pixels << "x" << s.channels << " squeezed " << s.squeezed
                                        << " in " << s.chunks << " chunks, gate " << gate);
      const std::vector<float> src = random_reals(seed, s.batch * s.pixels * s.channels, FW_F32, 0.5f);
      const ExciteWeights<float> w = random_weights(p, seed + 1);
      const Result got = run(p, chunk_sums(p, src, s.chunks), s.chunks, w, int64_t(seed % 2));
      const ExciteForward expected = excite_forward(p, doubles(src), in_double(w));
      EXPECT_TRUE(rule_of_two(FW_F32, expected.pooled, got.pooled));
      EXPECT_TRUE(rule_of_two(FW_F32, expected.hidden, got.hidden));
      EXPECT_TRUE(rule_of_two(FW_F32, expected.gate, got.gate));
      const Result other = unfused(p, src, w);
      EXPECT_TRUE(rule_of_two(FW_F32, doubles(other.pooled), got.pooled));
      EXPECT_TRUE(rule_of_two(FW_F32, doubles(other.hidden), got.hidden));
      EXPECT_TRUE(rule_of_two(FW_F32, doubles(other.gate), got.gate));
      seed += 5;
    }
  }
}

TEST_P(SqueezedGateTest, Deterministic) {
  const fw_squeeze_excite p = {FW_F32, FW_SILU, FW_SIGMOID, 0, 2, 500, 70, 12};
  const std::vector<float> sums = random_reals(1, 2 * 60 * 70);
  const ExciteWeights<float> w = random_weights(p, 2);
  expect_deterministic([&] {
    Result r = run(p, sums, 60, w);
    r.gate.insert(r.gate.end(), r.hidden.begin(), r.hidden.end());
    return r.gate;
  });
}

TEST_P(SqueezedGateTest, EmptyBatchIsNothing) {
  const fw_squeeze_excite p = {FW_F32, FW_SILU, FW_SIGMOID, 0, 0, 5, 7, 2};
  EXPECT_TRUE(run(p, {}, 3, random_weights(p, 1)).gate.empty());
}

TEST_P(SqueezedGateTest, RefusesWhatDoesNotFit) {
  const fw_squeeze_excite good = {FW_F32, FW_SILU, FW_SIGMOID, 0, 1, 2, 8, 2};
  Buffer memory = buffer(FW_F32, 64);
  const fw_address x = memory.address();
  const auto forward = [&](const fw_squeeze_excite* p, int64_t chunks, int which, fw_address other) {
    std::vector<fw_address> at(8, x);
    at[size_t(which)] = other;
    return fw_squeezed_gate_forward(stream(), p, at[0], chunks, at[1], at[2], at[3], at[4], at[5], at[6], at[7]);
  };
  const char* names[] = {"sums",        "reduce_weights", "reduce_bias", "expand_weights",
                         "expand_bias", "pooled",         "hidden",      "gate"};
  for (int i = 0; i < 8; i++) {
    const std::string name = std::string("address of ") + names[i];
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(&good, 1, i, 0), name + " is 0");
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(&good, 1, i, x + 2), name);
  }
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(nullptr, 1, 0, x), "problem is null");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(&good, 0, 0, x), "chunks is 0");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(&good, int64_t(1) << 62, 0, x), "2^62 bytes");
  fw_squeeze_excite p = good;
  p.gate = 2;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(&p, 1, 0, x), "gate is 2");
  p = good;
  p.activation = 7;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(&p, 1, 0, x), "activation is 7");
  p = good;
  p.pixels = 0;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(&p, 1, 0, x), "pixels is 0");
}

struct Product {
  int64_t batch, pixels, in, out;
  int32_t dtype = FW_F32;
  int32_t activation = FW_IDENTITY;
  bool gate = true, bias = true, residual = true, in_place = false;
  bool integers = false;
  int64_t misalignment = 0;
  uint64_t seed = 1;

  fw_gated_pointwise problem() const { return {dtype, activation, batch, pixels, in, out}; }
};

class GatedPointwiseTest : public DeviceTest {
 protected:
  struct Data {
    std::vector<float> src, gate, weights, bias, residual;
  };

  static Data data(const Product& c) {
    const auto values = [&](uint64_t salt, int64_t count, int32_t dtype) {
      return c.integers ? random_integers(c.seed * 13 + salt, count, 3)
                        : random_reals(c.seed * 13 + salt, count, dtype);
    };
    return {values(1, c.batch * c.pixels * c.in, c.dtype), values(2, c.batch * c.in, FW_F32),
            values(3, c.out * c.in, FW_F32), values(4, c.out, FW_F32), values(5, c.batch * c.pixels * c.out, c.dtype)};
  }

  // With the product's operands as the device multiplies them: where it rounds them, the activation may let their
  // errors through and hold back the result's own.
  Doubles reference(const Product& c, const Data& d) const {
    const int32_t dtype = rounds_operands(c.dtype) ? c.dtype : FW_F32;
    Doubles dst(size_t(c.batch * c.pixels * c.out));
    for (int64_t row = 0; row < c.batch * c.pixels; row++) {
      for (int64_t k = 0; k < c.out; k++) {
        double sum = c.bias ? double(d.bias[size_t(k)]) : 0;
        for (int64_t i = 0; i < c.in; i++) {
          const double gate = c.gate ? double(d.gate[size_t(row / c.pixels * c.in + i)]) : 1;
          const double gated = double(d.src[size_t(row * c.in + i)]) * gate;
          const double weight = double(d.weights[size_t(k * c.in + i)]);
          sum += dtype == FW_F32 && !tf32()
                     ? gated * weight
                     : double(rounded_to(judged(dtype), gated)) * double(rounded_to(judged(dtype), weight));
        }
        const auto at = size_t(row * c.out + k);
        dst[at] = activate(c.activation, sum) + (c.residual ? double(d.residual[at]) : 0);
      }
    }
    return dst;
  }

  std::vector<float> run(const Product& c, const Data& d) const {
    fw_pointwise packing = {};
    packing.dtype = c.dtype;
    packing.rows = 1;
    packing.in_channels = c.in;
    packing.out_channels = c.out;
    int64_t bytes = 0;
    EXPECT_FW_OK(fw_pointwise_packed_bytes(stream(), &packing, &bytes));
    const Bytes packed(stream(), bytes);
    Buffer weights = buffer(FW_F32, d.weights);
    EXPECT_FW_OK(fw_pointwise_pack(stream(), &packing, weights.address(), packed.address()));
    Buffer src(stream(), c.dtype, d.src, c.misalignment);
    Buffer gate(stream(), FW_F32, d.gate, c.misalignment);
    Buffer bias(stream(), FW_F32, d.bias, c.misalignment);
    Buffer residual(stream(), c.dtype, d.residual, c.misalignment);
    Buffer dst(stream(), c.dtype, c.batch * c.pixels * c.out, c.misalignment);
    const fw_gated_pointwise p = c.problem();
    const Buffer& to = c.in_place ? residual : dst;
    EXPECT_FW_OK(fw_gated_pointwise_forward(stream(), &p, src.address(), c.gate ? gate.address() : 0, packed.address(),
                                            c.bias ? bias.address() : 0, c.residual ? residual.address() : 0,
                                            to.address()));
    return to.download();
  }

  void check(const Product& c) const {
    SCOPED_TRACE(::testing::Message() << dtype_name(c.dtype) << " " << c.batch << "x" << c.pixels << " pixels, " << c.in
                                      << " to " << c.out << " channels, activation " << c.activation << ", gate "
                                      << c.gate << " bias " << c.bias << " residual " << c.residual << " in place "
                                      << c.in_place << ", misaligned by " << c.misalignment);
    const Data d = data(c);
    if (c.integers) {
      EXPECT_TRUE(exactly_equal(reference(c, d), run(c, d), true));
    } else {
      EXPECT_TRUE(rule_of_two(judged(c.dtype), reference(c, d), run(c, d)));
    }
  }
};
FUSEWIRE_ON_EVERY_DEVICE_AND_MATH(GatedPointwiseTest);

TEST_P(GatedPointwiseTest, IntegersAreExactWithAnythingAbsent) {
  std::vector<Product> shapes = {{1, 1, 1, 1}, {3, 6, 20, 7}, {2, 49, 33, 65}, {3, 30, 96, 24}};
  if (!slow()) {
    shapes.insert(shapes.end(), {{1, 196, 480, 112}, {3, 49, 300, 192}, {2, 130, 17, 48}});
  }
  for (Product c : shapes) {
    c.integers = true;
    for (int absent = 0; absent < 8; absent++) {
      c.gate = (absent & 1) == 0;
      c.bias = (absent & 2) == 0;
      c.residual = (absent & 4) == 0;
      c.in_place = c.residual && absent % 2 == 0;
      c.misalignment = absent == 1 || absent == 6 ? 1 : 0;
      check(c);
    }
  }
}

TEST_P(GatedPointwiseTest, RealsInEveryTypeAndActivation) {
  for (const int32_t dtype : dtypes()) {
    for (const int32_t activation : {FW_IDENTITY, FW_SILU, FW_RELU, FW_RELU6}) {
      for (const bool residual : {false, true}) {
        Product c = {3, 25, 72, 40};
        c.dtype = dtype;
        c.activation = activation;
        c.residual = c.in_place = residual;
        check(c);
      }
    }
  }
}

TEST_P(GatedPointwiseTest, Deterministic) {
  const Product c = {2, slow() ? 100 : 1500, 144, 24};
  const Data d = data(c);
  expect_deterministic([&] { return run(c, d); });
}

TEST_P(GatedPointwiseTest, NaNStaysInItsImage) {
  const Product c = {3, 10, 20, 12};
  Data d = data(c);
  d.gate[20 + 4] = NAN;
  const std::vector<float> got = run(c, d);
  for (size_t i = 0; i < got.size(); i++) {
    ASSERT_EQ(i / 120 == 1, std::isnan(got[i])) << i;
  }
}

TEST_P(GatedPointwiseTest, EmptyBatchIsNothing) {
  const Product c = {0, 10, 20, 12};
  EXPECT_TRUE(run(c, data(c)).empty());
}

TEST_P(GatedPointwiseTest, RefusesWhatDoesNotFit) {
  const fw_gated_pointwise good = {FW_F32, FW_IDENTITY, 1, 4, 8, 8};
  Buffer memory = buffer(FW_F32, 128);
  const fw_address x = memory.address();
  const auto forward = [&](const fw_gated_pointwise* p, int which, fw_address other) {
    std::vector<fw_address> at(6, x);
    at[size_t(which)] = other;
    return fw_gated_pointwise_forward(stream(), p, at[0], at[1], at[2], at[3], at[4], at[5]);
  };
  const char* names[] = {"src", "gate", "packed", "bias", "residual", "dst"};
  for (int i = 0; i < 6; i++) {
    const std::string name = std::string("address of ") + names[i];
    EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(&good, i, x + 2), name);
    if (i == 0 || i == 2 || i == 5) {
      EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(&good, i, 0), name + " is 0");
    }
  }
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(nullptr, 0, x), "problem is null");
  fw_gated_pointwise p = good;
  p.dtype = 5;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(&p, 0, x), "dtype is 5");
  p = good;
  p.activation = 9;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(&p, 0, x), "activation is 9");
  p = good;
  p.batch = -1;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(&p, 0, x), "batch is -1");
  p = good;
  p.in_channels = 0;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(&p, 0, x), "in_channels is 0");
  p = good;
  p.out_channels = -3;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(&p, 0, x), "out_channels is -3");
  p = good;
  p.pixels = int64_t(1) << 60;
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, forward(&p, 0, x), "2^62 bytes");
  EXPECT_FW_ERROR(FW_INVALID_ARGUMENT, fw_gated_pointwise_forward(0, &good, x, 0, x, 0, 0, x), "closed or was never");
}

}  // namespace
}  // namespace fusewire::test
