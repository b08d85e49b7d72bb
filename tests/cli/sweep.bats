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
    sweep whole >/dev/null 2>&1
    sweep parts >/dev/null 2>&1
    for folder in whole parts; do
        (cd $folder && "$invar" compare ./*=[01] --sort linear.held_out_top1 --metric loss,rank,linear,linear.held_out_top1) \
            >$folder.table 2>&1
    done
    cmp whole.table parts.table
    for run in whole/*=[01]; do
        cmp "$run/encoder.safetensors" "parts/${run#whole/}/encoder.safetensors"
    done
}

@test "killed at any time, it leaves no run at work, and goes on to the same encoders" {
    many() { "$invar" sweep tiny.yaml training.seed=0..1 training.epochs=300 training.checkpoint_interval=40 --run "$1" "${@:2}"; }
    many whole --no-probe >/dev/null 2>&1
    for step in 30 150; do
        "$invar" sweep tiny.yaml training.seed=0..1 training.epochs=300 training.checkpoint_interval=40 --run killed --jobs 2 \
            >/dev/null 2>&1 3>&- &
        until_step killed/training.seed=1 $step
        kill -KILL $!
        wait $! || true
        [ ! -e killed/training.seed=1/encoder.safetensors ]
    done
    many killed --no-probe >/dev/null 2>messages
    (! grep -q "failed" messages)
    for seed in 0 1; do
        cmp whole/training.seed=$seed/encoder.safetensors killed/training.seed=$seed/encoder.safetensors
    done
}

@test "without labels the best is that of the highest rank of z" {
    sweep all --no-probe >table 2>/dev/null
    [ "$(find all -name probe.json | wc -l)" -eq 0 ]
    "$invar" compare all/*=[01] --metric rank --format json >ranks.json 2>/dev/null
    best=$(sed -n 's/^tiny lr=\([0-9.]*\) .*/\1/p' table | head -1)
    python3 - "$best" <<'END'
import json, sys
ranks = {}
for line in open("table"):
    words = line.split()
    if line.startswith("optimiser.lr=") and len(words) > 4:
        rate = str(float(words[0].split(",")[0].split("=")[1]))
        ranks.setdefault(rate, []).append(float(words[2]))
means = {rate: sum(values) / len(values) for rate, values in ranks.items()}
print(means, sys.argv[1])
sys.exit(sys.argv[1] != max(means, key=means.get))
END
}

@test "--dry-run lists the runs, and trains nothing" {
    run --separate-stderr sweep none --dry-run
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 6 ]
    [[ "${lines[1]}" == "to do    optimiser.lr=1e-3,training.seed=1" ]]
    [ ! -e none ]
    run --separate-stderr "$invar" sweep tiny.yaml 'optimiser.lr=1e-3..1e-1 (log, 5)' 'encoder.widths=[4, 8],[8]' --dry-run
    [ "${#lines[@]}" -eq 12 ]
    [[ "$output" == *"optimiser.lr=0.00316228,encoder.widths=[4, 8]"* && "$output" == *"optimiser.lr=0.1,"* ]]
    run --separate-stderr "$invar" sweep tiny.yaml 'terms.relic.tau=0.2..0.4(linear,3)' training.seed=0,5 --dry-run
    [ "${#lines[@]}" -eq 8 ]
    [[ "$output" == *"terms.relic.tau=0.3,training.seed=5"* && "$output" == *"tau=0.4,"* ]]
}

@test "--dry-run says how long what is not done takes" {
    about() { "$invar" sweep tiny.yaml training.seed=0..1 training.epochs="$1" --run some --jobs 1 --dry-run | tail -1; }
    about 1
    [[ "$(about 1)" =~ ^about\ [0-9.]+\ s\ of\ training ]]
    [[ "$(about 100000)" =~ ^about\ .*(min|h).*\ of\ training ]]
    "$invar" sweep tiny.yaml training.seed=0..1 training.epochs=1 --run some --no-probe >/dev/null 2>&1
    [[ "$(about 1)" == "about 0.0 s of training, at the pace of a few steps now" ]]
    run --separate-stderr "$invar" sweep tiny.yaml data.source=idx:none,idx:data --run bad --dry-run
    [ "$status" -eq 1 ]
    says "none/train-images-idx3-ubyte"
}

@test "what makes no sweep is refused before anything is trained" {
    fails_with 2 "$invar" sweep tiny.yaml
    says "KEY=A,B,C"
    fails_with 2 "$invar" sweep tiny.yaml optimiser.lrr=1,2 --run bad
    says lrr
    fails_with 2 "$invar" sweep tiny.yaml optimiser.lr=1..0 --run bad
    says "no range"
    for range in '0..1 (log, 3)' '0..1 (log, 1)' '0..1 (cubic, 3)' '1..2 (log, 3) x' '0..1e30' '0..1/3' '1..2 (log, 2000)'; do
        fails_with 2 "$invar" sweep tiny.yaml "optimiser.lr=$range" --run bad
        says "no range" "(linear, COUNT)"
    done
    run --separate-stderr "$invar" sweep tiny.yaml data.source=idx:none,idx:data training.epochs=1 --run some --no-probe
    [ "$status" -eq 1 ]
    says "1 of 2 runs failed" "data.source=idx:none: none/train-images-idx3-ubyte: no such file" some
    grep -q none some/data.source=idx:none.log
    fails_with 2 "$invar" sweep tiny.yaml training.seed=1,1 --run bad
    says "the same"
    fails_with 2 "$invar" sweep tiny.yaml training.seed=0..100 training.batch=2..50 --run bad
    says "more than 1000 runs"
    [ ! -e bad ]
}
