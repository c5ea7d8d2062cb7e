# SPDX-License-Identifier: Apache-2.0
#
# ./fusewire test: native tests (CPU, checked execution, sanitizers) and the Java tests of all modules. The last line is
# "N passed, N failed". Sourced by ./fusewire after tools.sh and build.sh.

passed=0
failed=0
skipped=0

test_usage() {
  cat << 'END'
Usage: ./fusewire test [--quick] [PATTERN]

Runs all tests: native ones on the CPU, in the checked execution (emulated GPU blocks) and under AddressSanitizer and
UBSan; then the Java tests of all modules, those against libtorch included. The last line is "N passed, N failed".

      --quick    leave out the sanitizers and the tests tagged 'oracle' (libtorch)
      PATTERN    only Java test classes of this name (such as 'DepthwiseConv*'), and no native tests

Exit codes: 0 all passed, 1 something failed, 2 wrong usage.
END
}

# Adds up the reports of JUnit's XML form; a report that cannot be read counts as a failure.
count_reports() { # files...
  local file tests bad skips
  for file in "$@"; do
    # The first <testsuite> has the totals: tests, failures, errors (Surefire) and skipped or disabled.
    read -r tests bad skips < <(
      tr '\n' ' ' < "$file" | grep -o '<testsuite [^>]*>' | head -n 1 | awk '
        function number(name,   at) {
          at = match($0, "[ \t]" name "=\"[0-9]+\"")
          return at ? substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 4) + 0 : 0
        }
        { print number("tests"), number("failures") + number("errors"), number("skipped") + number("disabled") }'
    ) || { failed=$((failed + 1)); continue; }
    passed=$((passed + tests - bad - skips))
    failed=$((failed + bad))
    skipped=$((skipped + skips))
  done
}

# Runs a step with its output in a log; on failure shows the log's end and counts one failure.
test_step() { # what, log name, command...
  local what=$1 log=$logs/$2.log start=$SECONDS
  shift 2
  say "$what (log: ${log#"$root"/})"
  if "$@" > "$log" 2>&1 < /dev/null; then
    return 0
  fi
  say "failed after $((SECONDS - start)) s: $what; the end of ${log#"$root"/}:"
  tail -n "${FUSEWIRE_LOG_LINES:-60}" "$log" | sed 's/^/  /' >&2
  return 1
}

# Builds the native tests in a folder and runs them; the settings are CMake's.
native_tests() { # name, folder, settings...
  local name=$1 folder=$2 report=$root/build/reports/native-$1.xml
  shift 2
  mkdir -p "${report%/*}"
  rm -f "$report"
  if ! test_step "building the native tests, $name" "build-native-$name" build_native "$folder" "$@"; then
    failed=$((failed + 1))
    return 0
  fi
  local before=$failed
  test_step "running the native tests, $name" "test-native-$name" \
    ctest --test-dir "$folder" --output-on-failure --output-junit "$report" --timeout 1200 || true
  if [ -f "$report" ]; then count_reports "$report"; else failed=$((failed + 1)); fi
  say "native tests, $name: $((failed - before)) failed"
}

build_native() { # folder, settings...
  local folder=$1
  shift
  cmake -S "$root/native-build" -B "$folder" -DFUSEWIRE_TESTS=ON -DFUSEWIRE_CHECKED=ON "$@" &&
    cmake --build "$folder" --parallel "$(nproc)"
}

# Runs Maven with its test lines shown as they come.
java_tests() { # Maven's arguments...
  local log=$logs/test-java.log before
  say "running the Java tests (log: ${log#"$root"/})"
  rm -rf "$root"/*/target/surefire-reports "$root"/*/target/failsafe-reports
  mvn -B -f "$root/pom.xml" verify --fail-at-end -Dfusewire.checked=ON -Dmaven.test.failure.ignore=false "$@" 2>&1 \
    < /dev/null | tee "$log" | grep --line-buffered -E 'Tests run:.*in |FAILURE!|^\[ERROR\] +[A-Za-z]+Test\.' |
    sed -u 's/^\[[A-Z]*\] */  /' >&2 || true
  before=$failed
  shopt -s nullglob
  count_reports "$root"/*/target/surefire-reports/TEST-*.xml "$root"/*/target/failsafe-reports/TEST-*.xml
  shopt -u nullglob
  if grep -q 'BUILD SUCCESS' "$log"; then return 0; fi
  if [ "$failed" = "$before" ]; then
    # Not a test but the build failed.
    failed=$((failed + 1))
    say "Maven failed; the end of ${log#"$root"/}:"
    grep -E '^\[ERROR\]' "$log" | head -n 40 | sed 's/^/  /' >&2
  fi
}

run_tests() { # arguments of ./fusewire test
  local quick=false pattern= maven=() argument start=$SECONDS
  for argument in "$@"; do
    case $argument in
      -h | --help) test_usage; exit 0 ;;
      --quick) quick=true ;;
      -*) say "test: unknown option $argument"; test_usage >&2; exit 2 ;;
      *) pattern=$argument ;;
    esac
  done
  require_build_tools
  require_tools /usr/include/boost/context/fiber.hpp:libboost-context-dev /usr/include/gtest/gtest.h:libgtest-dev npm:npm
  mkdir -p "$logs"
  # What is built for tests has the checked execution in it; the next ./fusewire builds its own again.
  rm -f "$root"/*/target/fusewire.stamp

  maven+=("-Dfusewire.cuda=$(cuda_setting)")
  if [ -n "$pattern" ]; then
    maven+=("-Dtest=$pattern" -Dsurefire.failIfNoSpecifiedTests=false)
  else
    native_tests checked "$root/build/native-checked" -DFUSEWIRE_CUDA=OFF
    # -O1: the sanitizers multiply compile time, and what they find does not depend on it.
    $quick || native_tests sanitized "$root/build/native-sanitized" -DFUSEWIRE_CUDA=OFF \
      -DFUSEWIRE_SANITIZE=address,undefined "-DCMAKE_CXX_FLAGS_RELEASE=-O1"
  fi
  if $quick; then maven+=("-Dfusewire.excludedGroups=soak,oracle"); fi
  java_tests "${maven[@]}"

  say "tests took $(((SECONDS - start) / 60)) min $(((SECONDS - start) % 60)) s"
  if [ $((passed + failed)) = 0 ]; then
    say "no test was run"
    failed=1
  fi
  if [ "$skipped" = 0 ]; then
    echo "$passed passed, $failed failed"
  else
    echo "$passed passed, $failed failed, $skipped skipped"
  fi
  [ "$failed" = 0 ] || exit 1
  exit 0
}
