#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages that building, running and testing invar need, and only those that are missing.
# INVAR_SKIP_SETUP=1 goes on without looking (another system on which everything is there by other means);
# INVAR_OS_RELEASE names another file than /etc/os-release, for tests.
set -eu

packages="build-essential cmake ninja-build pkg-config libdnnl-dev libopenblas-openmp-dev liblapacke-dev
    librandom123-dev libyaml-dev libcjson-dev libturbojpeg0-dev libspng-dev libexif-dev libtiff-dev libwebp-dev zlib1g-dev
    liblbfgs-dev libcsv-dev libunistring-dev libsndfile1-dev libsoxr-dev libkissfft-dev libjs-chart.js
    libprotobuf-c-dev protobuf-c-compiler libcmocka-dev bats python3 valgrind chromium dataset-fashion-mnist"

[ "${INVAR_SKIP_SETUP:-0}" = 1 ] && exit 0

system=unknown
release=${INVAR_OS_RELEASE:-/etc/os-release}
if [ -r "$release" ]; then
    # shellcheck disable=SC1090
    system=$(. "$release" && echo "${ID:-unknown} ${VERSION_ID:-}")
fi

missing=
for package in $packages; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing="$missing $package"
done
[ -z "$missing" ] && exit 0

if [ "$system" != "debian 12" ]; then
    echo "setup: this is not Debian 12 but $system: install what these Debian 12 packages hold, then run again with" \
        "INVAR_SKIP_SETUP=1:$missing" >&2
    exit 1
fi

if [ "$(id -u)" = 0 ]; then
    root=
elif command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
    root=sudo
else
    echo "setup: packages are missing and there is neither root nor sudo here: have these installed, then run again:" \
        "apt-get install$missing" >&2
    exit 1
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT

apt() {
    $root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@" >>"$log" 2>&1
}

echo "setup: installing$missing" >&2
# The package lists are fetched only when those at hand do not do.
# shellcheck disable=SC2086
if ! apt install -y --no-install-recommends $missing; then
    if ! { apt update && apt install -y --no-install-recommends $missing; }; then
        tail -n 15 "$log" >&2
        echo "setup: apt-get could not install$missing: what it said last is above" >&2
        exit 1
    fi
fi
