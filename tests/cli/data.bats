#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# invar data on good, incomplete, corrupt and foreign sources.
# covers: verb.data
bats_require_minimum_version 1.5.0

setup() {
    load common
    cd "$BATS_TEST_TMPDIR"
}

make_idx() {
    "$build/tests/make_data" idx "$1" 64 32 16 4
}

make_images() {
    "$build/tests/make_data" images "$1" 2 "$2" 16
}

@test "counts, shape, classes and statistics of idx files" {
    make_idx data
    run --separate-stderr "$invar" data idx:data
    [ "$status" -eq 0 ]
    [ -z "$stderr" ]
    [[ "$output" == *"64 train, 32 test"* ]]
    [[ "$output" == *"16 x 16, 1 channel"* ]]
    [[ "$output" == *"classes    4"* ]]
    [[ "$output" == *"problems   none"* ]]
    [ "$(grep -c '^  .* 16 *8$' <<<"$output")" -eq 4 ]
}

@test "gzipped idx files are the same data" {
    make_idx data
    "$invar" data idx:data --json | grep -v '"source"' >plain
    gzip data/*
    "$invar" data idx:data --json | grep -v '"source"' >packed
    cmp plain packed
}

@test "--json is one JSON object" {
    make_idx data
    "$invar" data idx:data --json | json_object
    "$invar" data fashion-mnist --json | json_object
}

@test "a folder of images, its split, and a tar of it" {
    make_images photos 20
    run --separate-stderr "$invar" data images:photos test_fraction=0.25
    [ "$status" -eq 0 ]
    [[ "$output" == *"30 train, 10 test"* ]]
    [[ "$output" == *"3 channels"* ]]
    tar czf photos.tar.gz photos
    run --separate-stderr "$invar" data images:photos.tar.gz test_fraction=0.25
    [ "$status" -eq 0 ]
    [[ "$output" == *"30 train, 10 test"* ]]
}

@test "a corrupt image is left out, counted and named" {
    make_images photos 20
    echo garbage >photos/class-1/7.png
    for memory in yes no; do
        run --separate-stderr "$invar" data images:photos memory=$memory
        echo "$output"
        [ "$status" -eq 0 ]
        [[ "$output" == *"problem "*"1 unreadable"*"class-1/7.png"* ]]
    done
    # Training stops at such a share.
    for memory in yes no; do
        fails_with 1 "$invar" data images:photos memory=$memory bad_limit=0.01
        says class-1/7.png
    done
}

@test "files of other endings are counted" {
    make_images photos 4
    touch photos/class-0/{a.gif,b.GIF,notes.txt}
    run --separate-stderr "$invar" data images:photos
    [ "$status" -eq 0 ]
    [[ "$output" == *"left out   3 files by their ending: 2 .gif, 1 .txt"* ]]
    run --separate-stderr "$invar" data images:photos --json
    [[ "$output" == *'"endings":'*'"2 .gif, 1 .txt"'* ]]
}

@test "nothing vanishes without a word: links that lead nowhere or back, pipes" {
    make_images photos 20
    ln -s ../store/7.png photos/class-1/away.png
    run --separate-stderr "$invar" data images:photos
    [ "$status" -eq 0 ]
    [[ "$output" == *"1 unreadable samples are left out, the first is class-1/away.png: cannot be read: it is a link to ../store/7.png, which is not there"* ]]
    mkfifo photos/class-1/pipe.png
    run --separate-stderr timeout 60 "$invar" data images:photos --json
    [ "$status" -eq 0 ]
    [[ "$output" == *'"skipped":'*2* ]]
    rm photos/class-1/away.png photos/class-1/pipe.png
    ln -s .. photos/class-1/up
    ln -s /unmounted/class-3 photos/class-3
    run --separate-stderr "$invar" data images:photos
    [ "$status" -eq 0 ]
    [[ "$output" == *"2 folders or links cannot be followed and are left out, the first is class-1/up: leads back to a folder that it lies in"* ]]
    [[ "$stderr" == *"2 folders or links cannot be followed"* ]]
    rm photos/class-1/up photos/class-3
    ln -s knot photos/knot
    run --separate-stderr "$invar" data images:photos
    [[ "$output" == *"the first is knot: Too many levels of symbolic links"* ]]
    rm photos/knot
    ln -s 7.png photos/class-1/other.png
    tar cf photos.tar photos
    run --separate-stderr "$invar" data images:photos.tar
    [ "$status" -eq 0 ]
    [[ "$output" == *"1 folders or links cannot be followed and are left out, the first is photos/class-1/other.png: a link"* ]]
    "$build/tests/make_data" clips clips 1 2 8
    ln -s nowhere clips/away.wav
    run --separate-stderr "$invar" data audio:clips
    [ "$status" -eq 0 ]
    [[ "$output" == *"1 unreadable samples are left out, the first is away.wav: cannot be read: it is a link to nowhere"* ]]
}

@test "what is unreadable is counted before it is refused, and data says that it would be" {
    make_images photos 20
    for i in 0 3 5 7 11; do echo garbage >photos/class-0/$i.png; done
    for memory in yes no; do
        run --separate-stderr "$invar" data images:photos memory=$memory test_fraction=0
        [ "$status" -eq 0 ]
        [[ "$output" == *"problem    5 of the 40 training samples are unreadable, more than the bad_limit of 0.01 that other verbs have"* ]]
        fails_with 1 "$invar" data images:photos memory=$memory test_fraction=0 bad_limit=0.01
        says "5 of the 40 training images cannot be used, more than data.bad_limit=0.01 allows; the first: class-0/0.png"
    done
    rm photos/class-0/{0,3,5,7,11}.png
    run --separate-stderr "$invar" data images:photos
    [[ "$output" == *"problems   none"* ]]
}

@test "names that are no UTF-8 are JSON all the same" {
    make_images photos 20
    mv photos/class-0 "$(printf 'photos/d\xffg')"
    mv photos/class-1 "$(printf 'photos/d\xfeg\xc3\xa9')"
    "$invar" data images:photos --json >data.json
    "$invar" pretrain relic-cifar10 data.source=images:photos data.size=16 encoder.widths='[4, 8]' \
        training.steps=2 training.batch=8 training.precision=float32 --run run --threads 1 >/dev/null 2>&1
    "$invar" probe run --threads 1 --json >probe.json 2>/dev/null
    "$invar" embed run images:photos -o all.npy --threads 1 --json >embed.json 2>/dev/null
    "$invar" compare run --json >compare.json
    run python3 - data.json probe.json embed.json compare.json run/probe.json <<'PYTHON'
import json, sys
for name in sys.argv[1:]:
    json.loads(open(name, "rb").read().decode("utf-8"))
print([c["name"] for c in json.load(open("data.json"))["classes"]])
PYTHON
    echo "$output"
    [ "$status" -eq 0 ]
    [[ "$output" == *'d\\xfegé'*'d\\xffg'* ]]
}

@test "a class folder without images" {
    make_images photos 4
    mkdir photos/empty
    fails_with 1 "$invar" data images:photos
    says photos empty
}

@test "images of another size are a problem that names one, or are resized" {
    make_images photos 20
    "$build/tests/make_data" images other 2 1 24
    cp other/class-0/0.png photos/class-0/large.png
    run --separate-stderr "$invar" data images:photos bad_limit=0
    echo "$output$stderr"
    [ "$status" -eq 1 ]
    [[ "$stderr" == *size* ]]
    run --separate-stderr "$invar" data images:photos size=16
    [ "$status" -eq 0 ]
    [[ "$output" == *"33 train, 8 test"* ]]
}

@test "missing, empty, truncated, oversized and foreign idx files" {
    fails_with 1 "$invar" data idx:nowhere
    says nowhere
    mkdir none
    fails_with 1 "$invar" data idx:none
    says none/train-images-idx3-ubyte
    for damage in empty truncated oversized foreign labels; do
        make_idx "$damage"
        file=$damage/train-images-idx3-ubyte
        case $damage in
        empty) : >"$file" ;;
        truncated) truncate -s 1000 "$file" ;;
        oversized) echo more >>"$file" ;;
        foreign) head -c 20000 /dev/zero >"$file" ;;
        labels) # one label fewer than images
            file=$damage/train-labels-idx1-ubyte
            truncate -s -1 "$file" ;;
        esac
        fails_with 1 "$invar" data "idx:$damage"
        says "$file"
    done
}

@test "damaged gzip" {
    make_idx data
    gzip data/*
    truncate -s -10 data/train-images-idx3-ubyte.gz
    fails_with 1 "$invar" data idx:data
    says data/train-images-idx3-ubyte.gz
}

@test "sizes that would overflow" {
    make_idx data
    printf '\000\000\010\003\377\377\377\377\377\377\377\377\377\377\377\377' >data/train-images-idx3-ubyte
    fails_with 1 "$invar" data idx:data
    says data/train-images-idx3-ubyte
}

@test "cifar records with a label out of range or a broken length" {
    mkdir cifar
    for i in 1 2 3 4 5; do head -c 3073 /dev/zero >cifar/data_batch_$i.bin; done
    head -c 3073 /dev/zero >cifar/test_batch.bin
    run "$invar" data cifar10:cifar
    [ "$status" -eq 0 ]
    printf '\012' | dd of=cifar/data_batch_3.bin conv=notrunc status=none
    fails_with 1 "$invar" data cifar10:cifar
    says data_batch_3.bin 10
    head -c 3000 /dev/zero >cifar/data_batch_3.bin
    fails_with 1 "$invar" data cifar10:cifar
    says data_batch_3.bin
}

@test "foreign archives and files" {
    yes foreign | head -c 5000 >noise.tar
    fails_with 1 "$invar" data images:noise.tar
    says noise.tar
    make_images photos 20
    tar cf photos.tar photos
    truncate -s 20000 photos.tar
    fails_with 1 "$invar" data images:photos.tar
    says photos.tar
    fails_with 1 "$invar" data images:nowhere
    says nowhere
}

@test "unknown sources and keys" {
    fails_with 2 "$invar" data nothing
    says nothing
    fails_with 2 "$invar" data fashion-mnits
    says fashion-mnits fashion-mnist
    fails_with 2 "$invar" data fashion-mnist sise=3
    says sise size
    fails_with 2 "$invar" data fashion-mnist size=large
    says size
}
