// SPDX-License-Identifier: Apache-2.0
// Pooling of windows, NHWC, the source's norm and activation on load (fused.h):
//   forward   dst (n,p,q,c) = max or mean of in(src) over the window's pixels inside
//   backward  diff_src (n,h,w,c) = sum over the windows that have the pixel of diff_dst's part + addend
// Backward gathers, so that sums have one order: for a maximum each window is searched again, which reads src from the
// cache, and nothing is kept from the forward pass. Elements that must move: forward src+dst, backward of a maximum
// src+dst+src, of a mean dst+src, and the addend. A block has some pixels of the result and all their channels.
#include <cmath>

#include "core/exec.h"
#include "core/operations.h"
#include "pool/pool.h"

namespace fusewire::FW_EXEC {
namespace {

template <class T, int N, bool kMax>
struct PoolForwardKernel {
  struct Params {
    PoolGrid grid;
    PoolSource<T> source;
    T* dst;
  };
  static constexpr int kThreads = 256;

  FW_DEVICE static void run(const Params& p, Block& block) {
    const PoolSource<T>& s = p.source;
    p.grid.template each<N>(block, [&](int64_t pixel, int64_t image, int y, int x, int64_t channel, int lanes) {
      const NormVector<N> z = norm_or_identity<N>(s.norm, channel, lanes);
      Vec<N> result(0.0f);
      if constexpr (kMax) {
        Vec<N> place;
        s.template largest<N>(z, image, y, x, channel, lanes, &result, &place);
      } else {
        for (int at_y = s.y.begin(y); at_y < s.y.end(y); at_y++) {
          for (int at_x = s.x.begin(x); at_x < s.x.end(x); at_x++) {
            result += s.template value<N>(z, image, at_y, at_x, channel, lanes);
          }
        }
        result = result / float((s.y.end(y) - s.y.begin(y)) * (s.x.end(x) - s.x.begin(x)));
      }
      store_part<N>(p.dst + pixel * p.grid.channels + channel, result, lanes);
    });
  }
};

template <class T, int N, bool kMax>
struct PoolBackwardKernel {
  struct Params {
    PoolGrid grid;
    PoolSource<T> source;
    const T* diff_dst;
    const T* addend;  // or nullptr; may be diff_src
    T* diff_src;
  };
  static constexpr int kThreads = 256;

  FW_DEVICE static void run(const Params& p, Block& block) {
    const PoolSource<T>& s = p.source;
    p.grid.template each<N>(block, [&](int64_t pixel, int64_t image, int y, int x, int64_t channel, int lanes) {
      const int64_t at = pixel * p.grid.channels + channel;
      Vec<N> sum = p.addend == nullptr ? Vec<N>(0.0f) : load_part<N>(p.addend + at, lanes);
      [[maybe_unused]] NormVector<N> z;
      if constexpr (kMax) {
        z = norm_or_identity<N>(s.norm, channel, lanes);
      }
      for (int out_y = s.y.first(y); out_y < s.y.last(y); out_y++) {
        for (int out_x = s.x.first(x); out_x < s.x.last(x); out_x++) {
          const int64_t window = (image * s.y.out_size + out_y) * s.x.out_size + out_x;
          const Vec<N> d = load_part<N>(p.diff_dst + window * p.grid.channels + channel, lanes);
          const int wide = s.x.end(out_x) - s.x.begin(out_x);
          if constexpr (kMax) {
            Vec<N> best;
            Vec<N> place;
            s.template largest<N>(z, image, out_y, out_x, channel, lanes, &best, &place);
            const int here = (y - s.y.begin(out_y)) * wide + x - s.x.begin(out_x);
            sum += select_equal(place, Vec<N>(float(here)), d, Vec<N>(0.0f));
          } else {
            sum += d / float((s.y.end(out_y) - s.y.begin(out_y)) * wide);
          }
        }
      }
      store_part<N>(p.diff_src + at, sum, lanes);
    });
  }
};

PoolAxis axis(int64_t size, int64_t kernel, int64_t stride, int64_t before, int64_t after) {
  return {int(size), int((size + before + after - kernel) / stride + 1), int(kernel), int(stride), int(before)};
}

template <class T>
PoolSource<T> pool_source(const fw_pool& p, fw_address src, fw_address in_norm) {
  return {reinterpret_cast<const T*>(src),
          {reinterpret_cast<const float*>(in_norm), p.channels, in_norm == 0 ? int(FW_IDENTITY) : p.in_activation},
          axis(p.in_height, p.kernel_height, p.stride_height, p.pad_top, p.pad_bottom),
          axis(p.in_width, p.kernel_width, p.stride_width, p.pad_left, p.pad_right),
          p.channels};
}

fw_status forward(const Launcher& launcher, const fw_pool& p, fw_address src, fw_address in_norm, fw_address dst) {
  return with_dtype(p.dtype, [&](auto t) {
    using T = decltype(t);
    return with_lanes<T>(p.channels, src | in_norm | dst, [&](auto lanes) {
      constexpr int N = decltype(lanes)::value;
      const PoolSource<T> source = pool_source<T>(p, src, in_norm);
      const auto grid = PoolGrid::of<N>(p.batch, source.y.out_size, source.x.out_size, p.channels);
      auto* const to = reinterpret_cast<T*>(dst);
      return p.kind == FW_POOL_MAX
                 ? launch<PoolForwardKernel<T, N, true>>(launcher, grid.grid(), 0, {grid, source, to})
                 : launch<PoolForwardKernel<T, N, false>>(launcher, grid.grid(), 0, {grid, source, to});
    });
  });
}

fw_status backward(const Launcher& launcher, const fw_pool& p, fw_address src, fw_address in_norm, fw_address diff_dst,
                   fw_address addend, fw_address diff_src) {
  const bool largest = p.kind == FW_POOL_MAX;
  const fw_address read = largest ? src | in_norm : 0;
  return with_dtype(p.dtype, [&](auto t) {
    using T = decltype(t);
    return with_lanes<T>(p.channels, read | diff_dst | addend | diff_src, [&](auto lanes) {
      constexpr int N = decltype(lanes)::value;
      const PoolSource<T> source = pool_source<T>(p, src, in_norm);
      const auto grid = PoolGrid::of<N>(p.batch, p.in_height, p.in_width, p.channels);
      const auto* const diff = reinterpret_cast<const T*>(diff_dst);
      const auto* const more = reinterpret_cast<const T*>(addend);
      auto* const to = reinterpret_cast<T*>(diff_src);
      return largest
                 ? launch<PoolBackwardKernel<T, N, true>>(launcher, grid.grid(), 0, {grid, source, diff, more, to})
                 : launch<PoolBackwardKernel<T, N, false>>(launcher, grid.grid(), 0, {grid, source, diff, more, to});
    });
  });
}

}  // namespace

void add_pool(Operations& table) {
  table.pool_forward = forward;
  table.pool_backward = backward;
}

}  // namespace fusewire::FW_EXEC
