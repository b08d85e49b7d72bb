#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Recipes with the published settings of other codes (docs/comparisons.md): they plan, and they take steps.
bats_require_minimum_version 1.5.0

setup() {
    load common
    cd "$BATS_TEST_TMPDIR"
    mkdir data
    "$build/tests/make_data" images data/train 4 8 32
    "$build/tests/make_data" images data/test 4 2 32
}

# A few samples and a narrow encoder, all else as it ships: two steps of sixteen.
tiny=(data.source=images:data data.samples=0 encoder.width=4 training.batch=16 training.epochs=1 training.log_interval=1
    training.precision=float32)

@test "solo-learn's and lightly's settings on CIFAR-10 plan without the images" {
    for recipe in simclr byol barlow vicreg; do
        "$invar" pretrain "$recipe-cifar10-solo-learn" --dry-run | grep -q '^steps *195000 of 256 samples x 2 views'
    done
    for recipe in simclr byol barlow; do
        "$invar" pretrain "$recipe-cifar10-lightly" --dry-run | grep -q '^steps *78000 of 128 samples x 2 views'
    done
}

@test "every one of them takes two steps" {
    for file in "$root"/recipes/*-cifar10-solo-learn.yaml "$root"/recipes/*-cifar10-lightly.yaml; do
        recipe=$(basename "$file" .yaml)
        run --separate-stderr "$invar" pretrain "$recipe" "${tiny[@]}" --threads 1 --run "$recipe"
        [ "$status" -eq 0 ] || { echo "$recipe: $stderr"; false; }
        [ "$(grep -c '"loss"' "$recipe/metrics.jsonl")" -eq 2 ]
    done
}

# values KEY FILE: one a line
values() {
    sed -n "s/.*\"$1\":[ ]*\([-0-9.e+]*\).*/\1/p" "$2"
}

@test "rate_interval: epoch changes the rate between epochs only, target.schedule: constant keeps the momentum" {
    "$invar" pretrain byol-cifar10-lightly "${tiny[@]}" training.epochs=3 --threads 1 --run run
    [ "$(values lr run/metrics.jsonl | wc -l)" -eq 6 ]
    values lr run/metrics.jsonl | awk '
        NR % 2 { rate = $1; want = 0.12 * 16 / 256 * (1 + cos(3.14159265358979 * (NR - 1) / 6)) / 2; if (!((rate - want) ^ 2 < 1e-16)) exit 1 }
        NR % 2 == 0 && $1 != rate { exit 1 }'
    [ "$(values target_momentum run/metrics.jsonl | sort -u)" = 0.99 ]
    "$invar" pretrain byol-cifar10-lightly "${tiny[@]}" training.epochs=3 target.schedule=cosine training.rate_interval=step \
        --threads 1 --run other
    [ "$(values target_momentum other/metrics.jsonl | sort -u | wc -l)" -eq 6 ]
    [ "$(values lr other/metrics.jsonl | sort -u | wc -l)" -eq 6 ]
}
