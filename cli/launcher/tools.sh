# SPDX-License-Identifier: Apache-2.0
#
# Finds the tools a build needs (JDK, Maven, CMake, Ninja, a C++ compiler, nvcc) and installs the missing ones where
# that can be done by apt-get. Sourced by ./fusewire and .ci/run with $root set.

java_needed=17
logs=$root/build/logs

say() { printf 'fusewire: %s\n' "$*" >&2; }

fail() {
  say "$*"
  exit 1
}

# Shows what a log says of errors, or how it ends where it names none.
show_log() { # log file
  local errors
  errors=$(grep -E '\[ERROR\]|[Ee]rror:|FAILED' "$1" |
    grep -vE '\[Help 1\]|^\[ERROR\] *$|Re-run Maven|re-run Maven|For more information|After correcting|mvn <args>' |
    head -n 30)
  if [ -n "$errors" ]; then
    printf '%s\n' "$errors" | sed 's/^/  /' >&2
  else
    tail -n 30 "$1" | sed 's/^/  /' >&2
  fi
}

fail_with_log() { # message, log file
  say "$1; from $2:"
  show_log "$2"
  exit 1
}

# Prints the feature version (17, 21, ...) of a JDK folder, nothing where it is none. Starts no JVM.
jdk_version() { # folder
  [ -x "$1/bin/javac" ] && [ -x "$1/bin/java" ] || return 0
  if [ -r "$1/release" ]; then
    sed -n 's/^JAVA_VERSION="\(1\.\)\{0,1\}\([0-9]*\).*/\2/p' "$1/release"
  else
    "$1/bin/javac" -version 2>&1 | sed -n 's/^javac \(1\.\)\{0,1\}\([0-9]*\).*/\2/p'
  fi
}

# Sets JAVA_HOME to a JDK that is new enough: the caller's, the one on the path, or an installed one.
find_jdk() {
  local given=${JAVA_HOME:-} javac candidate version
  javac=$(command -v javac || true)
  [ -z "$javac" ] || javac=$(readlink -f "$javac")
  for candidate in "$given" "${javac%/bin/javac}" /usr/lib/jvm/default-java /usr/lib/jvm/*; do
    [ -n "$candidate" ] || continue
    version=$(jdk_version "$candidate")
    if [ -n "$version" ] && [ "$version" -ge "$java_needed" ]; then
      if [ -n "$given" ] && [ "$candidate" != "$given" ]; then
        say "JAVA_HOME=$given is no JDK $java_needed or later; using $candidate"
      fi
      export JAVA_HOME=$candidate
      return 0
    fi
  done
  return 1
}

# nvcc counts where it is on the path or in its usual folder.
find_nvcc() {
  command -v nvcc && return 0
  [ -x /usr/local/cuda/bin/nvcc ] && echo /usr/local/cuda/bin/nvcc
}

# Whether this machine has an NVIDIA GPU with its driver (/dev/dxg: Windows' subsystem for Linux).
has_nvidia_driver() {
  [ -e /proc/driver/nvidia/version ] || [ -e /dev/nvidiactl ] || [ -e /dev/dxg ]
}

# Runs a command as root: as we are, or through sudo (which may ask on a terminal).
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  else
    sudo "$@"
  fi
}

can_be_root() {
  [ "$(id -u)" = 0 ] && return 0
  command -v sudo > /dev/null || return 1
  sudo -n true 2> /dev/null || [ -t 0 ]
}

# Installs Debian packages, or says in one line what to install.
install_packages() { # packages...
  local packages="$*" log=$logs/install.log
  if ! command -v apt-get > /dev/null; then
    fail "missing on this machine (Debian's names): $packages. Install them and run this again."
  fi
  if ! can_be_root; then
    fail "please install what is missing, then run this again: sudo apt-get install $packages"
  fi
  mkdir -p "$logs"
  say "installing $packages (log: ${log#"$PWD"/})"
  export DEBIAN_FRONTEND=noninteractive
  # A fresh machine has no package lists, an old one may have stale lists.
  if ! as_root apt-get install -y --no-install-recommends "$@" > "$log" 2>&1 < /dev/null; then
    { as_root apt-get update && as_root apt-get install -y --no-install-recommends "$@"; } >> "$log" 2>&1 < /dev/null ||
      fail_with_log "apt-get could not install $packages" "$log"
  fi
}

# Installs the packages of the missing tools. Arguments: pairs "tool:package"; a tool that starts with a slash is a file.
require_tools() {
  local pair tool missing=()
  for pair in "$@"; do
    tool=${pair%%:*}
    case $tool in
      jdk) find_jdk && continue ;;
      /*) [ -e "$tool" ] && continue ;;
      *) command -v "$tool" > /dev/null && continue ;;
    esac
    missing+=("${pair#*:}")
  done
  [ ${#missing[@]} = 0 ] && return 0
  install_packages "${missing[@]}"
  find_jdk || fail "found no JDK $java_needed or later; set JAVA_HOME to one"
}

require_build_tools() {
  require_tools jdk:default-jdk-headless mvn:maven cmake:cmake make:make g++:g++ flock:util-linux \
    /etc/ssl/certs/ca-certificates.crt:ca-certificates
}

# The default dataset comes through npm, once; any other needs nothing.
require_data_tools() {
  local argument before=-
  for argument in "$@"; do
    case $argument in
      --data | --data=* | --resume | --resume=* | -h | --help) return 0 ;;
    esac
    # A folder that is no option's value is the data.
    case $before in
      -*) ;;
      *) if [ -d "$argument" ]; then return 0; fi ;;
    esac
    before=$argument
  done
  require_tools npm:npm
}
