#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages that building and running invar need, and only those that are missing.
#   scripts/setup.sh
#   scripts/setup.sh --tests             also those that its tests need
#   scripts/setup.sh --onednn3 [BUILD]   also puts oneDNN 3 (Debian has 2.6) into BUILD/onednn3, where CMake looks for
#                                        it; BUILD is build/ where none is given
# INVAR_SKIP_SETUP=1 goes on without looking for packages (another system on which everything is there by other means);
# INVAR_OS_RELEASE names another file than /etc/os-release, for tests.
set -eu

packages="build-essential cmake ninja-build pkg-config libdnnl-dev libopenblas-openmp-dev liblapacke-dev
    librandom123-dev libyaml-dev libcjson-dev libturbojpeg0-dev libspng-dev libexif-dev libtiff-dev libwebp-dev zlib1g-dev
    liblbfgs-dev libcsv-dev libunistring-dev libsndfile1-dev libogg-dev libsoxr-dev libjs-chart.js
    libprotobuf-c-dev protobuf-c-compiler dataset-fashion-mnist"
tests="abigail-tools libcmocka-dev bats python3 python3-numpy valgrind chromium man-db groff-base zsh
    openmpi-bin libopenmpi-dev"

onednn3=
case "$#:${1:-}" in
0:) ;;
1:--tests) packages="$packages $tests" ;;
[12]:--onednn3) onednn3=${2:-$(dirname "$(readlink -f "$0")")/../build}/onednn3 ;;
*)
    echo "usage: scripts/setup.sh [--tests | --onednn3 [BUILD]]" >&2
    exit 2
    ;;
esac

log=$(mktemp)
new=
trap 'rm -rf "$log" ${new:+"$new"}' EXIT

install_packages() {
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
    [ -n "$missing" ] || return 0

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
}

apt() {
    $root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@" >>"$log" 2>&1
}

# The last oneDNN of PyPI (3.2.0) whose threads are GNU OpenMP's, as invar's are: later ones (onednn, onednn-devel) have
# TBB's, which neither --threads nor the promise of equal bits reaches.
sums="2f22a54d6a890ed14bfa185d42a4be65d8b5b1df85dc1f0f3a9abe31620416fb  onednn_cpu_gomp-2023.2.0-py2.py3-none-manylinux1_x86_64.whl
9763c69e8c907e119056bd52ad918ca84ac9ba939d130a99dfa95ccca3e5e284  onednn_devel_cpu_gomp-2023.2.0-py2.py3-none-manylinux1_x86_64.whl"

install_onednn3() {
    if [ "$(cat "$onednn3/wheels.sha256" 2>/dev/null)" = "$sums" ]; then
        return 0
    fi
    if ! mkdir -p "$(dirname "$onednn3")" || ! new=$(mktemp -d "$onednn3.XXXXXX"); then
        echo "setup: $onednn3 cannot be written: name a folder that can, as in scripts/setup.sh --onednn3 FOLDER" >&2
        exit 1
    fi
    echo "setup: oneDNN 3.2.0 into $onednn3" >&2
    if ! python3 -m pip download -q --disable-pip-version-check --no-deps --only-binary :all: -d "$new" \
        onednn-cpu-gomp==2023.2.0 onednn-devel-cpu-gomp==2023.2.0 >>"$log" 2>&1; then
        tail -n 5 "$log" >&2
        echo "setup: pip could not download onednn-cpu-gomp and onednn-devel-cpu-gomp 2023.2.0 (what it said last is" \
            "above); without them invar is built with the system's oneDNN" >&2
        exit 1
    fi
    if ! (cd "$new" && echo "$sums" | sha256sum --check --quiet >>"$log" 2>&1); then
        echo "setup: the wheels of oneDNN 3.2.0 that pip downloaded have not the SHA-256 sums that scripts/setup.sh names:" \
            "they were altered or cut off on the way, and are not used; run again" >&2
        exit 1
    fi
    for wheel in "$new"/*.whl; do
        python3 -m zipfile -e "$wheel" "$new"
        rm "$wheel"
    done
    # A wheel holds a library three times, under each of its names.
    mv "$new"/onednn_cpu_gomp-*.data/data/lib "$new"/onednn_devel_*.data/data/include "$new"/onednn_cpu_gomp-*/LICENSE.txt \
        "$new"
    rm -r "$new"/onednn_*
    ln -sf libdnnl.so.3.2 "$new/lib/libdnnl.so.3"
    ln -sf libdnnl.so.3 "$new/lib/libdnnl.so"
    echo "$sums" >"$new/wheels.sha256"
    chmod 755 "$new"
    rm -rf "$onednn3"
    mv "$new" "$onednn3"
}

if [ -n "$onednn3" ]; then
    python3 -m pip --version >/dev/null 2>&1 || packages="$packages python3-pip"
fi
[ "${INVAR_SKIP_SETUP:-0}" = 1 ] || install_packages
[ -z "$onednn3" ] || install_onednn3
