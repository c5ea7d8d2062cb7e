// SPDX-License-Identifier: Apache-2.0
// dst[i] = uniform number i of a Philox stream, f32 in [0, 1). Writes 4*count bytes and reads nothing; every thread
// makes one vector at a time, whose counters follow from its place.
#include "core/exec.h"
#include "core/operations.h"
#include "core/philox.h"

namespace fusewire::FW_EXEC {
namespace {

template <int N>
struct RandomUniformKernel {
  struct Params {
    RandomStream stream;
    float* dst;
    int64_t count;
  };
  static constexpr int kThreads = 256;
  static constexpr int64_t kVectorsPerBlock = 1024;

  FW_DEVICE static void run(const Params& p, Block& block) {
    const int64_t first = block.x * kVectorsPerBlock;
    for (int64_t i = block.thread; i < kVectorsPerBlock; i += block.threads) {
      const int64_t at = (first + i) * N;
      if (at >= p.count) {
        return;
      }
      const int n = p.count - at < N ? int(p.count - at) : N;
      store_part<N>(p.dst + at, random_uniforms<N>(p.stream, at), n);
    }
  }
};

fw_status random_uniform_fill(const Launcher& launcher, uint64_t seed, uint32_t sample, uint32_t step, uint32_t layer,
                              fw_address dst, int64_t count) {
  // Tails are partial vectors on every execution, so only the alignment decides.
  return with_lanes<float>(kLanes<float>, dst, [&](auto lanes) {
    using Kernel = RandomUniformKernel<decltype(lanes)::value>;
    const int64_t per_block = Kernel::kVectorsPerBlock * decltype(lanes)::value;
    return launch<Kernel>(launcher, {ceil_div(count, per_block)}, 0,
                          {{seed, sample, step, layer}, reinterpret_cast<float*>(dst), count});
  });
}

}  // namespace

void add_random(Operations& table) { table.random_uniform = random_uniform_fill; }

}  // namespace fusewire::FW_EXEC
