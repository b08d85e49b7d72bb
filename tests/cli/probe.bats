#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# invar probe and invar embed on a tiny run: what they print, what they leave behind, and what they refuse.
# covers: verb.probe
bats_require_minimum_version 1.5.0

setup_file() {
    load common
    cd "$BATS_FILE_TMPDIR"
    tiny_run
}

setup() {
    load common
    cp -r "$BATS_FILE_TMPDIR/data" "$BATS_FILE_TMPDIR/run" "$BATS_TEST_TMPDIR"
    cd "$BATS_TEST_TMPDIR"
}

@test "the probe and its baselines, as text and in probe.json" {
    run --separate-stderr probe --baseline input --baseline random
    [ "$status" -eq 0 ]
    [[ "$output" == *"64 training and 32 test samples of 4 classes"* ]]
    for name in linear random input; do
        grep -Eq "^$name +[0-9.]+ +[0-9.]+ - +[0-9.]+" <<<"$output"
        grep -q "\"$name\":" run/probe.json
    done
    [[ "$output" == *"converged"* ]]
    [ "$(grep -c '"top1":' run/probe.json)" -eq 3 ]
    json_object <run/probe.json
}

@test "every method has balanced accuracy, macro F1, AUROC and calibration error" {
    probe --labels all --labels 3 --draws 2 >/dev/null
    probe --method neighbours k=3 >/dev/null
    probe --method sgd epochs=2 >/dev/null
    probe --method finetune epochs=1 minimum_steps=2 >/dev/null
    probe --method finetune epochs=1 minimum_steps=2 --labels 4 --draws 2 >text
    grep -Eq '^fractions +balanced +macro F1 +AUROC +ECE$' text
    grep -Eq '^finetune@4( +[01]\.[0-9]{4}){4}$' text
    for name in balanced_accuracy macro_f1 auroc ece; do
        [ "$(grep -cE "\"$name\":[[:space:]]*(0\.[0-9]+|1|0)" run/probe.json)" -eq 6 ]
    done
    # of the test split every class has eight samples: balanced accuracy is top-1
    "$invar" compare run --metric linear.top1 --metric linear.balanced_accuracy --metric linear.ece --json | json_object
}

@test "test samples of one class have no AUROC, and the result says why" {
    awk 'BEGIN { OFS = ","; srand(5); print "a,b,y"; for (i = 0; i < 60; i++) { k = i < 40 && i % 2; print k + rand(), k - rand(), k ? "up" : "down" } }' >one.csv
    "$invar" pretrain simclr-table training.precision=float32 data.source=csv:one.csv data.label=y data.test_rows=last:20 training.steps=3 \
        training.batch=16 --threads 1 --run one 2>/dev/null
    for method in linear neighbours; do
        run --separate-stderr "$invar" probe one --threads 1 --method $method
        [ "$status" -eq 0 ]
        [[ "$output" == *"no AUROC: all test samples are of one class"* ]]
    done
    grep -q '"auroc_absent"' one/probe.json
    [ "$(grep -c '"auroc":' one/probe.json || true)" -eq 0 ]
    json_object <one/probe.json
}

@test "probe --json prints one object" {
    run --separate-stderr probe --json --baseline random
    [ "$status" -eq 0 ]
    json_object <<<"$output"
    [[ "$output" == *'"confusion"'* && "$output" == *'"converged":	true'* && "$output" == *'"gradient_norm"'* ]]
}

@test "results are added to probe.json; other keys stay" {
    echo '{"mine": [1, 2], "linear": {"top1": -1}}' >run/probe.json
    probe >/dev/null
    probe --method neighbours --baseline random k=[3,5] >/dev/null
    json_object <run/probe.json
    grep -q '"mine"' run/probe.json
    grep -q '"neighbours":' run/probe.json
    grep -q '"neighbours_random":' run/probe.json
    ! grep -q -- '-1' run/probe.json
    [ "$(grep -c '"linear":' run/probe.json)" -eq 1 ]
    [ "$(grep -c '"instruction_set":' run/probe.json)" -eq 3 ]
    [ "$(grep -c '"precision":	"float32"' run/probe.json)" -eq 3 ]
}

@test "the same probe twice gives the same numbers, whatever the number of threads" {
    probe --json | grep -v seconds >one.json
    "$invar" probe run --threads 2 --json | grep -v seconds >two.json
    cmp one.json two.json
}

@test "a torn or foreign probe.json is refused and kept" {
    for text in '{"linear": {"to' '[1, 2]' '' 'hello'; do
        printf '%s' "$text" >run/probe.json
        fails_with 1 probe
        says run/probe.json "move it away"
        [ "$(cat run/probe.json)" = "$text" ]
    done
}

@test "what is no finished run is refused" {
    fails_with 1 "$invar" probe nowhere
    says nowhere/encoder.safetensors "resume"
    printf 'torn' >run/encoder.safetensors
    fails_with 1 probe
    says run/encoder.safetensors
}

@test "the random baseline needs the seed of the recipe; what was measured before is shown and kept" {
    rm run/recipe.yaml
    run --separate-stderr probe --baseline random
    [ "$status" -eq 1 ]
    says run/recipe.yaml
    [ "$(wc -l <<<"$stderr")" -eq 1 ]
    [[ "$output" == *"linear  "* && "$output" != *random* ]]
    "$build/tests/is_json" <run/probe.json
    grep -q '"linear"' run/probe.json
    [ "$(grep -c '"random"' run/probe.json || true)" -eq 0 ]
}

@test "the supervised baseline is trained, probed and described" {
    run --separate-stderr probe --baseline supervised
    [ "$status" -eq 0 ]
    grep -Eq '^supervised +[0-9.]+ +[0-9.]+ - +[0-9.]+' <<<"$output"
    grep -Eq 'trained on labels for 16 steps .* held out [0-9.]+ % of 8; its own head [0-9.]+ %' <<<"$output"
    json_object <run/probe.json
    for name in supervised head_top1 best_step; do
        grep -q "\"$name\":" run/probe.json
    done
    # The same again, on other threads too, and whatever is done beside it.
    probe --baseline supervised --json | grep -v seconds >one.json
    "$invar" probe run --threads 1 --baseline supervised --baseline random --json | grep -v seconds >two.json
    [ "$(grep -A3 head_top1 one.json)" = "$(grep -A3 head_top1 two.json)" ]
    probe --method neighbours --baseline supervised k=3 >/dev/null
    grep -q '"neighbours_supervised":' run/probe.json
}

@test "ctrl-C during the supervised baseline keeps what was measured before" {
    sed -i 's/epochs: .*/epochs: 100000/' run/recipe.yaml
    interrupted_after 5 "$invar" probe run --threads 1 --baseline supervised 2>stderr && status=0 || status=$?
    [ "$status" -eq 130 ]
    grep -q 'interrupted after' stderr
    json_object <run/probe.json
    grep -q '"linear":' run/probe.json
    ! grep -q '"supervised":' run/probe.json
}

@test "few labels: draws, their mean, and every baseline" {
    run --separate-stderr probe --labels 3 --labels 25% --labels all --draws 3 --baseline random --baseline supervised
    [ "$status" -eq 0 ]
    for name in linear random supervised; do
        grep -Eq "^$name@3 +[0-9.]+ +[0-9.]+ - +[0-9.]+ +32  mean of 3 draws of 12 labels" <<<"$output"
        grep -Eq "^$name@25% .* mean of 3 draws of 16 labels" <<<"$output"
        grep -Eq "^$name .* converged" <<<"$output"
        grep -q "\"$name@25%\":" run/probe.json
    done
    [ "$(grep -c 'trained on labels' <<<"$output")" -eq 1 ]
    json_object <run/probe.json
    # All of a class is no draw: the probe of all labels, but for the part that is held out.
    probe --labels 16 --draws 2 held_out=0.1 --json >all.json
    json_object <all.json
    probe --labels 3 --json | grep -v seconds >one.json
    probe --labels 3 --json | grep -v seconds >two.json
    cmp one.json two.json
}

@test "few labels that cannot be are refused" {
    fails_with 1 probe --labels 17
    says "17 labels a class" "16 samples"
    for bad in 0 2.5 -1 some 100% 0% ''; do
        fails_with 2 probe --labels "$bad"
        says labels
    done
    fails_with 2 probe --labels 3 --method neighbours
    says neighbours
    fails_with 1 probe --labels 1
    says "one strength"
    probe --labels 1 l2=0.01 >/dev/null
}

@test "wrong usage of probe is status 2" {
    fails_with 2 probe --method best
    says linear neighbours
    fails_with 2 probe --baseline chance
    says random input
    fails_with 2 probe tolerence=1e-3
    says tolerence tolerance
    fails_with 2 probe iterations=0
    says iterations
    fails_with 2 "$invar" probe
}

@test "a source that is missing is a sentence" {
    fails_with 1 probe --data idx:missing
    says missing
}

@test "embed --normalise writes the same rows at length 1" {
    "$invar" embed run idx:data -o raw.npy --threads 1 --json >raw.json
    "$invar" embed run idx:data -o unit.npy --normalise --threads 1 >/dev/null
    cols=$(grep -o '"dimensions":[^0-9]*[0-9]*' raw.json | grep -o '[0-9]*$')
    for name in raw unit; do
        od -An -v -j 128 -tf4 -w$((4 * cols)) $name.npy >$name.txt
    done
    paste raw.txt unit.txt | awk -v n="$cols" '
        { s = 0; for (j = 1; j <= n; j++) s += $j * $j
          for (j = 1; j <= n; j++) { d = $j - $(n + j) * sqrt(s); if (!(d * d <= 1e-10 * s)) bad = 1 } ++rows }
        END { exit bad || !rows }'
}

@test "embed writes features and labels of a split or of all" {
    run --separate-stderr "$invar" embed run idx:data -o all.npy --labels labels.npy --threads 1
    [ "$status" -eq 0 ]
    [[ "$output" == *"96 samples x 32 features"* ]]
    "$invar" embed run idx:data -o train.npy --split train --threads 1 >/dev/null
    "$invar" embed run idx:data -o test.npy --split test --threads 2 --json | json_object
    [ "$(stat -c %s all.npy)" -eq $((128 + 96 * 32 * 4)) ]
    [ "$(stat -c %s labels.npy)" -eq $((128 + 96 * 8)) ]
    # Rows of all are the rows of train, then those of test.
    cmp <(tail -c $((96 * 32 * 4)) all.npy) <(tail -c $((64 * 32 * 4)) train.npy; tail -c $((32 * 32 * 4)) test.npy)
}

@test "embed writes the files of the embedding projector" {
    run --separate-stderr "$invar" embed run idx:data --projector run/shown --threads 1
    [ "$status" -eq 0 ]
    [[ "$output" == *"run/shown: 32 samples for the projector"* ]]
    [ "$(wc -l <run/shown/metadata.tsv)" -eq 33 ]
    [ "$(stat -c %s run/shown/tensors.bytes)" -eq $((32 * $(grep -m2 -oP 'tensor_shape: \K\d+' run/shown/projector_config.pbtxt | tail -1) * 4)) ]
    grep -q 'image_path: "sprite.png"' run/shown/projector_config.pbtxt
    head -c 4 run/shown/sprite.png | grep -q PNG
    "$invar" embed run idx:data --projector shown --split train --json --threads 1 | json_object
    [ "$(wc -l <shown/metadata.tsv)" -eq 65 ]
    fails_with 1 "$invar" embed run idx:data --projector data/train-images-idx3-ubyte/x --threads 1
}

@test "wrong usage of embed" {
    fails_with 2 "$invar" embed run idx:data
    says -o
    fails_with 2 "$invar" embed run idx:data -o a.npy --split val
    says train test all
    fails_with 2 "$invar" embed run -o a.npy
    fails_with 1 "$invar" embed run idx:data -o missing/a.npy
    says missing/a.npy
}
