// SPDX-License-Identifier: Apache-2.0
// The matrix-product collective: a block multiplies tiles that lie in shared memory (f32) into an accumulator.
//   Accumulator acc(block);          takes its scratch from shared memory, Accumulator::kSharedBytes
//   acc.multiply<kTransposed>(...); acc.each(...)
// Two definitions: SIMD registers of one CPU thread (tile_simd.h) and threads of a GPU block that own 4x4 elements each
// (tile_simt.h). A tile of a is (rows, depth) with element (r, k) at a[r*lda+k], or, transposed, at a[k*lda+r]; a tile
// of b is (depth, columns) with element (k, c) at b[k*ldb+c].
#pragma once

#include "core/exec.h"

#if defined(FW_EXEC_CPU)
#include "core/tile_simd.h"
#else
#include "core/tile_simt.h"
#endif
