# SPDX-License-Identifier: Apache-2.0
#
# Builds with Maven when something has changed since the last build, and starts Java. Sourced by ./fusewire after
# tools.sh. A stamp file holds the time of the last good build and what it was built with.

# Whether to build the CUDA part: as FUSEWIRE_CUDA says, else where there are both a GPU's driver and nvcc. Compiling it
# takes minutes, which would be lost on a machine that cannot use it.
cuda_setting() {
  case ${FUSEWIRE_CUDA:-AUTO} in
    ON | OFF) echo "$FUSEWIRE_CUDA" ;;
    *) if has_nvidia_driver && find_nvcc > /dev/null; then echo ON; else echo OFF; fi ;;
  esac
}

# What the build depends on besides sources: a change of any of these builds anew.
build_key() {
  printf 'cuda=%s nvcc=%s\n' "$(cuda_setting)" "$(find_nvcc || true)"
}

# The folders and files a module is built from, of those that exist.
module_sources() { # module
  local modules="native-build fused-ops java-api weights" module
  case $1 in
    cli) modules="$modules cli" ;;
    bench) modules="$modules cli bench" ;;
    bundle) modules="$modules cli bench bundle" ;;
  esac
  echo pom.xml kernels native-build/CMakeLists.txt native-build/cmake
  for module in $modules; do
    echo "$module/pom.xml" "$module/src" "$module/peers"
  done
}

# Whether the module's last build is newer than all its sources (folders too: a removed file changes its folder's time).
up_to_date() { # module
  local stamp=$root/$1/target/fusewire.stamp source sources=()
  [ -f "$stamp" ] && [ -d "$root/$1/target/dist" ] || return 1
  [ "$(cat "$stamp")" = "$(build_key)" ] || return 1
  for source in $(module_sources "$1"); do
    [ -e "$root/$source" ] && sources+=("$root/$source")
  done
  [ -z "$(find "${sources[@]}" -newer "$stamp" -print -quit)" ]
}

# Waits for a background process, showing on a terminal that time passes.
wait_showing_time() { # process id, what is being done
  local start=$SECONDS
  if [ -t 2 ]; then
    while kill -0 "$1" 2> /dev/null; do
      printf '\rfusewire: %s, %d s ' "$2" $((SECONDS - start)) >&2
      sleep 1
    done
    printf '\r\033[K' >&2
  fi
  wait "$1"
}

ensure_built() { # module
  up_to_date "$1" && return 0
  require_build_tools
  mkdir -p "$root/build"
  # Two runs at once build once: the second waits here, then finds everything done.
  exec 9> "$root/build/lock"
  if ! flock -n 9; then
    say "another run is building; waiting for it"
    flock 9
  fi
  up_to_date "$1" || build "$1"
  exec 9>&-
}

build() { # module
  local log=$logs/build-$1.log start=$SECONDS arguments tests=-Dmaven.test.skip=true
  local nvcc
  nvcc=$(find_nvcc || true)
  mkdir -p "$logs" "$root/$1/target"
  arguments=("-Dfusewire.cuda=$(cuda_setting)")
  if [ -n "$nvcc" ]; then PATH=$PATH:${nvcc%/*}; fi
  case $(cuda_setting) in
    ON) say "building for CPU and GPU (first time: ten minutes or so; log: ${log#"$PWD"/})" ;;
    *) say "building for the CPU (first time: a few minutes; log: ${log#"$PWD"/})" ;;
  esac
  # A bundle has the tests in it.
  if [ "$1" = bundle ]; then tests=-DskipTests; fi
  # Time and tools of the beginning: what changes while the build runs is built the next time.
  build_key > "$root/build/stamp-$1"
  mvn -B -f "$root/pom.xml" -pl "$1" -am package "$tests" "${arguments[@]}" > "$log" 2>&1 < /dev/null 9>&- &
  # A background job of a script does not hear Ctrl-C: pass it on.
  trap 'kill %1 2> /dev/null; exit 130' INT TERM
  if ! wait_showing_time $! "building"; then
    fail_with_log "the build failed" "$log"
  fi
  trap - INT TERM
  mv "$root/build/stamp-$1" "$root/$1/target/fusewire.stamp"
  say "built in $((SECONDS - start)) s"
}

# Replaces this script by Java, so that signals and the exit code are the command's own.
run_java() { # folder of jars, main class, arguments...
  local jars=$root/$1 main=$2
  shift 2
  find_jdk || require_build_tools
  local terminal=false
  if [ -t 2 ]; then terminal=true; fi
  # shellcheck disable=SC2086 # several options in one variable
  exec "$JAVA_HOME/bin/java" ${FUSEWIRE_JAVA_OPTS:-} -Dfusewire.terminal=$terminal \
    -Dorg.bytedeco.javacpp.cachedir="$root/build/javacpp" -Dfusewire.command="${FUSEWIRE_COMMAND:-./fusewire}" -cp "$jars/*" "$main" "$@"
}
