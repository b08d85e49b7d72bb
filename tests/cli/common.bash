# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Loaded by every suite: the command under test, and what the suites share.
build=${INVAR_BUILD:-$BATS_TEST_DIRNAME/../../build}
build=$(readlink -f "$build")
invar=$build/invar
root=$(readlink -f "$BATS_TEST_DIRNAME/../..")
export OMP_WAIT_POLICY=passive

# What is told beside a failure, and how far a slow machine had come: none of it is of the one sentence.
told='warning|.* is (dropped|set back to its default)|.* images are (colour|gray), seen '

# fails_with STATUS COMMAND..: that exit status, nothing on standard output, one sentence on standard error.
fails_with() {
    local expected=$1
    shift
    run --separate-stderr "$@"
    echo "status $status (expected $expected)"
    echo "output: $output"
    echo "stderr: $stderr"
    [ "$status" -eq "$expected" ] && [ -z "$output" ] && [[ "$stderr" == *"invar: "* ]] &&
        [ "$(grep -vcE "^invar: ($told)|^[a-z0-9 ]+: [0-9]+/[0-9]+ " <<<"$stderr")" -eq 1 ]
}

# says WORDS..: the last failure's sentence holds every one of the words.
says() {
    local word
    for word in "$@"; do
        grep -qF -- "$word" <<<"$stderr" || {
            echo "the sentence lacks: $word"
            return 1
        }
    done
}

# In the folder of the test: 64 + 32 tiny images of 4 classes, and a recipe on them.
tiny_data() {
    cd "$BATS_TEST_TMPDIR" || return
    "$build/tests/make_data" idx data 64 32 16 4
    tiny_recipe >tiny.yaml
}

# A recipe that trains in a fraction of a second on the data of `make_data idx data 64 32 16 4`.
tiny_recipe() {
    cat <<'YAML'
# a tiny run for tests
data:
  source: idx:data
views:
  count: 2
  crop: [0.5, 1]
  flip: 0.5
encoder:
  kind: small-resnet
  widths: [4, 8]
projector:
  hidden: [16]
  output: 8
terms:
  relic:
    tau: 0.2
optimiser:
  kind: adamw
  lr: 1e-3
training:
  epochs: 4
  batch: 16
  log_interval: 1
  measure_interval: 4
  checkpoint_interval: 200
  precision: float32
YAML
}

# Folder run: that recipe trained on its data, all in this folder.
tiny_run() {
    "$build/tests/make_data" idx data 64 32 16 4
    tiny_recipe >tiny.yaml
    "$invar" pretrain tiny.yaml --run run --threads 1 >/dev/null 2>&1
}

# probe ARGUMENTS..: of that run
probe() {
    "$invar" probe run --threads 1 "$@"
}

# A Python that has NumPy, with the Gymnasium of the tests.
fake_gymnasium() {
    local python
    for python in /usr/bin/python3 python3; do
        if "$python" -c 'import numpy' 2>/dev/null; then
            export INVAR_PYTHON=$python PYTHONPATH=$root/tests/env/fake PYTHONDONTWRITEBYTECODE=1
            return
        fi
    done
    skip "no Python has NumPy (Debian: python3-numpy), which worker.py needs"
}

# Standard input is one JSON object and nothing else.
json_object() {
    "$build/tests/is_json"
}

# until_step FOLDER STEP: until the run there has logged that step (`log_interval: 1`), a minute at most.
until_step() {
    local end=$((SECONDS + 60))
    until grep -q "\"step\": *$2[,}]" "$1/metrics.jsonl" 2>/dev/null; do
        if [ $SECONDS -ge $end ]; then
            echo "$1 has not come to step $2"
            return 1
        fi
        sleep 0.02
    done
}

# interrupted_after SECONDS COMMAND..: the command's status, signalled twice in a row, as timeout(1) does it. A shell gives
# its background jobs no SIGINT; SIGTERM is the same to the command.
interrupted_after() {
    local command
    "${@:2}" &
    command=$!
    sleep "$1"
    kill -TERM $command
    kill -TERM $command 2>/dev/null || true
    wait $command
}
