#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# invar env: environments in C, and those of a Python with the Gymnasium of tests/env/fake.
# covers: verb.env
bats_require_minimum_version 1.5.0

setup() {
    load common
    cd "$BATS_TEST_TMPDIR"
}

@test "an environment says what it is, what random play gives, and its rate" {
    run --separate-stderr "$invar" env catch --episodes 200
    [ "$status" -eq 0 ]
    [ -z "$stderr" ]
    [[ "$output" == *"catch 1"*"3 x 24 x 24, images of uint8"*"left, stay, right"*"at most 11 steps"*"states can be saved"* ]]
    [[ "$output" == *"random play"*"from -1 to 1"*"200 episodes"*" steps/s"* ]]
}

@test "--json is one object, the same for the same seed but for rates" {
    "$invar" env recall cues=4 env.delay=2 --json | tee one | json_object
    "$invar" env recall cues=4 delay=2 --json >two
    diff <(grep -v per_s one) <(grep -v per_s two)
    grep -q '"limit":	4' one
    "$invar" env recall cues=4 delay=2 --seed 1 --json | grep -v per_s >three
    run ! cmp <(grep -v per_s one) three
}

@test "wrong ids, options and values are one sentence" {
    fails_with 2 "$invar" env cathc
    says 'there is no environment "cathc"' 'did you mean "catch"'
    fails_with 2 "$invar" env catch style=tset
    says env.style plain train test
    fails_with 2 "$invar" env catch stile=test
    says env.stile 'did you mean "style"'
    fails_with 2 "$invar" env gym
    says gym:ID
    fails_with 2 "$invar" env
    fails_with 2 "$invar" env catch --episodes 0
}

@test "without a Python, or without its modules, the sentence says what to type" {
    fails_with 2 env INVAR_PYTHON=/nowhere/python "$invar" env gym:ALE/Pong-v5
    says 'gym:ALE/Pong-v5: there is no program "/nowhere/python"' 'apt install python3-venv' INVAR_PYTHON
    # A module that cannot be imported is as good as none.
    command -v python3 >/dev/null || skip "no python3"
    mkdir lacking
    echo 'raise ImportError("no", name="gymnasium")' >lacking/gymnasium.py
    fails_with 2 env PYTHONPATH=lacking PYTHONDONTWRITEBYTECODE=1 "$invar" env gym:ALE/Pong-v5 python=python3
    says 'has no module gymnasium' 'pip install ale-py==0.12.1 gymnasium==1.4.0'
    fake_gymnasium
    echo 'raise ImportError("no", name="ale_py")' >lacking/ale_py.py
    fails_with 2 env PYTHONPATH="$PYTHONPATH:lacking" "$invar" env gym:ALE/Pong-v5
    says 'has no module ale_py' 'pip install ale-py==0.12.1'
}

@test "numbers of an environment of Gymnasium" {
    fake_gymnasium
    run --separate-stderr "$invar" env gym:Walk-v0
    [ "$status" -eq 0 ]
    [ -z "$stderr" ]
    [[ "$output" == *"gymnasium 0.0 of the tests"*"2, numbers of float32"*"actions     2: 0, 1"*"at most 20 steps"*"states can be saved"* ]]
    "$invar" env gym:Walk-v0 skip=2 stack=3 sticky=0.5 limit=4 --json >json
    grep -q '"shape":	\[6\]' json
    grep -q '"limit":	2' json
}

@test "images of an environment of Gymnasium" {
    fake_gymnasium
    "$invar" env gym:Paint-v0 --json >json
    grep -q '"shape":	\[3, 6, 5\]' json
    grep -q '"actions":	\["WEST", "EAST"\]' json
    "$invar" env gym:Paint-v0 gray=yes size=4 stack=2 --json >json
    grep -q '"shape":	\[2, 4, 4\]' json
}

@test "images of other numbers, and channels first, become what images are, and it is said" {
    fake_gymnasium
    run -0 "$invar" env gym:Numbers-v0
    [[ "$output" == *"3 x 6 x 5, images of float32, brought from 50 .. 150 to 0 .. 1"* ]]
    run -0 "$invar" env gym:Wide-v0
    [[ "$output" == *"images of float32, handed on as they are, as their space is from -inf to inf"* ]]
    run -0 "$invar" env gym:Vast-v0
    [[ "$output" == *"images of float32, handed on as they are, as their space is from -3.40282e+38 to 3.40282e+38"* ]]
    run -0 "$invar" env gym:Whole-v0 size=4
    [[ "$output" == *"3 x 4 x 4, images of uint8"$'\n'* ]]
    run -0 "$invar" env gym:Planes-v0
    [[ "$output" == *"3 x 20 x 17, images of uint8, channels first"* ]]
    run -0 "$invar" env gym:Thin-v0
    [[ "$output" == *"4 x 12 x 12, images of uint8, channels first"* ]]
    run -0 "$invar" env gym:Levels-v0
    [[ "$output" == *"3 x 6 x 5, images of float32, brought from 0 .. 200 to 0 .. 1"* ]]
    run -0 "$invar" env gym:Bits-v0
    [[ "$output" == *"3 x 6 x 5, images of float32"$'\n'* ]]
    # The same picture as bytes and as numbers: 100 at the start is 0.5.
    for kind in Paint Numbers Whole Bits Shares; do
        "$invar" agent dqn-catch env.id=gym:$kind-v0 env.gray=auto encoder.channels=[4] encoder.kernels=[3] \
            encoder.strides=[1] agent.copies=1 agent.start=60 training.log_interval=50 training.steps=100 --threads 1 \
            --run $kind 2>$kind.txt
    done
    q() { tail -n 1 "$1/metrics.jsonl" | grep -o '"losses/q_values":[^,]*'; }
    [ -n "$(q Paint)" ]
    [ "$(q Paint)" = "$(q Whole)" ]
    [ "$(q Bits)" = "$(q Shares)" ]
    grep -q 'gym:Numbers-v0: observations are brought from 50 .. 150 to 0 .. 1' Numbers.txt
    run -0 "$invar" play Numbers --episodes 1 --gif numbers.gif
    [ -s numbers.gif ]
    fails_with 2 "$invar" play Numbers --episodes 1 --gif none.gif env.id=gym:Wide-v0
    says 'gym:Wide-v0 has no picture' 'leave out --gif'
}

@test "draws from what all share are seeded" {
    fake_gymnasium
    diff <("$invar" env gym:Shared-v0 --episodes 2 --json | grep -v per_s) \
        <("$invar" env gym:Shared-v0 --episodes 2 --json | grep -v per_s)
}

@test "the deviation of large returns is theirs" {
    fake_gymnasium
    "$invar" env gym:Rich-v0 --episodes 40 --json >rich.json
    awk -F'[:,]' '/"random"/ { on = 1 } on && /"mean"/ { m = $2 - 1e9 } on && /"deviation"/ { d = $2; on = 0 }
        END { want = sqrt(m * (1 - m) * 40 / 39); exit !(m > 0 && m < 1 && d > want - 1e-5 && d < want + 1e-5) }' rich.json
}

@test "what an environment does wrong is one sentence" {
    fake_gymnasium
    fails_with 2 "$invar" env gym:Nothing-v0
    says 'gym:Nothing-v0' "doesn't exist"
    fails_with 2 "$invar" env gym:Continuous-v0
    says 'expected Discrete'
    fails_with 2 "$invar" env gym:Deep-v0
    says 'expected a Box'
    fails_with 1 "$invar" env gym:Grows-v0
    says 'observation of shape (7, 5, 3), and its space says (6, 5, 3)'
    fails_with 1 "$invar" env gym:Changes-v0
    says 'gave an observation of float64 that is none of its space'
    fails_with 1 "$invar" env gym:Nan-v0
    says 'reward that is not finite (nan)'
    fails_with 1 "$invar" env gym:Raises-v0
    says 'ValueError: the board is on fire'
    fails_with 1 "$invar" env gym:Exits-v0
    says 'its process ended with status 4; the last it said was "Fatal: out of coins"'
}

@test "an environment that keeps its state elsewhere says that it cannot be saved" {
    fake_gymnasium
    run -0 "$invar" env gym:Forgets-v0
    [[ "$output" == *"states cannot be saved"* ]]
}

# A small agent on vectors.
vectors() {
    cat <<'YAML'
env: {id: "gym:Walk-v0"}
encoder: {kind: nature, width: 16}
agent: {hidden: 16, start: 40, interval: 4, target_interval: 10}
replay: {steps: 1000, memory: 4}
training: {batch: 8, steps: 400}
YAML
}

@test "a state has the wrappers and what all share, or cannot be saved" {
    fake_gymnasium
    vectors >v.yaml
    for kind in Wrapped Late; do
        for steps in 400 233; do
            "$invar" agent v.yaml env.id=gym:$kind-v0 training.steps=$steps --threads 1 --run $kind-$steps 2>stderr.txt
            ! grep -q 'cannot be saved' stderr.txt
        done
        "$invar" agent --resume --run $kind-233 training.steps=400 --threads 1 2>stderr.txt
        cmp $kind-400/agent.safetensors $kind-233/agent.safetensors
    done
    run -0 "$invar" env gym:Wrapped-v0
    [[ "$output" == *"10 steps;"* ]]
    [[ "$output" == *"states can be saved"* ]]
    run -0 "$invar" env gym:Unsaved-v0
    [[ "$output" == *"states cannot be saved"* ]]
}

@test "scores of people are of Atari alone" {
    fake_gymnasium
    run -0 "$invar" env gym:Boxing-v0
    [[ "$output" != *published* ]]
}

@test "memory of an environment's process is part of what a run would take" {
    fake_gymnasium
    vectors >v.yaml
    bytes() { "$invar" agent v.yaml agent.copies="$1" --dry-run --json | sed -n 's/.*"environment_bytes":\t\([0-9]*\).*/\1/p'; }
    one=$(bytes 1)
    four=$(bytes 4)
    [ "$one" -gt 1000000 ]
    [ "$four" -gt $((3 * one)) ]
    [ "$four" -lt $((5 * one)) ]
    run -0 "$invar" agent v.yaml --dry-run
    [[ "$output" == *"processes   "*", of environments as they begin"* ]]
    run -0 "$invar" agent dqn-catch --dry-run
    [[ "$output" != *processes* ]]
}

@test "an episode without an end is told of, and its limit can be set" {
    fake_gymnasium
    fails_with 2 "$invar" env gym:Endless-v0
    says 'gym:Endless-v0: an episode has no end after 100000 steps' 'env.limit=N'
    "$invar" env gym:Endless-v0 limit=50
}

@test "what asks to end is heard between steps" {
    fake_gymnasium
    export FAKE_PID=$PWD/pid
    vectors >v.yaml
    for command in "agent v.yaml env.id=gym:Slow-v0 --run slow" "env gym:Slow-v0"; do
        rm -f pid
        # shellcheck disable=SC2086
        "$invar" $command 2>stderr.txt &
        while [ ! -s pid ]; do sleep 0.05; done
        kill -TERM $!
        begun=$SECONDS status=0
        wait $! || status=$?
        [ "$status" -eq 130 ]
        [ $((SECONDS - begun)) -lt 6 ]
    done
    ls slow/checkpoint-*.safetensors
}

# gone PID..: those processes end within five seconds, or did.
gone() {
    local pid
    for pid; do
        for _ in $(seq 100); do
            [ -e "/proc/$pid" ] && ! grep -q 'State:.Z' "/proc/$pid/status" || continue 2
            sleep 0.05
        done
        return 1
    done
}

@test "an environment is closed, and what its process started ends with it" {
    fake_gymnasium
    export FAKE_PID=$PWD/pid
    "$invar" env gym:Helper-v0
    gone $(cat pid)
    rm pid
    "$invar" env gym:Helper-v0 --episodes 1000000 &
    while [ "$(wc -w <pid 2>/dev/null || echo 0)" -ne 2 ]; do sleep 0.05; done
    kill -KILL $!
    gone $(cat pid)
}

@test "a child that hangs is given up, and ends with a command that is killed" {
    fake_gymnasium
    export FAKE_PID=$PWD/pid
    fails_with 1 "$invar" env gym:Hangs-v0 timeout=5 # it takes a while to begin beside other work
    says 'gave no answer for 5 s' env.timeout
    run ! kill -0 "$(cat pid)"
    rm pid
    "$invar" env gym:Hangs-v0 &
    while [ ! -s pid ]; do sleep 0.05; done
    kill -KILL $!
    gone "$(cat pid)"
}
