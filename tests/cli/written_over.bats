#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Every verb that writes a file where it is told to: no file that it reads is written over.
bats_require_minimum_version 1.5.0

setup_file() {
    load common
    cd "$BATS_FILE_TMPDIR"
    "$build/tests/make_data" idx data 64 32 16 4
    tiny_recipe >tiny.yaml
    "$invar" pretrain tiny.yaml --run run --threads 1 "terms={reconstruction: {}, orthonormality: {}}" \
        "adversary={kind: auto, eps: 0.3, widths: [4, 6]}" training.epochs=1 >/dev/null 2>&1
    OMP_NUM_THREADS=1 "$invar" agent dqn-catch training.steps=400 --run agent >/dev/null 2>&1
    touch data/a.c data/a.png data/sprite.png
    "$build/tests/make_data" images frost 1 2 16
}

setup() {
    load common
    cp -r "$BATS_FILE_TMPDIR"/{data,run,agent,frost} "$BATS_TEST_TMPDIR"
    cd "$BATS_TEST_TMPDIR"
    find . -type f -exec sha256sum {} + >"$BATS_FILE_TMPDIR/sums"
}

unchanged() {
    sha256sum --check --quiet "$BATS_FILE_TMPDIR/sums"
}

@test "no data" {
    fails_with 2 "$invar" inspect run --samples data/a.png
    says samples data/a.png data.source
    fails_with 2 "$invar" robustness run --show data/train-images-idx3-ubyte
    says show data/train-images-idx3-ubyte
    fails_with 2 "$invar" robustness run --data idx:data --frost frost --show frost/class-0/1.png
    says --frost
    fails_with 2 "$invar" export run -o data/a.c
    says output data/a.c
    fails_with 2 "$invar" embed run idx:data -o data/a.png --format npy
    fails_with 2 "$invar" embed run idx:data --projector data
    says projector data/sprite.png
    fails_with 2 "$invar" report run -o data/a.png --samples 0
    unchanged
}

@test "no file of the run" {
    ln -s run/encoder.safetensors link.png
    for place in run/encoder.safetensors run/recipe.yaml "$PWD/run/metrics.jsonl" run/checkpoint-*.safetensors link.png; do
        fails_with 2 "$invar" inspect run/ --samples "$place"
        says samples "$place" "a file of the run itself"
        fails_with 2 "$invar" robustness run --show "$place"
        fails_with 2 "$invar" embed run idx:data -o "$place" --format npy
        fails_with 2 "$invar" embed run idx:data -o e.npy --labels "$place"
        fails_with 2 "$invar" report run -o "$place" --samples 0
        says output "$place"
    done
    fails_with 2 "$invar" export run -o run/encoder.safetensors
    says output run/encoder.safetensors
    for place in agent/agent.safetensors agent/recipe.yaml; do
        fails_with 2 "$invar" play agent --episodes 1 --gif "$place"
        says gif "$place"
    done
    unchanged
}

@test "what lies beside them is written again" {
    for again in 1 2; do
        "$invar" inspect run --samples run/samples.png --threads 1
        "$invar" robustness run --show run/sheet.png --threads 1
        "$invar" export run -o run/weights.safetensors
        "$invar" embed run idx:data -o run/embeddings.npy --threads 1
        "$invar" embed run idx:data --projector run --threads 1
        "$invar" report run --samples 0
        "$invar" play agent --episodes 1 --gif agent/a.gif
    done
    unchanged
}

@test "no input of a loss by its gradient" {
    golden=$root/tests/golden/relic_hf
    mkdir g
    cp "$golden/z1.npy" g/grad_z2.npy
    cp "$golden/z2.npy" z2.npy
    cp g/grad_z2.npy kept.npy
    for form in "--in" ""; do
        fails_with 2 "$invar" loss relic views=2 target=false $form z1=g/grad_z2.npy $form z2=z2.npy --grad g
        says grad g/grad_z2.npy
        cmp kept.npy g/grad_z2.npy
        [ ! -e g/grad_z1.npy ]
    done
}
