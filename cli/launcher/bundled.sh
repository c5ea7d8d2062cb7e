#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Starts Fusewire from a bundle: a folder that `./fusewire bundle` made, with a Java runtime of its own. Needs a POSIX
# shell and coreutils, and writes nothing in its folder. See README.txt beside it.

self=$(readlink -f -- "$0") || exit 1
home=${self%/*}
main=io.fusewire.cli.Main
class_path=$home/lib/*

# What can be made again (the unpacked native library, measured times, fetched data) goes where the user's caches are.
if [ -z "${FUSEWIRE_CACHE:-}" ]; then
  if [ -n "${XDG_CACHE_HOME:-}" ]; then
    FUSEWIRE_CACHE=$XDG_CACHE_HOME/fusewire
  elif [ -n "${HOME:-}" ] && [ -w "$HOME" ]; then
    FUSEWIRE_CACHE=$HOME/.cache/fusewire
  else
    FUSEWIRE_CACHE=${TMPDIR:-/tmp}/fusewire-$(id -u)
  fi
  export FUSEWIRE_CACHE
fi

# The first word that is no option says what to do; `bench` and `test` are programs of their own.
command=
for argument in "$@"; do
  case $argument in
    -*) ;;
    *) command=$argument; break ;;
  esac
done
case $command in
  bench) main=io.fusewire.bench.Main ;;
  test)
    main=io.fusewire.bundle.Main
    if [ -d "$home/lib/tests" ]; then class_path=$class_path:$home/lib/tests/*; fi
    ;;
esac
case $command in
  bench | test)
    while [ "$1" != "$command" ]; do shift; done
    shift
    ;;
esac

# test --sanitizer TOOL runs the tests' JVM under compute-sanitizer, which comes with the CUDA toolkit.
sanitizer=
previous=
if [ "$command" = test ]; then
  for argument in "$@"; do
    case $argument in
      --sanitizer=*) sanitizer=${argument#*=} ;;
      *) if [ "$previous" = --sanitizer ]; then sanitizer=$argument; fi ;;
    esac
    previous=$argument
  done
fi
case $sanitizer in
  memcheck | racecheck | synccheck | initcheck)
    compute_sanitizer=$(command -v compute-sanitizer || true)
    if [ -z "$compute_sanitizer" ] && [ -x /usr/local/cuda/bin/compute-sanitizer ]; then
      compute_sanitizer=/usr/local/cuda/bin/compute-sanitizer
    fi
    if [ -z "$compute_sanitizer" ]; then
      echo "fusewire test: --sanitizer needs compute-sanitizer, which is not on the PATH: it comes with the CUDA toolkit" >&2
      exit 1
    fi
    ;;
  *) compute_sanitizer= ;; # none, or a wrong one, which the command itself refuses
esac

terminal=false
if [ -t 2 ]; then terminal=true; fi
data=
if [ -d "$home/data" ]; then data=-Dfusewire.data=$home/data; fi

# shellcheck disable=SC2086 # several options in one variable
set -- ${FUSEWIRE_JAVA_OPTS:-} -Djava.awt.headless=true -Dfusewire.terminal=$terminal -Dfusewire.home="$home" \
  -Dfusewire.command="${FUSEWIRE_COMMAND:-$0}" -Dorg.bytedeco.javacpp.cachedir="$FUSEWIRE_CACHE/native" \
  ${data:+"$data"} -cp "$class_path" "$main" "$@"
if [ -n "$compute_sanitizer" ]; then
  exec "$compute_sanitizer" --tool "$sanitizer" --error-exitcode 1 --target-processes all "$home/runtime/bin/java" "$@"
fi
exec "$home/runtime/bin/java" "$@"
