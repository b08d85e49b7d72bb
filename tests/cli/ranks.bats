#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# One run by several processes: mpirun starts the command as it is.
bats_require_minimum_version 1.5.0

setup() {
    load common
    load ranks
    several_processes
    tiny_data
}

# numbers METRIC RUN: one a logged step
numbers() {
    sed -n "s/.*\"$1\": *\([-0-9.e+]*\).*/\1/p" "$2/metrics.jsonl"
}

# near RUN RUN LIMIT: their losses, step by step
near() {
    paste <(numbers loss "$1") <(numbers loss "$2") | awk -v limit="$3" '
        function abs(x) { return x < 0 ? -x : x }
        !(abs($1 - $2) <= limit * abs($1)) { print "loss " $1 " and " $2; wrong = 1 }
        END { exit wrong || NR < 8 }'
}

# In the background, each process with its pid in pid.RANK; $job is mpirun.
begin() {
    local count=$1
    shift
    # shellcheck disable=SC2016
    mpirun -n "$count" bash -c 'echo $$ >pid.$OMPI_COMM_WORLD_RANK; exec "$@"' - "$invar" "$@" >out.txt 2>err.txt 3>&- &
    job=$!
}

# until_there FOLDER: until it has a checkpoint, some seconds at most; old ones go as new ones come
until_there() {
    for _ in $(seq 400); do
        compgen -G "$1/checkpoint-*.safetensors" >/dev/null && return
        sleep 0.05
    done
    cat err.txt
    return 1
}

@test "one, two and four processes train the same" {
    "$invar" pretrain tiny.yaml --run one training.steps=8
    ranks 2 pretrain tiny.yaml --run two training.steps=8 2>two.txt
    ranks 4 pretrain tiny.yaml --run four training.steps=8
    grep -q '^invar: tiny into two by 2 processes, each on ' two.txt
    [ "$(grep -c 'tiny into two' two.txt)" -eq 1 ]
    near one two 1e-5
    near one four 1e-5
    for run in one two four; do
        [ -e $run/encoder.safetensors ]
        "$invar" probe $run --json >$run.json
    done
    ranks 2 pretrain tiny.yaml --run again training.steps=8
    cmp two/encoder.safetensors again/encoder.safetensors
}

# probed RUN: the linear probe's top-1, and how far its confidence is from it, which every sample's probabilities move
probed() {
    "$invar" probe "$1" --json >"$1.json"
    for word in top1 ece; do grep -oE "\"$word\":[[:space:]]*[0-9.e-]+" "$1.json" | head -1 | sed "s/.*[[:space:]]//"; done | paste -sd ' '
}

# same_probe RUN ARGUMENTS..: of pretrain: K = 1, 2 and 4 make an encoder whose probe is the same within 0.1 point (a
# point is more than ten samples), and so are its probabilities
same_probe() {
    local name=$1
    shift
    "$invar" pretrain "$@" training.precision=float32 --threads 1 --run "$name-1"
    ranks 2 pretrain "$@" training.precision=float32 --threads 1 --run "$name-2"
    ranks 4 pretrain "$@" training.precision=float32 --threads 1 --run "$name-4"
    for count in 1 2 4; do probed "$name-$count"; done >"$name.txt"
    cat "$name.txt"
    awk 'function near(a, b, limit) { return a - b <= limit && b - a <= limit }
        NR == 1 { top1 = $1; ece = $2 }
        !(near($1, top1, 0.1) && near($2, ece, 0.001) && $1 > 40 && $1 < 100 && NF == 2) { wrong = 1 }
        END { exit wrong || NR != 3 }' "$name.txt"
}

@test "one, two and four processes end at the same probe: images" {
    "$build/tests/make_data" idx digits 320 2000 16 10
    same_probe images simclr-fashion-mnist data.source=idx:digits encoder.widths=[4,8] projector.hidden=[16] \
        projector.output=16 training.batch=64 training.steps=40
}

@test "one, two and four processes end at the same probe: a table" {
    awk 'BEGIN { srand(1); print "a,b,c,d,y"
        for (i = 0; i < 2400; i++) {
            a = rand(); b = rand(); c = rand(); d = rand()
            print a "," b "," c "," d "," (a * b + c * c - d + rand() * 0.7 > 0.4 ? "p" : "n")
        } }' >table.csv
    same_probe table aplr-table data.source=csv:table.csv data.label=y data.test_fraction=0.5 training.batch=128 \
        training.steps=40
}

@test "one, two and four processes end at the same probe: clips" {
    "$build/tests/make_data" clips clips 3 4 100
    same_probe clips simclr-audio data.source=audio:clips 'data.pattern={digit}_{speaker}_{index}' data.label=speaker \
        data.test_fraction=0.8 'encoder={kind: small-resnet, widths: [4, 8], stride: 2, pool: 2}' \
        'projector={hidden: [16], output: 16}' training.batch=64 training.steps=16
}

@test "what cannot be shared is refused in one sentence" {
    one_sentence 2 ranks 3 pretrain tiny.yaml --run run
    says "training.batch is 16, which 3 processes cannot share evenly"
    [ ! -e run ]
    one_sentence 2 ranks 2 inspect run
    says "inspect is of one process, and 2 were started"
    one_sentence 2 ranks 2 pretrain nowhere.yaml --run run
    says "nowhere.yaml"
    mkdir full && touch full/something
    one_sentence 2 ranks 2 pretrain tiny.yaml --run full
    says "full: exists and is not empty"
}

@test "a process without the data, or with others" {
    mkdir lacks other
    one_sentence 1 timeout 60 mpirun -n 1 "$invar" pretrain tiny.yaml --run run : -n 1 -wdir "$PWD/lacks" "$invar" \
        pretrain tiny.yaml --run run
    says "process 2 of 2: " "data"
    (cd other && "$build/tests/make_data" idx data 48 32 16 4)
    one_sentence 1 timeout 60 mpirun -n 1 "$invar" pretrain tiny.yaml --run run : -n 1 -wdir "$PWD/other" "$invar" \
        pretrain tiny.yaml --run run
    says "process 2 has other data than process 1 (48 training samples, 64 there)"
    [ ! -e run ]
}

@test "a processor without the instructions of the others" {
    one_sentence 1 timeout 60 mpirun -n 1 "$invar" pretrain tiny.yaml --run run : -n 1 env ONEDNN_MAX_CPU_ISA=SSE41 \
        "$invar" pretrain tiny.yaml --run run
    says "process 2 computes by " " with SSE41" "set ONEDNN_MAX_CPU_ISA to what all of them have"
    [ ! -e run ]
}

@test "two jobs in one folder" {
    begin 2 pretrain tiny.yaml --run run training.steps=100000 training.checkpoint_interval=4
    until_there run
    one_sentence 2 ranks 2 pretrain --resume --run run
    kill -INT "$(cat pid.0)"
    wait "$job" || true
    says "run: another process is training in it"
}

# read_by K EPOCHS: what each process reads, in bytes, all that it opens and loads included
read_by() {
    # shellcheck disable=SC2016
    timeout 60 mpirun -n "$1" bash -c '"$@"; sed -n "s/rchar: //p" /proc/$$/io >read.$OMPI_COMM_WORLD_RANK' - "$invar" \
        pretrain tiny.yaml data.source=images:'set-{0..3}.tar' data.memory=no data.test_fraction=0 training.epochs="$2" \
        training.log_interval=1000 training.measure_interval=1000 training.checkpoint_interval=1000 --threads 1 \
        --run "read-$1-$2" >/dev/null 2>&1
    for rank in $(seq 0 $(($1 - 1))); do cat read."$rank"; done
}

@test "each process reads the pixels of its own samples alone" {
    "$build/tests/make_data" images all 4 64 32
    for s in 0 1 2 3; do
        (cd all && tar cf ../set-$s.tar class-*/*$s.png class-*/*$((s + 4)).png)
    done
    for count in 1 2 4; do
        read_by $count 1 >few.txt
        read_by $count 5 >many.txt
        paste few.txt many.txt >bytes.txt
        cat bytes.txt
        awk -v count=$count 'NR == 1 { of_first = $2 - $1 }
            { epochs = $2 - $1; if (!(epochs > 0.98 * of_first && epochs < 1.02 * of_first)) wrong = 1 }
            END { print of_first * count; exit wrong || NR != count }' bytes.txt >whole.$count
    done
    # four epochs of all that there is, however many read them
    paste whole.1 whole.2 whole.4 | awk '!($1 > 2e6 && $2 < 1.02 * $1 && $3 < 1.02 * $1 && $2 > 0.98 * $1 && $3 > 0.98 * $1) { exit 1 }'
}

@test "without the library, or with a launcher of another kind" {
    mkdir away
    cp "$invar" away
    invar=$PWD/away/invar one_sentence 1 timeout 60 mpirun -n 2 "$PWD/away/invar" pretrain tiny.yaml --run run
    says "2 processes were started, and they talk by MPI, which cannot be opened" "install libinvar-mpi"
    SLURM_STEP_NUM_TASKS=2 SLURM_PROCID=0 one_sentence 1 timeout 60 "$invar" pretrain tiny.yaml --run run
    says "2 processes were started, but Open MPI sees 1" "srun --mpi=pmix"
    "$PWD/away/invar" pretrain tiny.yaml --run run training.steps=1
}

@test "installed and moved, the command and the library find what the processes talk by" {
    ! grep -qx 'INVAR_SANITIZE:BOOL=ON' "$build/CMakeCache.txt" || skip "built with AddressSanitizer"
    cmake --install "$build" --prefix "$PWD/before" >/dev/null
    mkdir "else where"
    mv before "else where/prefix"
    moved="$PWD/else where/prefix"
    PATH="$moved/bin:$PATH" timeout 60 mpirun -n 2 invar pretrain tiny.yaml --run run training.steps=2
    cat >program.c <<'END'
#include <invar/invar.h>
#include <stdio.h>
int main(void)
{
    struct invar_error err = {0};
    struct invar_ranks *ranks = NULL;
    const bool ok = invar_ranks_open(&ranks, 10, &err) && ranks;
    invar_ranks_close(ranks);
    return ok ? 0 : (puts(err.message), 1);
}
END
    library=$(find "$moved" -name libinvar.so)
    cc -I "$moved/include" program.c "$library" -Wl,-rpath,"${library%/*}" -o program
    timeout 60 mpirun -n 2 ./program
    find "$moved" -name libinvar-mpi.so -delete
    one_sentence 1 timeout 60 mpirun -n 2 "$moved/bin/invar" pretrain tiny.yaml --run none
    says "cannot be opened (there is no libinvar-mpi.so)"
}

@test "killed, then resumed: the same bits" {
    ranks 2 pretrain tiny.yaml --run whole training.steps=400 training.checkpoint_interval=40
    begin 2 pretrain tiny.yaml --run killed training.steps=400 training.checkpoint_interval=40
    until_there killed
    kill -9 "$(cat pid.1)"
    status=0
    wait "$job" || status=$?
    [ "$status" -eq 137 ] # mpirun's own: that of the process, 128 and the signal
    [ ! -e killed/encoder.safetensors ]
    ranks 2 pretrain --resume --run killed
    cmp whole/encoder.safetensors killed/encoder.safetensors
}

@test "stopped: the others say so after a while, and end" {
    begin 2 pretrain tiny.yaml --run stopped training.steps=4000 training.checkpoint_interval=4 --rank-timeout 2
    until_there stopped
    kill -STOP "$(cat pid.1)"
    status=0
    wait "$job" || status=$?
    cat err.txt
    [ "$status" -eq 1 ]
    [ "$(grep -c 'another process has been silent for 2 s' err.txt)" -eq 1 ]
    sleep 1
    ! grep -qs '^State:[[:space:]]*[RSDT]' "/proc/$(cat pid.0)/status" "/proc/$(cat pid.1)/status"
}

@test "an interrupt of one ends all at one step, with a checkpoint" {
    begin 2 pretrain tiny.yaml --run run training.steps=4000 training.checkpoint_interval=4
    until_there run
    kill -INT "$(cat pid.1)"
    status=0
    wait "$job" || status=$?
    cat err.txt
    [ "$status" -eq 130 ]
    grep -q 'interrupted after step [0-9]* of 4000; saved in run/checkpoint' err.txt
}

@test "another number of processes goes on, with a warning" {
    ranks 2 pretrain tiny.yaml --run run training.steps=4
    ranks 4 pretrain --resume --run run training.steps=8 2>warned.txt
    grep -q 'warning: the run went on in 2 processes so far and goes on in 4' warned.txt
    "$invar" pretrain --resume --run run training.steps=12 2>warned.txt
    grep -q 'warning: the run went on in 4 processes so far and goes on in 1' warned.txt
    [ "$(numbers loss run | wc -l)" -eq 12 ]
}

@test "a disk that is slow is no silence" {
    [ -e "$build/libinvar_slow.so" ] || skip "libinvar_slow.so was not built"
    # shellcheck disable=SC2016
    timeout 60 mpirun -n 1 env LD_PRELOAD="$build/libinvar_slow.so" INVAR_SLOW=3 "$invar" pretrain tiny.yaml --run run \
        training.steps=4 --rank-timeout 2 : -n 1 "$invar" pretrain tiny.yaml --run run training.steps=4 --rank-timeout 2
    [ -e run/encoder.safetensors ]
}

@test "a benchmark by two processes" {
    mkdir tmp
    timeout 60 mpirun -n 2 env TMPDIR="$PWD/tmp" "$invar" bench simclr-table training.batch=64 --steps 2 --precision float32 --json >two.json
    grep -q '"processes":[[:space:]]*2' two.json
    grep -q '"sent_messages_per_step":[[:space:]]*[1-9]' two.json
    "$invar" bench simclr-table training.batch=64 --steps 2 --precision float32 --json >one.json
    grep -q '"processes":[[:space:]]*1' one.json
    grep -q '"sent_bytes_per_step":[[:space:]]*0' one.json
    [ "$(printf '1\n1\n' | ranks 2 bench simclr-table training.batch=64 --steps 2 --precision float32 --json --wait |
        grep -c '^{"steps": 2')" -eq 2 ]
    ! compgen -G "tmp/invar-bench-*" >/dev/null
}

@test "a full disk of the first process ends all in one sentence" {
    export INVAR_TEST_DEVICE=cpu # cpu-guarded has a file as large as all its memory, which no limit lets it have
    # shellcheck disable=SC2016
    one_sentence 1 timeout 60 mpirun -n 1 bash -c 'ulimit -f 8; exec "$@"' - "$invar" pretrain tiny.yaml --run run \
        training.steps=8 training.checkpoint_interval=4 : -n 1 "$invar" pretrain tiny.yaml
    says "File too large; free space and resume"
}

@test "two machines, and a cable that is cut" {
    "$invar" pretrain tiny.yaml --run one training.steps=8
    status=0
    timeout 60 "$BATS_TEST_DIRNAME/two_machines" "$invar" pretrain tiny.yaml --run two training.steps=8 || status=$?
    [ "$status" -ne 77 ] || skip "no network namespaces can be made here"
    [ "$status" -eq 0 ]
    near one two 1e-5
    timeout 60 "$BATS_TEST_DIRNAME/two_machines" "$invar" pretrain tiny.yaml --run cut-off training.steps=4000 \
        training.checkpoint_interval=4 --rank-timeout 2 >out.txt 2>err.txt 3>&- &
    job=$!
    until_there cut-off
    touch cut
    status=0
    wait "$job" || status=$?
    cat err.txt
    [ "$status" -eq 1 ]
    [ "$(grep -c 'another process has been silent for 2 s' err.txt)" -eq 1 ]
}
