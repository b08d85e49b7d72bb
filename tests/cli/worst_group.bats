#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# invar probe --groups: accuracy by the values of a column of a table, a part of a file name or a table of metadata.
bats_require_minimum_version 1.5.0

setup_file() {
    load common
    cd "$BATS_FILE_TMPDIR"
    # the class is told by the sign of a; where site is "far", in one row of three, the sign is the other way round
    awk 'BEGIN {
        OFS = ","; srand(4); print "a,b,site,y"
        for (i = 0; i < 300; i++) { k = int(rand() * 2); s = (k ? 1 : -1) * (i % 3 ? 1 : -1); print s * (1 + rand()), rand(), i % 3 ? "near" : "far", k ? "up" : "down" }
    }' >sites.csv
    "$invar" pretrain simclr-table training.precision=float32 data.source=csv:sites.csv data.label=y data.ignore=site data.test_rows=last:100 \
        training.steps=5 training.batch=32 classifier.enabled=true --threads 1 --run run 2>/dev/null
}

setup() {
    load common
    cd "$BATS_FILE_TMPDIR"
}

# number NAME: the first of that name in results.json
number() {
    grep -m1 -o "\"$1\":[[:space:]]*[-0-9.e]*" results.json | grep -o '[-0-9.e]*$'
}

# adds_up: the groups of the first result in results.json hold all test samples, and their accuracies make top-1.
adds_up() {
    json_object <results.json
    tr -d '[:space:]' <results.json | grep -o '"each":\[[^]]*' | head -1 | tr '{' '\n' |
        sed -n 's/.*"samples":\([0-9]*\),"accuracy":\([0-9.e-]*\).*/\1 \2/p' |
        awk -v top1="$(number top1)" -v count="$(number test_count)" -v worst="$(number worst_accuracy)" -v mean="$(number mean_over_groups)" '
            { n += $1; hits += $1 * $2; least = NR == 1 || $2 < least ? $2 : least; sum += $2 }
            END { d = 100 * hits / n - top1; e = sum / NR - mean
                  print NR, n, count, d, e, least, worst
                  exit !(NR > 1 && n == count && d * d < 1e-12 && e * e < 1e-20 && least == worst) }'
}

@test "every method has accuracy by group, which adds up" {
    for method in linear neighbours "sgd epochs=3" "finetune epochs=1 minimum_steps=2" online; do
        # shellcheck disable=SC2086
        "$invar" probe run --groups site --threads 1 --json --method $method >results.json 2>/dev/null
        adds_up
        grep -q '"column":[[:space:]]*"site"' results.json
    done
    "$build/tests/is_json" <run/probe.json
    [ "$(grep -c '"mean_over_groups"' run/probe.json)" -eq 5 ]
    "$invar" compare run --metric linear.groups.worst_accuracy --json | json_object
}

@test "the worst group is named, with baselines beside it" {
    run --separate-stderr "$invar" probe run --groups site --threads 1 --baseline input --baseline random
    echo "$output"
    [ "$status" -eq 0 ]
    [[ "$output" == *"groups "*"worst "*"mean  of site"* ]]
    grep -Eq '^input +0\.[0-9]{4} +[01]\.[0-9]{4}  worst: far, [0-9]+ samples$' <<<"$output"
    grep -Eq '^far +[0-9]+( +0\.[0-9]{4}){3}$' <<<"$output"
    grep -Eq '^near +[0-9]+( +[01]\.[0-9]{4}){3}$' <<<"$output"
}

@test "the label itself is a group: its accuracy is the one by class" {
    "$invar" probe run --groups y --threads 1 --json >results.json
    adds_up
    [ "$(number mean_over_groups)" = "$(number balanced_accuracy)" ]
}

@test "a table of metadata beside pictures, in part" {
    "$build/tests/make_data" images photos 2 12 16
    { echo file_name,place && for i in $(seq 0 11); do echo "class-0/$i.png,water" && echo "class-1/$i.png,land"; done; } >photos/metadata.csv
    tiny_recipe >photos.yaml
    "$invar" pretrain photos.yaml data.source=images:photos training.steps=3 training.batch=8 --threads 1 --run photos-run 2>/dev/null
    "$invar" probe photos-run --groups place --threads 1 --json >results.json 2>/dev/null
    adds_up
    sed -i '1s/place/where/' photos/metadata.csv
    run --separate-stderr "$invar" probe photos-run --groups place --threads 1
    [ "$status" -eq 1 ]
    says "groups place" photos/metadata.csv where
    rm photos/metadata.csv
    run --separate-stderr "$invar" probe photos-run --groups place --threads 1
    [ "$status" -ne 0 ]
    says place
}

@test "columns that there are not, and labels in part, are refused" {
    fails_with 2 "$invar" probe run --groups sight --threads 1
    says groups sight site
    fails_with 2 "$invar" probe run --groups site --labels 3 --threads 1
    says groups labels
}
