#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Objects compiled for a later instruction set must define no weak symbol (inline function, template) outside their own
# namespace: the linker keeps one copy of a weak symbol, and if that were the one with AVX-512 instructions, code that
# is meant for every processor would run it and die.
#
#   native-build/own_symbols.sh NM NAMESPACE OBJECT...

set -euo pipefail

nm=$1
namespace=$2
shift 2
if [ $# = 0 ]; then
  echo "own symbols: no objects given" >&2
  exit 2
fi
# W, V, u: weak function, weak object, unique. The personality reference is data of the C++ runtime's ABI. Some names of
# lambdas within lambdas nm cannot demangle: those are the namespace's own whose mangled form begins inside it.
own="$namespace::|_Z+N8fusewire${#namespace}$namespace|DW\.ref\.__gxx_personality_v0"
foreign=$("$nm" --defined-only -C "$@" | grep -E '^[0-9a-f]* *[WVu] ' | grep -vE "$own" | sort -u || true)
if [ -n "$foreign" ]; then
  echo "own symbols: objects of $namespace define weak symbols that other code may be given:" >&2
  echo "$foreign" >&2
  exit 1
fi
echo "own symbols: $# objects of $namespace define no weak symbol outside it"
