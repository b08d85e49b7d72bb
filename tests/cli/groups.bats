#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Refinement groups of ReLIC, from a metadata table to a run, and every table that does not fit.
bats_require_minimum_version 1.5.0

setup() {
    load common
    tiny_data
    table 64 5 >meta.csv
}

# table ROWS GROUPS: a column `session` of that many values, one `own` of as many as rows, one `same`
table() {
    echo "session,own,same"
    for i in $(seq 0 $(($1 - 1))); do
        echo "\"session $((i * i % $2))\",$((1000 - i)),x"
    done
}

photos() {
    "$build/tests/make_data" images photos 2 8 16
    echo "file_name,who"
    for i in $(seq 0 7); do
        echo "class-0/$i.png,p$((i % 3))"
        echo "class-1/$i.png,p$((i % 3))"
    done
}

pretrain() {
    "$invar" pretrain tiny.yaml --threads 1 data.metadata=meta.csv terms.relic.groups=true "$@"
}

first_loss() { # of the contrast part in the first step
    sed -n '1s/.*"loss\/relic\/contrast": *\([-0-9.e]*\).*/\1/p' "$1/metrics.jsonl"
}

@test "a run with groups ends as one without does, on another loss; all distinct groups are none" {
    "$invar" pretrain tiny.yaml --threads 1 --run plain
    pretrain --run grouped data.group=session
    pretrain --run own data.group=own
    [ -s grouped/encoder.safetensors ]
    grep -q 'group: "\?session' grouped/recipe.yaml
    echo "plain $(first_loss plain), grouped $(first_loss grouped), own $(first_loss own)"
    awk "BEGIN { exit !($(first_loss grouped) < 0.9 * $(first_loss plain)) }"
    awk "BEGIN { d = $(first_loss own) - $(first_loss plain); exit !(d < 1e-5 && d > -1e-5) }"
    # What was trained is evaluated without the table.
    rm meta.csv
    run --separate-stderr "$invar" probe grouped --threads 1
    echo "$stderr"
    [ "$status" -eq 0 ]
}

@test "invar data shows the groups" {
    run --separate-stderr "$invar" data idx:data metadata=meta.csv group=session
    echo "$output"
    [ "$status" -eq 0 ]
    [[ "$output" == *"groups     3, of 13 (session 0) to 26 (session 4) training samples"* ]]
    "$invar" data idx:data metadata=meta.csv group=session --json >data.json
    json_object <data.json
    tr -d ' \n\t' <data.json | grep -q '"groups":{"count":3,"smallest":{"name":"session0","train":13}'
}

@test "the table of a folder of images names them, and is found by itself" {
    photos >table.csv
    cp table.csv photos/metadata.csv
    run --separate-stderr "$invar" data images:photos group=who
    echo "$output$stderr"
    [ "$status" -eq 0 ]
    [[ "$output" == *"groups     3,"* ]]
    # CRLF, a byte order mark, tabs
    { printf '\357\273\277'; sed 's/,/\t/; s/$/\r/' photos/metadata.csv; } >meta.tsv
    rm photos/metadata.csv
    run --separate-stderr "$invar" data images:photos group=who metadata=meta.tsv
    [ "$status" -eq 0 ]
    [[ "$output" == *"groups     3,"* ]]
    fails_with 2 "$invar" data images:photos group=who
    says data.metadata metadata.csv images:photos
    # a tar has the same names
    tar cf photos.tar photos
    run --separate-stderr "$invar" data images:photos.tar group=who metadata=meta.tsv
    [ "$status" -eq 0 ]
}

@test "a term without data.group, data.group without a term" {
    fails_with 2 "$invar" pretrain tiny.yaml --run run terms.relic.groups=true
    says terms.relic data.group
    fails_with 2 "$invar" pretrain tiny.yaml --run run data.metadata=meta.csv data.group=session
    says session terms.relic.groups=true
    fails_with 2 "$invar" pretrain tiny.yaml --run run data.metadata=meta.csv
    says meta.csv data.group
    [ ! -e run ]
}

@test "tables that are missing, ragged, or not about these samples" {
    fails_with 1 pretrain --run run data.group=session data.metadata=nowhere.csv
    says nowhere.csv
    fails_with 1 pretrain --run run data.group=sesion
    says meta.csv sesion '"session"'
    fails_with 1 pretrain --run run data.group=patient
    says meta.csv patient "session, own, same"
    fails_with 1 pretrain --run run data.group=same
    says data.group=same '"x"'
    table 63 5 >short.csv
    fails_with 1 pretrain --run run data.group=session data.metadata=short.csv
    says short.csv 63 64
    sed '9s/$/,more/' meta.csv >ragged.csv
    fails_with 1 pretrain --run run data.group=session data.metadata=ragged.csv
    says "ragged.csv, line 9" 4 3
    sed '9s/"session/session "/' meta.csv >quote.csv
    fails_with 1 pretrain --run run data.group=session data.metadata=quote.csv
    says "quote.csv, line 9" quote
    : >empty.csv
    fails_with 1 pretrain --run run data.group=session data.metadata=empty.csv
    says empty.csv
    [ ! -e run ]
}

@test "images without a row and with two" {
    photos >table.csv
    sed 4d table.csv >fewer.csv
    fails_with 1 "$invar" data images:photos group=who metadata=fewer.csv
    says fewer.csv class-0/1.png
    { cat table.csv && echo class-0/3.png,p1; } >twice.csv
    fails_with 1 "$invar" data images:photos group=who metadata=twice.csv
    says "twice.csv, line 18" class-0/3.png "line 8"
    sed 's/file_name/filename/' table.csv >other.csv
    fails_with 1 "$invar" data images:photos group=who metadata=other.csv
    says other.csv file_name
}

@test "batches that would mostly hold one group" {
    { echo rare; for i in $(seq 64); do echo $((i == 9)); done; } >rare.csv
    fails_with 2 pretrain --run run data.metadata=rare.csv data.group=rare
    says training.batch "75 %" data.group=rare
    [ ! -e run ]
}
