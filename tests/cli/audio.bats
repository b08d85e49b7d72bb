#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Clips of sound through the verbs: data, pretrain, probe of another label and of a speaker held out, embed.

bats_require_minimum_version 1.5.0

setup_file() {
    load common
    cd "$BATS_FILE_TMPDIR"
    "$build/tests/make_data" clips clips 3 3 8
    "$invar" pretrain simclr-audio training.precision=float32 data.source=audio:clips 'data.pattern={digit}_{speaker}_{index}' data.label=digit \
        data.test=index=0..1 data.mels=16 data.frames=12 encoder.widths='[4, 8]' training.steps=6 training.batch=16 \
        --run run --threads 1 >/dev/null 2>&1
}

setup() {
    load common
    cd "$BATS_FILE_TMPDIR"
}

@test "data says what there is" {
    run --separate-stderr "$invar" data audio:clips 'pattern={digit}_{speaker}_{index}' label=digit test=index=0..1
    [ "$status" -eq 0 ]
    [[ "$output" == *"54 train, 18 test"* ]]
    [[ "$output" == *"8000 Hz, 0.11"*" to 0.156 s"* ]]
    [[ "$output" == *"problems   none"* ]]
    [[ "$stderr" == *"data.rate is 8000"* ]]
    "$invar" data audio:clips --json | json_object
}

@test "a clip that is none is counted" {
    cp -r clips some
    echo "no sound" >some/3_eve_0.wav
    run --separate-stderr "$invar" data audio:some
    [ "$status" -eq 0 ]
    [[ "$output" == *"3_eve_0.wav: is no sound"* ]]
}

@test "probe another label, and a speaker held out" {
    run --separate-stderr "$invar" probe run --label speaker --threads 1 --baseline random
    [ "$status" -eq 0 ]
    [[ "$output" == *"54 training and 18 test samples of 3 classes"*"label: speaker"*"linear:speaker"*"random:speaker"* ]]
    run --separate-stderr "$invar" probe run --hold-out speaker=bob --threads 1
    [ "$status" -eq 0 ]
    [[ "$output" == *"36 training and 24 test samples of 3 classes"*"fitted without speaker=bob"*"linear-speaker=bob"* ]]
    grep -q '"hold_out"' run/probe.json
    grep -q '"linear:speaker"' run/probe.json
    fails_with 2 "$invar" probe run --label speeker
    says speeker 'did you mean "speaker"?'
    fails_with 2 "$invar" probe run --hold-out speaker=eve
    says hold-out eve
}

@test "a long clip is the mean over its windows, unless it is not to be" {
    "$invar" embed run audio:clips -o pooled.npy --threads 1 --json >pooled.json
    "$invar" embed run audio:clips -o first.npy --threads 1 --no-windows --json >first.json
    python3 - <<'PYTHON'
import json
pooled, first = json.load(open("pooled.json")), json.load(open("first.json"))
assert pooled["pooled"] > 0 and first["pooled"] == 0 and first["rows"] == pooled["rows"], (pooled, first)
assert pooled["hop"] == pooled["window"] // 2 and "window" not in first
PYTHON
    ! cmp -s pooled.npy first.npy
    run "$invar" embed run audio:clips -o pooled.npy --threads 1
    [[ "$output" == *"clips are means over windows of "*" s apart"* ]]
}

@test "embed sees other clips as those of the run" {
    grep -aq 'rate: 8000' run/encoder.safetensors
    grep -aq 'n_fft: 256' run/encoder.safetensors
    "$invar" embed run audio:clips -o a.npy --split test --threads 1
    fails_with 1 "$invar" embed run audio:clips -o b.npy mels=20
    says data.mels=16
    fails_with 1 "$invar" embed run fashion-mnist -o b.npy
    says audio fashion-mnist image
}
