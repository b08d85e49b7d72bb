#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# invar probe --test: fitted on the run's data, measured on other data with the same class names.
bats_require_minimum_version 1.5.0

setup_file() {
    load common
    cd "$BATS_FILE_TMPDIR"
    tiny_run
    mkdir other
    "$build/tests/make_data" images other 3 8 16
    for c in 0 1 2; do mv other/class-$c other/$c; done
}

setup() {
    load common
    cp -r "$BATS_FILE_TMPDIR"/{data,run,other} "$BATS_TEST_TMPDIR"
    cd "$BATS_TEST_TMPDIR"
}

@test "the run's own test split as other data: the same accuracy" {
    probe l2=0.01 --json >own.json
    mkdir same
    cp data/t* same
    probe l2=0.01 --test idx:same --json >same.json
    json_object <same.json
    [ "$(grep -m1 '"top1"' own.json)" = "$(grep -m1 '"top1"' same.json)" ]
    grep -q '"linear->idx:same":' run/probe.json
    grep -q '"linear":' run/probe.json
}

@test "a folder without splits is used whole, and the mapping is printed and recorded" {
    run --separate-stderr probe l2=0.01 --test images:other --baseline random
    [ "$status" -eq 0 ]
    [[ "$output" == *"64 training and 24 test samples"* && "$output" == *"measured on images:other (all of it): 24"* ]]
    [ "$(grep -cE '^  [012] -> [012]$' <<<"$output")" -eq 3 ]
    grep -qE '^random->images:other ' <<<"$output"
    json_object <run/probe.json
    grep -q '"mapping":' run/probe.json
    probe --method neighbours k=3 --test images:other >/dev/null
    grep -q '"neighbours->images:other":' run/probe.json
}

@test "classes that training lacks are listed, and dropped on demand" {
    mv other/1 other/cat
    fails_with 1 probe --test images:other
    says cat drop-unknown
    run --separate-stderr probe l2=0.01 --test images:other --drop-unknown
    [ "$status" -eq 0 ]
    [[ "$output" == *"64 training and 16 test samples"* && "$output" == *"8 of other classes dropped"* && "$output" == *"cat -> dropped"* ]]
    grep -q '"dropped_classes":	\["cat"\]' run/probe.json
    mv other/0 other/dog
    mv other/2 other/fish
    fails_with 1 probe --test images:other --drop-unknown
    says "no test samples"
}

@test "other data that cannot be measured on are refused" {
    fails_with 1 probe --test images:nowhere
    says nowhere
    fails_with 2 probe --drop-unknown
    says test
    fails_with 2 probe --test images:other --baseline input
    says input
    fails_with 2 probe --test images:other --method finetune
    says finetune linear
    rm other/*/*.png
    fails_with 1 probe --test images:other
    says other
    printf 'a,b,y\n1,2,0\n3,4,1\n' >table.csv
    fails_with 1 probe --test csv:table.csv
    says image table
    mkdir bare
    cp data/*images* bare
    fails_with 1 probe --test idx:bare
    says "no labels"
}
