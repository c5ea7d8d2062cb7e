// SPDX-License-Identifier: Apache-2.0
// The data gradient of a dense convolution, diff_src = patches(d) * weights + addend, with d any source of
// patch_sources.h. With a stride it goes phase by phase: the pixels whose position is the same modulo the stride meet
// the same taps, and each phase is a product over those taps alone, with nothing multiplied by the zeros between
// pixels.
#pragma once

#include "conv/shape.h"
#include "product/product.h"

namespace fusewire::FW_EXEC {

// One axis of one phase: positions at = first, first + stride, ... meet the taps phase, phase + stride, ..., and
// position first + j*stride reads pixel base + j - i for its i-th tap.
struct Phase {
  int first, positions, taps, base;

  Phase(int64_t size, int64_t kernel, int64_t stride, int64_t pad, int64_t phase)
      : first(int(((phase - pad) % stride + stride) % stride)),
        positions(first < size ? int(ceil_div(size - first, stride)) : 0),
        taps(phase < kernel ? int(ceil_div(kernel - phase, stride)) : 0),
        base(int((first + pad - phase) / stride)) {}
};

template <class T, class Source>
class DataGradient {
 public:
  // addresses: the bitwise or of those that `d` reads.
  DataGradient(const Launcher& launcher, const fw_conv& conv, const Source& d, fw_address addresses, fw_address weights,
               fw_address addend, fw_address diff_src, fw_address workspace)
      : launcher_(launcher),
        c_(conv),
        sizes_(conv),
        d_(d),
        d_aligned_(rows_aligned<T>(conv.out_channels, addresses)),
        // Depth (r,s,k), column c of weights (k,r,s,c).
        layout_{reinterpret_cast<const float*>(weights), 1, sizes_.forward_depth, conv.out_channels, conv.in_channels},
        addend_(addend),
        diff_src_(diff_src),
        workspace_(workspace) {}

  fw_status run() const {
    const bool strided = c_.stride_height > 1 || c_.stride_width > 1;
    const bool dilated = c_.dilation_height > 1 || c_.dilation_width > 1;
    constexpr int64_t kMostPhases = 64;  // beyond, launches would cost more than zeros
    if (!strided || dilated || c_.stride_height * c_.stride_width > kMostPhases) {
      const Patches<T, Source> left{
          d_,
          {int(sizes_.out_height), int(c_.stride_height), int(c_.dilation_height), int(c_.pad_top), true},
          {int(sizes_.out_width), int(c_.stride_width), int(c_.dilation_width), int(c_.pad_left), true},
          int(c_.in_height),
          int(c_.in_width),
          int(c_.kernel_height),
          int(c_.kernel_width),
          int(c_.out_channels),
          d_aligned_};
      return multiply(left, layout_, sizes_.in_rows, sizes_.backward_depth, {});
    }
    for (int64_t phase_y = 0; phase_y < c_.stride_height; phase_y++) {
      const Phase y(c_.in_height, c_.kernel_height, c_.stride_height, c_.pad_top, phase_y);
      for (int64_t phase_x = 0; phase_x < c_.stride_width; phase_x++) {
        const Phase x(c_.in_width, c_.kernel_width, c_.stride_width, c_.pad_left, phase_x);
        const bool untouched = y.taps * x.taps == 0 && addend_ == diff_src_;
        if (y.positions > 0 && x.positions > 0 && !untouched) {
          FW_TRY(run_phase(y, x, phase_y, phase_x));
        }
      }
    }
    return FW_OK;
  }

 private:
  fw_status run_phase(const Phase& y, const Phase& x, int64_t phase_y, int64_t phase_x) const {
    const Patches<T, Source> left{d_,
                                  {int(sizes_.out_height), 1, 1, y.base, true},
                                  {int(sizes_.out_width), 1, 1, x.base, true},
                                  y.positions,
                                  x.positions,
                                  y.taps,
                                  x.taps,
                                  int(c_.out_channels),
                                  d_aligned_};
    WeightsLayout layout = layout_;
    layout.weights += (phase_y * c_.kernel_width + phase_x) * c_.in_channels;
    layout.group_stride = c_.stride_width * c_.in_channels;
    layout.groups = x.taps;
    layout.outer_stride = c_.stride_height * c_.kernel_width * c_.in_channels;
    const RowPlaces places{y.positions, x.positions, int(c_.in_height),     int(c_.in_width),
                           y.first,     x.first,     int(c_.stride_height), int(c_.stride_width)};
    return multiply(left, layout, c_.batch * y.positions * x.positions, int64_t(y.taps) * x.taps * c_.out_channels,
                    places);
  }

  fw_status multiply(const Patches<T, Source>& left, const WeightsLayout& layout, int64_t rows, int64_t depth,
                     const RowPlaces& places) const {
    FW_TRY(pack_weights<T>(launcher_, layout, depth, c_.in_channels, workspace_));
    const Epilogue<T> epilogue{reinterpret_cast<T*>(diff_src_),
                               nullptr,
                               reinterpret_cast<const T*>(addend_),
                               nullptr,
                               c_.in_channels,
                               FW_IDENTITY,
                               rows_aligned<T>(c_.in_channels, diff_src_ | addend_),
                               places};
    return product<T>(launcher_, left, layout, workspace_, epilogue, rows, depth, c_.in_channels);
  }

  const Launcher& launcher_;
  const fw_conv& c_;
  const Sizes sizes_;
  const Source d_;
  const bool d_aligned_;
  const WeightsLayout layout_;
  const fw_address addend_, diff_src_, workspace_;
};

template <class T, class Source>
fw_status data_gradient(const Launcher& launcher, const fw_conv& c, const Source& d, fw_address addresses,
                        fw_address weights, fw_address addend, fw_address diff_src, fw_address workspace) {
  return DataGradient<T, Source>(launcher, c, d, addresses, weights, addend, diff_src, workspace).run();
}

}  // namespace fusewire::FW_EXEC
