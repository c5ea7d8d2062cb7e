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
  for file in fusewire .ci/run .ci/*.sh cli/launcher/*.sh; do
    bash -n "$file" || return 1
  done
}

# Every source file names its licence in its first lines.
licence_headers() {
  local file bad=0
  while read -r file; do
    if ! head -n 3 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0'; then
      echo "$file has no line 'SPDX-License-Identifier: Apache-2.0' at its top"
      bad=1
    fi
  done < <(git ls-files '*.java' '*.h' '*.cc' '*.cpp' '*.cu' '*.cuh' '*.sh' '*.py' fusewire .ci/run '*CMakeLists.txt' '*pom.xml')
  return $bad
}

# Spotless, Error Prone, javac's lint and doclint, all as errors. Old classes would hide what is not compiled again.
java_quality() {
  rm -rf ./*/target/classes ./*/target/test-classes ./*/target/maven-status
  mvn -B -Pquality package -DskipTests -Dfusewire.cuda=OFF -Dfusewire.checked=ON
}

# clang-tidy over the sources as the CPU execution compiles them (g++'s flags that clang does not know are left out).
cpp_tidy() {
  cmake -S native-build -B build/tidy -DFUSEWIRE_CUDA=OFF -DFUSEWIRE_TESTS=ON -DFUSEWIRE_CHECKED=ON \
    -DCMAKE_EXPORT_COMPILE_COMMANDS=ON || return 1
  # The shell's test drivers are what they are; the kernels are seen once, at the level that all clangs know.
  run_tidy build/tidy
}

run_tidy() { # folder with compile_commands.json
  local files
  files=$(grep -o '"file": "[^"]*"' "$1/compile_commands.json" | cut -d'"' -f4 | sort -u)
  echo "$files" | xargs -P "$(nproc)" -n 1 clang-tidy -p "$1" --quiet
}

# Compiles the CUDA part and judges ptxas's report.
cuda_report() {
  mvn -B -q -pl native-build package -DskipTests -Dfusewire.cuda=ON -Dfusewire.checked=ON || return 1
  native-build/ptxas_report.sh
}
