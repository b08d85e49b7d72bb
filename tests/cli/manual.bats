#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Man pages, completions and `invar help TOPIC`: made from the tables, whole, and read by what reads them.
load common

bats_require_minimum_version 1.5.0

verbs() {
    "$invar" --help | sed -n 's/^  \([a-z]*\)  *[a-z].*/\1/p'
}

# completes "LINE" WORDS..: what bash offers behind the line, all of it
completes() {
    run bash -c '
        . "$1/manual/invar"
        COMP_LINE=$2 COMP_POINT=${#2} COMP_WORDS=(${2//=/ = })
        _invar 2>/dev/null
        printf "%s\n" "${COMPREPLY[@]}"' - "$build" "$1"
    echo "$1 -> $output"
    [ "$output" = "$(printf '%s\n' "${@:2}")" ]
}

@test "every verb has a page with all its options, and no page has a fault" {
    for verb in $(verbs); do
        page=$build/manual/man1/invar-$verb.1
        [ -s "$page" ]
        "$invar" "$verb" --help | sed -n '/^options:/,/^$/s/^ .*--\([a-z0-9-]*\).*/\1/p' >"$BATS_TEST_TMPDIR/options"
        [ -s "$BATS_TEST_TMPDIR/options" ]
        while read -r option; do
            grep -qF "\\fB\\-\\-${option//-/\\-}\\fR" "$page" || { echo "$verb: --$option"; return 1; }
        done <"$BATS_TEST_TMPDIR/options"
    done
    [ "$(find "$build/manual/man1" -name 'invar*.1' | wc -l)" -eq "$(($(verbs | wc -l) + 1))" ]
    command -v man groff >/dev/null || skip "man and groff are missing: apt-get install man-db groff-base"
    for page in "$build"/manual/man?/*; do
        LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null | (! grep .)
    done
    man -l "$build/manual/man5/invar-recipe.5" | grep -q 'tau: 0.1'
}

@test "bash completes verbs, recipes, options, keys of recipes and their values" {
    completes "invar pr" pretrain probe
    completes "invar pretrain relic-ci" relic-cifar10
    completes "invar pretrain relic-cifar10 encoder.ki" encoder.kind=
    completes "invar pretrain relic-cifar10 encoder.kind=res" resnet18 resnet34 resnet50
    completes "invar pretrain relic-cifar10 encoder.kind=resnet18 encoder.k" encoder.kernels= encoder.kind=
    completes "invar pretrain relic-cifar10 terms.relic.pairs=" adjacent all
    completes "invar sweep relic-cifar10 optimiser.ki" optimiser.kind=
    completes "invar agent byol-ca" byol-catch
    completes "invar agent dqn-catch replay.st" replay.steps=
    completes "invar agent dqn-catch encoder.kind=nat" nature
    completes "invar pretrain relic-cifar10 optimiser.kind=a" adam adamw
    completes "invar embed run fashion-mnist --sp" --split
    completes "invar embed run fashion-mnist --split t" test train
    completes "invar embed run fash" fashion-mnist
    completes "invar probe run --method n" neighbours
    completes "invar loss bar" barlow
    cd "$BATS_TEST_TMPDIR"
    : >table.csv
    completes "invar pretrain simclr-table data.source=csv:ta" table.csv
    completes "invar export run -o ta" table.csv
}

@test "the values that are completed are those that recipes take" {
    sed -n '/^    pretrain)/,/^        ;;/s/^        \([a-z]*\.[a-z_]*\)) values=.\(.*\). ;;/\1 \2/p' "$build/manual/invar" |
        grep -E '^(data|views|projector|training|device)\.' >"$BATS_TEST_TMPDIR/values"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/values")" -gt 10 ]
    while read -r key values; do
        for value in $values; do
            "$invar" recipes show relic-cifar10 "$key=$value" >/dev/null
        done
    done <"$BATS_TEST_TMPDIR/values"
}

@test "zsh reads its completion" {
    command -v zsh >/dev/null || skip "zsh is missing: apt-get install zsh"
    zsh -n "$build/manual/_invar"
    grep -q "'--split\[" "$build/manual/_invar"
    grep -q "encoder.kind 'resnet18 resnet34" "$build/manual/_invar"
}

@test "invar help TOPIC: a verb, a section, a term, an option, and none" {
    [ "$("$invar" help probe)" = "$("$invar" probe --help)" ]
    [ "$("$invar" help)" = "$("$invar" --help)" ]
    run "$invar" help relic
    [[ "${lines[0]}" == "terms:  # "* && "${lines[1]}" == "  relic  # "* ]]
    [[ "$output" == *"tau: 0.1"* && "$output" != *ntxent* ]]
    run "$invar" help views.crop
    [ "${#lines[@]}" -eq 2 ]
    [[ "${lines[1]}" == "  crop: [0.2, 1]"* ]]
    run "$invar" help encoder.kind
    [[ "$output" == *"kind: mlp"* && "$output" == *"kind: resnet50"* ]]
    run "$invar" help replay
    [[ "${lines[0]}" == "In recipes of agents:" && "${lines[1]}" == "replay:  # "* && "$output" == *"  memory: "* ]]
    fails_with 2 "$invar" help repot
    says 'did you mean "report"?'
    fails_with 2 "$invar" help views.crob
    says '"crop"'
    fails_with 2 "$invar" help nothing
    says "data, views, encoder, projector"
    [ "${#stderr}" -lt 250 ]
    fails_with 2 "$invar" prob
    says 'did you mean "probe"?'
}

@test "commands in README and docs have verbs and options that there are" {
    run python3 "$root/scripts/try-docs.py" "$BATS_TEST_TMPDIR" --build "$build" --look
    echo "$output"
    [ "$status" -eq 0 ]
    [ "$(grep -c 'looked at: invar' "$BATS_TEST_TMPDIR/log")" -gt 40 ]
    printf '# x\n\n    invar probe RUN --metod n\n    invar proob RUN\n\nwith `invar embed --spilt` it\n' >"$BATS_TEST_TMPDIR/wrong.md"
    run python3 "$root/scripts/try-docs.py" "$BATS_TEST_TMPDIR" --build "$build" --look "$BATS_TEST_TMPDIR/wrong.md"
    echo "$output"
    [ "$status" -eq 1 ]
    [[ "$output" == *"3 failed"* && "$output" == *"probe has no --metod"* && "$output" == *"no verb proob"* ]]
}

@test "what is installed: pages, completions" {
    cmake --install "$build" --prefix "$BATS_TEST_TMPDIR/prefix" >/dev/null
    cd "$BATS_TEST_TMPDIR/prefix/share"
    [ -s man/man1/invar-pretrain.1 ] && [ -s man/man5/invar-recipe.5 ]
    [ -s bash-completion/completions/invar ] && [ -s zsh/site-functions/_invar ]
}
