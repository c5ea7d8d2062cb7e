#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Reads what ptxas -v said while the CUDA kernels were compiled (native-build/target/cmake/cuda/*.ptxas) and prints, for
# each kernel and architecture, registers, spilled bytes, stack and shared memory. Fails where a kernel spills registers
# to memory: that memory traffic is what these kernels exist to avoid.
#
#   native-build/ptxas_report.sh [FOLDER]
#   native-build/ptxas_report.sh --by-symbol FOLDER    only architecture, mangled name, registers, stack, shared memory

set -euo pipefail

by_symbol=0
if [ "${1:-}" = --by-symbol ]; then
  by_symbol=1
  shift
fi
folder=${1:-$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/target/cmake/cuda}
shopt -s nullglob
reports=("$folder"/*.ptxas)
if [ ${#reports[@]} = 0 ]; then
  echo "ptxas: no reports in $folder; was the library built with nvcc?" >&2
  exit 1
fi

# A line for each kernel: architecture, mangled name, registers, spilled bytes, stack, shared memory.
kernels() {
  awk '
  /Compiling entry function/ {
    split($0, quoted, "\047")
    kernel = quoted[2]; arch = quoted[4]
    next
  }
  # A device function that was not inlined has properties of its own before the "Used" line: its spills count as well.
  /bytes stack frame/ && kernel != "" {
    for (i = 2; i <= NF; i++) {
      if ($i == "stack") stack += $(i - 2)
      if ($i == "spill") { if ($(i + 1) ~ /^stores/) stores += $(i - 2); else loads += $(i - 2) }
    }
    next
  }
  /Used [0-9]+ registers/ && kernel != "" {
    registers = 0; shared = 0
    for (i = 1; i <= NF; i++) {
      if ($i == "Used") registers = $(i + 1)
      if ($i ~ /^smem/) shared = $(i - 2)
    }
    printf "%s %s %d %d %d %d\n", arch, kernel, registers, stores + loads, stack, shared
    kernel = ""; stack = stores = loads = 0
  }' "${reports[@]}"
}

if [ $by_symbol = 1 ]; then
  kernels | awk '{ print $1, $2, $3, $5, $6 }'
  exit
fi

demangle=cat
! command -v c++filt > /dev/null || demangle="c++filt -p"

kernels | $demangle | sort | awk '
  {
    # A demangled name has spaces: the four numbers are the last fields.
    arch = $1; registers = $(NF - 3); spills = $(NF - 2); stack = $(NF - 1); shared = $NF
    name = $2; for (i = 3; i <= NF - 4; i++) name = name " " $i
    printf "%-7s %4d registers %5d spilled %6d stack %7d shared  %s\n", arch, registers, spills, stack, shared, name
    kernels[arch]++
    if (registers > most[arch]) most[arch] = registers
    if (spills > 0) { spilling++; bad = bad sprintf("ptxas: SPILL %d bytes in %s for %s\n", spills, name, arch) }
  }
  END {
    for (arch in kernels)
      printf "ptxas: %s: %d kernels, at most %d registers\n", arch, kernels[arch], most[arch]
    printf "%s", bad
    printf "ptxas: %d of them spill registers\n", spilling
    if (NR == 0) { print "ptxas: no kernel found in the reports"; exit 1 }
    exit spilling > 0
  }'
