# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Loaded by the suites of several processes.

# For setup(): mpirun as tests have it, or the test is skipped.
several_processes() {
    command -v mpirun >/dev/null || skip "mpirun is not installed"
    [ -e "$build/libinvar-mpi.so" ] || skip "libinvar-mpi.so was not built"
    export OMP_NUM_THREADS=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 \
        OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_btl=self,vader,tcp
    # Open MPI leaves blocks behind, of libraries that are unloaded by then: under a sanitizer errors count, leaks do not.
    export ASAN_OPTIONS=detect_leaks=0
}

# ranks K ARGUMENTS..: of invar
ranks() {
    local count=$1
    shift
    timeout 150 mpirun -n "$count" "$invar" "$@"
}

# one_sentence STATUS COMMAND..: as fails_with, whatever mpirun says beside it; within $limit seconds where that is set.
one_sentence() {
    local expected=$1
    shift
    run --separate-stderr ${limit:+timeout "$limit"} "$@"
    echo "status $status (expected $expected)"
    echo "$stderr"
    [ "$status" -eq "$expected" ] && [ -z "$output" ] &&
        [ "$(grep '^invar: ' <<<"$stderr" | grep -cvE '^invar: (warning| *[0-9]+/|tiny into|.* goes on after)')" -eq 1 ]
}
