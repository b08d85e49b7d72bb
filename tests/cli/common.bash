# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Loaded by every suite: the command under test, and what the suites share.
build=${INVAR_BUILD:-$BATS_TEST_DIRNAME/../../build}
build=$(readlink -f "$build")
invar=$build/invar
export OMP_WAIT_POLICY=passive

# fails_with STATUS COMMAND..: that exit status, nothing on standard output, one sentence on standard error.
fails_with() {
    local expected=$1
    shift
    run --separate-stderr "$@"
    echo "status $status (expected $expected)"
    echo "output: $output"
    echo "stderr: $stderr"
    [ "$status" -eq "$expected" ] && [ -z "$output" ] && [ "$(grep -vc '^invar: warning' <<<"$stderr")" -eq 1 ] &&
        [[ "$stderr" == *"invar: "* ]]
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
