#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# invar probe --test: fitted on the run's data, measured on other data with the same class names.
bats_require_minimum_version 1.5.0

setup_file() {
    load common
    cd "$BATS_FILE_TMPDIR"
    tiny_run
    mkdir other
    "$build/tests/make_data" images other 3 8 16
    for c in 0 1 2; do mv other/class-$c other/$c; done
}

setup() {
    load common
    cp -r "$BATS_FILE_TMPDIR"/{data,run,other} "$BATS_TEST_TMPDIR"
    cd "$BATS_TEST_TMPDIR"
}

@test "the run's own test split as other data: the same accuracy" {
    probe l2=0.01 --json >own.json
    mkdir same
    cp data/t* same
    probe l2=0.01 --test idx:same --json >same.json
    json_object <same.json
    [ "$(grep -m1 '"top1"' own.json)" = "$(grep -m1 '"top1"' same.json)" ]
    grep -q '"linear->idx:same":' run/probe.json
    grep -q '"linear":' run/probe.json
}

@test "a folder without splits is used whole, and the mapping is printed and recorded" {
    run --separate-stderr probe l2=0.01 --test images:other --baseline random
    [ "$status" -eq 0 ]
    [[ "$output" == *"64 training and 24 test samples"* && "$output" == *"measured on images:other (all of it): 24"* ]]
    [ "$(grep -cE '^  [012] -> [012]$' <<<"$output")" -eq 3 ]
    grep -qE '^random->images:other ' <<<"$output"
    json_object <run/probe.json
    grep -q '"mapping":' run/probe.json
    probe --method neighbours k=3 --test images:other >/dev/null
    grep -q '"neighbours->images:other":' run/probe.json
}

@test "classes that training lacks are listed, and dropped on demand" {
    mv other/1 other/cat
    fails_with 1 probe --test images:other
    says cat drop-unknown
    run --separate-stderr probe l2=0.01 --test images:other --drop-unknown
    [ "$status" -eq 0 ]
    [[ "$output" == *"64 training and 16 test samples"* && "$output" == *"8 of other classes dropped"* && "$output" == *"cat -> dropped"* ]]
    grep -q '"dropped_classes":	\["cat"\]' run/probe.json
    mv other/0 other/dog
    mv other/2 other/fish
    fails_with 1 probe --test images:other --drop-unknown
    says "no test samples"
}

@test "which classes compete: all of training, or those of the test data" {
    rm -r other/1 # of the four of training, two are left
    probe l2=0.01 --test images:other --json >train.json
    probe l2=0.01 --test images:other --compete test --json >test.json
    probe l2=0.01 --test images:other --compete train --json >again.json
    cmp <(grep -v seconds train.json) <(grep -v seconds again.json)
    grep -q '"compete":	"train"' train.json
    grep -q '"compete":	"test"' test.json
    # of two classes each sample is one or the other, so the four columns of the confusion are two
    ! grep -A4 '"confusion"' test.json | grep -qE '\[[0-9]+,	?[1-9]'
    awk -v a="$(grep -m1 '"top1"' train.json | tr -dc 0-9.)" -v b="$(grep -m1 '"top1"' test.json | tr -dc 0-9.)" \
        'BEGIN { exit !(b >= a) }'
    probe l2=0.01 --test images:other --compete test | grep -q 'its classes alone compete'
    fails_with 2 probe --test images:other --compete all
    says all train test
    fails_with 2 probe --compete test
    says compete "test SOURCE"
    fails_with 2 probe --test images:other --compete test --method neighbours
    says compete linear
}

@test "several classes of training are one of the test data" {
    mkdir pets
    cp -r other/0 pets/even
    cp other/2/* pets/even 2>/dev/null || true
    cp -r other/1 pets/odd
    printf '0,even\n2,even\n1,odd\n3,odd\n' >map.csv
    run --separate-stderr probe l2=0.01 --test images:pets --class-map map.csv
    [ "$status" -eq 0 ]
    [[ "$output" == *"even -> 0, 2"* && "$output" == *"odd -> 1, 3"* ]]
    merged=$(grep -m1 '"top1"' <(probe l2=0.01 --test images:pets --class-map map.csv --json) | tr -dc 0-9.)
    printf '0,even\n1,odd\n' >few.csv
    alone=$(grep -m1 '"top1"' <(probe l2=0.01 --test images:pets --class-map few.csv --json) | tr -dc 0-9.)
    awk -v a="$alone" -v b="$merged" 'BEGIN { exit !(b >= a) }'
    printf '0,even\n0,odd\n' >bad.csv
    fails_with 1 probe --test images:pets --class-map bad.csv
    says bad.csv "line 2" twice
    printf '0 even\n' >bad.csv
    fails_with 1 probe --test images:pets --class-map bad.csv
    says "line 1" "CLASS,TEST CLASS"
    printf '9,even\n' >bad.csv
    fails_with 1 probe --test images:pets --class-map bad.csv
    says "9 is no class"
    fails_with 1 probe --test images:pets --class-map nowhere.csv
    says nowhere.csv
}

@test "other data that cannot be measured on are refused" {
    fails_with 1 probe --test images:nowhere
    says nowhere
    fails_with 2 probe --drop-unknown
    says test
    fails_with 2 probe --test images:other --baseline input
    says input
    fails_with 2 probe --test images:other --method finetune
    says finetune linear
    rm other/*/*.png
    fails_with 1 probe --test images:other
    says other
    printf 'a,b,y\n1,2,0\n3,4,1\n' >table.csv
    fails_with 1 probe --test csv:table.csv
    says image table
    mkdir bare
    cp data/*images* bare
    fails_with 1 probe --test idx:bare
    says "no labels"
}

# rows FIRST LAST: a table whose class is the sign of its first column
rows() {
    echo "a,b,y"
    for i in $(seq "$1" "$2"); do
        local a=$((i * 37 % 101 - 50))
        echo "$a,$((i * 13 % 17)),$([ $a -gt 0 ] && echo p || echo q)"
    done
}

# table_run FOLDER KEY=VALUE..: trained on train.csv in an instant
table_run() {
    "$invar" pretrain aplr-table data.source=csv:train.csv data.label=y 'encoder.widths=[8]' 'projector.hidden=[8]' \
        training.steps=2 training.batch=16 --threads 1 --run "$@" >/dev/null 2>&1
}

@test "of a table: a class that training lacks is listed, names correspond but for capitals" {
    rows 1 80 >train.csv
    rows 81 120 >test.csv
    table_run table
    "$invar" probe table l2=0.01 --test csv:test.csv --json >same.json
    (rows 81 110; rows 111 120 | sed '1d; s/[pq]$/z/') >new.csv
    fails_with 1 "$invar" probe table --test csv:new.csv
    says "(z)" drop-unknown
    run --separate-stderr "$invar" probe table l2=0.01 --test csv:new.csv --drop-unknown
    [ "$status" -eq 0 ]
    [[ "$output" == *"measured on csv:new.csv"*"30 samples"* && "$output" == *"z -> dropped"* ]]
    sed '2,$s/p$/P/; 2,$s/q$/Q/' test.csv >capitals.csv
    run --separate-stderr "$invar" probe table l2=0.01 --test csv:capitals.csv
    [ "$status" -eq 0 ]
    [[ "$output" == *"P -> p"* ]]
    printf 'p,P\nq,Q\n' >map.csv
    "$invar" probe table l2=0.01 --test csv:capitals.csv --class-map map.csv --json >mapped.json
    [ "$(grep -m1 '"top1"' same.json)" = "$(grep -m1 '"top1"' mapped.json)" ]
}

@test "a run without a test split is measured on other data" {
    rows 1 80 >train.csv
    rows 81 120 >test.csv
    table_run bare data.test_fraction=0
    fails_with 1 "$invar" probe bare
    says "no test samples"
    run --separate-stderr "$invar" probe bare l2=0.01 --test csv:test.csv --baseline supervised
    [ "$status" -eq 0 ]
    [[ "$output" == *"80 training and 40 test samples"* && "$output" == *"supervised->csv:test.csv"* ]]
    [[ "$output" == *"trained on labels for"* && "$output" != *"its own head"* && "$output" != *nan* ]]
    json_object <bare/probe.json
}
