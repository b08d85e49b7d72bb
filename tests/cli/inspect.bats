#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# invar inspect on a tiny run: what it prints, what it leaves behind, and what it refuses.
# covers: verb.inspect
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
    cp -r "$BATS_FILE_TMPDIR/data" "$BATS_FILE_TMPDIR/run" "$BATS_FILE_TMPDIR/tiny.yaml" "$BATS_TEST_TMPDIR"
    cd "$BATS_TEST_TMPDIR"
}

# Little noise, so that a test takes a fraction of a second.
inspect() {
    "$invar" inspect run --threads 1 noise_samples=2 noise_draws=32 "$@"
}

# section NAME: the lines of that part of the text output.
section() {
    awk -v name="[$1]" '/^\[/ { on = index($0, name) == 1 } on' <<<"$output"
}

@test "every section with its numbers and units, as text and in inspect.json" {
    run --separate-stderr inspect
    [ "$status" -eq 0 ]
    [[ "$output" == *"40 test samples, h 32 wide, z 8 wide"* ]]
    for space in h z; do
        for name in entropy_logdet entropy_pairdist_upper entropy_pairdist_lower expected_log_q bound_logdet; do
            section $space | grep -Eq "^$name +-?[0-9.e+-]+ nats +[A-Za-z0\[]"
        done
        section $space | grep -Eq '^effective_rank +[0-9.]+ directions'
        section $space | grep -Eq '^uniformity +-[0-9.]+ log'
        section $space | grep -Eq '^alignment +[0-9.]+ squared length'
        section $space | grep -Eq '^ +1 +[0-9.e+-]+ +##########'
    done
    section fisher | grep -Eq '^fisher_median +[0-9.e-]+ ratio'
    section fisher | grep -Eq '^ +[0-9.e-]+ \.\. +[0-9.e-]+ +[0-9]+ +#'
    section noise | grep -Eq '^nearest_median +[0-9.]+ pixel deviations'
    section noise | grep -Eq 'h normal .* z normal'
    section bound | grep -Eq '^test_error +[0-9.]+ length'
    section bound | grep -Eq '^labelled +32 samples'
    json_object <run/inspect.json
    for name in eigenvalues counts nearest sum_scaled warnings options machine processor threads data_identity; do
        grep -q "\"$name\":" run/inspect.json
    done
}

@test "the same seed gives the same bytes, another seed other views" {
    inspect >one.txt 2>/dev/null
    cp run/inspect.json one.json
    inspect >two.txt 2>/dev/null
    cmp one.txt two.txt
    cmp one.json run/inspect.json
    inspect seed=2 >three.txt 2>/dev/null
    ! cmp -s one.txt three.txt
    # The plain view has no seed.
    diff <(grep '^entropy_logdet ' one.txt) <(grep '^entropy_logdet ' three.txt)
    ! diff <(grep '^alignment ' one.txt) <(grep '^alignment ' three.txt)
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
    section h | grep -Eq '^entropy_gaussian +none nats .*at least 33 samples'
    json_object <run/inspect.json
}

@test "a run without projector.safetensors: h alone, and how to get the rest" {
    rm run/projector.safetensors
    run --separate-stderr inspect
    [ "$status" -eq 0 ]
    [[ "$output" == *"h 32 wide"* && "$output" != *"z 8 wide"* ]]
    section z | grep -q 'projector.safetensors: there is no such file.*resuming'
    "$invar" pretrain --resume --run run --threads 1 &>/dev/null
    run --separate-stderr inspect
    [[ "$output" == *"z 8 wide"* ]]
}

@test "a recipe without a projector: z is h" {
    "$invar" pretrain tiny.yaml projector=null --run bare --threads 1 &>/dev/null
    run --separate-stderr "$invar" inspect bare --threads 1 noise_samples=0
    [ "$status" -eq 0 ]
    section z | grep -q 'the recipe has no projector: z is h'
    section noise | grep -q 'noise_samples is 0'
}

@test "the training split, and data without labels" {
    run --separate-stderr inspect --split train
    [ "$status" -eq 0 ]
    [[ "$output" == *"64 train samples"* ]]
    rm data/*labels*
    run --separate-stderr inspect
    [ "$status" -eq 0 ]
    section fisher | grep -q 'no labels'
    section bound | grep -q 'needs labels'
}

@test "canonical correlations beside the error of the probe" {
    run --separate-stderr inspect
    section correlation | grep -Eq '^h_hgr +[0-9.]+ correlations .*at most'
    section correlation | grep -Eq '^z_directions +8 directions'
    section correlation | grep -Eq '^ +1 +[01][.][0-9]+  #'
    section correlation | grep -q '^probe_error .* none .*measure one'
    "$invar" probe run --threads 1 l2=0.01 &>/dev/null
    run --separate-stderr inspect
    section correlation | grep -Eq '^probe_error +[0-9.]+ percent'
    mkdir other
    "$build/tests/make_data" idx other 64 40 16 4
    run --separate-stderr inspect --data idx:other
    section correlation | grep -q '^probe_error .* none .*is of idx:data'
    printf torn >run/probe.json
    fails_with 1 inspect
    says run/probe.json
}

@test "a collapse is warned of with the number that shows it" {
    run --separate-stderr inspect collapse_rank=0.99 collapse_deviation=100
    [ "$status" -eq 0 ]
    grep -Eq '^WARNING shrinking collapse: z.deviation is [0-9.]+, below 100' <<<"$output"
    grep -Eq '^WARNING dimensional collapse: z.effective_rank is [0-9.]+ of 8' <<<"$output"
    grep -Eq '"collapse":[[:space:]]*"shrinking"' run/inspect.json
}

@test "a torn inspect.json is refused and kept" {
    printf '{"a": ' >run/inspect.json
    fails_with 1 inspect
    says run/inspect.json "move it away"
    [ "$(cat run/inspect.json)" = '{"a": ' ]
}

@test "a torn or foreign projector" {
    printf 'torn' >run/projector.safetensors
    fails_with 1 inspect
    says run/projector.safetensors
    cp run/encoder.safetensors run/projector.safetensors
    fails_with 1 inspect
    says run/projector.safetensors "expected a projector"
    "$invar" pretrain tiny.yaml 'encoder.widths=[4, 4]' --run other --threads 1 &>/dev/null
    cp other/projector.safetensors run/projector.safetensors
    fails_with 1 inspect
    says "16 features" 32
}

@test "wrong usage of inspect" {
    fails_with 2 "$invar" inspect
    fails_with 2 inspect samples=1
    says samples
    fails_with 2 inspect sigmas=1
    says sigma
    fails_with 2 inspect 'noise_levels=[1, 0.1]'
    says noise_levels ascending
    fails_with 2 inspect --split both
    says both test train
    fails_with 1 "$invar" inspect nowhere
    says nowhere/encoder.safetensors
    run "$invar" inspect --help
    [[ "$output" == *noise_levels* && "$output" == *collapse_rank* ]]
}

@test "--samples: a picture of what the adversary adds, and a refusal where there is none" {
    tiny_recipe >aplr.yaml
    "$invar" pretrain aplr.yaml --run aplr --threads 1 "terms={reconstruction: {}, orthonormality: {}}" \
        "adversary={kind: auto, eps: 0.3, widths: [4, 6]}" 2>/dev/null >/dev/null
    run --separate-stderr "$invar" inspect aplr --samples picture.png --threads 1
    [ "$status" -eq 0 ]
    [[ "$stderr" == *"10 samples"*"RMS 0.3"* ]]
    [ "$(head -c 4 picture.png | tail -c 3)" = PNG ]
    [ ! -e aplr/inspect.json ]
    run --separate-stderr "$invar" inspect aplr --threads 1 noise_samples=0 labelled=0
    [ "$status" -eq 0 ]
    [[ "$output" == *"the second is perturbed by the run's adversary (cnn generator, eps 0.3, p 2)"* ]]
    grep -q '"perturbed"' aplr/inspect.json
    awk '/^z_hgr/ { exit !($2 > 0.5 && $2 < 7.99) }' <<<"$output"
    fails_with 2 "$invar" inspect run --samples none.png --threads 1
    says adversary.kind
    [ ! -e none.png ]
    rm aplr/generator.safetensors
    fails_with 1 "$invar" inspect aplr --threads 1
    says generator.safetensors
    fails_with 1 "$invar" inspect aplr --samples none.png --threads 1
    says generator.safetensors
}

@test "LogDet's share is the one that training warns of, whatever the number of views" {
    for views in 2 3; do
        "$invar" pretrain tiny.yaml --threads 1 --run "share$views" training.epochs=1 views.count=$views \
            "terms={logdet: {weight: -1, beta: 0.5, normalise: false}, invariance: {weight: 1, normalise: false}}" 2>stderr.txt
        r=$(sed -n "s/.*LogDet's share r is \([0-9.e+-]*\), .*/\1/p" stderr.txt)
        [ -n "$r" ]
        "$invar" inspect "share$views" --threads 1 collapse_deviation=100 | grep -F "LogDet's share r is $r, and"
    done
}

@test "adversary.eps=auto: half the median distance of the data, written into the run's recipe" {
    tiny_recipe >aplr.yaml
    for run in one two; do
        "$invar" pretrain aplr.yaml --run "$run" --threads 1 "terms={reconstruction: {}, orthonormality: {}}" \
            "adversary={kind: auto, eps: auto, widths: [4, 6]}" training.epochs=1 2>"$run.txt" >/dev/null
    done
    eps=$(sed -n '/^adversary:/,/^[a-z]*:$/s/^  eps: //p' one/recipe.yaml)
    awk -v eps="$eps" 'BEGIN { exit !(eps > 0.01 && eps < 2) }'
    cmp one/recipe.yaml two/recipe.yaml
    "$invar" pretrain --resume --run one 2>/dev/null >/dev/null
}
