#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Help, version, wrong usage and output of the frame that all verbs share.
bats_require_minimum_version 1.5.0

setup() {
    load common
    cd "$BATS_TEST_TMPDIR"
}

verbs() {
    "$invar" --help | sed -n 's/^  \([a-z][a-z]*\)  .*/\1/p'
}

@test "--help lists the verbs and the exit statuses" {
    run "$invar" --help
    [ "$status" -eq 0 ]
    [[ "$output" == *"usage: invar VERB"* ]]
    [[ "$output" == *"130 interrupted"* ]]
    [ "$(verbs | wc -l)" -ge 1 ]
}

@test "--version is one line, which says what computes" {
    run "$invar" --version
    [ "$status" -eq 0 ]
    [[ "$output" =~ ^invar\ [0-9]+\.[0-9]+\.[0-9]+\ \(oneDNN\ [23]\.[0-9]+\.[0-9]+,\ [A-Z0-9_]+\)$ ]]
}

@test "every verb explains itself with usage, options and an example" {
    for verb in $(verbs); do
        run --separate-stderr "$invar" "$verb" --help
        echo "$verb: $output"
        [ "$status" -eq 0 ]
        [ -z "$stderr" ]
        [[ "$output" == "usage: invar $verb "* ]]
        [[ "$output" == *"options:"*"--help"*"example:"*"invar $verb"* ]]
    done
}

@test "every verb names an unknown option, exit 2" {
    for verb in $(verbs); do
        fails_with 2 "$invar" "$verb" --no-such-option-anywhere
        says "$verb" "--no-such-option-anywhere"
    done
}

@test "every verb has a test" {
    for verb in $(verbs); do
        grep -qh "\"\$invar\" $verb " "$BATS_TEST_DIRNAME"/*.bats || {
            echo "no test runs invar $verb"
            false
        }
    done
}

@test "without a verb it prints the help to standard error, exit 2" {
    run --separate-stderr "$invar"
    [ "$status" -eq 2 ]
    [ -z "$output" ]
    [[ "$stderr" == *"usage: invar VERB"* ]]
}

@test "an unknown verb gets the nearest one" {
    fails_with 2 "$invar" pretrian
    says pretrian pretrain
}

@test "a misspelt option gets the nearest one" {
    fails_with 2 "$invar" pretrain x --thraeds 2
    says --thraeds 'did you mean "threads"'
}

@test "an option without its argument" {
    fails_with 2 "$invar" pretrain x --threads
    says "--threads needs N"
}

@test "numbers are checked" {
    for value in 0 -1 99999 two 1.5 1x "" 99999999999999999999; do
        fails_with 2 "$invar" pretrain x --threads "$value"
        says "--threads" "from 1 to 4096"
    done
    fails_with 2 "$invar" pretrain x --threads=none
}

@test "a flag takes no value" {
    fails_with 2 "$invar" data x --json=yes
    says --json yes
}

@test "one argument too many" {
    fails_with 2 "$invar" data one two
    says two
}

@test "a missing argument" {
    fails_with 2 "$invar" data
    says SOURCE
    fails_with 2 "$invar" pretrain
    says RECIPE
}

@test "an output that cannot be written is a failure" {
    run bash -c "'$invar' recipes schema >/dev/full"
    [ "$status" -eq 1 ]
    [[ "$output" == *"standard output"* ]]
}
