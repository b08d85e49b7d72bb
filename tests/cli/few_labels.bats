#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Many rows, few labels: what has no label trains the encoder, is left out where labels are needed, and is counted.
bats_require_minimum_version 1.5.0

setup_file() {
    load common
    cd "$BATS_FILE_TMPDIR"
    # two clouds; one row in a hundred says which
    awk 'BEGIN {
        srand(3); print "a,b,c,d,y"
        for (i = 0; i < 10000; i++) {
            k = rand() < 0.5; s = k ? 1.5 : -1.5
            label = i % 100 == 7 ? (k ? "up" : "down") : ""
            printf "%.4f,%.4f,%.4f,%.4f,%s\n", s + rand(), s - rand(), rand(), k + 2 * rand(), label
        }
    }' >few.csv
    "$invar" pretrain simclr-table training.precision=float32 data.source=csv:few.csv data.label=y training.steps=20 training.batch=256 \
        classifier.enabled=true --threads 1 --run run 2>stderr.txt
}

setup() {
    load common
    cd "$BATS_FILE_TMPDIR"
}

# probes ARGUMENTS..: a probe that works and says how many rows have a label
probes() {
    run --separate-stderr "$invar" probe run --threads 1 "$@"
    echo "$output $stderr"
    [ "$status" -eq 0 ]
    [[ "$stderr" == *"80 of 8000 training and 20 of 2000 test samples have a label; the others are left out"* ]]
}

@test "every method of the probe works on the rows that have a label" {
    probes --baseline input
    [[ "$output" == *linear* ]]
    probes --method neighbours
    probes --method sgd epochs=3
    probes --method finetune epochs=3
    probes --method online
    probes --baseline supervised
    "$build/tests/is_json" <run/probe.json
    [ "$(grep -c '"unlabelled"' run/probe.json)" -ge 6 ]
    ! grep -qE '"(train|test)_count":[[:space:]]*(8000|2000)' run/probe.json
}

@test "a batch without any label has no figure of the online classifier" {
    "$invar" pretrain simclr-table training.precision=float32 data.source=csv:few.csv data.label=y training.steps=12 training.batch=8 \
        training.log_interval=1 classifier.enabled=true --threads 1 --run small
    [ "$(wc -l <small/metrics.jsonl)" -eq 12 ]
    with=$(grep -c '"classifier/top1"' small/metrics.jsonl || true)
    [ "$with" -lt 12 ] # one row in a hundred has a label
    [ "$(grep -c '"classifier/loss"' small/metrics.jsonl || true)" -eq "$with" ]
    [ "$(grep -c '"classifier/loss": *0[,}]' small/metrics.jsonl || true)" -eq 0 ]
    "$invar" report small
    "$invar" compare small
}

@test "few labels are drawn from those that are there" {
    probes --labels 10 --labels 50%
    probes --method finetune epochs=3 --labels 10
    run --separate-stderr "$invar" probe run --threads 1 --labels 100
    [ "$status" -eq 1 ]
    says "100 labels a class are asked for" "samples"
}

@test "inspect, report and compare work" {
    "$invar" inspect run --threads 1 >inspect.txt
    head -1 inspect.txt | grep -q '2000 test samples.*, 20 with a label'
    ! grep -q 'samples without labels' inspect.txt
    grep -q 'training samples that the head was fitted on' inspect.txt
    "$invar" report run
    "$invar" compare run | grep -q "80 of 8000 training and 20 of 2000 test samples of csv:few.csv have a label"
}

@test "other test data: its own rows without a label are counted, and one without any label is refused" {
    { echo a,b,c,d,y && for i in 1 2 3 4 5 6; do echo "1.9,1.1,0.5,1.$i,up"; done && echo "-1,-2,0.5,1," && echo "-1,-1,0.5,1,"; } >other.csv
    run --separate-stderr "$invar" probe run --threads 1 --test csv:other.csv
    echo "$output $stderr"
    [ "$status" -eq 0 ]
    [[ "$stderr" == *"80 of 8000 training and 6 of 8 test samples have a label"* ]]
    grep -A2 '"unlabelled"' run/probe.json | tr -d '[:space:]' | grep -qF '[7920,2]'
    sed 's/up$//' other.csv >bare.csv
    run --separate-stderr "$invar" probe run --threads 1 --test csv:bare.csv
    [ "$status" -eq 1 ]
    says "label"
    [[ "$stderr" != *"its class names"* ]]
}

@test "no label at all in a split is refused with a sentence" {
    { echo a,b,y && for i in $(seq 40); do echo "$i,$((i * i % 7)),$([ "$i" -lt 9 ] && echo "k$((i % 2))")"; done; } >none.csv
    "$invar" pretrain simclr-table training.precision=float32 data.source=csv:none.csv data.label=y data.test_rows=last:10 training.steps=2 \
        training.batch=8 --threads 1 --run none
    fails_with 1 "$invar" probe none --threads 1
    says "none of the 10 test samples has a label" data.test_fraction
}
