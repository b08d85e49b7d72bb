#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# invar probe where the label is a number: ridge regression and neighbours' means, and what needs classes is refused.
bats_require_minimum_version 1.5.0

setup_file() {
    load common
    cd "$BATS_FILE_TMPDIR"
    # y = 100 + 3 a - 2 b and a little noise; every fourth row has none
    awk 'BEGIN {
        OFS = ","; srand(6); print "a,b,c,kind,y"
        for (i = 0; i < 800; i++) { a = rand(); b = rand(); print a, b, rand(), i % 3, i % 4 ? 100 + 3 * a - 2 * b + 0.01 * rand() : "" }
    }' >numbers.csv
    "$invar" pretrain simclr-table training.precision=float32 data.source=csv:numbers.csv data.label=y data.ignore=kind training.steps=10 \
        training.batch=64 --threads 1 --run run 2>pretrain.txt
}

setup() {
    load common
    cd "$BATS_FILE_TMPDIR"
}

# value NAME RESULT: a number of a result in run/probe.json
value() {
    tr -d '[:space:]' <run/probe.json | sed "s/.*\"$2\":{/{/" | grep -o "\"$1\":[-0-9.e]*" | head -1 | grep -o '[-0-9.e]*$'
}

@test "ridge regression and its baselines, with the rows that have a number" {
    run --separate-stderr "$invar" probe run --threads 1 --baseline input --baseline random
    echo "$output $stderr"
    [ "$status" -eq 0 ]
    [[ "$stderr" == *"480 of 640 training and 120 of 160 test samples have a label; the others are left out"* ]]
    [[ "$output" == *"480 training and 120 test samples whose label y is a number"* ]]
    [[ "$output" == *"protocol: ridge: alpha ["*"folds 5, seed 1"* ]]
    grep -Eq '^ +R2 +MAE +Spearman +dim$' <<<"$output"
    for name in linear input random; do
        grep -Eq "^$name +-?[0-9.]+ +[0-9.]+ +-?[0-9.]+ +[0-9]+  alpha [0-9.e+-]+ \(held out R2 -?[0-9.]+\)" <<<"$output"
    done
    json_object <run/probe.json
    awk -v r2="$(value r2 input)" -v mae="$(value mae input)" -v rho="$(value spearman input)" 'BEGIN {
        print r2, mae, rho; exit !(r2 > 0.999 && r2 < 1 && mae < 0.01 && mae > 0 && rho > 0.99 && rho < 1) }'
    [ "$(value train_count linear)" -eq 480 ]
    [ "$(grep -c '"unlabelled"' run/probe.json)" -eq 3 ]
    [ "$(grep -c '"top1"' run/probe.json || true)" -eq 0 ]
}

@test "neighbours' means, one strength, --method ridge, and the same again" {
    "$invar" probe run --threads 1 --method neighbours --baseline input 'k=[5,50]' >text 2>/dev/null
    grep -Eq '^neighbours_input .* k 5: R2 0\.[0-9]+  k 50: R2 0\.[0-9]+' text
    awk -v r2="$(value r2 neighbours_input)" 'BEGIN { exit !(r2 > 0.5 && r2 < 1) }'
    "$invar" probe run --threads 1 --method ridge alpha=10 --json 2>/dev/null | grep -v seconds >one.json
    "$invar" probe run --threads 1 alpha=10 --json 2>/dev/null | grep -v seconds >two.json
    cmp one.json two.json
    json_object <one.json
    grep -q '"alpha":[[:space:]]*10' one.json
    [ "$(grep -c held_out_r2 one.json || true)" -eq 0 ]
    # on any number of threads, where the features are the same
    for threads in 1 3; do
        "$invar" probe run --threads $threads --baseline input --json 2>/dev/null | tr -d '[:space:]' |
            sed 's/.*"input":{//; s/"seconds.*//' >$threads.json
    done
    grep -q '"r2":0' 1.json
    cmp 1.json 3.json
}

@test "compare and report show them" {
    "$invar" probe run --threads 1 2>/dev/null
    cp -r run other
    run --separate-stderr "$invar" compare run other
    echo "$output"
    [ "$status" -eq 0 ]
    [[ "$output" == *"linear.r2"* ]]
    "$invar" compare run --metric linear.mae --metric linear.spearman --metric linear.alpha --json | json_object
    "$invar" report run 2>/dev/null
    grep -q '"spearman"' run/report.html
    rm -r other
}

@test "what needs classes is refused, and data.label_kind=class makes them" {
    for arguments in "--method sgd" "--method finetune" "--method online" "--preset lightly-knn" "--baseline supervised" \
        "--groups kind"; do
        # shellcheck disable=SC2086
        run --separate-stderr "$invar" probe run --threads 1 $arguments
        echo "$arguments: $status $stderr"
        [ "$status" -ne 0 ]
        [ -z "$output" ]
        says "y is a number" data.label_kind=class
    done
    run --separate-stderr "$invar" probe run --threads 1 l2=0.1
    [ "$status" -eq 2 ]
    says l2=0.1 alpha
    run --separate-stderr "$invar" probe run --threads 1 data.test_rows=last:3
    [ "$status" -eq 2 ]
    says data.label_kind
    run --separate-stderr "$invar" robustness run --threads 1
    [ "$status" -ne 0 ]
    # another label of the same data is classes
    "$invar" probe run --threads 1 --label kind 2>/dev/null | grep -q 'of 3 classes'
    run --separate-stderr "$invar" probe run --threads 1 --label kind alpha=1
    [ "$status" -eq 2 ]
    says alpha=1 classes data.label_kind=number
    "$invar" inspect run --threads 1 2>/dev/null >text
    [ "$(grep -c 'the label is a number.*data.label_kind=class' text)" -eq 1 ]
    grep -Eq '^test_error +[0-9.]+ length .* y in deviations of the label' text
    [ "$(grep -c test_accuracy text || true)" -eq 0 ]
    for needs in classifier.enabled=true 'terms={cross_entropy: {}}'; do
        run --separate-stderr "$invar" pretrain simclr-table training.precision=float32 data.source=csv:numbers.csv data.label=y data.ignore=kind \
            training.steps=2 "$needs" --threads 1 --run refused
        [ "$status" -ne 0 ]
        says "its label is a number" data.label_kind=class
    done
}

@test "embed writes numbers as labels, which probe the same elsewhere" {
    "$invar" embed run csv:numbers.csv -o h.npy --labels y.npy --threads 1 >text 2>/dev/null
    grep -q 'y.npy: 800 labels, float64' text
    # the first row has none, the second begins with 10 (101.045)
    [ "$(od -An -tf8 -j128 -N8 y.npy | tr -d ' ')" = nan ] || [ "$(od -An -tf8 -j128 -N8 y.npy | tr -d ' ')" = -nan ]
    od -An -tf8 -j136 -N8 y.npy | grep -q '10[0-9]\.'
    run --separate-stderr "$invar" probe h.npy --labels y.npy --threads 1
    echo "$output $stderr"
    [ "$status" -eq 0 ]
    grep -Eq '^linear +0\.9' <<<"$output"
}

@test "few labels: draws of rows, their mean and its interval" {
    run --separate-stderr "$invar" probe run --threads 1 --labels 20 --labels 50% --labels 3 --labels all --baseline input
    echo "$output $stderr"
    [ "$status" -eq 0 ]
    grep -Eq '^input@20 .*mean of 5 draws of 20 labels, 95 % interval of R2 [01]\.[0-9]+ to [01]\.[0-9]+' <<<"$output"
    grep -Eq '^linear@50% .*mean of 5 draws of 240 labels' <<<"$output"
    grep -Eq '^linear@3 .*mean of 5 draws of 3 labels' <<<"$output"
    grep -Eq '^linear .*alpha' <<<"$output"
    [[ "$output" == *"480 training and 120 test samples"* ]]
    [ "$(grep -c '"r2_by_draw"' run/probe.json)" -eq 6 ]
    json_object <run/probe.json
    "$invar" compare run --metric linear@20.r2 --json | json_object
    # all of the rows are no draw
    "$invar" probe run --threads 1 --labels 480 --draws 2 --baseline input alpha=1 >/dev/null 2>&1
    "$invar" probe run --threads 1 --baseline input alpha=1 >/dev/null 2>&1
    awk -v a="$(value r2 input@480)" -v b="$(value r2 input)" 'BEGIN { d = a - b; exit !(a > 0.9 && d * d < 1e-20) }'
    for labels in 481 1 0.1%; do
        run --separate-stderr "$invar" probe run --threads 1 --labels $labels
        [ "$status" -eq 1 ]
        says "labels $labels" "training samples"
    done
}

@test "a label of few whole numbers is a number where data.label_kind says so" {
    awk 'BEGIN { OFS = ","; srand(2); print "a,b,grade"; for (i = 0; i < 200; i++) { a = rand(); print a, rand(), 1 + int(5 * a) } }' >grades.csv
    "$invar" pretrain simclr-table training.precision=float32 data.source=csv:grades.csv data.label=grade training.steps=3 training.batch=32 \
        --threads 1 --run grades 2>/dev/null
    "$invar" probe grades --threads 1 --baseline input >text
    grep -q 'of 5 classes' text
    "$invar" probe grades --threads 1 --baseline input data.label_kind=number >text
    grep -q 'whose label grade is a number' text
    grep -Eq '^input +0\.9[0-9]*' text
}

@test "constant targets, and none in a split, are refused with a sentence" {
    awk 'BEGIN { OFS = ","; srand(2); print "a,b,y"; for (i = 0; i < 90; i++) print rand(), rand(), i < 60 ? i / 7 : 2.5 }' >constant.csv
    "$invar" pretrain simclr-table training.precision=float32 data.source=csv:constant.csv data.label=y data.test_rows=last:30 training.steps=2 \
        training.batch=16 --threads 1 --run constant 2>/dev/null
    for method in linear neighbours; do
        run --separate-stderr "$invar" probe constant --threads 1 --method $method
        [ "$status" -eq 1 ]
        says "all 30 test samples have the same target, 2.5"
    done
    sed 's/,2\.5$/,/' constant.csv >none.csv
    "$invar" pretrain simclr-table training.precision=float32 data.source=csv:none.csv data.label=y data.test_rows=last:30 training.steps=2 \
        training.batch=16 --threads 1 --run none 2>/dev/null
    run --separate-stderr "$invar" probe none --threads 1
    [ "$status" -eq 1 ]
    says "none of the 30 test samples has a label"
}

@test "other test data with numbers" {
    awk 'BEGIN { OFS = ","; srand(9); print "a,b,c,kind,y"; for (i = 0; i < 50; i++) { a = rand(); b = rand(); print a, b, rand(), 1, i ? 100 + 3 * a - 2 * b : "" } }' >other.csv
    run --separate-stderr "$invar" probe run --threads 1 --test csv:other.csv --baseline random
    echo "$output $stderr"
    [ "$status" -eq 0 ]
    [[ "$stderr" == *"and 49 of 50 test samples have a label"* ]]
    [[ "$output" == *"measured on csv:other.csv (all of it): 49 samples"* ]]
    json_object <run/probe.json
}
