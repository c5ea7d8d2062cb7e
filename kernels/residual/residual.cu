// SPDX-License-Identifier: Apache-2.0
// Residual sum with drop-connect: dst = branch*factor[n] + skip, factor[n] = 0 where uniform number n is below
// drop_rate, else 1/(1-drop_rate); backward: diff_branch = diff_dst*factor[n]. Moves two inputs and one output (one and
// one backward). A block has a chunk of one image's elements, so its factor is drawn once per thread.
#include "core/exec.h"
#include "core/operations.h"
#include "core/philox.h"

namespace fusewire::FW_EXEC {
namespace {

template <class T, int N>
struct ResidualKernel {
  struct Params {
    const fw_step* step;  // or null: nothing is dropped
    const T* branch;
    const T* skip;  // or null
    T* dst;
    int64_t elements;  // of an image
    int64_t chunks;    // blocks of an image
    float drop_rate;
    uint32_t layer;
  };
  static constexpr int kThreads = 256;
  static constexpr int64_t kVectorsPerBlock = kOneThread ? 1024 : 2048;

  FW_DEVICE static void run(const Params& p, Block& block) {
    const int64_t image = block.x / p.chunks;
    const int64_t first = block.x % p.chunks * kVectorsPerBlock;
    float factor = 1.0f;
    if (p.step != nullptr) {
      const float uniform = random_uniform(random_stream(*p.step, p.layer, 0), image);
      factor = uniform < p.drop_rate ? 0.0f : 1.0f / (1.0f - p.drop_rate);
    }
    const T* branch = p.branch + image * p.elements;
    const T* skip = p.skip == nullptr ? nullptr : p.skip + image * p.elements;
    T* dst = p.dst + image * p.elements;
#pragma unroll 4
    for (int64_t i = block.thread; i < kVectorsPerBlock; i += block.threads) {
      const int64_t at = (first + i) * N;
      if (at < p.elements) {
        const int n = vector_lanes<N>(p.elements, at);
        const Vec<N> addend = skip == nullptr ? Vec<N>(0.0f) : load_part<N>(skip + at, n);
        store_part<N>(dst + at, fma(load_part<N>(branch + at, n), Vec<N>(factor), addend), n);
      }
    }
  }
};

fw_status run_residual(const Launcher& launcher, const fw_residual& problem, fw_address step, fw_address branch,
                       fw_address skip, fw_address dst) {
  return with_dtype(problem.dtype, [&](auto t) {
    using T = decltype(t);
    return with_lanes<T>(problem.elements, branch | skip | dst, [&](auto lanes) {
      using Kernel = ResidualKernel<T, decltype(lanes)::value>;
      const int64_t chunks = ceil_div(problem.elements, Kernel::kVectorsPerBlock * decltype(lanes)::value);
      return launch<Kernel>(launcher, {problem.batch * chunks}, 0,
                            {problem.drop_rate > 0 ? reinterpret_cast<const fw_step*>(step) : nullptr,
                             reinterpret_cast<const T*>(branch), reinterpret_cast<const T*>(skip),
                             reinterpret_cast<T*>(dst), problem.elements, chunks, problem.drop_rate, problem.layer});
    });
  });
}

fw_status backward(const Launcher& launcher, const fw_residual& problem, fw_address step, fw_address diff_dst,
                   fw_address diff_branch) {
  return run_residual(launcher, problem, step, diff_dst, 0, diff_branch);
}

}  // namespace

void add_fused_residual(Operations& table);

void add_residual(Operations& table) {
  table.residual_forward = run_residual;
  table.residual_backward = backward;
  add_fused_residual(table);
}

}  // namespace fusewire::FW_EXEC
