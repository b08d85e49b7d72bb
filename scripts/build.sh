#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# scripts/build.sh FOLDER TARGETS CMAKE-OPTIONS..: configures and builds quietly; what went wrong is shown.
set -eu
cd "$(dirname "$(readlink -f "$0")")/.."

folder=$1
targets=$2
shift 2

if ! mkdir -p "$folder" 2>/dev/null || ! [ -w "$folder" ]; then
    echo "build: $PWD/$folder cannot be written: remove it, or run as the user to whom it belongs" >&2
    exit 1
fi
# A folder that was configured elsewhere (a copied or moved tree) is configured anew.
if [ -f "$folder/CMakeCache.txt" ] && ! grep -qx "CMAKE_HOME_DIRECTORY:INTERNAL=$PWD" "$folder/CMakeCache.txt"; then
    rm -rf "$folder/CMakeCache.txt" "$folder/CMakeFiles"
fi
log=$folder/build.log
echo "build: $folder (log: $log)" >&2
# shellcheck disable=SC2086
if ! { cmake -G Ninja -B "$folder" "$@" && cmake --build "$folder" --target $targets; } >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    echo "build: failed; the end of $log is above" >&2
    exit 1
fi
