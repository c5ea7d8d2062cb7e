// SPDX-License-Identifier: Apache-2.0
// Two kernels that need nothing of each other in one launch: the blocks of the first, then those of the second.
#pragma once

#include "core/exec.h"

namespace fusewire::FW_EXEC {

template <class First, class Second>
struct Beside {
  struct Params {
    typename First::Params first;
    typename Second::Params second;
    Grid first_grid, second_grid;
  };
  static constexpr int kThreads = First::kThreads;
  static_assert(kThreads == Second::kThreads, "blocks of one launch have equally many threads");

  FW_DEVICE static void run(const Params& p, Block& block) {
    const int64_t count = p.first_grid.x * p.first_grid.y * p.first_grid.z;
    if (block.x < count) {
      place(p.first_grid, block.x, block);
      First::run(p.first, block);
    } else {
      place(p.second_grid, block.x - count, block);
      Second::run(p.second, block);
    }
  }

 private:
  FW_DEVICE static void place(const Grid& grid, int64_t index, Block& block) {
    block.x = index % grid.x;
    block.y = index / grid.x % grid.y;
    block.z = index / grid.x / grid.y;
  }
};

// One of a launch's two: its blocks, the shared memory of each, and its parameters.
template <class Kernel>
struct LaunchPart {
  Grid grid;
  int64_t shared;
  typename Kernel::Params params;

  int64_t blocks() const { return grid.x * grid.y * grid.z; }
};

template <class First, class Second>
fw_status launch_beside(const Launcher& launcher, const LaunchPart<First>& a, const LaunchPart<Second>& b) {
  return launch<Beside<First, Second>>(launcher, {a.blocks() + b.blocks()}, a.shared > b.shared ? a.shared : b.shared,
                                       {a.params, b.params, a.grid, b.grid});
}

}  // namespace fusewire::FW_EXEC
