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
    run "$root/scripts/setup.sh" --tests
    [ "$status" -eq 0 ]
    [ "$(wc -l <calls)" -eq 1 ]
    grep -q ' install .* libyaml-dev bats$' calls
    ! grep -q cmake calls
}

@test "what tests need is installed for tests alone" {
    stand_in dpkg-query exit
    "$root/scripts/setup.sh"
    grep -q ' install .* libyaml-dev ' calls
    run grep -E 'cmocka|bats|python3|valgrind|chromium' calls
    [ "$status" -eq 1 ]
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
    [[ "$output" == *" libyaml-dev" ]]
    [ ! -s calls ]
}

@test "another system gets one sentence with the packages" {
    printf 'ID=fedora\nVERSION_ID=40\n' >release
    run "$root/scripts/setup.sh"
    [ "$status" -eq 1 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ "$output" == *"fedora 40"*" libyaml-dev" ]]
    [ ! -s calls ]
    INVAR_SKIP_SETUP=1 "$root/scripts/setup.sh"
}

# wheels CODE: python3 downloads nothing, exits with that code, and leaves empty files with the names of wheels
wheels() {
    stand_in python3 "echo \"\$*\" >>\"\$CALLS\"
        case \"\$*\" in *' pip download '*)
            while [ \"\$1\" != -d ]; do shift; done
            touch \"\$2/onednn_cpu_gomp-2023.2.0-py2.py3-none-manylinux1_x86_64.whl\"
            touch \"\$2/onednn_devel_cpu_gomp-2023.2.0-py2.py3-none-manylinux1_x86_64.whl\"
            exit $1 ;;
        esac"
}

@test "oneDNN 3 that cannot be downloaded, or is not what its sums say, ends in a sentence and leaves nothing" {
    stand_in dpkg-query 'printf installed'
    wheels 1
    run "$root/scripts/setup.sh" --onednn3 build
    [ "$status" -eq 1 ]
    [[ "$output" == *"pip could not download onednn-cpu-gomp"* ]]
    wheels 0
    run "$root/scripts/setup.sh" --onednn3 build
    [ "$status" -eq 1 ]
    [[ "$output" == *"have not the SHA-256 sums"* ]]
    [ -z "$(ls build)" ]
}

@test "oneDNN 3 that is there already is not fetched again" {
    stand_in dpkg-query 'printf installed'
    wheels 1
    mkdir -p build/onednn3
    sed -n '/^sums="/,/"$/ { s/^sums="//; s/"$//; p }' "$root/scripts/setup.sh" >build/onednn3/wheels.sha256
    run "$root/scripts/setup.sh" --onednn3 build
    [ "$status" -eq 0 ]
    ! grep -q ' download ' calls
}

@test "quickstart, check and setup.sh refuse arguments that they do not know" {
    for script in quickstart check; do
        run "$root/$script" --no-such
        [ "$status" -eq 2 ]
        [[ "$output" == usage:* ]]
        run "$root/$script" --help
        [ "$status" -eq 0 ]
    done
    run "$root/scripts/setup.sh" --no-such
    [ "$status" -eq 2 ]
    [[ "$output" == usage:* ]]
}
