#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Several processes of which one is not like the others, or wants for something: all end, soon, with one sentence.
bats_require_minimum_version 1.5.0

limit=30 # seconds that a failure may take

setup() {
    load common
    load ranks
    several_processes
    tiny_data
}

# Folder NAME: the command, beside a libinvar-mpi.so of its own made from standard input.
another() {
    mkdir "$1"
    cp "$invar" "$1"
    cc -shared -fPIC -x c - -x none -o "$1/libinvar-mpi.so" "${@:2}"
}

# The numbers of the version that this program says, and others as long.
other_version() {
    cp "$invar" other
    version=$("$invar" --version | sed 's/^invar \([0-9.]*\).*/\1/;q')
    LC_ALL=C sed -i "s/${version//./\\.}/${version%?}x/g" other
    ./other --version | grep -q "^invar ${version%?}x "
}

@test "a process of another version" {
    ! grep -qx 'INVAR_SANITIZE:BOOL=ON' "$build/CMakeCache.txt" || skip "built with AddressSanitizer"
    cp "$build/libinvar-mpi.so" .
    other_version
    for verb in "pretrain tiny.yaml --run run" "probe nowhere" "embed nowhere idx:data -o out.npy"; do
        # shellcheck disable=SC2086
        one_sentence 1 mpirun -n 1 "$invar" $verb : -n 1 ./other $verb
        says "process 2 runs invar ${version%?}x, process 1 runs invar $version: install one version everywhere"
    done
    [ ! -e run ]
}

@test "a library between them that is of another version, or of another MPI" {
    another old <<<'int invar_ranks_mpi_1(void) { return 0; }'
    one_sentence 1 mpirun -n 2 old/invar pretrain tiny.yaml --run run
    says "libinvar-mpi.so is of another version of invar: install both from one package"
    # as one that was built for MPICH, where that is not installed
    cc -shared -fPIC -x c - -x none -Wl,-soname,libmpi.so.12 -o libmpi.so.12 <<<'int MPI_Init(void) { return 0; }'
    another foreign ./libmpi.so.12 <<<'int MPI_Init(void); int invar_ranks_mpi_2(void) { return MPI_Init(); }'
    rm libmpi.so.12
    one_sentence 1 mpirun -n 2 foreign/invar pretrain tiny.yaml --run run
    says "2 processes were started, and they talk by MPI, which cannot be opened (libmpi.so.12: " "install libinvar-mpi"
    another lacks <<<'int MPI_Of_another_abi(void); int invar_ranks_mpi_2(void) { return MPI_Of_another_abi(); }'
    one_sentence 1 mpirun -n 2 lacks/invar pretrain tiny.yaml --run run
    says "undefined symbol: MPI_Of_another_abi"
    mkdir torn
    cp "$invar" torn
    head -c 30 "$build/libinvar-mpi.so" >torn/libinvar-mpi.so
    one_sentence 1 mpirun -n 2 torn/invar pretrain tiny.yaml --run run
    says "which cannot be opened (" "torn/libinvar-mpi.so"
    # of one process that is not the first
    one_sentence 1 mpirun -n 1 "$invar" pretrain tiny.yaml --run run : -n 1 old/invar pretrain tiny.yaml --run run
    says "libinvar-mpi.so is of another version of invar"
    one_sentence 1 mpirun -n 1 "$invar" probe nowhere : -n 1 foreign/invar probe nowhere
    says "they talk by MPI, which cannot be opened"
    [ ! -e run ]
}

@test "another command, and another recipe" {
    one_sentence 1 mpirun -n 1 "$invar" pretrain tiny.yaml --run run : -n 1 "$invar" probe run
    says "process 2 runs invar probe, process 1 runs invar pretrain: start the same command everywhere"
    [ ! -e run ]
    # all train what the first says, whatever they were given
    sed 's/tau: .*/tau: 0.9/' tiny.yaml >other.yaml
    timeout 60 mpirun -n 2 "$invar" pretrain tiny.yaml --run run training.steps=3
    timeout 60 mpirun -n 1 "$invar" pretrain tiny.yaml --run mixed training.steps=3 : \
        -n 1 "$invar" pretrain other.yaml --run mixed training.steps=9
    cmp run/encoder.safetensors mixed/encoder.safetensors
}

@test "a process that has not the memory for a run" {
    export INVAR_TEST_DEVICE=cpu # cpu-guarded has a file as large as all its memory, which no limit lets it have
    ! grep -qx 'INVAR_SANITIZE:BOOL=ON' "$build/CMakeCache.txt" || skip "built with AddressSanitizer"
    # shellcheck disable=SC2016
    one_sentence 1 mpirun -n 1 "$invar" pretrain tiny.yaml --run run data.size=512 encoder.widths=[64,64] : \
        -n 1 bash -c 'ulimit -v 1500000; exec "$@"' - "$invar" pretrain tiny.yaml --run run
    says "process 2 of 2: " "bytes of memory could not be had; use a smaller batch or model"
    [ ! -e run/encoder.safetensors ]
}

# Counted from the end, as libraries of MPI allocate more or less before: where the second process has the recipe of the
# first, makes its trainer, trains. What can do without that memory trains to the end.
@test "a process that lacks memory anywhere" {
    [ -e "$build/libinvar_faults.so" ] || skip "libinvar_faults.so was not built"
    local fault="LD_PRELOAD=$build/libinvar_faults.so" train="$invar pretrain tiny.yaml training.steps=3"
    # shellcheck disable=SC2086
    mpirun -n 1 $train --run run : -n 1 env "$fault" INVAR_FAULT=sites INVAR_FAULT_LOG=log $train --run run
    count=$(sed -n 's/^count alloc //p' log)
    refused=0
    for back in $(seq 150 150 2400); do
        # shellcheck disable=SC2086
        if one_sentence 1 mpirun -n 1 $train --run "run-$back" : \
            -n 1 env "$fault" INVAR_FAULT="alloc:$((count - back))" $train --run "run-$back"; then
            says "memory"
            [ ! -e "run-$back/encoder.safetensors" ]
            refused=$((refused + 1))
        else
            [ "$status" -eq 0 ]
            cmp run/encoder.safetensors "run-$back/encoder.safetensors"
        fi
    done
    echo "$refused refused"
    [ "$refused" -ge 6 ]
}

# What others than the first write: nothing. A limit of 0 bytes on files is a disk that is full from the beginning.
@test "a full disk of a process that is not the first" {
    export INVAR_TEST_DEVICE=cpu # cpu-guarded has a file as large as all its memory, which no limit lets it have
    export OMPI_MCA_btl=self,tcp # vader has a file of shared memory
    # shellcheck disable=SC2016
    local full='ulimit -f 0; trap "" XFSZ; exec "$@"'
    ! bash -c "$full" - "$invar" pretrain tiny.yaml --run alone training.steps=2 2>/dev/null
    [ ! -e alone/encoder.safetensors ]
    for verb in "pretrain tiny.yaml --run run training.steps=4 training.checkpoint_interval=2" "probe run" \
        "pretrain --resume --run run training.steps=6" "embed run idx:data -o out.npy" \
        "robustness run --corruption fog --severity 2" "bench simclr-table training.batch=64 --steps 2 --precision float32"; do
        # shellcheck disable=SC2086
        timeout 60 mpirun -n 1 "$invar" $verb : -n 1 bash -c "$full" - "$invar" $verb
    done
    [ -e run/encoder.safetensors ]
    [ -e out.npy ]
}
