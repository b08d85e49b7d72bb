#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What the packages hold: everything that is installed is in one of them, and all are of one version.
load common

@test "every file that cmake installs is in one package of debian/, and every line there names some" {
    cmake --install "$build" --prefix "$BATS_TEST_TMPDIR/usr" >/dev/null
    cd "$BATS_TEST_TMPDIR"
    mkdir -p usr/lib/triplet usr/share/zsh/vendor-completions
    [ -e usr/lib/libinvar.so ] || skip "this build has a library folder of its own"
    mv usr/lib/libinvar* usr/lib/cmake usr/lib/pkgconfig usr/lib/triplet/
    mv usr/share/zsh/site-functions/_invar usr/share/zsh/vendor-completions/
    cat "$root"/debian/{invar,libinvar0,libinvar-dev}.install >lines
    if [ -e usr/lib/invar/libinvar-mpi.so ]; then # of a build that found MPI
        mkdir usr/lib/triplet/invar
        mv usr/lib/invar/libinvar-mpi.so usr/lib/triplet/invar/
        cat "$root/debian/libinvar-mpi.install" >>lines
    fi
    while read -r line; do
        # shellcheck disable=SC2086
        find $line ! -type d
    done <lines | sort >packed
    find usr ! -type d | grep -v '^usr/lib/invar/\|/doc/' | sort >installed
    diff installed packed
    while read -r line; do
        # shellcheck disable=SC2086
        ls -d $line >/dev/null
    done <lines
}

@test "headers, packages and Python are of one version" {
    version=$(sed -n 's/#define INVAR_VERSION "\(.*\)"/\1/p' "$root/include/invar/version.h")
    grep -q "^invar ($version)" "$root/debian/changelog"
    grep -q "__version__ = \"$version\"" "$root/python/invar/_version.py"
    grep -q "^version = \"$version\"" "$root/pyproject.toml"
    grep -q "project(invar VERSION $version " "$root/CMakeLists.txt"
}

@test "build dependencies of the package are the packages that scripts/setup.sh installs" {
    sed -n '/^packages="/,/"$/p' "$root/scripts/setup.sh" | tr -d '"' | sed 's/packages=//' | tr -s ' \n' '\n\n' | sed '/^$/d' |
        grep -vxE 'build-essential|dataset-fashion-mnist' | sort >"$BATS_TEST_TMPDIR/setup"
    sed -n '/^Build-Depends:/,/^Standards/p' "$root/debian/control" | grep -v 'nocheck\|openmpi' | grep -oE '[a-z0-9][a-z0-9.+-]+' |
        grep -E '^(lib.*|cmake|ninja-build|pkg-config|protobuf-c-compiler|zlib1g-dev)$' | sort >"$BATS_TEST_TMPDIR/control"
    diff "$BATS_TEST_TMPDIR/setup" "$BATS_TEST_TMPDIR/control"
}
