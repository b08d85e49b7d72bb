#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Single faults of the disk and of memory that once went wrong, one kind each; tests/faults/run tries them all.
bats_require_minimum_version 1.5.0

setup() {
    load common
    [ -e "$build/libinvar_faults.so" ] || skip "built with AddressSanitizer"
    tiny_data
}

# failing FAULT ARGUMENTS..: the command with that fault
failing() {
    INVAR_FAULT=$1 LD_PRELOAD=$build/libinvar_faults.so "$invar" "${@:2}"
}

@test "a run folder that cannot be listed is no empty one" {
    "$invar" pretrain tiny.yaml --threads 1 --run run training.epochs=1 >out.txt 2>&1
    cp -r run before
    fails_with 1 failing readdir:1 pretrain tiny.yaml --threads 1 --run run training.seed=5 training.epochs=1
    says "run: cannot be listed: Input/output error"
    fails_with 1 failing readdir:1 pretrain tiny.yaml --threads 1 --run run --resume training.epochs=1
    diff -r run before
}

@test "a part of the data that the disk hides is not absent" {
    "$invar" data idx:data >whole.txt
    for k in 1 2 3 4 5 6 7 8 9 10 11 12; do
        status=0
        failing "stat:$k" data idx:data >out.txt 2>err.txt || status=$?
        [ $status -eq 1 ] || cmp out.txt whole.txt
        [ $status -eq 0 ] || grep -q "^invar: .*Input/output error" err.txt
    done
}

@test "no checkpoint is ahead of the rows of metrics.jsonl" {
    for k in 1 2 3 4 5 6 7 8 9 10 11 12; do
        rm -rf run
        status=0
        failing "write of a stream:$k" pretrain tiny.yaml --threads 1 --run run training.epochs=1 \
            training.checkpoint_interval=1 >out.txt 2>err.txt || status=$?
        [ $status -eq 1 ] || continue
        rows=$(wc -l <run/metrics.jsonl || echo 0)
        for checkpoint in run/checkpoint-*; do
            [ -e "$checkpoint" ] || continue
            step=$(basename "$checkpoint" .safetensors)
            [ "$rows" -ge $((10#${step#checkpoint-})) ]
        done
        "$invar" pretrain tiny.yaml --threads 1 --run run --resume training.epochs=1 training.checkpoint_interval=1 >out.txt 2>&1
        [ "$(wc -l <run/metrics.jsonl)" -eq 4 ]
    done
}

@test "a checkpoint that the disk does not give is not taken for a damaged one" {
    "$invar" pretrain tiny.yaml --threads 1 --run run training.epochs=1 training.checkpoint_interval=1 >out.txt 2>&1
    rm run/encoder.safetensors
    fails_with 1 failing "read of a stream:1" pretrain --run run --resume --threads 1
    says checkpoint-00000004 "Input/output error"
}

@test "a lengthened run that fails at its last file gets that file when it goes on" {
    "$invar" pretrain tiny.yaml --threads 1 --run run training.epochs=1 >out.txt 2>&1
    cp -r run whole
    "$invar" pretrain --threads 1 --run whole --resume training.epochs=2 >out.txt 2>&1
    for k in 5 4 3 2 1; do
        rm -rf again
        cp -r run again
        status=0
        failing "rename:$k" pretrain --threads 1 --run again --resume training.epochs=2 >out.txt 2>&1 || status=$?
        [ $status -eq 1 ] || continue
        "$invar" pretrain --threads 1 --run again --resume training.epochs=2 >out.txt 2>&1
        cmp again/encoder.safetensors whole/encoder.safetensors
        cmp again/projector.safetensors whole/projector.safetensors
    done
}

@test "rows and events are on the disk before the checkpoint of their step" {
    seen=
    for k in 1 2 3 4 5 6 7 8; do
        rm -rf run
        failing "fsync:$k" pretrain tiny.yaml --threads 1 --run run training.epochs=1 training.checkpoint_interval=1 \
            >out.txt 2>err.txt && continue
        if grep -q 'run/\(metrics.jsonl\|events[^:]*\): cannot be written' err.txt; then
            seen=$seen$(sed -n 's/.*run\/\(metrics\|events\).*/\1 /p' err.txt)
            [ -z "$(ls run/checkpoint-* 2>/dev/null)" ] || [ "$(ls run/checkpoint-* | wc -l)" -lt "$(wc -l <run/metrics.jsonl)" ]
        fi
    done
    [[ "$seen" == *metrics* && "$seen" == *events* ]]
}

@test "older checkpoints that cannot be removed are said, and go when the run goes on" {
    "$invar" pretrain tiny.yaml --threads 1 --run whole training.epochs=1 training.checkpoint_interval=1 >out.txt 2>&1
    ls whole | sed '/tfevents/d' >whole.txt
    [ "$(grep -c checkpoint whole.txt)" -eq 2 ]
    failed=0
    for fault in unlink opendir readdir; do
        for k in $(seq 1 30); do
            rm -rf run
            status=0
            failing "$fault:$k" pretrain tiny.yaml --threads 1 --run run training.epochs=1 \
                training.checkpoint_interval=1 >out.txt 2>err.txt || status=$?
            if [ $status -eq 0 ]; then
                ls run | sed '/tfevents/d' | diff - whole.txt
                continue
            fi
            grep -qE "^invar: run[/:].*: (Input/output error|Too many open files|No space left|Permission denied)" err.txt || { cat err.txt; false; }
            [ -e run/recipe.yaml ] || continue
            failed=$((failed + 1))
            "$invar" pretrain tiny.yaml --threads 1 --run run --resume training.epochs=1 \
                training.checkpoint_interval=1 >out.txt 2>&1
            ls run | sed '/tfevents/d' | diff - whole.txt
        done
    done
    [ $failed -ge 3 ]
}
