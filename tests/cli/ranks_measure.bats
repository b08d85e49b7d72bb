#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Runs that several processes measure together: the results of one, bit for bit.
bats_require_minimum_version 1.5.0

setup_file() {
    load common
    cd "$BATS_FILE_TMPDIR"
    "$build/tests/make_data" idx data 600 600 16 4
    "$build/tests/make_data" images photos 2 400 16
    tiny_recipe >tiny.yaml
    OMP_NUM_THREADS=1 "$invar" pretrain tiny.yaml training.steps=8 --run run 2>/dev/null
}

setup() {
    load common
    load ranks
    several_processes
    cp -r "$BATS_FILE_TMPDIR/." "$BATS_TEST_TMPDIR"
    cd "$BATS_TEST_TMPDIR"
}

# results FILE: but for what time has to do with
results() {
    grep -vE '"(seconds|images_per_s|samples_per_s|time)"' "$1"
}

@test "embed: the bits of one process, in its order" {
    "$invar" embed run idx:data -o one.npy --labels one-labels.npy
    for count in 2 3 4; do
        ranks $count embed run idx:data -o many.npy --labels many-labels.npy >said.txt
        cmp one.npy many.npy
        cmp one.csv many.csv
        cmp one-labels.npy many-labels.npy
        [ "$(grep -c 'samples x' said.txt)" -eq 1 ]
    done
    "$invar" embed run idx:data -o - --format csv >one.txt
    ranks 2 embed run idx:data -o - --format csv >many.txt
    cmp one.txt many.txt
}

@test "embed: what cannot be read is left out by all" {
    for i in 3 270 290 399; do echo damaged >photos/class-0/$i.png; done
    for memory in yes no; do
        "$invar" embed run images:photos -o one.npy memory=$memory channels=1
        ranks 2 embed run images:photos -o many.npy memory=$memory channels=1
        cmp one.npy many.npy
        cmp one.csv many.csv
        cmp one-left-out.csv many-left-out.csv
        [ "$(wc -l <many-left-out.csv)" -eq 5 ]
    done
    for i in 370 371 372 373 374 375 376 377 378; do echo damaged >photos/class-1/$i.png; done
    one_sentence 1 ranks 2 embed run images:photos -o many.npy memory=no channels=1 bad_limit=0.01
    says "cannot be used, more than data.bad_limit=0.01 allows"
}

@test "embed: one sample that cannot be read, and is all that a process reads" {
    "$build/tests/make_data" images few 1 257 16
    echo damaged >"few/class-0/$(ls few/class-0 | LC_ALL=C sort | tail -1)"
    "$invar" embed run images:few -o one.npy memory=no channels=1 test_fraction=0 --split train
    ranks 2 embed run images:few -o many.npy memory=no channels=1 test_fraction=0 --split train
    cmp one.npy many.npy
    cmp one.csv many.csv
    cmp one-left-out.csv many-left-out.csv
    [ "$(wc -l <many-left-out.csv)" -eq 2 ]
}

@test "probe: the numbers of one process, in one probe.json" {
    cp -r run other
    "$invar" probe run --baseline random --baseline input --labels all --labels 20 >one.txt
    ranks 2 probe other --baseline random --baseline input --labels all --labels 20 >many.txt
    diff <(results run/probe.json) <(results other/probe.json)
    [ "$(wc -l <one.txt)" -eq "$(wc -l <many.txt)" ]
    "$invar" probe run --method neighbours k=5 --json >one.json
    ranks 4 probe other --method neighbours k=5 --json >many.json
    diff <(results one.json) <(results many.json | sed 's/"other"/"run"/')
}

@test "robustness: the errors of one process" {
    cp -r run other
    "$invar" robustness run --corruption fog,snow --severity 2,4 --flips >one.txt
    ranks 2 robustness other --corruption fog,snow --severity 2,4 --flips >many.txt
    diff <(results run/robustness.json) <(results other/robustness.json)
    [ "$(grep -c '^fog' many.txt)" -eq 1 ]
}

@test "one sentence of all, whoever it is that fails" {
    one_sentence 1 ranks 2 probe nowhere
    says "nowhere"
    one_sentence 1 ranks 2 embed run idx:data -o nowhere/out.npy
    says "nowhere/out.npy"
    one_sentence 1 ranks 2 embed run csv:none.csv -o out.npy
    one_sentence 2 ranks 2 probe run --method neighbour
    says "neighbours"
    one_sentence 2 ranks 2 inspect run
    says "inspect is of one process, and 2 were started"
    mkdir lacks other
    cp -r run lacks
    one_sentence 1 timeout 60 mpirun -n 1 "$invar" probe run : -n 1 -wdir "$PWD/lacks" "$invar" probe run
    says "process 2 of 2: " "data"
    cp -r run other
    "$build/tests/make_data" idx other/data 500 600 16 4
    one_sentence 1 timeout 60 mpirun -n 1 "$invar" probe run : -n 1 -wdir "$PWD/other" "$invar" probe run
    says "process 2 has other data than process 1 (500 training samples, 600 there)"
    rm -r other/data other/run && cp -r data other
    (cd other && "$invar" pretrain ../tiny.yaml training.steps=4 --run run 2>/dev/null)
    one_sentence 2 timeout 60 mpirun -n 1 "$invar" probe run : -n 1 -wdir "$PWD/other" "$invar" probe run
    says "process 2 has another encoder than process 1"
}

@test "a process that is stopped or killed ends all" {
    "$build/tests/make_data" idx data 600 8000 16 4 # corruptions of several seconds
    # shellcheck disable=SC2016
    mpirun -n 2 bash -c 'echo $$ >pid.$OMPI_COMM_WORLD_RANK; exec "$@"' - "$invar" robustness run --rank-timeout 2 \
        >out.txt 2>err.txt 3>&- &
    job=$!
    until [ -s pid.1 ]; do sleep 0.05; done
    sleep 2 # until they have met
    kill -STOP "$(cat pid.1)"
    timeout 60 tail --pid=$job -f /dev/null
    ! wait $job
    grep -q 'another process has been silent for 2 s' err.txt
}
