// SPDX-License-Identifier: Apache-2.0
// dst[i] = src[i] between storage types. Moves count*(src bytes + dst bytes); one vector per thread and step.
#include "core/convert.h"

#include "core/exec.h"
#include "core/operations.h"

namespace fusewire::FW_EXEC {
namespace {

template <class S, class D, int N>
struct ConvertKernel {
  struct Params {
    const S* src;
    D* dst;
    int64_t count;
  };
  static constexpr int kThreads = 256;
  static constexpr int64_t kVectorsPerBlock = 2048;

  FW_DEVICE static void run(const Params& p, Block& block) {
    const int64_t first = block.x * kVectorsPerBlock;
    for (int64_t i = block.thread; i < kVectorsPerBlock; i += block.threads) {
      const int64_t at = (first + i) * N;
      if (at >= p.count) {
        return;
      }
      const int n = p.count - at < N ? int(p.count - at) : N;
      store_part<N>(p.dst + at, load_part<N>(p.src + at, n), n);
    }
  }
};

template <class S, class D>
fw_status run_convert(const Launcher& launcher, fw_address src, fw_address dst, int64_t count) {
  return with_lanes<S>(kLanes<S>, src | dst, [&](auto lanes) {
    using Kernel = ConvertKernel<S, D, decltype(lanes)::value>;
    const int64_t per_block = Kernel::kVectorsPerBlock * decltype(lanes)::value;
    return launch<Kernel>(launcher, {ceil_div(count, per_block)}, 0,
                          {reinterpret_cast<const S*>(src), reinterpret_cast<D*>(dst), count});
  });
}

}  // namespace

fw_status convert(const Launcher& launcher, int32_t src_dtype, fw_address src, int32_t dst_dtype, fw_address dst,
                  int64_t count) {
  return with_dtype(src_dtype, [&](auto s) {
    return with_dtype(dst_dtype,
                      [&](auto d) { return run_convert<decltype(s), decltype(d)>(launcher, src, dst, count); });
  });
}

void add_convert(Operations& table) { table.convert = convert; }

}  // namespace fusewire::FW_EXEC
