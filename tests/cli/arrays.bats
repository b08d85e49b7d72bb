#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Arrays and tables, and what lies beside one of them alone: labels, splits, groups.
bats_require_minimum_version 1.5.0

# make_arrays: x.npy [100][5] with y.npy, whether the first number is positive; x2.npy and y2.npy are those from the
# last row to the first; x30.npy [30][5] has no labels. tr.csv has 150 rows of numbers and y.
make_arrays() {
    python3 - <<'PYTHON'
import random, struct
def save(name, kind, rows):
    shape = "(%d,)" % len(rows) if kind == "q" else "(%d, %d)" % (len(rows), len(rows[0]))
    head = "{'descr': '<%s', 'fortran_order': False, 'shape': %s, }" % ({"q": "i8", "f": "f4"}[kind], shape)
    head += " " * (-(len(head) + 11) % 64) + "\n"
    flat = rows if kind == "q" else [n for row in rows for n in row]
    with open(name, "wb") as out:
        out.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode())
        out.write(struct.pack("<%d%s" % (len(flat), kind), *flat))
random.seed(3)
x = [[random.gauss(0, 1) for c in range(5)] for r in range(100)]
y = [int(row[0] > 0) for row in x]
save("x.npy", "f", x)
save("y.npy", "q", y)
save("x2.npy", "f", x[::-1])
save("y2.npy", "q", y[::-1])
save("x30.npy", "f", [[random.gauss(0, 1) for c in range(5)] for r in range(30)])
with open("tr.csv", "w") as out:
    out.write("a,b,y\n")
    for r in range(150):
        a = random.gauss(0, 1)
        out.write("%.6f,%.6f,%s\n" % (a, random.gauss(0, 1), "p" if a > 0 else "q"))
PYTHON
}

setup_file() {
    load common
    cd "$BATS_FILE_TMPDIR"
    make_arrays
    train labelled data.source=npy:x.npy data.labels=y.npy
}

# train RUN KEY=VALUE..
train() {
    local folder=$1
    shift
    "$invar" pretrain simclr-table training.precision=float32 training.steps=5 training.batch=32 'encoder.widths=[16]' \
        'projector.hidden=[16]' --threads 1 --run "$folder" "$@" >/dev/null 2>&1
}

setup() {
    load common
    cp -r "$BATS_FILE_TMPDIR"/. "$BATS_TEST_TMPDIR"
    cd "$BATS_TEST_TMPDIR"
}

top1() { # NAME: of probe.json
    python3 -c 'import json, sys; print(json.load(open("labelled/probe.json"))[sys.argv[1]]["top1"])' "$1"
}

@test "labels of an array are of that array alone; another can be given its own" {
    "$invar" embed labelled npy:x2.npy -o e.npy --threads 1
    [ "$(cut -d, -f6 e.csv | sort -u)" = "$(printf '\nlabel')" ]
    "$invar" embed labelled npy:x2.npy labels=y2.npy -o e.npy --threads 1
    [ "$(grep -c ',1$' e.csv)" -gt 30 ]
    "$invar" embed labelled npy:x30.npy -o e.npy --threads 1
    [ "$(wc -l <e.csv)" -eq 31 ]
    fails_with 1 probe_labelled --test npy:x2.npy
    says npy:x2.npy "no labels"
    fails_with 1 probe_labelled --data npy:x2.npy
    says npy:x2.npy "0 classes" data.labels=FILE
    probe_labelled >/dev/null
    probe_labelled --test npy:x2.npy --test-labels y2.npy >/dev/null
    probe_labelled --data npy:x2.npy data.labels=y2.npy >/dev/null
    awk "BEGIN { exit !($(top1 "linear->npy:x2.npy") > 85) }"
    fails_with 1 probe_labelled --test npy:x30.npy --test-labels y2.npy
    says y2.npy 100 30 x30.npy
    fails_with 2 probe_labelled data.labels=y2.npy
    says data.labels --data
    fails_with 2 probe_labelled --data npy:x2.npy data.test_fraction=0.5
    says data.test_fraction
    fails_with 2 probe_labelled --test-labels y2.npy
    says test-labels "test SOURCE"
    fails_with 2 probe_labelled --test csv:y2.csv --test-labels y2.npy
    says "test-labels: are for an array, npy:FILE; csv:y2.csv has its labels with it"
    "$invar" inspect labelled --data npy:x2.npy --threads 1 noise_samples=2 noise_draws=32 >none.txt
    grep -q "no labels" none.txt
    "$invar" inspect labelled --data npy:x2.npy data.labels=y2.npy --threads 1 noise_samples=2 noise_draws=32 >own.txt
    grep -q fisher_min own.txt
}

probe_labelled() {
    "$invar" probe labelled --threads 1 l2=0.01 "$@"
}

@test "the run's own array keeps its labels however it is spelled" {
    "$invar" embed labelled npy:x.npy -o one.npy --threads 1
    "$invar" embed labelled "npy:$PWD/x.npy" -o other.npy --threads 1
    [ "$(grep -c ',1$' one.csv)" -gt 30 ]
    cmp one.csv other.csv
}

@test "a recipe's labels, groups and test rows are not those of another data.source" {
    sed -e 's/^  metadata: .*/  metadata: g.csv/; s/^  group: .*/  group: g/; s/^  test_rows: .*/  test_rows: "last:20"/' \
        -e 's/^  ntxent:/  relic: {groups: true}/; /^    /d' labelled/recipe.yaml >mine.yaml
    { echo g && yes 'a
b' | head -n 100; } >g.csv
    again() { # RUN KEY=VALUE..
        run --separate-stderr "$invar" pretrain mine.yaml --threads 1 --run "$@"
        [ "$status" -eq 0 ]
    }
    again same "data.source=npy:$PWD/x.npy"
    [[ "$stderr" != *dropped* ]]
    grep -q '^  labels: y.npy' same/recipe.yaml
    fails_with 2 "$invar" pretrain mine.yaml --threads 1 --run other data.source=npy:x2.npy
    says groups data.group
    again other data.source=npy:x2.npy terms.relic.groups=false
    for key in labels group metadata test_rows; do
        says "data.$key of the recipe is dropped: data.source is now npy:x2.npy"
        grep -q "^  $key: \"\"" other/recipe.yaml
    done
    again given data.source=npy:x2.npy data.labels=y2.npy terms.relic.groups=false
    grep -q '^  labels: y2.npy' given/recipe.yaml
    mkdir moved
    mv x.npy moved
    run --separate-stderr "$invar" pretrain --resume --run same --threads 1 data.source=npy:moved/x.npy training.steps=6
    [ "$status" -eq 0 ] && [[ "$stderr" != *dropped* ]]
    grep -q '^  labels: y.npy' same/recipe.yaml
}

@test "files are the same wherever the command runs, and other sizes are told" {
    "$build/tests/make_data" images photos 2 20 8
    (cd photos && "$invar" pretrain simclr-cifar10 "data.source=images:$PWD" training.steps=2 training.batch=8 \
        'encoder.widths=[8]' 'projector.hidden=[8]' --threads 1 --run ../photographed)
    run --separate-stderr "$invar" pretrain --resume --run photographed --threads 1 training.steps=4
    [ "$status" -eq 0 ]
    run --separate-stderr "$invar" probe photographed --threads 1
    [ "$status" -eq 0 ] && [[ "$stderr" != *changed* ]]
    find photos -type f | head -n 1 | xargs -I{} sh -c 'echo >>"{}"'
    run --separate-stderr "$invar" probe photographed --threads 1
    [[ "$stderr" == *"sizes of files"* ]]
}

@test "labels of test rows are not those of another file of test rows" {
    train tested data.source=npy:x.npy data.labels=y.npy data.test=x2.npy data.test_labels=y2.npy
    cp x.npy other.npy
    for way in "test=./x2.npy" "test=other.npy test_labels=y.npy" "test_labels=y.npy test=other.npy"; do
        "$invar" embed tested npy:x.npy $way -o e.npy --threads 1
        [ "$(tail -n 100 e.csv | grep -c ',[01]$')" -eq 100 ]
    done
    "$invar" embed tested npy:x.npy test=other.npy -o e.npy --threads 1
    [ "$(tail -n 100 e.csv | grep -c ',test,.*,$')" -eq 100 ]
    run --separate-stderr "$invar" pretrain tested/recipe.yaml --threads 1 --run other data.test=other.npy
    [ "$status" -eq 0 ]
    says "data.test_labels of the recipe is dropped: data.test is now other.npy"
    grep -q '^  test_labels: ""' other/recipe.yaml
    run --separate-stderr "$invar" pretrain tested/recipe.yaml --threads 1 --run same data.test=./x2.npy
    [ "$status" -eq 0 ] && [[ "$stderr" != *dropped* ]]
}

@test "rows of an array and of a table stand as they do in their file, with the split of the run" {
    "$invar" embed labelled npy:x.npy -o whole.npy --threads 1
    "$invar" embed labelled npy:x2.npy -o back.npy --threads 1
    python3 - <<'PYTHON'
import array, csv
def read(name):
    raw = open(name + ".npy", "rb").read()
    numbers = array.array("f", raw[10 + int.from_bytes(raw[8:10], "little"):])
    width = len(numbers) // 100
    return [numbers[i * width:(i + 1) * width] for i in range(100)], list(csv.DictReader(open(name + ".csv")))
h, rows = read("whole")
back, others = read("back")
assert all(a == b for a, b in zip(h, reversed(back)))
assert [int(r["item"]) for r in rows] == [int(r["item"]) for r in others] == list(range(100))
assert {r["split"] for r in others} == {"train"} and sum(r["split"] == "test" for r in rows) == 20
PYTHON
    "$invar" embed labelled npy:x2.npy test_rows=last:30 -o back.npy --threads 1
    [ "$(cut -d, -f2 back.csv | tail -n +2 | uniq -c | tr -s ' \n' ' ')" = " 70 train 30 test " ]
    fails_with 1 "$invar" embed labelled npy:x2.npy --split test -o back.npy
    says npy:x2.npy "no test samples" data.test_fraction
}

@test "the probe of embedded rows is the probe of the run, whatever says what the test split is" {
    head -n 101 tr.csv >begin.csv
    { head -n 1 tr.csv && tail -n 50 tr.csv; } >end.csv
    train rows data.source=csv:tr.csv data.label=y data.test_rows=last:30
    train drawn data.source=csv:tr.csv data.label=y
    train file data.source=csv:begin.csv data.test=end.csv data.label=y
    for name in rows drawn file labelled; do
        case $name in file) source=csv:begin.csv ;; labelled) source=npy:x.npy ;; *) source=csv:tr.csv ;; esac
        "$invar" probe $name --threads 1 l2=0.01 --json >run.json
        "$invar" embed $name $source -o f.npy --threads 1
        "$invar" probe f.npy --labels f.csv --threads 1 l2=0.01 --json >features.json
        python3 -c '
import json, sys
run, features = json.load(open("run.json")), json.load(open("features.json"))
for key in "train_count", "test_count":
    assert run["linear"][key] == features["linear"][key], sys.argv
assert run["linear"]["confusion"] == features["linear"]["confusion"], sys.argv' $name
    done
    "$invar" embed rows csv:tr.csv -o f.npy --threads 1
    [ "$(cut -d, -f2 f.csv | tail -n +2 | uniq -c | tr -s ' \n' ' ')" = " 120 train 30 test " ]
    [ "$(cut -d, -f4 f.csv | tail -n +2 | tr '\n' ' ')" = "$(seq -s ' ' 2 151) " ]
}

@test "a file that has changed since training is told of by every verb that measures on it" {
    train table data.source=csv:tr.csv data.label=y
    # what is given beside it is no change of the file
    for verb in "probe table" "inspect table" "probe table data.label_kind=class" \
        "inspect table --data csv:tr.csv data.test_rows=last:30" "embed table csv:tr.csv -o e.npy label=y test_rows=every:4" \
        "embed table csv:tr.csv -o e.npy test_fraction=0.3 split_seed=4" "embed table csv:tr.csv -o e.npy test=tr.csv"; do
        run --separate-stderr "$invar" $verb --threads 1
        [ "$status" -eq 0 ] && [[ "$stderr" != *changed* ]]
    done
    { head -n 1 tr.csv && tail -n 150 tr.csv | sort; } >sorted.csv
    head -n 120 tr.csv >shorter.csv
    for file in sorted shorter; do
        cp $file.csv tr.csv
        for verb in "probe table" "inspect table" "probe table data.label_kind=class" \
            "inspect table --data csv:./tr.csv data.test_rows=last:30" "embed table csv:./tr.csv -o e.npy test_rows=every:4" \
            "embed table csv:./tr.csv -o e.npy"; do
            run --separate-stderr "$invar" $verb --threads 1
            [ "$status" -eq 0 ]
            says "csv:./tr.csv" 2>/dev/null || says "csv:tr.csv"
            says "has changed since" "table:" "they differ in"
        done
    done
    says "the number of training samples"
    run --separate-stderr "$invar" embed table csv:sorted.csv -o e.npy --threads 1
    [ "$status" -eq 0 ] && [[ "$stderr" != *changed* ]]
}

@test "files that data are read from are not written over" {
    cp tr.csv te.csv
    train table data.source=csv:tr.csv data.label=y data.test=te.csv
    cp tr.csv other.csv
    cp other.csv more.csv
    printf 'n,s\n1,a\n' >meta.csv
    mkdir pictures
    "$build/tests/make_data" images pictures 2 4 16
    sha256sum ./*.csv y.npy x.npy x2.npy y2.npy pictures/*/* >sums
    for place in tr.csv te.csv ./other.csv more.csv meta.csv "$PWD/te.csv"; do
        fails_with 2 "$invar" embed table csv:other.csv test=more.csv metadata=meta.csv group=s -o "$place"
        says "$place" "holds the data themselves"
    done
    ln -s te.csv link.csv
    fails_with 2 "$invar" embed table csv:other.csv -o link.csv
    fails_with 2 "$invar" embed table csv:other.csv -o e.npy --rows te.csv
    fails_with 2 "$invar" embed labelled npy:x2.npy labels=y2.npy -o y2.npy
    says y2.npy data.labels
    fails_with 2 "$invar" embed labelled npy:x2.npy -o e.npy --labels y.npy
    fails_with 2 "$invar" report table -o te.csv --samples 0
    says te.csv data.test
    fails_with 2 "$invar" report table -o x2.npy --samples 0
    says x2.npy FILE.html
    "$invar" report table -o page --samples 0 2>/dev/null
    "$invar" report table -o page --samples 0 2>/dev/null
    fails_with 2 "$invar" embed table images:pictures -o pictures/class-0/1.png
    says pictures/class-0/1.png
    sha256sum --check --quiet sums
    "$invar" embed table csv:other.csv -o e.npy --threads 1
}

@test "compare says how many test samples of other data have a label" {
    head -n 120 tr.csv >most.csv
    train table data.source=csv:most.csv data.label=y data.test_rows=last:20
    { head -n 1 tr.csv && tail -n 30 tr.csv && tail -n 10 tr.csv | sed 's/[pq]$/?/'; } >some.csv
    "$invar" probe table --test csv:some.csv --threads 1 l2=0.01 >/dev/null
    COLUMNS=300 "$invar" compare table >compared.txt
    grep -qF "99 of 99 training samples of csv:most.csv and 30 of 40 test samples of csv:some.csv have a label" compared.txt
}

# array NAME DESCR SHAPE BYTES_OF_PYTHON
array() {
    python3 - "$@" <<'PYTHON'
import struct, sys
name, descr, shape, data = sys.argv[1], sys.argv[2], sys.argv[3], eval(sys.argv[4])
head = "{'descr': '%s', 'fortran_order': False, 'shape': %s, }" % (descr, shape)
head += " " * (-(len(head) + 11) % 64) + "\n"
open(name, "wb").write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + data)
PYTHON
}

@test "truth values are images of 0 and 1" {
    array truth.npy '|b1' '(40, 8, 8)' 'bytes(i % 4 == 0 for i in range(40 * 64))'
    array bytes.npy '|u1' '(40, 8, 8)' 'bytes(255 * (i % 4 == 0) for i in range(40 * 64))'
    "$invar" data npy:truth.npy --json | grep -v truth.npy >truth
    "$invar" data npy:bytes.npy --json | grep -v bytes.npy >bytes
    grep -A 1 '"mean"' truth | grep -q 0.25
    diff <(grep -A 1 -E '"(mean|deviation)"' truth) <(grep -A 1 -E '"(mean|deviation)"' bytes)
}

@test "small images with channels last are refused as large ones are" {
    array large.npy '|u1' '(4, 32, 24, 3)' 'bytes(4 * 32 * 24 * 3)'
    array small.npy '|u1' '(4, 16, 16, 3)' 'bytes(4 * 16 * 16 * 3)'
    array gray.npy '|u1' '(4, 8, 8, 1)' 'bytes(4 * 8 * 8)'
    for name in large small gray; do
        fails_with 1 "$invar" data "npy:$name.npy"
        says "$name.npy" 'looks like [N][H][W][C]' 'numpy.transpose(x, (0, 3, 1, 2))'
    done
}
