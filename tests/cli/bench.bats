#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# invar bench on a small encoder.
# covers: verb.bench
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

@test "recipes for tables and clips get such data" {
    mkdir tmp
    for words in 'simclr-table encoder.widths=[8] projector.hidden=[8]' 'simclr-audio encoder.widths=[4] training.batch=8'; do
        # shellcheck disable=SC2086
        TMPDIR=$PWD/tmp "$invar" bench $words --steps 1 --precision float32 --threads 1 --json >result.json
        json_object <result.json
        grep -q '"fraction_of_winograd_bound"' result.json
    done
    [ -z "$(find tmp -mindepth 1)" ]
}

@test "steps on request" {
    printf 'go\ngo\n' | "$invar" bench simclr-table encoder.widths='[8]' --steps 2 --wait --precision float32 --threads 1 \
        --json >result.json
    grep -q '^{"parameters": ' result.json
    [ "$(grep -c '^{"steps": 2, "seconds": ' result.json)" = 2 ]
    sed '1,3d' result.json | json_object
    run -2 --separate-stderr "$invar" bench simclr-table encoder.widths='[8]' --wait --precision float32 --json </dev/null
    [[ $stderr = *"standard input"* ]]
    fails_with 2 "$invar" bench --wait
    says --precision
}

@test "a precision that is none" {
    fails_with 2 "$invar" bench --precision float16
    says float16
}

@test "products in bfloat16, where the processor has them" {
    # shellcheck disable=SC2054
    local words=(relic-cifar10 'encoder.widths=[16, 32]' training.batch=16 device.convolution=winograd-bfloat16)
    if "$invar" --version | grep -q 'AVX512_CORE_\(BF16\|AMX\)'; then
        "$invar" bench "${words[@]}" --steps 2 --precision bfloat16 --threads 1 --json | json_object
    fi
    run -2 --separate-stderr "$invar" bench "${words[@]}" --steps 2 --precision float32 --threads 1
    [[ $stderr == *'winograd-bfloat16 needs precision bfloat16'* ]]
}
