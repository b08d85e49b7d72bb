#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# invar recipes: what ships loads, and what a recipe may not say is refused with one sentence, exit 2.
# covers: verb.recipes
bats_require_minimum_version 1.5.0

setup() {
    load common
    cd "$BATS_TEST_TMPDIR"
    tiny_recipe >tiny.yaml
}

# refused WORDS.. with KEY=VALUE as first argument
refuses() {
    local change=$1
    shift
    fails_with 2 "$invar" recipes show tiny.yaml "$change"
    says "$@"
}

@test "the list has every recipe with a line of help" {
    run --separate-stderr "$invar" recipes list
    [ "$status" -eq 0 ]
    [[ "$output" == *relic-fashion-mnist* ]]
    for file in "$root"/recipes/*.yaml; do
        grep -q "^$(basename "$file" .yaml)  *[A-Za-z]" <<<"$output"
    done
}

@test "every recipe that ships loads, and its resolved text loads to the same text" {
    for file in "$root"/recipes/*.yaml; do
        "$invar" recipes show "$(basename "$file" .yaml)" --resolved >once.yaml
        "$invar" recipes show once.yaml --resolved >twice.yaml
        cmp once.yaml twice.yaml
    done
}

@test "show prints the recipe as it ships" {
    "$invar" recipes show relic-fashion-mnist >shown.yaml
    cmp shown.yaml "$root/recipes/relic-fashion-mnist.yaml"
}

@test "the schema has every section and its defaults" {
    run --separate-stderr "$invar" recipes schema
    [ "$status" -eq 0 ]
    for word in data views encoder projector predictor target terms optimiser training epochs relic ntxent resnet18 \
        small-resnet adamw lars; do
        grep -qw -- "$word" <<<"$output" || { echo "no $word"; false; }
    done
}

@test "--json is one JSON object" {
    for what in list schema "show relic-fashion-mnist"; do
        # shellcheck disable=SC2086
        "$invar" recipes $what --json | json_object
    done
}

@test "wrong usage" {
    fails_with 2 "$invar" recipes show
    fails_with 2 "$invar" recipes lsit
    fails_with 2 "$invar" recipes list more
    fails_with 2 "$invar" recipes show no-such-recipe
    says no-such-recipe
    fails_with 2 "$invar" recipes show dqn-catch agent.n=3
    says 'dqn-catch: is a recipe of agents' 'invar agent dqn-catch KEY=VALUE --dry-run'
    fails_with 2 "$invar" recipes show relic-fashion-mnits
    says relic-fashion-mnits relic-fashion-mnist
}

@test "KEY=VALUE changes an option" {
    run "$invar" recipes show tiny.yaml training.epochs=7 encoder.widths='[4, 8]'
    [ "$status" -eq 0 ]
    grep -q 'epochs: 7' <<<"$output"
}

@test "unknown keys get the nearest one" {
    refuses training.epcohs=3 training.epcohs epochs
    refuses view.count=2 view views
    refuses terms.relic.alhpa=1 alhpa alpha
    refuses terms.relci.tau=1 relci relic
    refuses encoder.widht=3 widht
    refuses encoder.kind=resnet81 resnet81 resnet18
    refuses optimiser.kind=adamm adamm adam
}

@test "an unknown key in a file is named with its line" {
    sed 's/^  batch: 16/  bacth: 16/' tiny.yaml >wrong.yaml
    fails_with 2 "$invar" recipes show wrong.yaml
    says wrong.yaml "$(grep -n bacth wrong.yaml | cut -d: -f1)" training.bacth batch
}

@test "wrong types" {
    refuses training.batch=many training.batch many
    refuses training.batch=1.5 training.batch
    refuses training.epochs=true training.epochs
    refuses target.enabled=maybe target.enabled
    refuses 'training.lr=[1, 2]' training
    refuses optimiser.lr='{a: 1}' optimiser.lr
    refuses training=3 training
    refuses views.crop=wide views.crop
}

@test "values out of range" {
    refuses training.batch=0 training.batch
    refuses training.epochs=-1 training.epochs
    refuses training.epochs=.nan training.epochs
    refuses training.epochs=.inf training.epochs
    refuses training.seed=-1 training.seed
    refuses views.count=0 views.count
    refuses views.count=99 views.count
    refuses views.flip=1.5 views.flip
    refuses terms.relic.tau=0 tau
    refuses terms.relic.tau=-1 tau
    refuses target.momentum=1.5 target.momentum
    refuses data.test_fraction=2 data.test_fraction
    refuses training.precision=float16 training.precision
    refuses training.batch=99999999999999999999999 training.batch
    refuses optimiser.lr=1e999 optimiser.lr
}

@test "conflicting settings" {
    refuses views.count=1 views
    refuses terms.relic.target=true target.enabled
    refuses target.enabled=true target
    refuses training.warmup=99 warmup
    refuses terms=null terms
}

@test "KEY=VALUE that is none" {
    refuses training.epochs= training.epochs=null
    refuses training..epochs=1 training
    refuses training.epochs.more=1 training.epochs
    fails_with 2 "$invar" recipes show tiny.yaml training.epochs
}

@test "files that are no recipe" {
    : >empty.yaml
    fails_with 1 "$invar" recipes show empty.yaml
    says empty.yaml
    printf 'a: [1, 2\n' >broken.yaml
    run --separate-stderr "$invar" recipes show broken.yaml
    [ "$status" -eq 1 ] || [ "$status" -eq 2 ]
    says broken.yaml
    head -c 4096 /dev/zero >zero.yaml
    run --separate-stderr "$invar" recipes show zero.yaml
    [ "$status" -eq 1 ] || [ "$status" -eq 2 ]
    says zero.yaml
    printf -- '- a\n- b\n' >list.yaml
    fails_with 2 "$invar" recipes show list.yaml
    says list.yaml
    mkdir folder.yaml
    run --separate-stderr "$invar" recipes show folder.yaml
    [ "$status" -eq 1 ] || [ "$status" -eq 2 ]
    says folder.yaml
    printf 'a: &a [*a, *a]\n' >alias.yaml
    run --separate-stderr "$invar" recipes show alias.yaml
    [ "$status" -eq 1 ] || [ "$status" -eq 2 ]
    printf 'training:\n  epochs: 1\n  epochs: 2\n' >twice.yaml
    run --separate-stderr "$invar" recipes show twice.yaml
    [ "$status" -eq 1 ] || [ "$status" -eq 2 ]
    says epochs
}
