#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What other people's names, a narrow or simple terminal, and the shell's own ways do to the command.
bats_require_minimum_version 1.5.0

setup() {
    load common
    cd "$BATS_TEST_TMPDIR"
}

# plain FILE..: no control character but newline and tab
plain() {
    ! LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' "$@"
}

@test "control characters in names are shown, not sent, and JSON stays what it was" {
    esc=$(printf '\033]0;x\007') csi=$(printf '\302\2331m')
    mkdir -p "images/a$esc" "images/b$csi"
    "$build/tests/make_data" images made 2 3 8
    cp made/class-0/* "images/a$esc/"
    cp made/class-1/* "images/b$csi/"
    echo broken >"images/a$esc/${esc}.png"
    "$invar" data images:images bad_limit=0.5 >out.txt 2>err.txt
    plain out.txt err.txt
    grep -qF 'a\u001b]0;x\u0007' out.txt
    grep -qF 'b\u009b1m' out.txt
    "$invar" data images:images bad_limit=0.5 --json >out.json 2>err.txt
    plain out.json
    json_object <out.json
    printf 'x%s,kind\n' "$esc" >t.csv
    for i in 1 2 3 4 5 6 7 8; do echo "$i,k$esc$((i % 2))"; done >>t.csv
    "$invar" data csv:t.csv label=kind test_fraction=0.25 >out.txt 2>err.txt
    plain out.txt err.txt
    status=0
    "$invar" data "images:no$esc" >out.txt 2>err.txt || status=$?
    [ $status -eq 1 ]
    plain err.txt
}

@test "other letters go through as they are" {
    mkdir -p images/größe images/日本 images/кот
    "$build/tests/make_data" images made 3 2 8
    cp made/class-0/* images/größe/
    cp made/class-1/* images/日本/
    cp made/class-2/* images/кот/
    "$invar" data images:images >out.txt
    grep -q größe out.txt
    grep -q 日本 out.txt
    grep -q кот out.txt
}

@test "a very long name is shown by its beginning and its length" {
    long=$(head -c 20000 /dev/zero | tr '\0' x)
    printf 'a,kind\n1,%s\n2,q\n3,%s\n4,q\n' "$long" "$long" >t.csv
    "$invar" data csv:t.csv label=kind test_fraction=0.25 >out.txt 2>err.txt
    grep -q 'x\.\.\. (20000 bytes)' out.txt
    [ "$(awk '{ if (length($0) > most) most = length($0) } END { print most }' out.txt)" -lt 400 ]
}

@test "a bar is as wide as the terminal, and there is none where the terminal cannot" {
    script -qec true /dev/null >/dev/null 2>&1 </dev/null || skip "no script(1), or no terminal for it"
    tiny_data
    bar="stty cols 40; '$invar' pretrain tiny.yaml --threads 1 --run"
    TERM=xterm script -qec "$bar one training.epochs=30" wide.txt >/dev/null </dev/null
    # a line drawn anew ends where the next begins
    tr '\r' '\n' <wide.txt | sed 's/\x1b\[K//g' | grep 'training \[' >bars.txt || skip "too fast for a bar"
    [ "$(awk '{ if (length($0) > most) most = length($0) } END { print most }' bars.txt)" -lt 40 ]
    TERM=dumb script -qec "$bar two training.epochs=30" dumb.txt >/dev/null </dev/null
    ! grep -q $'\033' dumb.txt
}

@test "OMP_NUM_THREADS is the default of --threads" {
    tiny_data
    OMP_NUM_THREADS=1 "$invar" pretrain tiny.yaml --run one training.epochs=1 2>err.txt
    grep -q 'on cpu, 1 thread,' err.txt
    OMP_NUM_THREADS=3,2 "$invar" pretrain tiny.yaml --run three training.epochs=1 2>err.txt
    grep -q 'on cpu, 3 threads' err.txt
    OMP_NUM_THREADS=3 "$invar" pretrain tiny.yaml --run two --threads 2 training.epochs=1 2>err.txt
    grep -q 'on cpu, 2 threads' err.txt
}

@test "~/ is the home folder where the shell leaves it" {
    tiny_data
    export HOME=$PWD
    "$invar" data 'idx:~/data' >a.txt
    "$invar" data idx:data >b.txt
    diff <(tail -n +2 a.txt) <(tail -n +2 b.txt)
    "$invar" pretrain tiny.yaml --threads 1 '--run=~/run' 'data.source=idx:~/data' training.epochs=1
    [ -e run/encoder.safetensors ]
    "$invar" embed run 'idx:~/data' '--output=~/out.npy' || "$invar" embed run 'idx:~/data' -o "$HOME/out.npy"
    [ -e out.npy ]
}

@test "runs that start at once get folders of their own" {
    tiny_data
    for i in 1 2 3 4; do
        "$invar" pretrain tiny.yaml --threads 1 training.epochs=1 >"out$i.txt" 2>&1 &
    done
    wait
    [ "$(cat out?.txt | sed -n 's/^\(runs[^:]*\): 4 steps.*/\1/p' | sort -u | wc -l)" -eq 4 ]
    for i in 1 2 3 4; do [ "$(wc -l <"runs/tiny-$i/metrics.jsonl")" -eq 4 ]; done
}

@test "a sentence is one write, which no other process can come between" {
    python3 - "$invar" <<'PYTHON' || return
import socket, subprocess, sys

ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
status = subprocess.run([sys.argv[1], "data", "images:no\tw\u00e4r"], stderr=theirs).returncode
theirs.close()
writes = list(iter(lambda: ours.recv(1 << 16), b""))
assert status == 1 and len(writes) == 1 and writes[0].startswith(b"invar: ") and writes[0].endswith(b"\n"), writes
PYTHON
}

@test "a run that cannot begin leaves no folder" {
    tiny_data
    fails_with 1 "$invar" pretrain tiny.yaml data.source=idx:none
    fails_with 2 "$invar" pretrain tiny.yaml training.batch=1000
    [ -z "$(ls runs 2>/dev/null)" ]
}

@test "a run that is used from elsewhere says what its paths are relative to" {
    tiny_run
    mkdir elsewhere
    cd elsewhere
    fails_with 1 "$invar" probe ../run
    says "idx:data is relative to the folder in which the run was trained"
    fails_with 1 "$invar" pretrain --run ../run --resume training.epochs=8
    says "idx:data is relative to the folder in which the run was trained"
    "$invar" probe ../run --data idx:../data >/dev/null
}

@test "spreadsheets get no formula from a name" {
    tiny_data
    for name in '=1+1' '@x' '-2'; do
        "$invar" pretrain tiny.yaml --threads 1 "--run=run$name" "name=$name" training.epochs=1 || true
    done
    "$invar" compare run* --format csv >out.csv
    ! grep -qE '(^|,)"?[=@]' out.csv
}
