#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Which precision and instruction set a run takes, what it records of them, and what the other one gives.
bats_require_minimum_version 1.5.0

setup() {
    load common
    tiny_data
}

# recorded RUN: the record in encoder.safetensors
recorded() {
    head -c 20000 "$1/encoder.safetensors" | grep -aoE 'invar.machine":"[^]]*' | tr -d '\\\\'
}

# measured in it: the wide interval of the linear probe, "LOW HIGH"
interval() {
    "$invar" probe "$1" --threads 1 l2=0.01 --json 2>/dev/null | tr -d '\n\t ' | grep -oE '"interval":\[[0-9.e,-]+' |
        head -n 1 | tr -dc '0-9.,\n' | tr ',' ' '
}

@test "auto takes bfloat16 where the processor multiplies in it, and the run records what it took" {
    "$invar" pretrain tiny.yaml --run run --threads 1 training.precision=auto 2>log
    case $(grep -oE 'oneDNN [0-9.]+, [A-Z0-9_]+' log) in
    *AVX512_CORE_BF16 | *AVX512_CORE_FP16 | *AMX*) expected=bfloat16 ;;
    *) expected=float32 ;;
    esac
    set=$(grep -m1 -oE 'oneDNN [0-9.]+, [A-Z0-9_]+' log | sed 's/.*, //')
    echo "ran in $expected on $set" >&3
    recorded run | grep -qF "\"instruction_set\": \"$set\", \"precision\": \"$expected\", \"threads\": 1"
}

@test "a limit on the instruction set is recorded, and bfloat16 refused below AVX-512" {
    grep -qw avx2 /proc/cpuinfo || skip "this processor has no AVX2 to be limited to"
    export ONEDNN_MAX_CPU_ISA=AVX2
    "$invar" pretrain tiny.yaml --run run --threads 1 training.precision=auto 2>log
    grep -q ', AVX2, no bfloat16' log
    recorded run | grep -qF '"instruction_set": "AVX2", "precision": "float32", "threads": 1'
    fails_with 2 "$invar" pretrain tiny.yaml --run other --threads 1 training.precision=bfloat16
    says "precision bfloat16" "AVX-512" "use float32 or auto"
}

@test "the same recipe in both precisions: accuracies whose intervals overlap, and compare names the difference" {
    "$invar" pretrain tiny.yaml --run float32 --threads 1 2>log
    "$invar" pretrain tiny.yaml --run bfloat16 --threads 1 training.precision=bfloat16 2>log || {
        grep -q "this processor cannot" log
        skip "this processor does not compute in bfloat16"
    }
    read -r low high < <(interval float32)
    read -r other_low other_high < <(interval bfloat16)
    echo "float32 $low to $high, bfloat16 $other_low to $other_high"
    awk "BEGIN { exit !($low <= $other_high && $other_low <= $high) }"
    COLUMNS=300 "$invar" compare float32 bfloat16 | grep -q 'precision float32 (float32) and bfloat16 (bfloat16)'
}
