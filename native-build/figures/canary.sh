#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Compiles kernels with known figures (canary.cu) and looks whether gpu_figures finds them: that the machine code of
# this nvcc is read rightly, and that a kernel which uses local memory would be refused.
#
#   native-build/figures/canary.sh NVCC GPU_FIGURES

set -euo pipefail

here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
nvcc=$1
reader=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"$nvcc" -std=c++17 -O3 -gencode=arch=compute_80,code=sm_80 -gencode=arch=compute_90,code=sm_90 -Xptxas=-v \
  -c "$here/canary.cu" -o "$folder/canary.o" 2> "$folder/canary.ptxas"
"$reader" "$folder/canary.o" > "$folder/figures"
cat "$folder/figures"

# threads, static shared memory, accesses of 128 bits, all accesses, tensor-core instructions, kernel
diff - <(awk '!/^#/ && $NF != "local_array" { print $1, $2, $4, $9, $10, $11, $12 }' "$folder/figures") << 'END'
sm_80 128 0 0 3 0 narrow_sum
sm_90 128 0 0 3 0 narrow_sum
sm_80 128 512 0 2 0 reverse
sm_90 128 512 0 2 0 reverse
sm_80 32 0 0 1 1 tensor_product
sm_90 32 0 0 1 1 tensor_product
sm_80 256 0 2 2 0 wide_copy
sm_90 256 0 2 2 0 wide_copy
END
# Registers, stack and shared memory are those that ptxas reports.
diff <("$reader" --by-symbol "$folder/canary.o" | sort) <("$here/../ptxas_report.sh" --by-symbol "$folder" | sort)

if awk -v again=no -f "$here/compare.awk" /dev/null "$folder/figures" > "$folder/said"; then
  echo "canary: a kernel with an array in local memory passed"
  exit 1
fi
for arch in sm_80 sm_90; do
  grep -q "WORSE $arch local_array: a stack of 256 bytes" "$folder/said"
  grep -q "WORSE $arch local_array: [0-9]* loads and stores of local memory" "$folder/said"
done
# Nothing else is blamed: its two sins on two architectures.
[ "$(grep -c WORSE "$folder/said")" = 4 ]
echo "canary: what it should be"
