// SPDX-License-Identifier: Apache-2.0
// The depthwise problem as the kernels see it, and how its work is cut into blocks. Terms: a *vector* is N neighbouring
// channels, a *strip* a run of output pixels of one row (all of the row on a CPU), a *band* the rows of one block.
#pragma once

#include <algorithm>

#include "core/exec.h"
#include "core/wide_columns.h"

namespace fusewire::FW_EXEC {

// Sizes fit in 32 bits (the C API's limit is 2^30 a piece); products of them are made in 64 bits.
struct DepthwiseShape {
  int batch, channels;
  int in_height, in_width, out_height, out_width;
  int kernel_height, kernel_width;
  int stride_height, stride_width;
  int dilation_height, dilation_width;
  int pad_top, pad_left;  // negative where a flipped convolution needs it
};

inline DepthwiseShape depthwise_shape(const fw_conv& conv) {
  DepthwiseShape s;
  s.batch = int(conv.batch);
  s.channels = int(conv.in_channels);
  s.in_height = int(conv.in_height);
  s.in_width = int(conv.in_width);
  s.kernel_height = int(conv.kernel_height);
  s.kernel_width = int(conv.kernel_width);
  s.stride_height = int(conv.stride_height);
  s.stride_width = int(conv.stride_width);
  s.dilation_height = int(conv.dilation_height);
  s.dilation_width = int(conv.dilation_width);
  s.pad_top = int(conv.pad_top);
  s.pad_left = int(conv.pad_left);
  const auto output = [](int64_t padded, int64_t kernel, int64_t stride, int64_t dilation) {
    return int((padded - dilation * (kernel - 1) - 1) / stride + 1);
  };
  s.out_height = output(conv.in_height + conv.pad_top + conv.pad_bottom, conv.kernel_height, conv.stride_height,
                        conv.dilation_height);
  s.out_width =
      output(conv.in_width + conv.pad_left + conv.pad_right, conv.kernel_width, conv.stride_width, conv.dilation_width);
  return s;
}

// The kernel size of the tuned kernels that fit (square 3, 5 or 7, stride 1 or 2, no dilation), or 0.
inline int tuned_kernel(const DepthwiseShape& s) {
  const bool fits = s.kernel_height == s.kernel_width && s.stride_height == s.stride_width && s.stride_height <= 2 &&
                    s.dilation_height == 1 && s.dilation_width == 1;
  const int k = s.kernel_height;
  return fits && (k == 3 || k == 5 || k == 7) ? k : 0;
}

// Channels per thread in the tuned kernels: k*k weights (or their gradients) per channel have to fit in a GPU thread's
// registers beside the rest.
template <class T, int K>
constexpr int kTunedLanes = kOneThread ? kLanes<T>
                                       : std::min(kLanes<T>, K == 3   ? 8
                                                             : K == 5 ? 4
                                                                      : 2);

// Tuned kernels handle whole vectors only. On a CPU the last vector may overlap the one before; on a GPU the vectors of
// each group of threads (core/wide_columns.h) start on a 16-byte boundary.
template <class T, int N>
bool whole_vectors(int channels, fw_address addresses) {
  return kOneThread ? channels >= N : channels % (N * kColumnGroup<T, N>) == 0 && addresses % 16 == 0;
}

// First channel of a vector.
template <int N>
FW_HOST_DEVICE int vector_channel(int vector, int channels) {
  const int channel = vector * N;
  return channel + N <= channels ? channel : channels - N;
}

// How images (batch, height, width, channels) of results are cut into blocks: each has a band of rows of one image
// and a group of vectors. Inside, items are (row, strip, vector) with the vector fastest: neighbouring threads of a GPU
// take neighbouring vectors, and a CPU block walks through memory once. Depends on the shape only.
struct Cut {
  int vectors;     // of all channels
  int group;       // vectors per block
  int groups;      // blocks along the channels
  int width;       // pixels in a row
  int strip;       // pixels per strip
  int strips;      // per row
  int rows;        // in an image; a "row" may stand for several that one thread handles together
  int band;        // rows per block
  int bands;       // blocks along the rows
  int64_t blocks;  // of the whole grid
};

// Fills in the blocks along the channels; each has at least two vectors (overlapping ones, see whole_vectors(), must
// not be split between threads of a CPU) and a whole number of `unit` vectors.
inline void cut_channels(Cut* cut, int vectors, int groups, int unit) {
  cut->vectors = vectors;
  cut->group = int(ceil_div(ceil_div(vectors, groups), unit)) * unit;
  while (cut->group < vectors && vectors % cut->group == 1) {
    cut->group++;
  }
  cut->groups = int(ceil_div(vectors, cut->group));
}

// unit: vectors that stay in one block.
inline Cut cut_image(int batch, int rows, int width, int vectors, int threads, int unit) {
  Cut cut;
  cut.width = width;
  cut.rows = rows;
  if (kOneThread) {
    // Whole rows of pixels, so that each byte comes from memory once. 32 blocks or more for the cores to share: from
    // images, then from groups of at least 8 vectors, then from bands, which read their neighbours' rows again. Groups
    // also keep the 8 rows or so that are in use at a time inside a megabyte of cache.
    constexpr int64_t kBlocks = 32;
    constexpr int64_t kVectorBytes = 4 * kLanes<float>;
    const int64_t by_cache = std::min<int64_t>(ceil_div(8 * kVectorBytes * vectors * width, 1 << 20), vectors / 4);
    const int64_t by_blocks = std::min<int64_t>(ceil_div(kBlocks, batch), vectors / 8);
    cut_channels(&cut, vectors, int(std::max<int64_t>({1, by_cache, by_blocks})), unit);
    cut.strips = 1;
    const int64_t bands = std::min<int64_t>(rows, ceil_div(kBlocks, int64_t(batch) * cut.groups));
    cut.band = int(std::min<int64_t>(ceil_div(rows, bands), std::max(1, (1 << 30) / cut.group)));
  } else {
    constexpr int64_t kPixels = 14;  // of a strip: long enough to make the columns read before the first result cheap
    cut_channels(&cut, vectors, int(ceil_div(vectors, 32)), unit);
    cut.strips = int(std::min<int64_t>(ceil_div(width, kPixels), 1 << 20));
    cut.band = std::max(1, std::min(rows, threads / (cut.strips * cut.group)));
  }
  cut.strip = int(ceil_div(width, cut.strips));
  cut.bands = int(ceil_div(rows, cut.band));
  cut.blocks = int64_t(batch) * cut.bands * cut.groups;
  return cut;
}

// A block's part of a Cut.
struct Share {
  int image, first_row, rows, first_vector, vectors;

  FW_HOST_DEVICE Share(const Cut& cut, int64_t block) {
    const int group = int(block % cut.groups);
    const int64_t rest = block / cut.groups;
    image = int(rest / cut.bands);
    first_row = int(rest % cut.bands) * cut.band;
    rows = cut.rows - first_row < cut.band ? cut.rows - first_row : cut.band;
    first_vector = group * cut.group;
    vectors = cut.vectors - first_vector < cut.group ? cut.vectors - first_vector : cut.group;
  }
  FW_HOST_DEVICE int items(const Cut& cut) const { return rows * cut.strips * vectors; }
};

// What one thread does at a time: a strip of one row and one vector.
struct Item {
  int row, first, width, vector;  // first: the strip's first pixel

  FW_HOST_DEVICE Item(const Cut& cut, const Share& share, int index) {
    vector = share.first_vector + index % share.vectors;
    const int rest = index / share.vectors;
    row = share.first_row + rest / cut.strips;
    first = rest % cut.strips * cut.strip;
    width = cut.width - first < cut.strip ? cut.width - first : cut.strip;
  }
};

// How many items ahead a thread asks for memory: a strip of 28 pixels takes about as long as memory does to answer.
FW_HOST_DEVICE int items_ahead(const Cut& cut) { return cut.strip >= 28 ? 1 : 28 / cut.strip; }

// dst = act(bias + correlation of src with weights), the common form of forward and of stride-1 backward-data.
struct Correlation {
  DepthwiseShape shape;
  int activation;
  bool flipped;  // weights are taken in reverse order of their taps
  const void* src;
  const float* weights;
  const float* bias;  // or nullptr
  void* dst;
  float* sums = nullptr;  // or (batch, correlation_chunks(), channels): of dst over the pixels of each chunk
};

// Parts of an image that have sums of their own.
int64_t correlation_chunks(const DepthwiseShape& shape, int32_t dtype);

// forward.cu: tuned where it fits, else any_shape.cu's.
fw_status depthwise_correlate(const Launcher& launcher, int32_t dtype, const Correlation& problem);
fw_status depthwise_correlate_any(const Launcher& launcher, int32_t dtype, const Correlation& problem);

// diff_src from diff_dst; `shape` is the forward problem's. backward_data.cu and any_shape.cu.
struct DataGradient {
  DepthwiseShape shape;
  const void* diff_dst;
  const float* weights;
  void* diff_src;
};
fw_status depthwise_data_gradient(const Launcher& launcher, int32_t dtype, const DataGradient& problem);
fw_status depthwise_data_gradient_any(const Launcher& launcher, int32_t dtype, const DataGradient& problem);

// diff_weights and diff_bias (or nullptr): chunks of rows give partial sums, which are then added in a fixed order.
struct WeightsGradient {
  DepthwiseShape shape;
  const void* src;
  const void* diff_dst;
  float* diff_weights;
  float* diff_bias;
  float* partials;  // (chunks, taps + 1, channels): the last "tap" is the bias
};
// The rows of all images (batch*out_height) in chunks; depends on the shape only.
struct Chunks {
  int64_t rows;   // per chunk
  int64_t count;  // 0 for an empty batch
};
Chunks depthwise_chunks(const DepthwiseShape& shape, int32_t dtype);
fw_status depthwise_weights_gradient(const Launcher& launcher, int32_t dtype, const WeightsGradient& problem);
// Adds chunks of partial sums, (chunks, taps, channels) or with a bias (chunks, taps + 1, channels), in their order.
fw_status depthwise_add_chunks(const Launcher& launcher, const DepthwiseShape& shape, const float* partials,
                               int64_t chunks, float* diff_weights, float* diff_bias, bool with_bias);
fw_status depthwise_partials_any(const Launcher& launcher, int32_t dtype, const WeightsGradient& problem);

}  // namespace fusewire::FW_EXEC
