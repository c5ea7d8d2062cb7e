#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A JVM loads the library long after it has started. A thread-local variable of the initial-exec or local-exec model
# then needs room in the static TLS block, of which few hundred bytes are kept for latecomers: whether loading succeeds
# would depend on what else the process has loaded. So the library must not ask for it.
#
#   native-build/late_loading.sh READELF LIBRARY

set -euo pipefail

if "$1" -dW "$2" | grep -q STATIC_TLS; then
  echo "late loading: $2 needs the static TLS block; these relocations ask for it:" >&2
  "$1" -rW "$2" | grep -i TPOFF >&2 || true
  exit 1
fi
echo "late loading: ${2##*/} does without the static TLS block"
