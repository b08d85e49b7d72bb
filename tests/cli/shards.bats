#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# One data set in several files, named by a pattern: whole commands, and what is refused.
# covers: source.images source.csv
bats_require_minimum_version 1.5.0

setup() {
    load common
    cd "$BATS_TEST_TMPDIR"
}

# 4 shards of 60 images of 3 classes, and one tar of all
make_shards() {
    "$build/tests/make_data" images all 3 20 16
    find all -name '*.png' | sort >list
    for s in 0 1 2 3; do
        awk -v s="$s" 'NR % 4 == s' list >part
        tar cf "set-00$s.tar" -C all $(sed 's|^all/||' part)
    done
    tar cf all.tar -C all .
}

# what a set is, but for its name
about() {
    "$invar" data "$@" --json | grep -vE '"(source|identity)"'
}

@test "shards are the data of one archive" {
    make_shards
    for memory in yes no; do
        about images:all.tar memory=$memory >whole
        about images:'set-{000..003}.tar' memory=$memory >range
        about images:'set-*.tar' memory=$memory >glob
        cmp whole range
        cmp whole glob
    done
    grep -q '"train": *48' whole || cat whole
}

@test "training on shards has the bits of training on one archive" {
    make_shards
    tiny_recipe >tiny.yaml
    for run in all.tar 'set-{000..003}.tar'; do
        "$invar" pretrain tiny.yaml data.source=images:"$run" data.memory=no training.steps=6 --threads 1 --run "run-${#run}"
    done
    cmp run-7/projector.safetensors run-18/projector.safetensors
    "$invar" embed run-7 images:all.tar -o whole.npy --threads 1
    "$invar" embed run-7 images:'set-{000..003}.tar' -o parts.npy --threads 1
    cmp whole.npy parts.npy
    grep -q ',set-001.tar/class-0/' parts.csv
    "$invar" embed run-18 images:'set-00[01].tar' -o some.npy --split train test_fraction=0 --json | grep -qE '"rows":[[:space:]]*30'
}

@test "parts are the table of one file" {
    seq 1 60 | awk 'BEGIN { print "n,m,y" } { print $1 * 7 % 13 "," $1 % 5 + 0.5 "," ($1 % 3 ? "a" : "b") }' >all.csv
    sed -n 1,21p all.csv >part-9.csv
    { sed -n 1p all.csv; sed -n 22,41p all.csv; } >part-10.csv
    { sed -n 1p all.csv; sed -n 42,61p all.csv; } | gzip >part-11.csv.gz
    about csv:all.csv label=y >whole
    about csv:'part-{9..10}.csv*' label=y >two
    about csv:'part-*' label=y >three
    cmp whole three
    ! cmp -s whole two
    fails_with 2 "$invar" embed nowhere csv:'part-*' -o part-10.csv
    says "part-10.csv holds the data themselves"
}

@test "a pattern that names nothing, or too little" {
    make_shards
    fails_with 1 "$invar" data images:'sets-*.tar'
    says "sets-*.tar: no file has a name like that"
    rm set-002.tar
    fails_with 1 "$invar" data images:'set-{000..003}.tar'
    says "of the 4 shards 1 are missing, the first is set-002.tar"
    fails_with 2 "$invar" data images:'set-{3..0}.tar'
    says "the range {3..0} runs backwards"
    fails_with 2 "$invar" data images:'set-{a,b}.tar'
    says "the braces hold no range of numbers such as {000..127}"
    fails_with 2 "$invar" data images:'set-{0..999999999}.tar'
    says "names more than 100000 files"
}

@test "a shard that is not like the others" {
    make_shards
    cp set-001.tar good
    : >set-001.tar
    fails_with 1 "$invar" data images:'set-*.tar'
    says "set-001.tar: is not a tar archive"
    head -c 20000 good >set-001.tar
    fails_with 1 "$invar" data images:'set-*.tar'
    says "set-001.tar: " "truncated"
    mkdir empty && tar cf set-001.tar empty
    fails_with 1 "$invar" data images:'set-*.tar'
    says "set-001.tar: holds no image, expected"
    cp all/class-0/0.png loose.png
    tar cf set-001.tar loose.png
    fails_with 1 "$invar" data images:'set-*.tar'
    says "set-001.tar: image loose.png stands beside class folders"
    rm set-001.tar && mkdir set-001.tar
    fails_with 1 "$invar" data images:'set-*.tar'
    says "set-001.tar: is no file; several shards are tar files"
    rmdir set-001.tar
    (cd all && zip -qr ../set-001.tar class-0) 2>/dev/null || printf 'PK\003\004zip' >set-001.tar
    fails_with 1 "$invar" data images:'set-*.tar'
    says "set-001.tar: is a zip archive"
    cp good set-001.tar
    (ulimit -n 7 && fails_with 1 "$invar" data images:'set-{000..003}.tar' memory=no && says "raise the limit (ulimit -n)")
}

@test "a part that is not like the first" {
    printf 'n,m\n1,2\n3,5\n' >part-1.csv
    for bad in 'n\n1\n' 'n,o\n1,2\n' '1,2\n3,4\n' 'n,m\n' '' 'n,m\n1\n' 'n;m\n1;2\n'; do
        printf "$bad" >part-2.csv
        fails_with 1 "$invar" data csv:'part-*.csv'
        says "part-2.csv"
    done
    printf 'n,m\n4,4\n' >part-2.csv
    "$invar" data csv:'part-*.csv' >/dev/null
}
