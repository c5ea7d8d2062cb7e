// SPDX-License-Identifier: Apache-2.0
// uint8 images to normalised NHWC: crop (centred, or at a random corner), flip, bilinear resampling with half-pixel
// centres, (x/255 - mean)/std. Every output pixel reads its up to four input pixels; neighbours share them through the
// cache, so about the window is read and the output written once. A block has some rows of one image's output; the
// columns' taps are found once per block and kept in shared memory.
#include "core/exec.h"
#include "core/operations.h"
#include "core/philox.h"

namespace fusewire::FW_EXEC {
namespace {

// Where an output coordinate falls: two neighbouring input coordinates and the second one's weight.
struct Tap {
  int32_t low, high;  // in the image, or -1 outside of it
  float weight;
};

template <class T>
struct ImageBatchKernel {
  struct Params {
    fw_image_batch problem;
    const fw_step* step;  // or null: centred, not flipped
    const uint8_t* src;
    T* dst;
    int64_t chunks;  // blocks of an image
    int64_t rows;    // of a block
  };
  static constexpr int kThreads = 256;

  // This image's window.
  struct Window {
    int64_t top, left;
    bool flip;
  };

  FW_DEVICE static Window window(const Params& p, int64_t image) {
    const fw_image_batch& q = p.problem;
    const int64_t free_y = q.in_height - q.crop_height;
    const int64_t free_x = q.in_width - q.crop_width;
    // Half of what is free, rounded down also where the window is larger than the image.
    Window w = {(free_y - (free_y & 1)) / 2, (free_x - (free_x & 1)) / 2, false};
    if (p.step == nullptr) {
      return w;
    }
    const RandomWords words = random_words(random_stream(*p.step, q.layer, 0), uint32_t(image));
    if (q.random != 0) {
      w.top = draw(words.w[0], free_y + 2 * q.padding + 1) - q.padding;
      w.left = draw(words.w[1], free_x + 2 * q.padding + 1) - q.padding;
    }
    w.flip = q.flip != 0 && words.w[2] < 0x80000000u;
    return w;
  }
  // A word as a number in [0, count).
  FW_DEVICE static int64_t draw(uint32_t word, int64_t count) {
    return int64_t((uint64_t(word) * uint64_t(count)) >> 32);
  }

  // Input coordinate (out+1/2)*crop/out_size - 1/2 of the window, as a whole part and an exact remainder.
  FW_DEVICE static Tap tap(int64_t out, int64_t out_size, int64_t crop, int64_t corner, int64_t size) {
    int64_t numerator = (2 * out + 1) * crop - out_size;
    numerator = numerator > 0 ? numerator : 0;
    int64_t low = numerator / (2 * out_size);
    low = low < crop - 1 ? low : crop - 1;
    const int64_t high = low + 1 < crop ? low + 1 : crop - 1;
    const int64_t a = corner + low;
    const int64_t b = corner + high;
    Tap t;
    t.low = a >= 0 && a < size ? int32_t(a) : -1;
    t.high = b >= 0 && b < size ? int32_t(b) : -1;
    t.weight = float(numerator - low * 2 * out_size) / float(2 * out_size);
    return t;
  }

  FW_DEVICE static void run(const Params& p, Block& block) {
    const fw_image_batch& q = p.problem;
    Tap* columns = block.template shared<Tap>(q.out_width);
    const int64_t image = block.x / p.chunks;
    const int64_t first = block.x % p.chunks * p.rows;
    const int64_t last = first + p.rows < q.out_height ? first + p.rows : q.out_height;
    const Window w = window(p, image);
    for (int64_t x = block.thread; x < q.out_width; x += block.threads) {
      columns[x] = tap(w.flip ? q.out_width - 1 - x : x, q.out_width, q.crop_width, w.left, q.in_width);
    }
    block.sync();
    switch (q.channels) {
      case 1:
        rows<1>(p, block, image, first, last, w, columns);
        break;
      case 2:
        rows<2>(p, block, image, first, last, w, columns);
        break;
      case 3:
        rows<3>(p, block, image, first, last, w, columns);
        break;
      default:
        rows<4>(p, block, image, first, last, w, columns);
    }
  }

  template <int C>
  FW_DEVICE static void rows(const Params& p, const Block& block, int64_t image, int64_t first, int64_t last,
                             const Window& w, const Tap* columns) {
    const fw_image_batch& q = p.problem;
    float factor[C];
    float offset[C];
#pragma unroll
    for (int c = 0; c < C; c++) {
      factor[c] = 1.0f / (255.0f * q.std[c]);
      offset[c] = -q.mean[c] / q.std[c];
    }
    const uint8_t* src = p.src + image * q.in_height * q.in_width * C;
    for (int64_t y = first; y < last; y++) {
      const Tap row = tap(y, q.out_height, q.crop_height, w.top, q.in_height);
      const uint8_t* low = src + (row.low < 0 ? 0 : int64_t(row.low)) * q.in_width * C;
      const uint8_t* high = src + (row.high < 0 ? 0 : int64_t(row.high)) * q.in_width * C;
      const float low_weight = row.low < 0 ? 0.0f : 1.0f - row.weight;
      const float high_weight = row.high < 0 ? 0.0f : row.weight;
      T* dst = p.dst + (image * q.out_height + y) * q.out_width * C;
      for (int64_t x = block.thread; x < q.out_width; x += block.threads) {
        const Tap column = columns[x];
        const int64_t a = column.low < 0 ? 0 : int64_t(column.low) * C;
        const int64_t b = column.high < 0 ? 0 : int64_t(column.high) * C;
        const float a_weight = column.low < 0 ? 0.0f : 1.0f - column.weight;
        const float b_weight = column.high < 0 ? 0.0f : column.weight;
#pragma unroll
        for (int c = 0; c < C; c++) {
          const float top = float(low[a + c]) * a_weight + float(low[b + c]) * b_weight;
          const float bottom = float(high[a + c]) * a_weight + float(high[b + c]) * b_weight;
          const float value = top * low_weight + bottom * high_weight;
          dst[x * C + c] = from_float<T>(value * factor[c] + offset[c]);
        }
      }
    }
  }
};

fw_status forward(const Launcher& launcher, const fw_image_batch& problem, fw_address step, fw_address src,
                  fw_address dst) {
  const bool random = problem.random != 0 || problem.flip != 0;
  return with_dtype(problem.dtype, [&](auto t) {
    using T = decltype(t);
    using Kernel = ImageBatchKernel<T>;
    const int64_t rows = kOneThread ? ceil_div(problem.out_height, 4) : ceil_div(problem.out_height, 16);
    const int64_t chunks = ceil_div(problem.out_height, rows);
    return launch<Kernel>(launcher, {problem.batch * chunks}, shared_bytes<Tap>(problem.out_width),
                          {problem, random ? reinterpret_cast<const fw_step*>(step) : nullptr,
                           reinterpret_cast<const uint8_t*>(src), reinterpret_cast<T*>(dst), chunks, rows});
  });
}

}  // namespace

void add_image(Operations& table) { table.image_batch_forward = forward; }

}  // namespace fusewire::FW_EXEC
