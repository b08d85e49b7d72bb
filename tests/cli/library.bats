#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# libinvar as another program finds it: installed, by pkg-config and by CMake, shared and static, from C and from C++.
load common

setup_file()
{
    export PREFIX="$BATS_FILE_TMPDIR/prefix"
    cmake --install "$INVAR_BUILD" --prefix "$PREFIX" >/dev/null
    PKG_CONFIG_PATH="$(dirname "$(find "$PREFIX" -name invar.pc)")"
    LD_LIBRARY_PATH="$(dirname "$(find "$PREFIX" -name libinvar.so)")"
    export PKG_CONFIG_PATH LD_LIBRARY_PATH
    awk 'BEGIN {
        print "a,b,kind"
        for (i = 0; i < 300; i++)
            printf "%d.%d,%d.%d,%s\n", i % 3, i * 7 % 10, 2 - i % 3, i * 3 % 10, substr("xyz", i % 3 + 1, 1)
    }' >"$BATS_FILE_TMPDIR/table.csv"
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

compile() { # COMPILER SOURCE FLAGS..
    local compiler=$1 source=$2
    shift 2
    # shellcheck disable=SC2046
    "$compiler" -Wall -Wextra -Wpedantic -Werror "$source" $(pkg-config --cflags invar) "$@" -o program
}

@test "the example trains, embeds and probes a table, shared" {
    # shellcheck disable=SC2046
    compile cc "$BATS_TEST_DIRNAME/../../examples/table.c" $(pkg-config --libs invar)
    run ./program "$BATS_FILE_TMPDIR/table.csv" kind run
    echo "$output"
    [ "$status" -eq 0 ]
    [[ "$output" == *"numbers a row, top-1 "*" of 60 test rows"* ]]
    [ -f run/encoder.safetensors ]
}

@test "what is wrong comes back as a sentence, and the library prints nothing" {
    # shellcheck disable=SC2046
    compile cc "$BATS_TEST_DIRNAME/../../examples/table.c" $(pkg-config --libs invar)
    run ./program nowhere.csv kind run
    [ "$status" -eq 1 ]
    [[ "$output" == "table: "*"nowhere.csv: cannot be opened: No such file or directory" ]]
}

@test "the static library links with what pkg-config --static names" {
    # shellcheck disable=SC2046
    compile cc "$BATS_TEST_DIRNAME/../../examples/table.c" "$(pkg-config --variable=libdir invar)/libinvar.a" \
        $(pkg-config --static --libs invar | sed 's/-linvar//')
    run env -u LD_LIBRARY_PATH ./program
    [ "$status" -eq 2 ]
    [ "$output" = "usage: table FILE.csv LABEL FOLDER" ]
}

@test "a C++ program links, and CMake finds the package" {
    command -v c++ >/dev/null || skip "no C++ compiler"
    cat >program.cpp <<'END'
#include <invar/invar.h>
#include <cstdio>
#include <cstring>
int main()
{
    invar_error err = {};
    invar_recipe *recipe = invar_recipe_load("no-such-recipe", nullptr, 0, &err);
    std::puts(err.message);
    return recipe != nullptr || std::strcmp(invar_version(), INVAR_VERSION) != 0;
}
END
    cat >CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.25)
project(program LANGUAGES CXX)
find_package(invar 0.1 REQUIRED)
add_executable(program program.cpp)
target_link_libraries(program PRIVATE invar::invar)
END
    cmake -B build -DCMAKE_PREFIX_PATH="$PREFIX" >/dev/null
    cmake --build build >/dev/null
    run build/program
    echo "$output"
    [ "$status" -eq 0 ]
    [[ "$output" == *no-such-recipe* ]]
}
