#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Holds compare.awk to its word on figures made up here: each figure made worse is refused by name, what is better or
# equal passes. Needs no nvcc.

set -uo pipefail

here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failures=0

# arch threads registers shared stack local blocks occupancy wide accesses tensor kernel
cat > "$folder/recorded" << 'END'
# a comment
sm_80 256 40 512 0 0 6 75 6 20 0 MeanPoolKernel<bf16,8>
sm_80 256 90 0 0 0 2 25 9 90 4 ProductKernel<bf16,Rows<bf16>>
sm_90 256 90 0 0 0 2 25 9 90 0 ProductKernel<f32,Rows<f32>>
END

# Runs the comparison on the recorded figures as changed by a sed script.
compare() { # sed script
  sed "$1" "$folder/recorded" > "$folder/measured"
  awk -v again="write them" -f "$here/compare.awk" "${2:-$folder/recorded}" "$folder/measured" > "$folder/said"
}

expect() { # passes|refused, what is expected to be said, sed script, recorded file
  local outcome=passes
  compare "$3" "${4:-$folder/recorded}" || outcome=refused
  if [ $outcome != "$1" ] || ! grep -qF -- "$2" "$folder/said"; then
    echo "figures test: '$3' should be $1 and say '$2'; it $outcome and said:"
    cat "$folder/said"
    failures=$((failures + 1))
  fi
}

expect passes "figures: sm_80: 2 kernels, at most 90 registers" ""
expect passes "tensor cores in 1 of 1 products of bf16, f16 or TF32" ""
expect refused "WORSE sm_80 MeanPoolKernel<bf16,8>: registers 41, was 40" "s/256 40/256 41/"
expect refused "WORSE sm_80 MeanPoolKernel<bf16,8>: bytes of static shared memory 1024, was 512" "s/ 512 / 1024 /"
expect refused "a stack of 16 bytes in local memory" "s/ 512 0 0 / 512 16 0 /"
expect refused "3 loads and stores of local memory" "s/ 512 0 0 / 512 0 3 /"
expect refused "percent occupancy 62, was 75" "s/ 6 75 / 5 62 /"
expect refused "percent of accesses with 128 bits 25, was 30" "s/ 6 20 0/ 5 20 0/"
expect refused "percent of accesses with 128 bits 28.5, was 30" "s/ 6 20 0/ 6 21 0/"
expect refused "ProductKernel<bf16,Rows<bf16>>: a product of bf16, f16 or TF32 without tensor-core instructions" \
  "s/ 90 4 / 90 0 /"
expect refused "ProductKernel<tf32,Rows<tf32>>: a product of bf16, f16 or TF32 without tensor-core instructions" \
  "s/f32/tf32/g"
expect refused "WORSE sm_80 SumKernel<bf16,8>: is not recorded" "s/MeanPoolKernel/SumKernel/"
expect refused "no kernel was measured" "d"
expect passes "better: sm_80 MeanPoolKernel<bf16,8>: registers 38 (was 40), percent occupancy 87 (was 75)" \
  "s/ 40 512 0 0 6 75 / 38 512 0 0 7 87 /"
expect passes "1 recorded that are no more" "/MeanPool/d"
# Other numbers of both kinds of accesses, the same share.
expect passes "figures: 0 better" "s/ 6 20 0/ 12 40 0/;/f32/d"
# Nothing recorded for this nvcc: the rules stay.
expect passes "figures: sm_80: 2 kernels" "s/256 40/256 41/" /dev/null
expect refused "a stack of 16 bytes in local memory" "s/ 512 0 0 / 512 16 0 /" /dev/null
expect refused "without tensor-core instructions" "s/ 90 4 / 90 0 /" /dev/null

[ $failures = 0 ] && echo "figures test: the comparison does what it says"
[ $failures = 0 ]
