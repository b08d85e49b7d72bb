#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What a probe has measured is shown and kept, whatever fails after it.
bats_require_minimum_version 1.5.0

setup() {
    load common
    tiny_data
    "$invar" pretrain tiny.yaml --threads 1 --run run training.epochs=1 2>stderr.txt
}

@test "a folder that takes no file: the table is shown, and a sentence says that it is not stored" {
    export INVAR_TEST_DEVICE=cpu # cpu-guarded has a file as large as all its memory, which no limit lets it have
    # through pipes, for the limit holds for the files of the test as well
    run bash -c "ulimit -f 1; '$invar' probe run --threads 1 --baseline input 2>&1 | cat; exit \${PIPESTATUS[0]}"
    echo "$output"
    [ "$status" -eq 1 ]
    [[ "$output" == *"linear  "* ]]
    [[ "$output" == *"probe.json: cannot be written"* ]]
    [ ! -e run/probe.json ]
    run bash -c "ulimit -f 1; '$invar' probe run --threads 1 --baseline input --json 2>/dev/null | cat; exit \${PIPESTATUS[0]}"
    [ "$status" -eq 1 ]
    "$build/tests/is_json" <<<"$output"
}
