#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# invar report: the page of a run, of one in training, of several; and the page as Chromium shows it.
# covers: verb.report section.what section.curves section.views section.probe section.robustness section.spectrum section.map
bats_require_minimum_version 1.5.0

setup_file() {
    load common
    export DONE=$BATS_FILE_TMPDIR
    cd "$DONE"
    "$build/tests/make_data" idx data 64 32 16 4
    tiny_recipe >tiny.yaml
    "$invar" pretrain tiny.yaml --run first 2>log
    "$invar" pretrain tiny.yaml training.seed=7 --run second 2>log
    "$invar" probe first >log
}

setup() {
    load common
    command -v python3 >/dev/null || skip "there is no Python to read the pages with"
    cd "$BATS_TEST_TMPDIR"
    cp -r "$DONE/data" "$DONE/first" "$DONE/second" "$DONE/tiny.yaml" .
}

# The data of a page as JSON, and an expression of Python about them.
page_says() {
    python3 - "$1" "$2" <<'PYTHON'
import json, sys
text = open(sys.argv[1], encoding="utf-8").read()
block = text.split('<script type="application/json" id="data">', 1)[1].split("</script>", 1)[0]
data = json.loads(block)
runs = data["runs"]
if not eval(sys.argv[2]):
    sys.exit(f"not so: {sys.argv[2]}")
PYTHON
}

# browser PAGE ARGUMENTS..: what it looks like
browser() {
    command -v chromium >/dev/null || skip "there is no Chromium"
    python3 "$root/tests/report/browser.py" "$@"
}

@test "the page of a run" {
    run "$invar" report first
    echo "$output"
    [ "$status" -eq 0 ]
    grep -q '^first/report.html: 1 run' <<<"$output"
    page_says first/report.html 'runs[0]["machines"][0]["precision"] in ("float32", "bfloat16") and runs[0]["identity"].startswith("train=64 test=32")'
    grep -q '"Trained on"' first/report.html
    page_says first/report.html 'runs[0]["probe"]["linear"]["machine"]["threads"] >= 1'
    page_says first/report.html 'runs[0]["state"] == "finished" and runs[0]["probe"]["linear"]["top1"] >= 0'
    page_says first/report.html 'len(runs[0]["map"]["index"]) == 32 and len(runs[0]["map"]["tsne"]["x"]) == 32'
    page_says first/report.html 'runs[0]["views"]["columns"] == ["plain", "view 1", "view 2"]'
    page_says first/report.html 'all(c.startswith("data:image/png;base64,") for r in runs[0]["views"]["rows"] for c in r["cells"])'
}

@test "the same run gives the same map, another seed another" {
    "$invar" report first -o a.html >log
    "$invar" report first -o b.html >log
    "$invar" report first -o c.html --seed 1 >log
    data() { grep -o '"tsne":{"x":[^]]*' "$1"; }
    [ "$(data a.html)" = "$(data b.html)" ]
    [ "$(data a.html)" != "$(data c.html)" ]
}

@test "several runs side by side, and their tiles once" {
    run --separate-stderr "$invar" report first second -o both.html --json
    [ "$status" -eq 0 ]
    json_object <<<"$output"
    page_says both.html 'len(runs) == 2 and runs[1]["seed"] == 7'
    page_says both.html '"uri" in runs[0]["map"]["tile"] and runs[1]["map"]["tile"]["like"] == 0'
}

@test "nothing on the page asks for anything from elsewhere" {
    "$invar" report first second -o both.html >log
    ! grep -oE '(src|href)="[^"#]*"' both.html | grep -v '"data:'
    grep -q 'Permission is hereby granted, free of charge' both.html
    grep -q "Chart.js v" both.html
}

@test "without data, without an encoder, without a recipe there are sentences" {
    rm -r data
    "$invar" report first >log
    page_says first/report.html '"data" in runs[0]["map"]["absent"] and "data" in runs[0]["views"]["absent"]'
    rm first/encoder.safetensors
    "$invar" report first >log
    page_says first/report.html 'runs[0]["state"] == "stopped" and runs[0]["map"]["absent"]'
    rm first/recipe.yaml
    "$invar" report first >log
    page_says first/report.html 'runs[0]["views"]["absent"]'
    "$invar" report second --samples 0 >log
    page_says second/report.html '"more samples than 0" in runs[0]["map"]["absent"]'
}

@test "names are text, whatever they hold" {
    python3 - <<'PYTHON'
import json
probe = json.load(open("first/probe.json"))
probe["linear"]["classes"] = ["<b>bold</b>", "</script><script>alert(1)</script>", '"&amp;', "ok"]
json.dump(probe, open("first/probe.json", "w"))
PYTHON
    mv first '<i>run & "more"'
    "$invar" report '<i>run & "more"' -o page.html >log
    [ "$(grep -c '</script>' page.html)" -eq 3 ]
    ! grep -q 'alert(1)<' page.html
    ! grep -q '<i>run' page.html
    browser page.html --map --text '<b>bold</b>' --text '</script><script>alert(1)</script>' --text '<i>run & "more"'
}

@test "files that are torn are named on the page" {
    echo '{"linear": {' >first/probe.json
    "$invar" report first >log
    page_says first/report.html 'any("probe.json" in p for p in runs[0]["problems"])'
}

@test "what is no run is refused and leaves the page as it was" {
    mkdir empty
    echo old >page.html
    fails_with 1 "$invar" report empty -o page.html
    says empty
    fails_with 1 "$invar" report first nowhere -o page.html
    says nowhere
    [ "$(cat page.html)" = old ]
    fails_with 1 "$invar" report first -o nowhere/page.html
    fails_with 2 "$invar" report first size=large -o page.html
    says size large
    fails_with 2 "$invar" report first --samples 5001 -o page.html
    [ "$(cat page.html)" = old ]
}

@test "--watch goes on while training does, and ends with it" {
    run "$invar" report first --watch
    [ "$status" -eq 0 ]
    grep -q 'nothing to watch' <<<"$output"
    "$invar" pretrain tiny.yaml training.epochs=4000 training.log_interval=10 --run long 2>log &
    training=$!
    for _ in $(seq 200); do
        [ -s long/metrics.jsonl ] && break
        sleep 0.1
    done
    "$invar" report long --watch --interval 1 -o live.html >out 2>err &
    watching=$!
    for _ in $(seq 200); do
        [ -s live.html ] && break
        sleep 0.1
    done
    page_says live.html 'runs[0]["state"] == "training" and data["reload"] == 1 and len(runs[0]["views"]["rows"]) == 8'
    kill -INT $training
    wait $training || true
    wait $watching
    page_says live.html 'runs[0]["state"] != "training" and data["reload"] == 0'
}

@test "--watch ends on Ctrl-C" {
    "$invar" pretrain tiny.yaml training.epochs=4000 training.log_interval=10 --run long 2>log &
    training=$!
    for _ in $(seq 200); do
        [ -s long/metrics.jsonl ] && break
        sleep 0.1
    done
    # A shell gives its background jobs no SIGINT; SIGTERM is the same to the command.
    "$invar" report long --watch --interval 60 -o live.html >out 2>err &
    watching=$!
    for _ in $(seq 200); do
        grep -q 'Ctrl-C' err && break
        sleep 0.1
    done
    kill -TERM $watching
    wait $watching
    kill -TERM $training
    wait $training || true
    page_says live.html 'data["reload"] == 0'
}

@test "Chromium shows it: charts, cards, no error, no request" {
    "$invar" report first >log
    browser first/report.html --map --charts 8 --sections "what curves views map probe robustness spectrum"
    browser first/report.html --map --charts 8 --dark --width 390 --height 800
}

@test "Chromium shows several runs under one legend" {
    "$invar" report first second -o both.html >log
    browser both.html --map --runs 2 --text 'Options in which the recipes differ' --text training.seed
}

@test "Chromium shows a run without anything" {
    rm -r data first/probe.json first/metrics.jsonl
    "$invar" report first >log
    browser first/report.html --charts 0 --text 'invar probe first' --text 'invar inspect first'
}
