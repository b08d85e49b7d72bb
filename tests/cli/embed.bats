#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# invar embed: which row is which sample, what was left out, tables and streams.
# covers: verb.embed

bats_require_minimum_version 1.5.0

setup_file() {
    load common
    cd "$BATS_FILE_TMPDIR"
    tiny_run
    mkdir -p photos
    "$build/tests/make_data" images photos 2 60 16
    printf 'no image' >photos/class-0/3.png
    : >'photos/class-1/7, "odd".png'
}

setup() {
    load common
    cd "$BATS_FILE_TMPDIR"
}

# Every file of photos is in exactly one of the lists, its class beside it.
lists_are_whole() {
    python3 - "$1" <<'PYTHON'
import csv, os, sys
name = sys.argv[1]
rows = list(csv.DictReader(open(name + ".csv")))
left = list(csv.DictReader(open(name + "-left-out.csv")))
assert [int(r["row"]) for r in rows] == list(range(len(rows)))
assert {r["split"] for r in rows} == {"train", "test"}
assert all(r["label"] == os.path.dirname(r["path"]) and not r["line"] for r in rows)
assert {r["path"] for r in left} == {"class-0/3.png", 'class-1/7, "odd".png'} and all(r["why"] for r in left)
files = {os.path.relpath(os.path.join(d, f), "photos") for d, _, fs in os.walk("photos") for f in fs}
listed = [r["path"] for r in rows + left]
assert len(listed) == len(set(listed)) and set(listed) == files, files ^ set(listed)
assert [int(r["item"]) for r in rows] == sorted(int(r["item"]) for r in rows)
with open(name + ".npy", "rb") as array:
    assert b"(%d, " % len(rows) in array.read(128)
PYTHON
}

@test "every row has its file, what cannot be read its reason, in memory and not" {
    for memory in yes no; do
        run "$invar" embed run images:photos -o seen.npy memory=$memory bad_limit=0.1 channels=1 test_fraction=0.2 --threads 2
        [ "$status" -eq 0 ]
        [[ "$output" == *"seen.csv: which row is which sample"* ]]
        [[ "$output" == *"seen-left-out.csv: 2 samples that cannot be read"* ]]
        [[ "$output" == *"images are colour, seen in gray"* ]]
        lists_are_whole seen
        cp seen.csv "seen-$memory.csv"
    done
    cmp seen-yes.csv seen-no.csv
    "$invar" embed run images:photos -o seen.npy bad_limit=0.1 channels=1 --json 2>/dev/null | python3 -c '
import json, sys
found = json.load(sys.stdin)
assert not any(line.split(",")[1] == "test" for line in open("seen.csv")) # nobody asked for a split of other data
assert found["rows_file"] == "seen.csv" and found["skipped"] == 2
assert found["converted"] == found["rows"]
assert {o["path"] for o in found["left_out"]} == {"class-0/3.png", "class-1/7, \"odd\".png"}'
}

@test "a list of what was left out goes when nothing is" {
    "$invar" embed run images:photos -o again.npy bad_limit=0.1 channels=1 2>/dev/null
    [ -e again-left-out.csv ]
    "$invar" embed run idx:data -o again.npy
    [ ! -e again-left-out.csv ]
}

@test "a table of rows and numbers, and streams of both kinds" {
    "$invar" embed run idx:data -o all.npy --threads 1
    "$invar" embed run idx:data -o table.csv --threads 1
    "$invar" embed run idx:data -o - --threads 1 2>said >stream.npy
    "$invar" embed run idx:data -o - --format csv --threads 1 2>/dev/null | cat >stream.csv
    cmp stream.npy all.npy
    cmp stream.csv table.csv
    grep -q "standard output: 96 samples x" said
    python3 - <<'PYTHON'
import array, csv
rows = list(csv.reader(open("table.csv")))
plain = list(csv.reader(open("all.csv")))
raw = open("all.npy", "rb").read()
numbers = array.array("f", raw[10 + int.from_bytes(raw[8:10], "little"):])
width = len(numbers) // 96
assert len(rows) == 97 and rows[0][:6] == plain[0] and rows[0][6:] == ["h%d" % i for i in range(width)]
assert [r[:6] for r in rows] == plain
for i, row in enumerate(rows[1:]):
    assert array.array("f", map(float, row[6:])) == numbers[i * width:(i + 1) * width]
assert [r[1] for r in rows[1:]] == ["train"] * 64 + ["test"] * 32
PYTHON
}

@test "rows of a table are lines of its file, blank ones and line ends in cells among them" {
    {
        echo kind,size,note
        for i in 1 2 3 4 5 6 7 8 9; do printf 'a,%d,"x\ny%d"\n\nb,%d,z\n' $i $((i % 3)) $((10 - i)); done
    } >shop.csv
    "$invar" pretrain simclr-table training.precision=float32 data.source=csv:shop.csv data.label=kind training.steps=2 training.batch=8 --run shop \
        --threads 1 >/dev/null 2>&1
    "$invar" embed shop csv:shop.csv -o rows.npy --threads 1
    python3 - <<'PYTHON'
import csv
text = open("shop.csv").read().split("\n")
rows = list(csv.DictReader(open("rows.csv")))
assert len(rows) == 18 and all(r["path"] == "shop.csv" for r in rows)
assert all(text[int(r["line"]) - 1].startswith(r["label"] + ",") for r in rows)
assert [int(r["line"]) for r in rows][:4] == [2, 5, 6, 9]
PYTHON
    sed 's/,z$/,new/' shop.csv >other.csv
    "$invar" embed shop csv:other.csv -o other.npy --threads 1 --json 2>said | python3 -c '
import json, sys
assert json.load(sys.stdin)["unseen"] == {"note": 9}'
    grep -q '"note" (9)' said
}

@test "what it will not write over" {
    echo mine >taken.csv
    run "$invar" embed run idx:data -o taken.npy
    [ "$status" -eq 0 ]
    [[ "$output" == *"taken-rows.csv: which row is which sample"* ]]
    [ "$(cat taken.csv)" = mine ]
    echo mine >taken-rows.csv
    fails_with 1 "$invar" embed run idx:data -o taken.npy
    says taken-rows.csv "another output"
    printf 'x,y\n1,2\n' >own.csv
    fails_with 2 "$invar" embed run csv:own.csv -o own.csv
    says own.csv "the data themselves"
    fails_with 2 "$invar" embed run csv:own.csv -o rows.npy --rows ./own.csv
    says own.csv
    [ "$(wc -l <own.csv)" -eq 2 ]
    fails_with 1 "$invar" embed run idx:nothing -o nowhere/a.npy # said before the data are looked at
    says nowhere/a.npy
    fails_with 2 "$invar" embed run idx:data -o a.npy --rows a.npy
    says rows a.npy
    fails_with 2 "$invar" embed run idx:data -o a.npy --labels a.npy
    says labels a.npy
    fails_with 1 "$invar" embed run npy:nope.npy -o a.npy
    says nope.npy "No such file"
    fails_with 2 "$invar" embed run idx:data -o - --json
    says --json "-o -"
    fails_with 2 "$invar" embed run idx:data -o a.npy --format parquet
    says npy csv
    fails_with 2 "$invar" embed run idx:data -o a.npy --windows --no-windows
}

@test "four bands that files were found to have are no opacity; opacity that files lack is told of" {
    python3 - <<'PYTHON'
import os, random, struct
random.seed(1)
def tiff(name, bands): # the fourth is no opacity, ExtraSamples 0
    data = bytes(random.randrange(256) for i in range(16 * 16 * bands))
    tags = [(256, 16), (257, 16), (259, 1), (262, 2), (273, 8), (277, bands), (278, 16), (284, 1)]
    entries = [(tag, 3, 1, struct.pack("<HH", value, 0)) for tag, value in tags]
    entries += [(258, 3, bands, struct.pack("<I", 8 + len(data))), (279, 4, 1, struct.pack("<I", len(data)))]
    if bands > 3:
        entries.append((338, 3, bands - 3, struct.pack("<HH", 0, 0)))
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHI", *e[:3]) + e[3] for e in sorted(entries))
    head = b"II*\0" + struct.pack("<I", 8 + len(data) + 2 * bands)
    os.makedirs(os.path.dirname(name), exist_ok=True)
    with open(name, "wb") as out:
        out.write(head + data + struct.pack("<%dH" % bands, *[8] * bands) + directory + b"\0\0\0\0")
for i in range(24):
    tiff("four/c%d/%d.tif" % (i % 2, i), 4)
    tiff("three/c%d/%d.tif" % (i % 2, i), 3)
PYTHON
    for channels in 0 4; do
        "$invar" pretrain tiny.yaml data.source=images:four data.channels=$channels training.batch=8 training.epochs=1 \
            --threads 1 --run bands$channels >/dev/null 2>&1
    done
    "$invar" embed bands0 images:four -o e.npy
    fails_with 1 "$invar" embed bands0 images:three -o e.npy
    says images:three "4 channels" "has 3" channels=4
    fails_with 2 "$invar" probe bands0 --test images:three
    says images:three "expected 3"
    for way in "bands0 images:three channels=4" "bands4 images:three"; do
        run --separate-stderr "$invar" embed $way -o e.npy
        [ "$status" -eq 0 ]
        [[ "$output" == *"24 images are gray, seen as colour, or without opacity, which is full then"* ]]
    done
    run --separate-stderr "$invar" embed bands4 images:four -o e.npy
    [ "$status" -eq 0 ] && [[ "$output$stderr" != *opacity* ]]
}

@test "bfloat16 on request: near float32, or a sentence where the processor has none" {
    "$invar" embed run idx:data -o single.npy
    fails_with 2 "$invar" embed run idx:data -o half.npy --precision float16
    says --precision bfloat16
    if ! "$invar" embed run idx:data -o half.npy --precision bfloat16; then
        fails_with 2 "$invar" embed run idx:data -o half.npy --precision bfloat16
        says "precision bfloat16" "processor"
        [ ! -e half.npy ]
    fi
    INVAR_EMULATE_BFLOAT16=1 "$invar" embed run idx:data -o half.npy --precision bfloat16 --json | grep -q '"precision":[[:space:]]*"bfloat16"'
    python3 - <<'PYTHON'
import struct
def read(name):
    with open(name, "rb") as f:
        assert f.read(8) == b"\x93NUMPY\x01\x00"
        header = f.read(struct.unpack("<H", f.read(2))[0])
        assert b"<f4" in header
        data = f.read()
    return struct.unpack("<%df" % (len(data) // 4), data)
a, b = read("single.npy"), read("half.npy")
error = sum((x - y) ** 2 for x, y in zip(a, b)) / sum(x * x for x in a)
assert len(a) == len(b) and 0 < error < 0.02 ** 2, error
PYTHON
}
