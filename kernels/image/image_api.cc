// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "api/call.h"

using namespace fusewire;

namespace {

fw_status check_problem(const char* operation, const fw_image_batch* problem) {
  constexpr int64_t kMostPixels = int64_t(1) << 24;  // coordinates are exact in f32
  constexpr int64_t kMostColumns = 16384;            // a block keeps their taps in shared memory
  FW_TRY(check_not_null(operation, "problem", problem));
  FW_TRY(check_dtype(operation, "dtype", problem->dtype));
  FW_TRY(check_range(operation, "random", problem->random, 0, 1));
  FW_TRY(check_range(operation, "flip", problem->flip, 0, 1));
  FW_TRY(check_range(operation, "batch", problem->batch, 0, UINT32_MAX));  // an image's number is a counter
  FW_TRY(check_range(operation, "channels", problem->channels, 1, 4));
  for (const NamedSize& size :
       {NamedSize{"in_height", problem->in_height}, NamedSize{"in_width", problem->in_width},
        NamedSize{"crop_height", problem->crop_height}, NamedSize{"crop_width", problem->crop_width},
        NamedSize{"out_height", problem->out_height}}) {
    FW_TRY(check_range(operation, size.name, size.value, 1, kMostPixels));
  }
  FW_TRY(check_range(operation, "out_width", problem->out_width, 1, kMostColumns));
  FW_TRY(check_range(operation, "padding", problem->padding, 0, kMostPixels));
  if (problem->random != 0) {
    const auto fits = [&](const char* axis, int64_t in, int64_t crop) {
      return crop <= in + 2 * problem->padding
                 ? FW_OK
                 : fail(FW_INVALID_ARGUMENT, "%s: a random window of %s %lld does not fit into %lld with padding %lld",
                        operation, axis, static_cast<long long>(crop), static_cast<long long>(in),
                        static_cast<long long>(problem->padding));
    };
    FW_TRY(fits("height", problem->in_height, problem->crop_height));
    FW_TRY(fits("width", problem->in_width, problem->crop_width));
  }
  for (int64_t c = 0; c < problem->channels; c++) {
    const float mean = problem->mean[c];
    const float std = problem->std[c];
    if (!std::isfinite(mean) || !std::isfinite(std) || std == 0) {
      return fail(FW_INVALID_ARGUMENT, "%s: mean and std of channel %lld are %g and %g; finite ones fit, std not 0",
                  operation, static_cast<long long>(c), double(mean), double(std));
    }
  }
  FW_TRY(check_sizes(operation, 0,
                     {{"batch", problem->batch},
                      {"in_height", problem->in_height},
                      {"in_width", problem->in_width},
                      {"channels", problem->channels}}));
  return check_sizes(operation, 0,
                     {{"batch", problem->batch},
                      {"out_height", problem->out_height},
                      {"out_width", problem->out_width},
                      {"channels", problem->channels}});
}

}  // namespace

fw_status fw_image_batch_forward(fw_stream stream, const fw_image_batch* problem, fw_address step, fw_address src,
                                 fw_address dst) {
  constexpr const char* kOperation = "image batch";
  FW_TRY(check_problem(kOperation, problem));
  const bool random = problem->random != 0 || problem->flip != 0;
  FW_TRY(check_addresses(kOperation, {{"step", step, 8, !random}}));
  if (problem->batch > 0) {
    FW_TRY(check_addresses(kOperation, {{"src", src, 1}, {"dst", dst, dtype_bytes(problem->dtype)}}));
  }
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    return problem->batch == 0 ? FW_OK : operations.image_batch_forward(launcher, *problem, step, src, dst);
  });
}
