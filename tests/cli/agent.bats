#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# invar agent: training into a folder, what it would take, and runs that are killed at any moment and go on.
# covers: verb.agent verb.play
bats_require_minimum_version 1.5.0

setup() {
    load common
    cd "$BATS_TEST_TMPDIR"
    export OMP_NUM_THREADS=1
    small=(dqn-catch training.steps=2400 training.checkpoint_interval=200 training.log_interval=400)
}

@test "a run leaves weights, metrics and a recipe that repeats it" {
    run --separate-stderr "$invar" agent "${small[@]}" --run a --json
    [ "$status" -eq 0 ]
    json_object <<<"$output"
    [[ "$output" == *'"recipe":	"dqn-catch"'*'"steps":	2400'*'"charts/episodic_return"'*'"losses/td_loss"'* ]]
    [ -f a/agent.safetensors ]
    [ "$(wc -l <a/metrics.jsonl)" -eq 6 ]
    "$invar" agent a/recipe.yaml --run b >/dev/null 2>&1
    cmp a/agent.safetensors b/agent.safetensors
    run ! "$invar" agent "${small[@]}" training.seed=1 --run a
    [[ "$output" == *"exists and is not empty"* ]]
}

@test "killed at any moments, a run goes on to the same bits" {
    export INVAR=$invar
    "$root/tests/faults/killed" 20 0.6 "${small[@]}"
    "$root/tests/faults/killed" 3 0.6 "${small[@]}" augmentation.learned=1 'augmentation.views.crop=[1, 1]' augmentation.views.shift=2
}

@test "a finished run may be made longer, and not another one" {
    "$invar" agent "${small[@]}" training.steps=800 --run a >/dev/null 2>&1
    "$invar" agent --resume --run a training.steps=1200 >/dev/null 2>&1
    [ -f a/checkpoint-00001200.safetensors ]
    run ! "$invar" agent --resume --run a agent.n=5
    [[ "$output" == *"belongs to a run with other settings"* ]]
    run ! "$invar" agent --resume --run a training.steps=400
    [[ "$output" == *"has done 1200 steps, more than the 400 that are asked for"* ]]
}

@test "a finished run whose checkpoints are gone is finished still, and nothing of it is made anew" {
    "$invar" agent "${small[@]}" training.steps=800 --run a >/dev/null 2>&1
    rm a/checkpoint-*
    cp -r a b
    run -0 "$invar" agent --resume --run a
    [[ "$output" == *"a: the run is finished"* ]]
    cmp a/agent.safetensors b/agent.safetensors
    cmp a/metrics.jsonl b/metrics.jsonl
    run ! "$invar" agent --resume --run a training.steps=1200
    [[ "$output" == *"a: has no whole checkpoint, so its length cannot be changed: set training.steps to the 800 "* ]]
    cmp a/metrics.jsonl b/metrics.jsonl
}

@test "a run that goes on reports the last update until the next, and says what differs" {
    rare=(dqn-catch agent.interval=400 training.log_interval=50 training.checkpoint_interval=500)
    "$invar" agent "${rare[@]}" training.steps=1600 --run a >/dev/null 2>&1
    "$invar" agent "${rare[@]}" training.steps=1500 --run b >/dev/null 2>&1
    grep -q '"losses/td_loss"' b/metrics.jsonl
    run -0 "$invar" agent --resume --run b training.steps=1600 --threads 2
    [[ "$output" == *"the run went on 1 threads so far and goes on with 2"* ]]
    grep -q '"step":1552,.*"losses/td_loss":0[.]' b/metrics.jsonl
    [ "$(grep '"step":1552,' a/metrics.jsonl)" = "$(grep '"step":1552,' b/metrics.jsonl)" ]
}

@test "values that are not finite are no end of a run" {
    run ! "$invar" agent dqn-catch agent.start=100 agent.interval=100 training.steps=100 optimiser.lr=1e30 --run a
    [[ "$output" == *"the values of actions are not finite"*"lower optimiser.lr"* ]]
    [ ! -e a/agent.safetensors ]
}

@test "a run of a version before some of its options goes on" {
    "$invar" agent "${small[@]}" training.steps=800 --run a >/dev/null 2>&1
    sed -i '/^  init: torch$/d; /^  epsilon_start: 0$/d; /^  paddings: /d' a/recipe.yaml
    [ "$(grep -c '^  \(init\|epsilon_start\|paddings\)' a/recipe.yaml)" -eq 0 ]
    run ! "$invar" agent --resume --run a training.steps=1200 agent.init=xavier
    [[ "$output" == *"belongs to a run with other settings"*'is "  init: torch", here it would be "  init: xavier"'* ]]
    "$invar" agent --resume --run a training.steps=1200 >/dev/null 2>&1
    [ -f a/checkpoint-00001200.safetensors ]
    grep -q '^  init: torch$' a/recipe.yaml
}

@test "an environment of another kind takes nothing of the recipe's" {
    run "$invar" agent dqn-atari100k env.id=catch 'encoder.kernels=[5, 2]' 'encoder.strides=[5, 1]' --dry-run
    [ "$status" -eq 0 ]
    [[ "$output" == *"env.noops of the recipe is dropped: env.id is now catch"* ]]
    fake_gymnasium
    run "$invar" agent dqn-atari100k env.id=gym:Walk-v0 --dry-run
    [ "$status" -eq 0 ]
    [[ "$output" == *"env.noops of the recipe is dropped: env.id is now gym:Walk-v0"* ]]
    run "$invar" agent r2d2-recall env.id=catch env.styles=4 --dry-run
    [[ "$output" != *"is dropped"* ]]
}

@test "what changes nothing of what is computed may change as a run goes on" {
    fake_gymnasium
    walk=(r2d2-recall env.id=gym:Walk-v0 agent.start=100)
    "$invar" agent "${walk[@]}" training.steps=200 env.timeout=30 --run a 2>/dev/null
    "$invar" agent --resume --run a training.steps=400 env.timeout=20 env.python="$INVAR_PYTHON" training.log_interval=50 \
        training.checkpoint_interval=100 2>/dev/null
    grep -q 'timeout: 20' a/recipe.yaml
    run ! "$invar" agent --resume --run a env.sticky=0.5
    [[ "$output" == *"belongs to a run with other settings"* ]]
    "$invar" agent "${walk[@]}" training.steps=400 --run b 2>/dev/null
    weights() { python3 -c 'import struct, sys; f = open(sys.argv[1], "rb"); f.seek(struct.unpack("<Q", f.read(8))[0], 1); sys.stdout.buffer.write(f.read())' $1; }
    cmp <(weights a/agent.safetensors) <(weights b/agent.safetensors)
    "$invar" play a --episodes 3 2>/dev/null
    "$invar" play a --episodes 3 env.timeout=9 env.python="$INVAR_PYTHON" 2>/dev/null
    [ "$(grep -c '"environment"' a/returns.json)" -eq 1 ]
}

@test "an LSTM forgets with a lost life in play as in training" {
    fake_gymnasium
    "$invar" agent r2d2-recall env.id=gym:Lives-v0 training.steps=200 agent.start=100 agent.life_ends=true --run lives 2>/dev/null
    cp -r lives whole
    sed -i 's/life_ends: true/life_ends: false/' whole/recipe.yaml
    for run in lives whole; do
        "$invar" play $run --episodes 1 --json | grep '"returns"' >$run.returns
    done
    run ! cmp lives.returns whole.returns
    "$invar" play lives --episodes 1 env.limit=2 --json | grep '"returns"' | tail -n 1 >lives.returns # no life is lost
    "$invar" play whole --episodes 1 env.limit=2 --json | grep '"returns"' | tail -n 1 >whole.returns
    cmp lives.returns whole.returns
}

@test "what it would take is said without training" {
    run --separate-stderr "$invar" agent dqn-catch --dry-run
    [ "$status" -eq 0 ]
    [[ "$output" == *"12000, 2876 updates"*"replay      64.0 MiB, at most"*"time"* ]]
    "$invar" agent dqn-catch --dry-run --json | json_object
    [ ! -e runs ]
}

@test "a run that ends before its first update says so" {
    "$invar" agent dqn-catch training.steps=800 agent.start=900 --run a 2>stderr.txt
    grep -q 'warning: the run ends before its first update: .*steps is 800.*step 900' stderr.txt
    "$invar" agent dqn-catch training.steps=900 agent.start=900 --run b 2>stderr.txt
    ! grep -q warning stderr.txt
}

@test "what there is not is one sentence" {
    run ! "$invar" agent dqn-katch
    [[ "$output" == *"no recipe of an agent of that name"*"dqn-catch"* ]]
    run ! "$invar" agent dqn-catch env.id=tag
    [[ "$output" == *'env.id: there is no environment "tag"'* ]]
    run -2 "$invar" agent
    [[ "$output" == *"RECIPE is missing"* ]]
}

@test "an agent plays: returns.json, the same again, and a picture" {
    "$invar" agent "${small[@]}" --run a >/dev/null 2>&1
    run --separate-stderr "$invar" play a --episodes 30 --gif a.gif
    [ "$status" -eq 0 ]
    [[ "$output" == *"catch: return"*"30 episodes"* ]]
    [ "$(head -c 6 a.gif)" = GIF89a ]
    for option in training.steps=7 training.seed=5 agent.n=5 n=1 'env={style: test}'; do
        fails_with 2 "$invar" play a --episodes 3 "$option"
        says "$option: an agent plays as it was trained" "env.KEY=VALUE"
    done
    cp a/returns.json first
    "$invar" play a --episodes 30 --json | json_object
    cmp first a/returns.json
    "$invar" play a env.style=test --episodes 5 --epsilon 0.125 --json | grep -q '"epsilon":	0.125,'
    for share in 1.5 -0.1 nan 0.1x; do
        fails_with 2 "$invar" play a --epsilon "$share"
        says "--epsilon" "a number from 0 to 1"
    done
    grep -q '"env.style=test epsilon=0.125"' a/returns.json
    "$invar" play a --episodes 5 --epsilon 0.5 --seed 7 --json | grep -q '"epsilon=0.5 seed=7"'
    [ "$(grep -c '"environment"' a/returns.json)" -eq 3 ]
    grep -A 8 '"default"' a/returns.json | grep -q '"epsilon":	0,'
    fails_with 2 "$invar" play a --no-ops 20
    says 'no-ops: catch has no first action NOOP' 'its first is left' 'play with 0'
    run ! "$invar" play a env.gray=false
    [[ "$output" == *"q.encoder.conv1.weight"*"and this net has"* ]]
    echo '[' >a/returns.json # before anything is played
    fails_with 1 "$invar" play a --episodes 3
    says a/returns.json "torn"
    cp first a/returns.json
    mkdir b
    run ! "$invar" play b
    [[ "$output" == *"is not the folder of a run"* ]]
    # A run of the other kind.
    fails_with 2 "$invar" embed a random:40 -o a.npy
    says "a: is the run of an agent" "it can be played"
    printf 'encoder: {kind: mlp}\nterms: {simclr: {}}\n' >b/recipe.yaml
    fails_with 2 "$invar" play b
    says "b: is the run of an encoder"
    "$invar" recipes show dqn-catch | grep -q '^env:'
}
