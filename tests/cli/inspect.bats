#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# invar inspect on a tiny run: what it prints, what it leaves behind, and what it refuses.
bats_require_minimum_version 1.5.0

setup_file() {
    load common
    cd "$BATS_FILE_TMPDIR"
    "$build/tests/make_data" idx data 64 40 16 4
    tiny_recipe >tiny.yaml
    "$invar" pretrain tiny.yaml --run run --threads 1 2>/dev/null >/dev/null
}

setup() {
    load common
    cp -r "$BATS_FILE_TMPDIR/data" "$BATS_FILE_TMPDIR/run" "$BATS_TEST_TMPDIR"
    cd "$BATS_TEST_TMPDIR"
}

inspect() {
    "$invar" inspect run --threads 1 "$@"
}

@test "measurements with their units, as text and in inspect.json" {
    run --separate-stderr inspect
    [ "$status" -eq 0 ]
    [[ "$output" == *"40 test samples x 32 features"* ]]
    for name in entropy_logdet entropy_pairdist_upper entropy_pairdist_lower; do
        grep -Eq "^$name +-?[0-9.e+-]+ nats +[a-z0]" <<<"$output"
        grep -q "\"$name\":" run/inspect.json
    done
    grep -Eq '^effective_rank +[0-9.]+ directions' <<<"$output"
    grep -Eq '^uniformity +-[0-9.]+ log' <<<"$output"
    grep -Eq '^fisher_median +[0-9.e-]+ ratio' <<<"$output"
    grep -q covariance_eigenvalues run/inspect.json
    json_object <run/inspect.json
}

@test "inspect --json prints one object; other keys of inspect.json stay" {
    echo '{"mine": 1}' >run/inspect.json
    run --separate-stderr inspect --json
    [ "$status" -eq 0 ]
    json_object <<<"$output"
    [[ "$output" == *'"effective_rank"'* ]]
    grep -q '"mine"' run/inspect.json
}

@test "a Gaussian entropy of too few samples is none, with the reason" {
    run --separate-stderr inspect samples=20
    [ "$status" -eq 0 ]
    [[ "$output" == *"20 test samples"* ]]
    grep -Eq '^entropy_gaussian +none nats .*at least 33 samples' <<<"$output"
    json_object <run/inspect.json
}

@test "a torn inspect.json is refused and kept" {
    printf '{"a": ' >run/inspect.json
    fails_with 1 inspect
    says run/inspect.json "move it away"
    [ "$(cat run/inspect.json)" = '{"a": ' ]
}

@test "wrong usage of inspect" {
    fails_with 2 "$invar" inspect
    fails_with 2 inspect samples=1
    says samples
    fails_with 2 inspect sigmas=1
    says sigma
    fails_with 1 "$invar" inspect nowhere
    says nowhere/encoder.safetensors
}
