#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# invar bench on a small encoder.
bats_require_minimum_version 1.5.0

setup() {
    load common
    cd "$BATS_TEST_TMPDIR"
}

@test "a small step is timed and split by kind of work" {
    mkdir tmp
    TMPDIR=$PWD/tmp "$invar" bench relic-cifar10 encoder.widths='[4, 8]' training.batch=16 --steps 2 --precision float32 --threads 1 \
        --json >result.json
    json_object <result.json
    for key in samples_per_s fraction_of_peak views optimiser; do
        grep -q "\"$key\"" result.json || { echo "no $key"; false; }
    done
    [ -z "$(find tmp -mindepth 1)" ] # the random images are gone
}

@test "a precision that is none" {
    fails_with 2 "$invar" bench --precision float16
    says float16
}
