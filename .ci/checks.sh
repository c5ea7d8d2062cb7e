# SPDX-License-Identifier: Apache-2.0
#
# The checks of .ci/run besides the tests, each a function that prints what is wrong and fails. Sourced with $root set
# and as the current folder.

cpp_sources() {
  git ls-files '*.h' '*.cc' '*.cpp' '*.cu' '*.cuh'
}

cpp_format() {
  cpp_sources | xargs clang-format --dry-run -Werror
}

shell_syntax() {
  local file
  for file in fusewire .ci/run .ci/*.sh cli/launcher/*.sh native-build/*.sh native-build/figures/*.sh; do
    bash -n "$file" || return 1
  done
  sh -n cli/launcher/bundled.sh
}

# Every source file names its licence in its first lines.
licence_headers() {
  local file bad=0
  while read -r file; do
    if ! head -n 3 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0'; then
      echo "$file has no line 'SPDX-License-Identifier: Apache-2.0' at its top"
      bad=1
    fi
  done < <(git ls-files '*.java' '*.h' '*.cc' '*.cpp' '*.cu' '*.cuh' '*.sh' '*.awk' '*.py' fusewire .ci/run '*CMakeLists.txt' '*pom.xml')
  return $bad
}

# Spotless, Error Prone, javac's lint and doclint, all as errors. Old classes would hide what is not compiled again.
java_quality() {
  rm -rf ./*/target/classes ./*/target/test-classes ./*/target/maven-status
  mvn -B -Pquality package -DskipTests -Dfusewire.cuda=OFF -Dfusewire.checked=ON
}

# clang-tidy over all C++ sources; of the executions that a kernel is compiled for, it sees the CPU's first level.
cpp_tidy() {
  local folder=build/tidy
  cmake -S native-build -B $folder -DFUSEWIRE_CUDA=OFF -DFUSEWIRE_TESTS=ON -DFUSEWIRE_CHECKED=ON \
    -DCMAKE_EXPORT_COMPILE_COMMANDS=ON || return 1
  mkdir -p $folder/first
  # CMake writes one entry of {...} for each compilation; g++ knows a few flags that clang does not.
  awk 'BEGIN { RS = "},?\n"; ORS = ""; print "[\n" }
       /"file":/ && !/FW_EXEC=(cpu_v4|checked|metered|probe_metered)/ {
         sub(/^\[\n/, ""); gsub(/ -mprefer-vector-width=[0-9]+/, ""); gsub(/ -Wno-maybe-uninitialized/, "")
         print (kept++ ? ",\n" : "") $0 "}"
       }
       END { print "\n]\n" }' $folder/compile_commands.json > $folder/first/compile_commands.json
  # clang has no shuffle by a variable; what is shuffled does not matter here.
  grep -o '"file": "[^"]*"' $folder/first/compile_commands.json | cut -d'"' -f4 | sort -u |
    xargs -P "$(nproc)" -n 1 clang-tidy -p $folder/first --quiet '--extra-arg=-D__builtin_shuffle(vector,mask)=(vector)'
}

# Compiles the CUDA part and judges ptxas's report.
cuda_report() {
  mvn -B -q -pl native-build package -DskipTests -Dfusewire.cuda=ON -Dfusewire.checked=ON || return 1
  native-build/ptxas_report.sh
}

# Makes a bundle for the CPU and uses it in an empty environment.
bundle_runs() {
  FUSEWIRE_CUDA=OFF cli/launcher/bundle_test.sh
}

# Holds the figures of the GPU's machine code to the recorded ones, after cuda_report has built it.
gpu_figures() { # nvcc
  native-build/figures/canary.sh "$1" native-build/target/cmake/gpu_figures || return 1
  native-build/gpu_figures.sh
}
