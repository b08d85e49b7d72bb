#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Runs that are made longer, and data that moved or changed, with the command alone.
bats_require_minimum_version 1.5.0

setup() {
    load common
    tiny_data
}

pretrain() {
    "$invar" pretrain tiny.yaml --threads 1 "$@" 2>/dev/null
}

# numbers RUN: its metrics without what depends on the clock
numbers() {
    sed -E 's/"samples_per_s": ?[^,}]*//' "$1/metrics.jsonl"
}

@test "3 epochs resumed to 6 are 6 epochs in every bit, under a rate that does not know its length" {
    local constant=(training.warmup=0 training.final_ratio=1)
    pretrain --run parts training.epochs=3 "${constant[@]}"
    "$invar" pretrain --resume --run parts --threads 1 training.epochs=6 2>/dev/null
    pretrain --run whole training.epochs=6 "${constant[@]}"
    for file in encoder.safetensors projector.safetensors recipe.yaml; do
        cmp "whole/$file" "parts/$file"
    done
    diff <(numbers whole) <(numbers parts)
    [ "$(wc -l <parts/metrics.jsonl)" -eq 24 ]
}

@test "a run of the version before, whose recipe has the former name of an option, goes on to the same bits" {
    local constant=(training.warmup=0 training.final_ratio=1)
    pretrain --run parts training.epochs=3 "${constant[@]}"
    sed -i 's/    normalise:/    normalize:/' parts/recipe.yaml parts/checkpoint-* # the former name, of terms
    local former
    former=$(grep -c '    normali[z]e:' parts/recipe.yaml)
    "$invar" pretrain --resume --run parts --threads 1 training.epochs=6 2>log
    [ "$former" -gt 0 ] && [ "$(grep -c 'is called normalise now' log)" -eq "$former" ] # each is said once
    pretrain --run whole training.epochs=6 "${constant[@]}"
    cmp whole/encoder.safetensors parts/encoder.safetensors
    cmp whole/recipe.yaml parts/recipe.yaml
}

@test "under cosine the rate goes on from what it was, without a jump, to the end of the longer schedule" {
    pretrain --run parts training.epochs=10
    "$invar" pretrain --resume --run parts --threads 1 training.epochs=20 2>/dev/null
    grep -oE '"lr": ?[0-9.e-]+' parts/metrics.jsonl | tr -dc '0-9.e\n-' >rates
    [ "$(wc -l <rates)" -eq 80 ]
    awk '{ if (NR > 1 && ($1 - last > 2.6e-4 || last - $1 > 2.6e-4)) exit 1; last = $1 } END { exit !(last < 1e-5) }' rates
}

@test "a run that was made longer and stopped on the way says that its encoder is the shorter one's" {
    pretrain --run run training.epochs=3
    "$invar" export run -o plain.onnx 2>log
    run ! grep -q "went on" log
    cp run/encoder.safetensors shorter
    "$invar" pretrain --resume --run run --threads 1 training.epochs=6 2>/dev/null
    cp shorter run/encoder.safetensors # as it is until a longer run ends
    for verb in "probe run" "embed run idx:data -o h.npy" "export run -o longer.onnx"; do
        "$invar" $verb 2>log >/dev/null
        [ "$(grep -c 'encoder is that of step 12, and the run went on to step 24 since: resume it' log)" -eq 1 ]
    done
    "$invar" compare run >table 2>&1
    grep -q "encoder is that of step 12, and the run went on to step 24 since" table
}

@test "fewer epochs or steps than done are refused, and the run stays as it is" {
    pretrain --run run training.epochs=3
    sha256sum run/* >before
    for shorter in training.epochs=2 training.steps=11; do
        fails_with 2 "$invar" pretrain --resume --run run --threads 1 "$shorter"
        says "has done 12 steps, more than the" "raise training.epochs or training.steps"
    done
    sha256sum run/* | diff before -
}

# changed WORDS: going on over images:pictures as they are now is refused with these words, and nothing is touched
changed() {
    sha256sum run/* >before
    fails_with 1 "$invar" pretrain --resume --run run --threads 1 training.epochs=3
    says "run: images:pictures has other data than the run went on so far" "$@" accept-data
    sha256sum run/* | diff before -
}

@test "a folder in which one file changed, went or came is refused with what differs, one that moved is not" {
    "$build/tests/make_data" images pictures 2 12 16
    "$invar" pretrain tiny.yaml --threads 1 --run run data.source=images:pictures data.test_fraction=0.25 training.batch=8 \
        training.epochs=1 2>/dev/null
    mv pictures moved
    "$invar" pretrain --resume --run run --threads 1 data.source=images:moved training.epochs=2 2>/dev/null
    mv moved pictures
    "$invar" pretrain --resume --run run --threads 1 data.source=images:pictures training.epochs=2 2>/dev/null
    cp -r pictures kept
    local files=(pictures/*/*/* pictures/*/*)
    for file in "${files[@]}"; do [ ! -f "$file" ] || break; done
    other=$(find pictures -type f | sort | tail -n 1)

    cp "$other" "$file"
    changed "the contents"
    rm "$file"
    changed "the names of files"
    rm -r pictures
    cp -r kept pictures
    cp "$other" "$(dirname "$other")/one-more.${other##*.}"
    changed "the names of files"
    "$invar" pretrain --resume --run run --threads 1 training.epochs=3 --accept-data 2>/dev/null
    "$invar" pretrain --resume --run run --threads 1 training.epochs=4 2>/dev/null
}

@test "a table in which one cell, one row or one column changed" {
    local i
    {
        echo a,b,class
        for i in $(seq 40); do echo "$((i * 7 % 13)).5,$((i * 5 % 11)),c$((i % 2))"; done
    } >table.csv
    "$invar" pretrain scarf-table training.precision=float32 data.source=csv:table.csv data.label=class training.batch=8 training.steps=4 --run run --threads 1 2>/dev/null
    cp table.csv kept.csv
    for change in 's/^7.5,5,/7.5,6,/' '20d' 's/^\(.*\),\(.*\),\(.*\)$/\1,\2,1,\3/'; do
        sed "$change" kept.csv >table.csv
        run --separate-stderr "$invar" pretrain --resume --run run --threads 1 training.steps=8
        echo "$change: $stderr"
        [ "$status" -eq 1 ]
        [[ "$stderr" == *"csv:table.csv has other data"*"differ in"*"the columns"* ]]
    done
    cp kept.csv table.csv
    "$invar" pretrain --resume --run run --threads 1 training.steps=8 2>/dev/null
}

@test "a test table and a table of groups that moved are given by their options; changed ones are refused" {
    rows() {
        local i
        echo a,b,class
        for i in $(seq "$1"); do echo "$((i * 7 % 13)).5,$((i * 5 % 11)),c$((i % 2))"; done
    }
    rows 40 >train.csv
    rows 17 >test.csv
    "$invar" pretrain scarf-table training.precision=float32 data.source=csv:train.csv data.test=test.csv data.label=class training.batch=8 training.steps=2 \
        --run run --threads 1 2>/dev/null
    mkdir elsewhere
    mv train.csv test.csv elsewhere
    "$invar" pretrain --resume --run run --threads 1 training.steps=3 data.source=csv:elsewhere/train.csv data.test=elsewhere/test.csv 2>/dev/null
    sed -i 3d elsewhere/test.csv
    fails_with 1 "$invar" pretrain --resume --run run --threads 1 training.steps=4
    says "the number of test samples (17, now 16)"

    { echo own,group && for i in $(seq 64); do echo "$i,g$((i % 5))"; done; } >groups.csv
    pretrain --run grouped data.metadata=groups.csv data.group=group terms.relic.groups=true training.epochs=1
    mv groups.csv elsewhere
    "$invar" pretrain --resume --run grouped --threads 1 data.metadata=elsewhere/groups.csv training.epochs=2 2>/dev/null
    sed -i 's/^9,g./9,g0/' elsewhere/groups.csv
    fails_with 1 "$invar" pretrain --resume --run grouped --threads 1 training.epochs=3
    says "the refinement groups"
}

@test "a run of an earlier version, whose recipe lacks a section that came since, goes on to the same bits" {
    local constant=(training.warmup=0 training.final_ratio=1)
    pretrain --run whole training.epochs=3 "${constant[@]}"
    pretrain --run parts training.epochs=2 "${constant[@]}"
    sed -i '/^device:/,$d' parts/recipe.yaml
    "$invar" pretrain --resume --run parts --threads 1 training.epochs=3 2>/dev/null
    cmp whole/encoder.safetensors parts/encoder.safetensors
}

@test "a recipe.yaml that was edited does not make its checkpoints those of another run, which would go" {
    pretrain --run run training.epochs=2
    sed -i 's/convolution: auto/convolution: direct/' run/recipe.yaml
    sha256sum run/* >before
    fails_with 2 "$invar" pretrain --resume --run run --threads 1 training.epochs=3
    says "was written under other settings than recipe.yaml beside it has" "put recipe.yaml back"
    sha256sum run/* | diff before -
}
