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
    says --pair 32 96
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
    fails_with 1 "$invar" inspect run/encoder.npy
}
