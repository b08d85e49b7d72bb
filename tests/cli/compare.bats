#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# invar compare on tiny runs: every format, what is missing, and what it refuses.
# covers: verb.compare
bats_require_minimum_version 1.5.0

setup_file() {
    load common
    cd "$BATS_FILE_TMPDIR"
    "$build/tests/make_data" idx data 64 32 16 4
    tiny_recipe >tiny.yaml
    for seed in 0 1; do
        for tau in 0.2 0.5; do
            "$invar" pretrain tiny.yaml --run "tau$tau-$seed" --threads 1 training.seed=$seed terms.relic.tau=$tau >/dev/null 2>&1
            "$invar" probe "tau$tau-$seed" --threads 1 l2=0.01 >/dev/null 2>&1
        done
    done
}

setup() {
    load common
    cp -r "$BATS_FILE_TMPDIR"/tau* "$BATS_FILE_TMPDIR/data" "$BATS_TEST_TMPDIR"
    cd "$BATS_TEST_TMPDIR"
}

@test "four runs are two groups over two seeds, and the text fits a terminal" {
    COLUMNS=80 run --separate-stderr "$invar" compare tau*
    [ "$status" -eq 0 ]
    echo "$output"
    grep -Eq '^tau0.2-1 +1 +[0-9.]+' <<<"$output"
    grep -Eq '^tiny tau=0.2 +2 +[0-9.]+ \+- [0-9.]+' <<<"$output"
    grep -Eq '^tiny tau=0.5 +2 +[+-][0-9.]+ \+- [0-9.]+' <<<"$output"
    grep -Eq '^terms.relic.tau +0.2 +0.5$' <<<"$output"
    [[ "$output" == *"differences to tiny tau=0.2"* ]]
    [ "$(wc -L <<<"$output")" -le 80 ]
}

@test "--format and --json" {
    "$invar" compare tau* --json | json_object
    "$invar" compare tau* --format csv >table.csv
    [ "$(awk -F, '{print NF}' table.csv | sort -u | wc -l)" -eq 1 ]
    [ "$(wc -l <table.csv)" -eq 8 ]
    "$invar" compare tau* --format markdown --metric linear | grep -q '^| tau0.5-0 | 0 | [0-9.]* |$'
    fails_with 2 "$invar" compare tau* --format html
    says "expected text, csv, markdown or json"
}

@test "--base, --metric and --sort" {
    run --separate-stderr "$invar" compare tau* --base tau0.5-1 --metric linear.cross_entropy,loss --sort loss
    [ "$status" -eq 0 ]
    [[ "$output" == *"differences to tiny tau=0.5"* && "$output" == *"linear.cross_entropy"* && "$output" != *"rank"* ]]
    fails_with 2 "$invar" compare tau* --base nobody
    says "base is" "nobody"
    fails_with 2 "$invar" compare tau* --metric beauty
    says "metric" "beauty" "linear"
}

@test "a run without a probe, with a torn one, unfinished, without a recipe: shown, with a sentence" {
    rm tau0.2-0/probe.json tau0.5-0/encoder.safetensors tau0.5-1/recipe.yaml
    echo '{"linear":' >tau0.2-1/probe.json
    COLUMNS=200 run --separate-stderr "$invar" compare tau*
    [ "$status" -eq 0 ]
    [[ "$output" == *"tau0.2-0 has no results of a probe"* && "$output" == *"tau0.2-1/probe.json: is torn"* ]]
    [[ "$output" == *"tau0.5-0 has no encoder.safetensors"* && "$output" == *"tau0.5-1 has no recipe"* ]]
}

@test "a folder that is no run, one that is missing, none at all" {
    fails_with 1 "$invar" compare tau0.2-0 data
    says "data: is no run"
    fails_with 1 "$invar" compare tau0.2-0 nowhere
    says "nowhere: there is no such folder"
    fails_with 2 "$invar" compare
    says "RUN is missing"
}

@test "runs of other threads, results of other threads: one line each, and fields of the JSON" {
    run --separate-stderr "$invar" compare tau*
    [[ "$output" != *alike* ]]
    "$invar" compare tau* --json >alike.json
    [ "$(tr -d '\n\t ' <alike.json | grep -oE '"(trained|measured)_differs":\[\]' | wc -l)" -eq 2 ]
    "$invar" pretrain tau0.2-0/recipe.yaml --run wide --threads 2 2>/dev/null
    "$invar" probe tau0.2-1 --threads 3 l2=0.01 >/dev/null 2>&1
    COLUMNS=300 run --separate-stderr "$invar" compare tau* wide
    [ "$status" -eq 0 ]
    echo "$output"
    [ "$(grep -c 'not trained alike.*: threads 1 (tau0.2-0) and 2 (wide)' <<<"$output")" -eq 1 ]
    [ "$(grep -c 'not measured alike.*: threads 1 (tau0.2-0) and 3 (tau0.2-1)' <<<"$output")" -eq 1 ]
    "$invar" compare tau* wide --json >other.json
    json_object <other.json
    tr -d '\n\t ' <other.json | grep -q '"trained_differs":\["threads"\],"measured_differs":\["threads"\]'
    grep -q '"instruction_set":' other.json
}

@test "a record of the machine that is none is no record" {
    python3 - <<'PYTHON' || skip "there is no Python to change a file with"
import json, struct
path = "tau0.2-0/encoder.safetensors"
data = open(path, "rb").read()
size = struct.unpack("<Q", data[:8])[0]
header = json.loads(data[8:8 + size])
header["__metadata__"]["invar.machine"] = '[{"threads": {}}, 7, "x"'
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
open(path, "wb").write(struct.pack("<Q", len(text)) + text + data[8 + size:])
PYTHON
    run --separate-stderr "$invar" compare tau*
    [ "$status" -eq 0 ]
    [[ "$output" != *alike* ]]
}

@test "data of one name that changed between runs, and between a run and its results" {
    image=$(ls data/*train-images*)
    printf '\377' | dd of="$image" bs=1 seek=1000 conv=notrunc status=none
    "$invar" pretrain tau0.2-0/recipe.yaml --run later --threads 1 2>/dev/null
    "$invar" probe later --threads 1 l2=0.01 >/dev/null 2>&1
    "$invar" probe tau0.2-1 --threads 1 l2=0.01 >/dev/null 2>&1
    COLUMNS=300 run --separate-stderr "$invar" compare tau0.2-0 tau0.2-1 later
    [ "$status" -eq 0 ]
    echo "$output"
    grep -q 'idx:data had other contents when later was trained than when tau0.2-0 was: they differ in the contents' <<<"$output"
    grep -q 'tau0.2-1: linear was measured on other data than the encoder was trained on: idx:data has changed since' <<<"$output"
    grep -q 'its linear was measured on .*contents=.*: it is left out of their mean' <<<"$output"
    "$invar" inspect tau0.2-0 --threads 1 noise_samples=2 noise_draws=32 >inspected.txt 2>/dev/null
    grep -q 'of what was there before: the data differ in the contents' inspected.txt
    "$invar" report tau0.2-1 --samples 0 2>/dev/null
    grep -q 'linear was measured on other data' tau0.2-1/report.html
}

@test "a run that has not ended says by its checkpoint what it goes on" {
    "$invar" pretrain tau0.2-0/recipe.yaml --run wide --threads 2 2>/dev/null
    rm wide/encoder.safetensors
    COLUMNS=300 run --separate-stderr "$invar" compare tau0.2-0 wide
    [ "$status" -eq 0 ]
    grep -q 'not trained alike.*: threads 1 (tau0.2-0) and 2 (wide)' <<<"$output"
    for checkpoint in wide/checkpoint-*; do echo torn >"$checkpoint"; done
    run --separate-stderr "$invar" compare tau0.2-0 wide
    [ "$status" -eq 0 ]
    [[ "$output" != *alike* ]]
}

@test "a pipe among the files of a run is passed over with a sentence, not waited for" {
    cd "$BATS_TEST_TMPDIR"
    tiny_run
    for file in metrics.jsonl probe.json recipe.yaml; do
        cp -r run other
        rm -f "other/$file"
        mkfifo "other/$file"
        run timeout 60 "$invar" compare other
        [ "$status" -eq 0 ]
        grep -q "$file: is no regular file" < <(tr -s '\n ' ' ' <<<"$output")
        rm -r other
    done
    mkfifo run/probe.json
    fails_with 1 timeout 60 "$invar" probe run --threads 1
    says "run/probe.json: is no regular file"
}

@test "--choose: by every measure of inspect.json, with the score it gives up and the rank correlation" {
    run --separate-stderr "$invar" compare tau* --choose
    [ "$status" -eq 0 ]
    [[ "$output" == *"no run has a measure to choose by"* ]]
    for run in tau*; do
        "$invar" inspect "$run" --threads 1 noise_samples=0 labelled=0 lidar_samples=8 >/dev/null 2>&1
    done
    COLUMNS=200 run --separate-stderr "$invar" compare tau* --choose
    echo "$output"
    grep -Eq '^h.lidar +largest +tau0.[25]-[01] +[0-9.]+ +[0-9.]+ +[+-][01].[0-9]+ +4$' <<<"$output"
    grep -Eq '^h.alignment +smallest ' <<<"$output"
    grep -Eq '^h.alpha_req +nearest 1 ' <<<"$output"
    "$invar" compare tau* --choose --metric loss --json >choice.json
    json_object <choice.json
    tr -d '\n\t ' <choice.json | grep -Eq '"measure":"h.lidar","takes":"largest","run":"tau[^"]*","loss":[0-9.]+,"below_best":'
    rm tau*/probe.json
    fails_with 2 "$invar" compare tau* --choose
    says 'choose: none of the runs has "linear"'
}

@test "--cka: 1 of a run with itself, symmetric, and runs of other data are refused" {
    "$invar" compare tau0.2-0 tau0.5-1 --cka --threads 1 --json >cka.json
    json_object <cka.json
    run bash -c "tr -d '\n\t ' <cka.json | grep -oE '\"values\":\[\[1,[0-9.e-]+\],\[[0-9.e-]+,1\]\]'"
    [ "$status" -eq 0 ]
    read -r a b <<<"$(sed -E 's/.*\[\[1,([^]]*)\],\[(.*),1\]\]/\1 \2/' <<<"$output")"
    [ "$a" = "$b" ]
    "$invar" compare tau0.2-0 tau0.2-0 --cka --threads 1 | grep -Eq '^tau0.2-0 +1.000 +1.000$'
    "$build/tests/make_data" idx other 64 24 16 4
    "$invar" pretrain "$BATS_FILE_TMPDIR/tiny.yaml" data.source=idx:other training.epochs=1 --run far --threads 1 2>/dev/null
    fails_with 1 "$invar" compare tau0.2-0 far --cka --threads 1
    says "tau0.2-0 and far are of data that differ in"
}
