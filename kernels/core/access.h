// SPDX-License-Identifier: Apache-2.0
// Loads and stores of up to N neighbouring elements whose alignment is known per launch: on a GPU 16-byte accesses only
// where `aligned` says that every row starts on 16 bytes; the CPU does not care.
#pragma once

#include "core/exec.h"

namespace fusewire::FW_EXEC {

template <int N, class T>
FW_DEVICE Vec<N> load_row(const T* p, int n, bool aligned) {
  if constexpr (kOneThread) {
    return load_part<N>(p, n);
  } else {
    if (aligned && n >= N) {
      return load<N>(p);
    }
    Vec<N> r(0.0f);
#pragma unroll
    for (int i = 0; i < N; i++) {
      if (i < n) {
        r.set(i, to_float(p[i]));
      }
    }
    return r;
  }
}

template <int N, class T>
FW_DEVICE void store_row(T* p, Vec<N> x, int n, bool aligned) {
  if constexpr (kOneThread) {
    store_part<N>(p, x, n);
  } else {
    if (aligned && n >= N) {
      store<N>(p, x);
      return;
    }
#pragma unroll
    for (int i = 0; i < N; i++) {
      if (i < n) {
        p[i] = from_float<T>(x[i]);
      }
    }
  }
}

}  // namespace fusewire::FW_EXEC
