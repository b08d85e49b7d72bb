#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# scripts/setup.sh, with stand-ins for dpkg-query, apt-get, id and sudo: what it installs, when, and what it says when it cannot.
bats_require_minimum_version 1.5.0

setup() {
    load common
    cd "$BATS_TEST_TMPDIR"
    mkdir bin
    stand_in dpkg-query 'case " $* " in *" bats "*|*" libyaml-dev "*) exit 1 ;; *) printf installed ;; esac'
    stand_in apt-get 'echo "$*" >>"$CALLS"; [ ! -e "$FAIL" ] || { rm "$FAIL"; exit 100; }'
    stand_in id 'echo 0'
    stand_in sudo 'echo "sudo $*" >>"$CALLS"; [ "$1" = -n ] && { shift; exec "$@"; }; exec "$@"'
    printf 'ID=debian\nVERSION_ID="12"\n' >release
    export PATH=$PWD/bin:/usr/bin:/bin CALLS=$PWD/calls FAIL=$PWD/fail INVAR_OS_RELEASE=$PWD/release
    : >calls
}

# stand_in NAME BODY: a command of that name that does BODY
stand_in() {
    printf '#!/bin/sh\n%s\n' "$2" >"bin/$1"
    chmod +x "bin/$1"
}

@test "only what is missing is installed, and the lists are not fetched without need" {
    run "$root/scripts/setup.sh"
    [ "$status" -eq 0 ]
    [ "$(wc -l <calls)" -eq 1 ]
    grep -q ' install .* libyaml-dev bats$' calls
    ! grep -q cmake calls
}

@test "nothing is done when nothing is missing" {
    stand_in dpkg-query 'printf installed'
    run "$root/scripts/setup.sh"
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    [ ! -s calls ]
}

@test "the lists are fetched when the first try fails" {
    touch fail
    run "$root/scripts/setup.sh"
    [ "$status" -eq 0 ]
    [ "$(wc -l <calls)" -eq 3 ]
    sed -n 2p calls | grep -q ' update$'
}

@test "a user with sudo" {
    stand_in id 'echo 1000'
    run "$root/scripts/setup.sh" </dev/null
    [ "$status" -eq 0 ]
    grep -q '^sudo env DEBIAN_FRONTEND=noninteractive apt-get .*install' calls
}

@test "a user without sudo gets one sentence with the packages" {
    stand_in id 'echo 1000'
    stand_in sudo 'exit 1'
    run "$root/scripts/setup.sh" </dev/null
    [ "$status" -eq 1 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ "$output" == *"libyaml-dev bats"* ]]
    [ ! -s calls ]
}

@test "another system gets one sentence with the packages" {
    printf 'ID=fedora\nVERSION_ID=40\n' >release
    run "$root/scripts/setup.sh"
    [ "$status" -eq 1 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ "$output" == *"fedora 40"*"libyaml-dev bats"* ]]
    [ ! -s calls ]
    INVAR_SKIP_SETUP=1 "$root/scripts/setup.sh"
}

@test "quickstart and check refuse arguments that they do not know" {
    for script in quickstart check; do
        run "$root/$script" --no-such
        [ "$status" -eq 2 ]
        [[ "$output" == usage:* ]]
        run "$root/$script" --help
        [ "$status" -eq 0 ]
    done
}
