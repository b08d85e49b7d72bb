#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Features that another program made: invar inspect and invar probe of FILE.npy.

bats_require_minimum_version 1.5.0

setup_file() {
    load common
    cd "$BATS_FILE_TMPDIR"
    tiny_run
    "$invar" embed run idx:data -o f.npy --labels y.npy --threads 1 >/dev/null
}

setup() {
    load common
    cd "$BATS_FILE_TMPDIR"
}

@test "features of a run have the numbers of the run" {
    "$invar" inspect run --threads 1 --json >run.json
    "$invar" inspect f.npy --labels f.csv --threads 1 --json >features.json
    python3 - <<'PYTHON'
import json
run, features = json.load(open("run.json")), json.load(open("features.json"))
shared = ["deviation", "effective_rank", "direction_spread", "uniformity", "entropy_logdet", "entropy_pairdist_upper"]
for section, names in (("h", shared), ("fisher", ["fisher_min", "fisher_median", "fisher_max"])):
    for name in names:
        assert features[section][name] == run[section][name], name
assert features["features"] == "f.npy" and "run" not in features and features["split"] == "test"
PYTHON
    [ ! -e inspect.json ]
}

@test "a second view brings correlations, the information bound and the generalisation bound" {
    run --separate-stderr "$invar" inspect f.npy --labels f.csv --pair f.npy --threads 1
    [ "$status" -eq 0 ]
    [[ "$output" == *"h_hgr "*"sum_scaled_over_error"* ]]
    [[ "$output" == *"alignment                                   0 squared length"* ]]
    [[ "$output" == *"there is no encoder whose input could get noise"* ]]
    run --separate-stderr "$invar" inspect f.npy --labels y.npy --threads 1
    [ "$status" -eq 0 ]
    [[ "$output" == *"npy:f.npy: 96 train samples"* ]]
    [[ "$output" == *"that of one is given"* ]]
    "$invar" embed run idx:data -o test.npy --split test --threads 1
    fails_with 1 "$invar" inspect f.npy --pair test.npy
    says test.npy 32 96
}

@test "a probe of features is the probe of the run they are from" {
    "$invar" probe run --threads 1 --json >run.json
    "$invar" probe f.npy --labels f.csv --threads 1 --json >features.json
    "$invar" probe run --method neighbours k=5 --threads 1 --json >run_knn.json
    "$invar" probe f.npy --labels f.csv --method neighbours k=5 --threads 1 --json >features_knn.json
    python3 - <<'PYTHON'
import json
for a, b in (("run.json", "features.json"), ("run_knn.json", "features_knn.json")):
    run, features = json.load(open(a)), json.load(open(b))
    key, = (k for k in features if isinstance(features[k], dict))
    for name in ("top1", "balanced_accuracy", "macro_f1", "auroc", "ece", "confusion"):
        assert run[key][name] == features[key][name], (name, run[key][name], features[key][name])
    assert features["features"] == "f.npy" and "run" not in features
PYTHON
    [ ! -e probe.json ]
    run --separate-stderr "$invar" probe f.npy --labels y.npy --labels 3 --draws 2 --threads 1
    [ "$status" -eq 0 ]
    [[ "$output" == *"linear@3"* ]]
}

@test "features with numbers for labels, and test rows of their own" {
    python3 - <<'PYTHON'
import array
def save(name, shape, values, code="d", descr="<f8"):
    head = "{'descr': '%s', 'fortran_order': False, 'shape': %s, }" % (descr, shape)
    head += " " * (63 - (10 + len(head)) % 64) + "\n"
    open(name, "wb").write(b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head.encode() + array.array(code, values).tobytes())
import random
random.seed(1)
for name, rows in (("a", 80), ("b", 40)):
    x = [[random.gauss(0, 1) for _ in range(3)] for _ in range(rows)]
    save(name + ".npy", (rows, 3), [v for row in x for v in row])
    save(name + "_y.npy", (rows,), [2 * r[0] - r[1] + 5 for r in x])
    save("same_y.npy", (rows,), [5.0] * rows)
    open(name + ".csv", "w").write("kind\n" + "".join("%s\n" % ("up" if r[0] > 0 else "down") for r in x))
PYTHON
    "$invar" probe a.npy --labels a_y.npy --test b.npy --test-labels b_y.npy --threads 1 --json >numbers.json
    python3 -c 'import json; r = json.load(open("numbers.json"))["linear"]; assert r["r2"] > 0.999 and r["test_count"] == 40, r' ||
        { cat numbers.json; false; }
    run --separate-stderr "$invar" probe a.npy --labels a.csv --test b.npy --test-labels b.csv --threads 1
    [ "$status" -eq 0 ]
    [[ "$output" == *"80 training and 40 test samples of 2 classes"* ]]
    run "$invar" probe b.npy --labels same_y.npy data.label_kind=number
    [ "$status" -eq 1 ]
    [[ "$output" == *"there is nothing to predict"* ]]
    fails_with 2 "$invar" probe a.npy --labels a.csv --test b.npy
    says --test-labels
}

@test "what is of runs and what of features" {
    fails_with 2 "$invar" inspect f.npy --data idx:data
    says --data
    fails_with 2 "$invar" inspect run --pair f.npy
    says --pair
    fails_with 2 "$invar" inspect f.npy --labels 20
    says --labels 20 FILE.csv
    fails_with 1 "$invar" inspect none.npy
    says none.npy
    fails_with 2 "$invar" probe f.npy
    says --labels
    fails_with 2 "$invar" probe f.npy --labels y.npy --baseline random
    says baseline f.npy
    fails_with 2 "$invar" probe f.npy --labels y.npy --method finetune
    says finetune
    fails_with 2 "$invar" probe run --labels y.npy
    says y.npy FILE.npy
}
