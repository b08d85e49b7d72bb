#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What the process is started with: closed descriptors, limits, a terminal that goes away.
bats_require_minimum_version 1.5.0

setup() {
    load common
    tiny_data
}

@test "closed standard descriptors are not handed to the files of a run" {
    "$invar" pretrain tiny.yaml --threads 1 --run all training.epochs=1 <&- >&- 2>&- || [ $? -eq 1 ]
    "$invar" pretrain tiny.yaml --threads 1 --run outputs training.epochs=1 >&- 2>&- || [ $? -eq 1 ]
    for run in all outputs; do
        [ -s "$run/encoder.safetensors" ]
        [ "$(grep -cv '^{"step":' "$run/metrics.jsonl")" -eq 0 ]
        [ "$(grep -lc 'invar: ' "$run"/events.out.tfevents.* | wc -l)" -eq 0 ]
        "$invar" pretrain tiny.yaml --threads 1 --run "$run" --resume training.epochs=1
    done
}

@test "a result that nobody can get is a failure" {
    run --separate-stderr bash -c "'$invar' --version >&-"
    [ "$status" -eq 1 ]
    [[ "$stderr" == *"cannot be written to standard output"* ]]
}

@test "a limit on the size of files ends in a sentence" {
    export INVAR_TEST_DEVICE=cpu # cpu-guarded has a file as large as all its memory, which no limit lets it have
    run --separate-stderr bash -c "ulimit -f 8; '$invar' pretrain tiny.yaml --threads 1 --run run training.epochs=1"
    [ "$status" -eq 1 ]
    [[ "$stderr" == *"cannot be written: File too large"* ]]
}

@test "a terminal that closes leaves a checkpoint, unless nohup says to go on" {
    "$invar" pretrain tiny.yaml --threads 1 --run gone training.epochs=400 2>stderr.txt &
    pid=$!
    until_step gone 2
    kill -HUP $pid
    status=0
    wait $pid || status=$?
    [ "$status" -eq 130 ]
    ls gone/checkpoint-*.safetensors
    nohup "$invar" pretrain tiny.yaml --threads 1 --run stays training.epochs=40 2>stderr.txt &
    pid=$!
    until_step stays 2
    kill -HUP $pid
    wait $pid
    [ -s stays/encoder.safetensors ]
}

@test "too little address space ends in a sentence, or in the version" {
    # AddressSanitizer reserves terabytes of it
    ! grep -qx 'INVAR_SANITIZE:BOOL=ON' "$build/CMakeCache.txt" || skip "built with AddressSanitizer"
    for limit in 150000 200000 300000 400000 600000 1000000; do
        run timeout 20 bash -c "ulimit -v $limit; '$invar' --version"
        echo "$limit: $status $output"
        [ "$status" -eq 0 ] || [ "$status" -eq 1 ] || [ "$status" -eq 127 ] # 127: the loader, which has its own sentence
        [ -n "$output" ]
    done
}
