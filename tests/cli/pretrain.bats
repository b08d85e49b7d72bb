#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# invar pretrain on a few tiny images: what a run leaves behind, resuming, and everything that may stand in its way.
# covers: verb.pretrain
bats_require_minimum_version 1.5.0

setup() {
    load common
    tiny_data
}

pretrain() {
    "$invar" pretrain tiny.yaml --threads 1 "$@"
}

# stop_at FOLDER STEP OPTIONS..: trains until metrics.jsonl has that step, then presses Ctrl-C; sets $status
stop_at() {
    local folder=$1 step=$2 pid
    shift 2
    # The command itself, not a function: a signal to a subshell would not reach it.
    "$invar" pretrain tiny.yaml --threads 1 --run "$folder" training.epochs=250 "$@" 2>stderr.txt >stdout.txt &
    pid=$!
    until_step "$folder" "$step"
    kill -INT $pid || true
    status=0
    wait $pid || status=$?
}

@test "a run leaves recipe, metrics, events and encoder" {
    run --separate-stderr pretrain --run run
    [ "$status" -eq 0 ]
    [[ "$output" == run:* ]]
    for file in recipe.yaml metrics.jsonl encoder.safetensors projector.safetensors; do
        [ -s "run/$file" ]
    done
    ls run/events.out.tfevents.* run/checkpoint-*.safetensors
    [ "$(wc -l <run/metrics.jsonl)" -ge 2 ]
    for key in step epoch loss lr gradient_norm embedding_std effective_rank entropy alignment representation_rank representation_entropy samples_per_s; do
        grep -q "\"$key\"" run/metrics.jsonl || { echo "no $key"; false; }
    done
    [ -z "$(find run -name '*.tmp-*')" ]
}

@test "running the recipe.yaml of a run repeats it, byte for byte" {
    pretrain --run one
    "$invar" pretrain one/recipe.yaml --threads 1 --run two
    cmp one/encoder.safetensors two/encoder.safetensors
    cmp one/recipe.yaml two/recipe.yaml
}

@test "another seed gives other weights" {
    pretrain --run one
    pretrain --run two training.seed=8
    ! cmp -s one/encoder.safetensors two/encoder.safetensors
}

@test "without --run the folder is runs/NAME and the next number" {
    pretrain training.epochs=1
    pretrain training.epochs=1
    [ -f runs/tiny-1/encoder.safetensors ]
    [ -f runs/tiny-2/encoder.safetensors ]
}

@test "--json is one JSON object" {
    pretrain --run run --json >result.json
    json_object <result.json
    grep -q '"run"' result.json
    pretrain --dry-run --json | json_object
}

@test "--dry-run prints memory and operations and writes nothing" {
    run --separate-stderr pretrain --dry-run --run run
    [ "$status" -eq 0 ]
    [[ "$output" == *parameters*operations*memory* ]]
    [ ! -e run ]
}

# plan RECIPE WORDS..: a dry run as one line of JSON in $output
plan() {
    run --separate-stderr "$invar" pretrain "$@" --dry-run --json
    [ "$status" -eq 0 ] || { echo "$stderr"; false; }
    json_object <<<"$output"
}

# number KEY: of the last plan
number() {
    sed -n "s/^.*\"$1\":[[:space:]]*\([0-9.e+]*\),\{0,1\}$/\1/p" <<<"$output"
}

# about KEY VALUE: within 2 %
about() {
    awk -v got="$(number "$1")" -v want="$2" \
        'BEGIN { if (!(got > 0.98 * want && got < 1.02 * want)) { print got, "is not about", want; exit 1 } }'
}

@test "--dry-run plans the papers' settings on ImageNet without the memory and without the images" {
    for recipe in relic relic-target vicreg; do
        plan "$recipe-imagenet"
        [[ "$stderr" == *imagenet*1281167* ]]
        grep -q '"samples_assumed":[[:space:]]*true' <<<"$output"
        about encoder_parameters 23508032 # torchvision's ResNet-50 without fc: 25557032 - 2049000
        about encoder_multiply_adds 4.09e9
        about samples 1281167
    done
    # vicreg, the last: one forward pass and twice that backwards, encoder and expander, two views
    about steps 625000
    about operations_per_sample "$(awk 'BEGIN { print 2 * 3 * 2 * (4.087e9 + 2048 * 8192 + 2 * 8192 * 8192) }')"
    about parameters "$((23508032 + 2048 * 8192 + 2 * 8192 * 8192))"
    # Its memory is counted in hundreds of GiB, none of which it takes.
    [ "$(number total_bytes)" -gt 100000000000 ]
    if (ulimit -v 4000000 && "$invar" --version); then # a sanitizer's shadow memory does not fit there
        (ulimit -v 4000000 && "$invar" pretrain vicreg-imagenet --dry-run --threads 1)
    fi
}

@test "--dry-run names the largest batch, and memory grows with the batch alone" {
    plan vicreg-imagenet training.batch=64
    small=$(number workspace_bytes) weights=$(number weight_bytes)
    plan vicreg-imagenet training.batch=256
    about workspace_bytes "$((4 * small))"
    [ "$(number weight_bytes)" -eq "$weights" ]
    if [ "$(number available_bytes)" -gt 0 ]; then
        largest=$(number largest_batch)
        [ "$largest" -gt 0 ]
        run --separate-stderr "$invar" pretrain vicreg-imagenet --dry-run "training.batch=$((largest * 2))"
        [[ "$output" == *"does not fit"* ]]
        run --separate-stderr "$invar" pretrain vicreg-imagenet --dry-run "training.batch=$((largest / 2))"
        [[ "$output" == *"it fits"* ]]
    fi
}

@test "--dry-run of a source that is there counts it, and of one that is not there needs samples, size and channels" {
    plan tiny.yaml
    [ "$(number samples)" -eq 64 ]
    plan tiny.yaml data.samples=65
    says 64 65 data.samples
    [ "$(number samples)" -eq 64 ]
    fails_with 1 "$invar" pretrain tiny.yaml --dry-run data.source=idx:nowhere
    says nowhere data.samples data.size data.channels
    fails_with 1 "$invar" pretrain tiny.yaml --dry-run data.source=images:nowhere data.samples=9 data.size=16
    says nowhere data.samples data.size data.channels
    plan tiny.yaml data.source=images:nowhere data.samples=99 data.size=16 data.channels=1
    [ "$(number samples)" -eq 99 ]
    fails_with 2 "$invar" pretrain tiny.yaml --dry-run data.source=images:nowhere data.samples=9 data.size=16 data.channels=1
    says training.batch 9
    # Training takes nothing on trust.
    fails_with 1 "$invar" pretrain tiny.yaml data.source=images:nowhere data.samples=99 data.size=16 data.channels=1 --run run
    [ ! -e run ]
}

@test "init starts from the weights of another run" {
    pretrain --run one
    pretrain --run two init=one/encoder.safetensors
    ! cmp -s one/encoder.safetensors two/encoder.safetensors
    fails_with 1 "$invar" pretrain tiny.yaml --run three init=nothing.safetensors
    says nothing.safetensors
    fails_with 1 "$invar" pretrain tiny.yaml --run four init=one/encoder.safetensors 'encoder.widths=[8, 8]'
    [ ! -e four/encoder.safetensors ]
}

@test "interrupted and resumed twice equals uninterrupted, byte for byte" {
    pretrain --run whole training.epochs=250
    stop_at parts 40
    [ "$status" -eq 130 ]
    stop_at parts 300 --resume
    [ "$status" -eq 130 ]
    pretrain --run parts training.epochs=250 --resume
    cmp whole/encoder.safetensors parts/encoder.safetensors
    # The metrics go on where they were, without a step twice.
    grep -o '"step": *[0-9]*' whole/metrics.jsonl >whole.steps
    grep -o '"step": *[0-9]*' parts/metrics.jsonl >parts.steps
    diff whole.steps parts.steps
}

@test "Ctrl-C saves, says so in one sentence, exits 130" {
    stop_at run 20
    cat stderr.txt
    [ "$status" -eq 130 ]
    [ ! -s stdout.txt ]
    grep -q -- 'resume goes on' stderr.txt
    ls run/checkpoint-*.safetensors
    [ ! -e run/encoder.safetensors ]
}

@test "--resume needs no RECIPE" {
    stop_at run 20
    "$invar" pretrain --resume --run run --threads 1 --json >result.json
    [ -f run/encoder.safetensors ]
    fails_with 2 "$invar" pretrain --resume
    says --run
    fails_with 2 "$invar" pretrain tiny.yaml --resume
    says --run
}

@test "killed at ten random moments, the run resumes to the same bits" {
    local pid often=training.checkpoint_interval=50
    pretrain --run whole training.epochs=500 $often
    RANDOM=20231
    for _ in $(seq 10); do
        "$invar" pretrain tiny.yaml --threads 1 --run parts training.epochs=500 $often --resume &>killed.txt &
        pid=$!
        sleep "0.$(printf %03d $((50 + RANDOM % 200)))"
        kill -KILL $pid 2>/dev/null || true
        wait $pid || true
    done
    pretrain --run parts training.epochs=500 $often --resume
    cmp whole/encoder.safetensors parts/encoder.safetensors
}

@test "a torn checkpoint is passed over for the one before" {
    stop_at run 60
    newest=$(ls run/checkpoint-*.safetensors | sort -V | tail -n 1)
    truncate -s -100 "$newest"
    pretrain --run run training.epochs=250 --resume 2>stderr.txt
    grep -q "$(basename "$newest")" stderr.txt
    [ -f run/encoder.safetensors ]
}

@test "a run folder that exists is not touched" {
    pretrain --run run
    sha256sum run/* >before
    fails_with 2 "$invar" pretrain tiny.yaml --run run
    says run resume
    sha256sum run/* | diff before -
    mkdir other
    echo precious >other/notes.txt
    fails_with 2 "$invar" pretrain tiny.yaml --run other
    [ "$(ls other)" = notes.txt ]
    echo precious >file
    fails_with 1 "$invar" pretrain tiny.yaml --run file
    [ "$(cat file)" = precious ]
}

@test "a run that is finished resumes to nothing and stays as it is" {
    pretrain --run run
    cp run/encoder.safetensors before
    pretrain --run run --resume
    cmp run/encoder.safetensors before
}

@test "a run of another recipe is not gone on with" {
    stop_at run 20
    for change in training.seed=9 training.epochs=3 terms.relic.tau=0.5 'encoder.widths=[8, 8]'; do
        fails_with 2 "$invar" pretrain tiny.yaml --run run --resume "$change"
        says run
    done
}

@test "a folder that cannot be written" {
    if [ "$(id -u)" = 0 ]; then
        fails_with 1 "$invar" pretrain tiny.yaml --run /proc/run
    else
        mkdir locked
        chmod 555 locked
        fails_with 1 "$invar" pretrain tiny.yaml --run locked/run
    fi
    says run
}

@test "a full disk stops the run with a sentence and leaves what was whole" {
    export INVAR_TEST_DEVICE=cpu # cpu-guarded has a file as large as all its memory, which no limit lets it have
    # Files may not grow beyond 8 KiB: the first checkpoint meets the limit.
    run --separate-stderr bash -c "trap '' XFSZ; ulimit -f 8; '$invar' pretrain tiny.yaml --run run --threads 1"
    echo "$stderr"
    [ "$status" -eq 1 ]
    says run/
    [ ! -e run/encoder.safetensors ]
    [ -z "$(find run -name '*.tmp-*')" ]
}

@test "a batch larger than the data set" {
    fails_with 2 "$invar" pretrain tiny.yaml --run run training.batch=128
    says batch 128 64
    [ ! -e run ]
}

@test "data that are missing or foreign" {
    fails_with 1 "$invar" pretrain tiny.yaml --run run data.source=idx:nowhere
    says nowhere
    fails_with 2 "$invar" pretrain tiny.yaml --run run data.source=floppy:a
    says floppy
    fails_with 2 "$invar" pretrain tiny.yaml --run run data.source=
    [ ! -e run ]
}

@test "a device that is not there" {
    fails_with 2 "$invar" pretrain tiny.yaml --run run --device gpu
    says gpu cpu
    [ ! -e run ]
}

@test "numbers that blow up stop the run and name the step" {
    run --separate-stderr pretrain --run run optimiser.lr=1e30 training.warmup=0 training.epochs=40
    echo "$stderr"
    [ "$status" -eq 1 ]
    says step
    [ ! -e run/encoder.safetensors ]
}
