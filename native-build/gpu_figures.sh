#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Holds the static figures of every GPU kernel (registers, static shared memory, occupancy, share of 128-bit accesses
# to global memory, tensor-core instructions, local memory) against those recorded for this release of nvcc in
# figures/nvcc-RELEASE.txt. They are read from the machine code in the built library; no GPU is needed.
#
#   native-build/gpu_figures.sh [BUILD]          compares: fails where a kernel got worse or is not recorded
#   native-build/gpu_figures.sh --write [BUILD]  records what is there now, and shows what changes
#
# BUILD is CMake's build folder, by default native-build/target/cmake.

set -euo pipefail

here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
write=0
if [ "${1:-}" = --write ]; then
  write=1
  shift
fi
build=${1:-$here/target/cmake}
reader=$build/gpu_figures
library=$build/libfusewire.so
[ -e "$library" ] || library=$here/target/native/libfusewire.so
if [ ! -x "$reader" ] || [ ! -e "$library" ]; then
  echo "figures: no library or no gpu_figures in $build; was it built with nvcc, and has that its cuda_occupancy.h?" >&2
  exit 1
fi

# The library says what it was built with.
release=$(grep -aoE 'nvcc [0-9.]+ sm_' "$library" | head -n 1 | cut -d' ' -f2)
recorded=$here/figures/nvcc-$release.txt
measured=$build/gpu_figures.txt
"$reader" "$library" > "$measured"

# Our reading of the machine code must agree with what ptxas said when it made it.
if ! diff <("$reader" --by-symbol "$library" | sort) \
  <("$here/ptxas_report.sh" --by-symbol "$build/cuda" | sort) > "$build/gpu_figures.diff"; then
  echo "figures: the library's machine code (<) and the reports of ptxas (>) differ:" >&2
  echo "(architecture, symbol, registers, stack, shared memory; is $library the one that was just built?)" >&2
  head -n 10 "$build/gpu_figures.diff" >&2
  exit 1
fi

again="native-build/gpu_figures.sh --write, and say why in the commit"
if [ ! -e "$recorded" ]; then
  echo "figures: none recorded for nvcc $release in ${recorded#"$PWD"/}: only spills and local memory are judged"
fi
status=0
awk -v again="$again" -f "$here/figures/compare.awk" \
  "$([ -e "$recorded" ] && echo "$recorded" || echo /dev/null)" "$measured" || status=$?
if [ $write = 1 ]; then
  {
    echo "# GPU kernels compiled by nvcc $release; written by native-build/gpu_figures.sh --write, which says what it means."
    cat "$measured"
  } > "$recorded"
  echo "figures: recorded in ${recorded#"$PWD"/}"
  exit 0
fi
exit $status
