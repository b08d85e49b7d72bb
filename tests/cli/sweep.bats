#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# invar sweep: a run for every combination, stopped and gone on with, and the table of all.
# covers: verb.sweep
load common

bats_require_minimum_version 1.5.0

setup() {
    tiny_data
}

sweep() {
    "$invar" sweep tiny.yaml optimiser.lr=1e-3,1e-2 training.seed=0..1 training.epochs=1 --run "$1" --jobs 2 "${@:2}"
}

@test "every combination is a run, the table has all of them, the best first" {
    sweep all >table 2>messages
    cat table
    [ "$(find all -name encoder.safetensors | wc -l)" -eq 4 ]
    [ "$(find all -name probe.json | wc -l)" -eq 4 ]
    [ -f "all/optimiser.lr=1e-2,training.seed=1/encoder.safetensors" ]
    held_out() { python3 -c "import json; print(json.load(open('$1/probe.json'))['linear']['held_out_top1'])"; }
    best=$(sed -n 's/^\(optimiser[^ ]*\) .*/\1/p' table | head -1)
    for run in all/*=[01]; do
        awk -v best="$(held_out "all/$best")" -v other="$(held_out "$run")" 'BEGIN { exit !(best >= other) }'
    done
    [ "$(grep -c '^invar: training [1-4] of 4: ' messages)" -eq 4 ]
    [ "$(grep -c '^invar: ' messages)" -eq 8 ]
    grep -q 'tiny into' all/optimiser.lr=1e-2,training.seed=1.log
    sweep all >again 2>messages
    cmp table again
    [ ! -s messages ]
}

@test "stopped and gone on with, a sweep ends as the uninterrupted one" {
    sweep whole --no-probe >/dev/null 2>&1
    run interrupted_after 0.3 "$invar" sweep tiny.yaml optimiser.lr=1e-3,1e-2 training.seed=0..1 training.epochs=1 \
        --run parts --jobs 2 --no-probe
    [ "$status" -eq 130 ] || [ "$(find parts -name encoder.safetensors | wc -l)" -eq 4 ]
    sweep parts --no-probe >/dev/null 2>&1
    for run in whole/*=[01]; do
        cmp "$run/encoder.safetensors" "parts/${run#whole/}/encoder.safetensors"
    done
}

@test "--dry-run lists the runs, and trains nothing" {
    run --separate-stderr sweep none --dry-run
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 5 ]
    [[ "${lines[1]}" == "to do    optimiser.lr=1e-3,training.seed=1" ]]
    [ ! -e none ]
    run --separate-stderr "$invar" sweep tiny.yaml optimiser.lr=1e-3..1e-1/5 'encoder.widths=[4, 8],[8]' --dry-run
    [ "${#lines[@]}" -eq 11 ]
    [[ "$output" == *"optimiser.lr=0.00316228,encoder.widths=[4, 8]"* && "$output" == *"optimiser.lr=0.1,"* ]]
}

@test "what makes no sweep is refused before anything is trained" {
    fails_with 2 "$invar" sweep tiny.yaml
    says "KEY=A,B,C"
    fails_with 2 "$invar" sweep tiny.yaml optimiser.lrr=1,2 --run bad
    says lrr
    fails_with 2 "$invar" sweep tiny.yaml optimiser.lr=1..0 --run bad
    says "no range"
    fails_with 2 "$invar" sweep tiny.yaml optimiser.lr=0..1/3 --run bad
    says "no range"
    run --separate-stderr "$invar" sweep tiny.yaml data.source=idx:none,idx:data training.epochs=1 --run some --no-probe
    [ "$status" -eq 1 ]
    says "1 of 2 runs failed" some
    grep -q none some/data.source=idx:none.log
    fails_with 2 "$invar" sweep tiny.yaml training.seed=1,1 --run bad
    says "the same"
    fails_with 2 "$invar" sweep tiny.yaml training.seed=0..100 training.batch=2..50 --run bad
    says "more than 1000 runs"
    [ ! -e bad ]
}
