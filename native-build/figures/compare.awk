# SPDX-License-Identifier: Apache-2.0
# Compares the figures of GPU kernels that gpu_figures printed with recorded ones:
#   awk -v again="how to record them" -f compare.awk RECORDED MEASURED
# Fails where a kernel got worse, is not recorded, or breaks a rule that needs no record: no local memory (spilled
# registers, arrays that found none), and tensor-core instructions in every product of bf16, f16 or TF32. RECORDED may be /dev/null: then only the rules count. Columns: see gpu_figures.cc.

function worse(text) {
  print "figures: WORSE " $1 " " $NF ": " text
  failures++
}

# A figure that may not grow, or with sign -1 may not shrink.
function hold(what, was, is, sign) {
  if (sign * is > sign * was) worse(what " " is ", was " was)
  if (sign * is < sign * was) gains[$1 " " $NF] = gains[$1 " " $NF] ", " what " " is " (was " was ")"
}

# Percent of the accesses to global memory that move 16 bytes, to a tenth; all of them where there are none.
function share(wide, accesses) { return accesses == 0 ? 100 : int(1000 * wide / accesses) / 10 }

# Kernels that are matrix products of bf16, f16 or TF32 (product/, core/tile_mma.h): those that tensor cores are for.
function is_product(kernel) {
  return kernel ~ /^(StatisticsProduct|Product|WeightsGradient|ExpandedDepthwise)Kernel</ && kernel ~ /f16|tf32/
}

/^#/ || NF == 0 { next }

FILENAME == ARGV[1] {
  recorded[$1, $12] = $0
  next
}

{
  kernels++
  count[$1]++
  if ($3 > most_registers[$1]) most_registers[$1] = $3
  if (!($1 in least) || $8 < least[$1]) least[$1] = $8
  if ($8 < 25) low[$1]++
  wide[$1] += $9
  accesses[$1] += $10
  if (is_product($12)) {
    products[$1]++
    if ($11 > 0) on_tensor[$1]++
  }

  if (is_product($12) && $11 == 0) worse("a product of bf16, f16 or TF32 without tensor-core instructions")
  if ($5 > 0) worse("a stack of " $5 " bytes in local memory")
  if ($6 > 0) worse($6 " loads and stores of local memory: spilled registers, or an array that found none")
  if (!(($1, $12) in recorded)) {
    if (ARGV[1] != "/dev/null") {
      worse("is not recorded")
    }
    next
  }
  split(recorded[$1, $12], was, " ")
  delete recorded[$1, $12]
  hold("registers", was[3], $3, 1)
  hold("bytes of static shared memory", was[4], $4, 1)
  hold("percent occupancy", was[8], $8, -1)
  hold("percent of accesses with 128 bits", share(was[9], was[10]), share($9, $10), -1)
  if (was[11] > 0 && $11 == 0 && !is_product($12)) worse("no tensor-core instruction, was " was[11])
  if (was[11] == 0 && $11 > 0) gains[$1 " " $12] = gains[$1 " " $12] ", tensor cores"
}

END {
  for (kernel in gains) {
    better++
    print "figures: better: " kernel ": " substr(gains[kernel], 3)
  }
  for (kernel in recorded) gone++
  for (arch in count) {
    printf "figures: %s: %d kernels, at most %d registers; occupancy at least %d %%, under 25 %% in %d; ", arch,
      count[arch], most_registers[arch], least[arch], low[arch]
    printf "%.1f %% of global accesses have 128 bits; tensor cores in %d of %d products of bf16, f16 or TF32\n",
      share(wide[arch], accesses[arch]), on_tensor[arch], products[arch]
  }
  if (kernels == 0) {
    print "figures: no kernel was measured"
    failures++
  }
  if (failures > 0) {
    printf "figures: %d got worse. Where that is the price of something better: %s\n", failures, again
    exit 1
  }
  if (better + gone > 0) printf "figures: %d better, %d recorded that are no more; to hold that: %s\n", better, gone, again
}
