#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Protocols of invar probe: SGD, fine-tuning, presets; what results say of themselves, and what is refused.
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

# has_key NAME..: probe.json holds these keys.
has_key() {
    local name
    json_object <run/probe.json
    for name in "$@"; do
        grep -q "\"$name\":" run/probe.json || {
            echo "probe.json lacks $name"
            return 1
        }
    done
}

@test "sgd: both epochs, the protocol, and the same again" {
    run --separate-stderr probe --method sgd epochs=6 batch=16 'lr=[0.1, 0.2]' 'l2=[0, 1e-3]' --baseline random
    [ "$status" -eq 0 ]
    grep -Eq '^sgd +[0-9.]+ +[0-9.]+ - .* best epoch [1-6]: [0-9.]+ % \(held out [0-9.]+ %\), lr .* last epoch 6: ' <<<"$output"
    grep -Eq '^sgd_random ' <<<"$output"
    [[ "$output" == *"protocol: sgd: epochs 6, batch 16"* && "$output" == *'augment "crop_flip"'* ]]
    [[ "$output" == *"chosen on held-out training samples"* ]]
    has_key sgd sgd_random protocol data_identity best last held_out_count candidates per_class confusion
    grep -q '"chosen_on_test":	false' run/probe.json
    probe --method sgd epochs=3 batch=16 --json | grep -v seconds >one.json
    probe --method sgd epochs=3 batch=16 --json | grep -v seconds >two.json
    cmp one.json two.json
}

@test "sgd: other views, schedules and a batch that is too large" {
    for how in augment=none augment=run; do
        probe --method sgd epochs=2 batch=5000 $how schedule=constant --json >out.json
        grep -q '"batch":	64' out.json
        grep -q "\"augment\":	\"${how#*=}\"" out.json
    done
    probe --method sgd epochs=4 batch=16 schedule=step 'milestones=[2, 3]' warmup=1 report=best >/dev/null
    fails_with 2 probe --method sgd epochs=3 warmup=3
    says warmup
    fails_with 2 probe --method sgd 'lr=[]'
    says lr empty
    rm run/recipe.yaml
    fails_with 2 probe --method sgd augment=run
    says augment=run recipe.yaml
}

@test "finetune: best and last step, few labels, and from the start" {
    run --separate-stderr probe --method finetune epochs=2 minimum_steps=8 batch=16 looks=4 --baseline random
    [ "$status" -eq 0 ]
    grep -Eq '^finetune +[0-9.]+ .* best step [0-9]+: [0-9.]+ % \(held out [0-9.]+ %\); last step [0-9]+: ' <<<"$output"
    grep -Eq '^finetune_random ' <<<"$output"
    has_key finetune finetune_random layer_decay
    grep -q '"layer_decay":	1' run/probe.json
    run --separate-stderr probe --method finetune minimum_steps=4 epochs=1 --labels 4 --labels 50% --draws 2
    [ "$status" -eq 0 ]
    grep -Eq '^finetune@4 .* mean of 2 draws of 16 labels' <<<"$output"
    grep -Eq '^finetune@50% .* mean of 2 draws of 32 labels' <<<"$output"
    has_key finetune finetune@4 finetune@50% data_identity top1_by_draw last_top1_by_draw
    probe --method finetune minimum_steps=4 epochs=1 --labels 4 --draws 2 --json | grep -v seconds >one.json
    probe --method finetune minimum_steps=4 epochs=1 --labels 4 --draws 2 --json | grep -v seconds >two.json
    cmp one.json two.json
}

@test "finetune starts from a linear probe, or from a fresh head" {
    # A rate that changes nothing: what is measured is the head as it started.
    probe --method finetune epochs=1 minimum_steps=1 lr=1e-12 weight_decay=0 held_out=0.25 --json >probe.out
    grep -q '"step":	0' probe.out
    grep -q '"head":	"probe"' probe.out
    probe --method finetune epochs=1 minimum_steps=1 lr=1e-12 weight_decay=0 held_out=0.25 head=fresh --json >fresh.out
    started() { awk '$1 == "\"top1\":" { print $2 + 0; exit }' "$1"; }
    awk -v a="$(started probe.out)" -v b="$(started fresh.out)" 'BEGIN { exit !(a > 80 && b < 70) }'
    # Two or three labels a class, one of them held out: there is nothing to choose the penalty by.
    probe --method finetune --labels 3 --draws 1 epochs=1 minimum_steps=1 held_out=0.1 >few.out
    grep -q '^finetune@3 ' few.out
    probe --method finetune --labels 2 --draws 1 epochs=1 minimum_steps=1 held_out=0.5 >few.out
    grep -q '^finetune@2 ' few.out
}

@test "finetune stops early, unless patience is 0" {
    probe --method finetune epochs=4 batch=16 looks=16 patience=1 lr=1e-9 --json >out.json
    grep -q '"steps":	200' out.json
    [ "$(grep -c '"step":	200' out.json)" -eq 0 ]
    probe --method finetune epochs=4 batch=16 minimum_steps=10 looks=5 patience=0 lr=1e-9 --json >out.json
    grep -A99 '"last"' out.json | grep -q '"step":	16'
}

@test "presets set the method, are changed by KEY=VALUE, and say what they chose on the test split" {
    for preset in relic solo-learn-offline lightly-linear; do
        probe --preset $preset epochs=12 batch=16 >$preset.txt
        grep -q "protocol: sgd, preset $preset: epochs 12, batch 16" $preset.txt
        has_key $preset
    done
    grep -q '^chosen on held-out training samples' relic.txt
    grep -q '^images are seen as 18,bicubic' relic.txt
    ! grep -q '^images are seen' lightly-linear.txt
    probe --preset relicv2 epochs=2 batch=16 >v2.txt
    grep -q 'preset relicv2: epochs 2, batch 16, lr \[0.3\]' v2.txt
    for preset in solo-learn-offline lightly-linear; do
        grep -q '^chosen on the test split' $preset.txt
    done
    grep -q '^not as in solo-learn: .* the rate is that of simclr' solo-learn-offline.txt
    grep -q '"changed":	\["epochs=12", "batch=16"\]' run/probe.json
    probe --preset solo-learn-knn --baseline random >knn.txt
    probe --preset lightly-knn >>knn.txt
    grep -q 'protocol: neighbours, preset lightly-knn: k \[200\], temperature 0.1' knn.txt
    has_key solo-learn-knn solo-learn-knn_random lightly-knn
    probe --preset lightly-finetune epochs=1 batch=16 >/dev/null
    has_key lightly-finetune
}

@test "the plain view is resized and cropped, and says so" {
    "$build/tests/make_data" images big 2 6 24
    for c in 0 1; do mv big/class-$c big/$c; done
    probe l2=0.01 --test images:big --json >whole.json
    run --separate-stderr probe l2=0.01 --test images:big --plain 23,bicubic
    [ "$status" -eq 0 ]
    [[ "$output" == *"images are seen as 23,bicubic"* ]]
    grep -q '"plain":	"23,bicubic"' run/probe.json
    ! grep -q '"plain"' whole.json
    fails_with 2 probe --plain 9
    says "9 pixels" "give 16 or more"
    fails_with 2 probe --plain nearest
    says nearest 256,bicubic
}

@test "the online classifier of a run that trained one" {
    fails_with 2 probe --method online
    says run/classifier.safetensors classifier.enabled=true
    "$invar" pretrain run/recipe.yaml classifier.enabled=true training.epochs=12 --run with --threads 1 >out
    grep -q 'classifier/top1' out
    rm -r run && mv with run
    probe --preset solo-learn-online >out
    grep -Eq '^solo-learn-online +[4-9][0-9]\.[0-9]+ .* trained beside the encoder' out
    grep -q '^protocol: online, preset solo-learn-online$' out
    probe --method online --json >out.json
    has_key online confusion per_class test_count protocol data_identity
    grep -q '"chosen_on_test":	false' out.json
    fails_with 2 probe --method online --baseline random
    says online random none
    fails_with 2 probe --method online --hold-out a=b
    says hold-out online
    cp run/projector.safetensors run/classifier.safetensors
    fails_with 1 probe --method online
    says run/classifier.safetensors "8 classes"
}

@test "linear and neighbours say their protocol too" {
    probe >linear.txt
    grep -q '^protocol: linear: l2 \[1,0.1,' linear.txt
    grep -q '^chosen on held-out training samples: the strength' linear.txt
    probe l2=0.01 | grep -q '^chosen on nothing'
    probe --method neighbours | grep -q '^protocol: neighbours: k \[20,200\], temperature 0.07'
    probe --labels 4 --draws 2 --json | grep -q '"held_out":	0.5'
}

@test "ctrl-C during sgd and fine-tuning leaves the previous probe.json whole" {
    probe >/dev/null
    cp run/probe.json before.json
    for method in 'sgd epochs=1000000' 'finetune epochs=1000000 patience=0'; do
        interrupted_after 4 "$invar" probe run --threads 1 --method $method 2>stderr && status=0 || status=$?
        [ "$status" -eq 130 ]
        grep -q 'interrupted' stderr
        cmp before.json run/probe.json
    done
}

@test "methods, baselines and presets that do not fit are refused" {
    fails_with 2 probe --preset lightly-lineer
    says lightly-lineer lightly-linear
    fails_with 2 probe --preset lightly-knn --method linear
    says lightly-knn neighbours linear
    fails_with 2 probe --method sgd --baseline input
    says sgd input random
    fails_with 2 probe --method finetune --baseline supervised
    says finetune supervised random
    fails_with 2 probe --method sgd --labels 3
    says labels finetune
    fails_with 2 probe --preset relic --labels 3
    says preset
    fails_with 1 probe --method finetune --labels 1
    says labels
    fails_with 1 probe --method finetune --labels 17
    says "16 samples"
    fails_with 2 probe --preset relic k=3
    says k
    [ ! -e run/probe.json ]
}

@test "data without labels are refused by every method" {
    rm data/*labels*
    for method in linear neighbours sgd finetune; do
        fails_with 1 probe --method $method
        says classes labels
    done
    [ ! -e run/probe.json ]
}
