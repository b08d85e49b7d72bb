#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# libinvar as another program finds it: installed, by pkg-config and by CMake, shared and static, from C and from C++.
# Each example is built by one of these ways and run.
load common

setup_file()
{
    export PREFIX="$BATS_FILE_TMPDIR/prefix"
    cmake --install "$INVAR_BUILD" --prefix "$PREFIX" >/dev/null
    PKG_CONFIG_PATH="$(dirname "$(find "$PREFIX" -name invar.pc)")"
    LD_LIBRARY_PATH="$(dirname "$(find "$PREFIX" -name libinvar.so)")"
    export PKG_CONFIG_PATH LD_LIBRARY_PATH
    table >"$BATS_FILE_TMPDIR/table.csv"
    sanitized && return
    example train
    "$BATS_FILE_TMPDIR/train" "$BATS_FILE_TMPDIR/table.csv" kind "$BATS_FILE_TMPDIR/run" >"$BATS_FILE_TMPDIR/train.txt"
}

setup()
{
    sanitized && skip "a program of its own would need the sanitizers' libraries first"
    cd "$BATS_TEST_TMPDIR" || return
}

sanitized()
{
    grep -q '^INVAR_SANITIZE:BOOL=ON' "$INVAR_BUILD/CMakeCache.txt"
}

table()
{
    awk 'BEGIN {
        print "a,b,kind"
        for (i = 0; i < 300; i++)
            printf "%d.%d,%d.%d,%s\n", i % 3, i * 7 % 10, 2 - i % 3, i * 3 % 10, substr("xyz", i % 3 + 1, 1)
    }'
}

compile() { # COMPILER SOURCE PROGRAM LIBRARIES..
    local compiler=$1 source=$BATS_TEST_DIRNAME/../../examples/$2 program=$3
    shift 3
    # shellcheck disable=SC2046
    "$compiler" -Wall -Wextra -Wpedantic -Werror "$source" $(pkg-config --cflags invar) "$@" -o "$program"
}

example() { # NAME: built in the folder of the file, with the shared library
    # shellcheck disable=SC2046
    compile cc "$1.c" "$BATS_FILE_TMPDIR/$1" $(pkg-config --libs invar)
}

@test "a program of at most 50 lines trains, embeds and probes a table" {
    [ "$(wc -l <"$BATS_TEST_DIRNAME/../../examples/train.c")" -le 50 ]
    cat "$BATS_FILE_TMPDIR/train.txt"
    grep -qE '^top-1 [0-9.]+ % \([0-9.]+ - [0-9.]+\)$' "$BATS_FILE_TMPDIR/train.txt"
    [ -f "$BATS_FILE_TMPDIR/run/encoder.safetensors" ]
}

@test "an encoder that a run left embeds data" {
    example embed
    run "$BATS_FILE_TMPDIR/embed" "$BATS_FILE_TMPDIR/run/encoder.safetensors" "csv:$BATS_FILE_TMPDIR/table.csv" h.npy
    echo "$output"
    [ "$status" -eq 0 ]
    [ "$output" = "h.npy: 300 rows of 256 numbers" ]
    "$invar" embed "$BATS_FILE_TMPDIR/run" "csv:$BATS_FILE_TMPDIR/table.csv" -o same.npy 2>/dev/null
    cmp h.npy same.npy
}

@test "features of whatever origin are probed" {
    example probe
    for split in train test; do
        "$invar" embed "$BATS_FILE_TMPDIR/run" "csv:$BATS_FILE_TMPDIR/table.csv" -o $split.npy --split $split \
            --labels $split-labels.npy 2>/dev/null
    done
    run "$BATS_FILE_TMPDIR/probe" train.npy train-labels.npy test.npy test-labels.npy
    echo "$output"
    [ "$status" -eq 0 ]
    [[ "$output" == "linear "*" %, of 60 rows" ]]
    run "$BATS_FILE_TMPDIR/probe" train.npy test-labels.npy test.npy test-labels.npy
    [ "$status" -eq 1 ]
    [[ "$output" == *"expected features [N][D] and int64 labels [N]" ]]
}

@test "a term of one's own trains, and is written into the recipe of the run" {
    example own_term
    run "$BATS_FILE_TMPDIR/own_term" "$BATS_FILE_TMPDIR/table.csv" run
    echo "$output"
    [ "$status" -eq 0 ]
    first=$(sed -n '1s/.*nearness //p' <<<"$output")
    last=$(sed -n '$s/.*nearness //p' <<<"$output")
    awk -v first="$first" -v last="$last" 'BEGIN { exit !(last < first / 2) }'
    grep -A 2 '^  nearness:' run/recipe.yaml | grep -q 'margin: 0.01'
    run "$invar" pretrain run/recipe.yaml --run again
    [ "$status" -eq 2 ]
    [[ "$output" == *"there is no term \"nearness\""* ]]
}

@test "what is wrong comes back as a sentence, and the library prints nothing" {
    run "$BATS_FILE_TMPDIR/train" nowhere.csv kind run
    [ "$status" -eq 1 ]
    [[ "$output" == "train: "*"nowhere.csv: cannot be opened: No such file or directory" ]]
}

@test "the static library links with what pkg-config --static names" {
    # shellcheck disable=SC2046
    compile cc probe.c program "$(pkg-config --variable=libdir invar)/libinvar.a" \
        $(pkg-config --static --libs invar | sed 's/-linvar//')
    run env -u LD_LIBRARY_PATH ./program
    [ "$status" -eq 2 ]
    [[ "$output" == usage:* ]]
}

@test "private names are no names of the program: it may have its own, in both forms" {
    cat >own.c <<END
#include "invar/invar.h"
#include <stdio.h>
#include <stdlib.h>
const void *names_find(void) { abort(); }
int data_source_open(void) { abort(); }
int main(void)
{
    struct invar_error err = {0};
    struct invar_data_options options;
    invar_options_default(invar_data_option_table, &options);
    snprintf(options.source, sizeof options.source, "csw:x");
    puts(invar_dataset_open(&options, &err) ? "opened" : err.message);
}
END
    # shellcheck disable=SC2046
    cc own.c $(pkg-config --cflags --libs invar) -o shared
    # shellcheck disable=SC2046
    cc own.c $(pkg-config --cflags invar) "$(pkg-config --variable=libdir invar)/libinvar.a" \
        $(pkg-config --static --libs invar | sed 's/-linvar//') -o static
    for program in ./shared ./static; do
        run "$program"
        [ "$output" = 'data.source: there is no source "csw"; did you mean "csv"?' ]
    done
}

@test "CMake finds the package: C++ and C, shared and static" {
    command -v c++ >/dev/null || skip "no C++ compiler"
    cat >CMakeLists.txt <<END
cmake_minimum_required(VERSION 3.25)
project(program LANGUAGES C CXX)
find_package(invar 0.1 REQUIRED)
add_executable(shared $root/examples/program.cpp)
target_link_libraries(shared PRIVATE invar::invar)
add_executable(static $root/examples/program.cpp)
target_link_libraries(static PRIVATE invar::static)
add_executable(embed $root/examples/embed.c)
target_link_libraries(embed PRIVATE invar::static)
END
    cmake -B build -DCMAKE_PREFIX_PATH="$PREFIX" >/dev/null
    cmake --build build >/dev/null
    for program in shared static; do
        run build/$program
        echo "$output"
        [ "$status" -eq 0 ]
        [[ "${lines[0]}" == "cpu: "*thread* ]]
        [[ "${lines[1]}" == *no_such* ]]
    done
    ldd build/shared | grep -q libinvar
    if ldd build/static | grep libinvar; then return 1; fi
    run build/embed
    [ "$status" -eq 2 ]
}

@test "numbers have points where the program's locale has commas" {
    command -v localedef >/dev/null && [ -f /usr/share/i18n/locales/de_DE ] || skip "no source of a locale with commas"
    localedef -i de_DE -f UTF-8 "$PWD/de_DE.UTF-8" >/dev/null 2>&1 || true
    cat >main.c <<'END'
#include <locale.h>
#include <stdio.h>
int train(int argc, char **argv);
int main(int argc, char **argv)
{
    char text[8];
    if (!setlocale(LC_ALL, "de_DE.UTF-8"))
        return 77;
    snprintf(text, sizeof text, "%.1f", 0.5);
    return text[1] == ',' ? train(argc, argv) : 77;
}
END
    # shellcheck disable=SC2046
    cc -Dmain=train -c "$root/examples/train.c" $(pkg-config --cflags invar) -o train.o
    # shellcheck disable=SC2046
    cc main.c train.o $(pkg-config --libs invar) -o program
    run env LOCPATH="$PWD" ./program "$BATS_FILE_TMPDIR/table.csv" kind run
    echo "$output"
    [ "$status" -ne 77 ] || skip "the locale cannot be made"
    [ "$status" -eq 0 ]
    for file in recipe.yaml encoder.safetensors; do
        cmp run/$file "$BATS_FILE_TMPDIR/run/$file"
    done
}

@test "what was installed works where it is moved to, with spaces in the path" {
    moved="$PWD/some where/else"
    mkdir -p "${moved%/*}"
    cp -a "$PREFIX" "$moved"
    "$moved/bin/invar" --version
    export LD_LIBRARY_PATH="$(dirname "$(find "$moved" -name libinvar.so)")"
    PKG_CONFIG_PATH="$(dirname "$(find "$moved" -name invar.pc)")"
    mkdir here
    eval "cc $(pkg-config --cflags invar) '$root/examples/embed.c' $(pkg-config --libs invar) -o here/program"
    run here/program
    [[ "$output" == usage:* ]]
    cat >CMakeLists.txt <<END
cmake_minimum_required(VERSION 3.25)
project(program LANGUAGES C)
find_package(invar 0.1 REQUIRED)
add_executable(shared $root/examples/embed.c)
target_link_libraries(shared PRIVATE invar::invar)
add_executable(static $root/examples/embed.c)
target_link_libraries(static PRIVATE invar::static)
END
    cmake -B build -DCMAKE_PREFIX_PATH="$moved" >/dev/null
    cmake --build build >/dev/null
    for program in shared static; do
        run build/$program
        [[ "$output" == usage:* ]]
    done
    grep -rlIF "$INVAR_BUILD" "$moved" && return 1
    [ -s "$(find "$moved" -name LICENSE)" ]
}

@test "cpack makes a tarball of what is installed, whose command trains where it is unpacked" {
    cpack --config "$INVAR_BUILD/CPackConfig.cmake" -B packed >/dev/null
    mkdir anywhere
    tar -xf packed/invar-*.tar.gz -C anywhere --strip-components 1
    (cd "$PREFIX" && find . ! -type d) | sort >installed
    (cd anywhere && find . ! -type d) | sort | diff installed -
    anywhere/bin/invar pretrain simclr-table "data.source=csv:$BATS_FILE_TMPDIR/table.csv" data.label=kind \
        training.steps=2 training.batch=32 --run run 2>/dev/null
    [ -s run/encoder.safetensors ]
}
