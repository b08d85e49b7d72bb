#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# invar robustness on a tiny run: what it prints, what it leaves behind, and what it refuses.
# covers: verb.robustness
bats_require_minimum_version 1.5.0

setup_file() {
    load common
    cd "$BATS_FILE_TMPDIR"
    tiny_run
    "$invar" robustness run --threads 1 2>/dev/null >whole.txt
}

setup() {
    load common
    cp -r "$BATS_FILE_TMPDIR/data" "$BATS_FILE_TMPDIR/run" "$BATS_FILE_TMPDIR/whole.txt" "$BATS_TEST_TMPDIR"
    cd "$BATS_TEST_TMPDIR"
}

robustness() {
    "$invar" robustness run --threads 1 "$@"
}

@test "all corruptions, as text and in robustness.json" {
    grep -q '32 test images of 16 x 16 x 1' whole.txt
    grep -q 'parameters for 32 pixels, seed 0, frost: synthetic' whole.txt
    [ "$(grep -cE '^[a-z_]+( \(extra\))?( +[0-9.]+){6}$' whole.txt)" -eq 19 ]
    [ "$(grep -c '(extra)' whole.txt)" -eq 4 ]
    grep -Eq '^mean over the 15 +[0-9.]+$' whole.txt
    grep -Eq '^mean over all 19 +[0-9.]+$' whole.txt
    json_object <run/robustness.json
    for key in format protocol clean corruptions mean_error mean_error_19 chosen_on frost seed images table machine processor threads data_identity; do
        grep -q "\"$key\":" run/robustness.json
    done
    ! grep -q mCE run/robustness.json
}

@test "the clean error is that of the probe" {
    "$invar" probe run --threads 1 --json 2>/dev/null >probe.txt
    accuracy=$(grep -m1 '"top1"' probe.txt | grep -oE '[0-9.]+' | tail -n 1)
    error=$(grep -E '^clean' whole.txt | grep -oE '[0-9.]+')
    awk -v a="$accuracy" -v e="$error" 'BEGIN { exit !(a + e > 99.99 && a + e < 100.01) }'
}

@test "against itself every CE is 100, and mCE is of the 15 and of the 19" {
    cp -r run other
    run --separate-stderr robustness --reference other
    [ "$status" -eq 0 ]
    [[ "$output" == *"reference: other"* && "$output" == *"(mCE, mrCE)"* && "$output" == *"(mCE_19, mrCE_19)"* ]]
    [ "$(grep -cE '^[a-z_]+( \(extra\))?( +[0-9.]+){6} +100.00 +(100.00|none)$' <<<"$output")" -eq 19 ]
    grep -Eq '"mCE":	(100|99\.9999999|100\.000000)' run/robustness.json
    grep -q '"mCE_19":' run/robustness.json
}

@test "a selection is printed, and the whole file stays" {
    cp run/robustness.json whole.json
    run --separate-stderr robustness --corruption fog,snow --severity 3,1 --limit 10 --json
    [ "$status" -eq 0 ]
    json_object <<<"$output"
    [[ "$stderr" == *"stays as it is"* ]]
    [[ "$output" == *'"severities":	[1, 3]'* && "$output" == *'"images":	10'* && "$output" != *contrast* ]]
    cmp whole.json run/robustness.json
    rm run/robustness.json
    robustness --corruption snow --corruption fog --severity 3 >/dev/null
    grep -q '"fog":' run/robustness.json
    ! grep -q '"mean_error_19":' run/robustness.json
    # What is measured does not depend on what else is, or on threads.
    three=$(grep -E '^fog' whole.txt | awk '{ print $5 }')
    "$invar" robustness run --threads 2 --corruption fog --severity 3 2>/dev/null | grep -qE "^fog +$three +$three$"
}

@test "baselines stand beside the run, and may be the reference" {
    robustness --corruption contrast --severity 5 --baseline random --baseline supervised >text
    grep -q '^random ' text
    grep -q '^supervised ' text
    rm run/robustness.json
    robustness --corruption contrast --severity 5 --baseline random >/dev/null
    json_object <run/robustness.json
    grep -q '"baselines":' run/robustness.json
    cp -r run other
    robustness --corruption contrast --severity 5 --reference other:random >text
    grep -q 'reference: other:random' text
    fails_with 1 robustness --corruption contrast --severity 5 --reference other:supervised
    says "lacks the baseline supervised"
}

@test "what ReLIC's paper has stands beside errors over AlexNet's" {
    "$build/tests/make_data" idx big 12 4 16 2
    tiny_recipe | sed 's/^  batch: .*/  batch: 4/; s/^  epochs: .*/  epochs: 1/; s/idx:data/idx:big\n  size: 224/' >large.yaml
    "$invar" pretrain large.yaml --run large --threads 1 >/dev/null 2>&1
    run --separate-stderr "$invar" robustness large --threads 1 --corruption contrast,jpeg_compression --reference alexnet l2=0.01
    [ "$status" -eq 0 ]
    grep -qE '^contrast +[0-9.]+ +71.0 +54.0 +46.9 +48.6 +48.4$' <<<"$output"
    grep -qE '^mCE +none +76.7 +87.5 +76.4 +72.3 +70.8$' <<<"$output"
    grep -qE '^the 15 less clean +none +none +38.0 +30.4 +31.[23] +30.6$' <<<"$output"
}

@test "the strength is chosen on the extra corruptions" {
    extra=speckle_noise,gaussian_blur,spatter,saturate
    # by hand: each strength alone, its mean over the four
    for l2 in 1 0.01 1e-5; do
        "$invar" robustness run --threads 1 --corruption $extra l2=$l2 --json |
            awk -v l2=$l2 '/"mean_error":/ { gsub(",", ""); sum += $2; n++ } END { printf "%s %.6f\n", l2, sum / n }'
    done >by_hand
    run --separate-stderr robustness --corruption fog --choose extra 'l2=[1, 0.01, 1e-5]' --json
    [ "$status" -eq 0 ]
    grep -q '"chosen_on":	"the test split under the four extra corruptions"' <<<"$output"
    least=$(sort -k2,2g -s by_hand | awk '{ print $2; exit }')
    awk -v a="$least" -v b="$(grep '"extra_error"' <<<"$output" | tr -dc 0-9.)" 'BEGIN { exit !(a - b < 1e-4 && b - a < 1e-4) }'
    robustness --corruption fog --choose extra 'l2=[1, 0.01]' | grep -q '^strength .* chosen on the test split under the four extra'
    fails_with 2 robustness --choose test
    says '"test"' held_out extra
}

@test "flips stand behind the errors, in text and in robustness.json" {
    run --separate-stderr "$invar" robustness run --threads 1 --corruption fog --severity 1 l2=0.01 --flips --baseline random
    [ "$status" -eq 0 ]
    [ "$(grep -c '^flips of the prediction' <<<"$output")" -eq 2 ]
    grep -qE '^  shift +[0-9.]+  from -0.0714 to 0.0714 in 11 steps$' <<<"$output"
    "$invar" robustness run --threads 1 --corruption fog --severity 1 l2=0.01 --flips --json >flips.json
    json_object <flips.json
    grep -q '"mean_flip":' flips.json
    grep -A5 '"flips":' flips.json | grep -q '"shift":'
    ! grep -q '"hue"' flips.json # gray images
    # of a side whose eighth is no power of two: the last shift ends at the border, not beyond it
    "$build/tests/make_data" idx odd 12 4 28 2
    tiny_recipe | sed 's/^  batch: .*/  batch: 4/; s/^  epochs: .*/  epochs: 1/; s/idx:data/idx:odd/' >odd.yaml
    "$invar" pretrain odd.yaml --run odd-run --threads 1 >/dev/null 2>&1
    "$invar" robustness odd-run --threads 1 --corruption fog --severity 1 l2=0.01 --flips | grep -qE '^  shift +[0-9.]+ '
}

@test "references that were measured in another way are refused" {
    fails_with 1 robustness --reference nowhere
    says nowhere/robustness.json
    fails_with 2 robustness --reference alexnet
    says "224 x 224" "16 x 16"
    cp -r run other
    rm other/robustness.json
    "$invar" robustness other --threads 1 --corruption fog --severity 2 >/dev/null 2>&1
    fails_with 1 robustness --reference other
    says other "lacks gaussian_noise"
    fails_with 1 robustness --reference other --corruption fog
    says "fog at severity 1"
    fails_with 1 robustness --reference other --corruption fog --severity 2 --table 224
    says table 32 224
    fails_with 1 robustness --reference other --corruption fog --severity 2 --limit 10
    says images 32 10
    sed -i 's/"format":	1/"format":	7/' other/robustness.json
    fails_with 1 robustness --reference other --corruption fog --severity 2
    says "another version"
    "$build/tests/make_data" idx data2 64 32 16 4
    sed 's/idx:data/idx:data2/' "$BATS_FILE_TMPDIR/tiny.yaml" >two.yaml
    "$invar" pretrain two.yaml --run two --threads 1 2>/dev/null >/dev/null
    "$invar" robustness two --threads 1 --corruption fog --severity 2 >/dev/null 2>&1
    fails_with 1 robustness --reference two --corruption fog --severity 2
    says data idx:data idx:data2
}

@test "a torn or foreign robustness.json is refused and kept" {
    for text in '{"clean": {"er' '[1, 2]' 'hello'; do
        printf '%s' "$text" >run/robustness.json
        fails_with 1 robustness
        says run/robustness.json "move it away"
        [ "$(cat run/robustness.json)" = "$text" ]
    done
}

@test "ctrl-C leaves the file that was there whole" {
    cp run/robustness.json whole.json
    "$build/tests/make_data" idx data 64 20000 16 4
    interrupted_after 6 "$invar" robustness run --threads 1 >stdout 2>stderr && status=0 || status=$?
    [ "$status" -eq 130 ]
    [ ! -s stdout ]
    cmp whole.json run/robustness.json
    [ -z "$(find run -name '*.tmp*')" ]
}

@test "the sheet shows every corruption and measures nothing" {
    rm run/robustness.json
    run --separate-stderr robustness --show sheet.png
    [ "$status" -eq 0 ]
    [ "$(head -c 4 sheet.png | tail -c 3)" = PNG ]
    [[ "$stderr" == *"19 corruptions at 5 severities"* ]]
    [ ! -e run/robustness.json ]
}

@test "images that were corrupted by others" {
    mkdir -p ready/fog/1
    "$build/tests/make_data" images . 4 8 16
    for c in 0 1 2 3; do mv class-$c ready/fog/1/$c; done
    run --separate-stderr robustness --from ready --corruption fog --severity 1
    [ "$status" -eq 0 ]
    [[ "$output" == *"those of ready"* ]]
    grep -Eq '^fog +[0-9.]+ +[0-9.]+$' <<<"$output"
    fails_with 1 robustness --from ready --corruption fog --severity 2
    says ready/fog/2
    mv ready/fog/1/3 ready/fog/1/three
    fails_with 1 robustness --from ready --corruption fog --severity 1
    says '"three"'
    fails_with 1 robustness --from nowhere
    says nowhere
}

@test "data without labels, without a test split, and of other kinds are refused" {
    rm data/t10k-labels-idx1-ubyte data/train-labels-idx1-ubyte
    fails_with 1 robustness
    says "needs labels"
    rm data/t10k-images-idx3-ubyte
    "$build/tests/make_data" idx data 64 32 16 4
    rm data/t10k-*
    "$invar" pretrain "$BATS_FILE_TMPDIR/tiny.yaml" data.test_fraction=0 --run bare --threads 1 2>/dev/null >/dev/null
    fails_with 1 "$invar" robustness bare --threads 1
    says "no test samples" test_fraction
    printf 'a,b,y\n1,2,0\n3,4,1\n' >table.csv
    fails_with 1 robustness --data csv:table.csv
    says image table
}

@test "wrong usage of robustness is status 2" {
    fails_with 2 robustness --corruption hail
    says hail fog
    for bad in 0 6 x 1,9 ''; do
        fails_with 2 robustness --severity "$bad"
        says severity
    done
    fails_with 2 robustness --table 64
    says auto 224
    fails_with 2 robustness --baseline input
    says random supervised
    fails_with 2 robustness l3=1
    says l3
    fails_with 1 robustness --frost nowhere
    says nowhere
}
