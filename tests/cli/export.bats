#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# invar export: C that compiles without a warning and embeds as invar does, and what is refused.
# covers: verb.export

bats_require_minimum_version 1.5.0

setup_file() {
    load common
    cd "$BATS_FILE_TMPDIR"
    tiny_run
    write_table >table.csv
    "$invar" pretrain simclr-table data.source=csv:table.csv data.label=kind training.steps=40 training.batch=64 \
        'encoder.widths=[32, 16]' --run table --threads 1 >/dev/null 2>&1
}

setup() {
    load common
    cd "$BATS_FILE_TMPDIR"
}

# Cells that are missing, categories that need escapes, numbers that float32 does not hold.
write_table() {
    awk 'BEGIN {
        split("clerk|blue \\ collar|?? x|3|\303\251", job, "|")
        print "age,job,large,tag,kind"
        for (i = 0; i < 300; i++)
            printf "%s,%s,%d.%d,t%d,%s\n", i % 13 ? 20 + i % 3 * 10 + i % 7 : "", i % 11 ? job[i % 5 + 1] : "",
                1000000000 + i * 37 % 100, i % 10, i % 2, substr("xyz", i % 3 + 1, 1)
    }'
}

# Both files are little-endian float32; the largest difference is at most 1e-5 of the largest number.
same_numbers() {
    python3 - "$1" "$2" <<'PYTHON'
import array, sys
raw = open(sys.argv[1], "rb").read()
expected = array.array("f", raw[10 + int.from_bytes(raw[8:10], "little"):])
got = array.array("f", open(sys.argv[2], "rb").read())
assert len(expected) == len(got) > 100, (len(expected), len(got))
most = max(abs(a - b) for a, b in zip(expected, got))
print(most / max(map(abs, expected)))
assert most <= 1e-5 * max(map(abs, expected))
PYTHON
}

compile() { # NAME: NAME.c and the program in NAME-main.c
    cc -std=c99 -O1 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror "$1.c" "$1-main.c" -o "$1"
    cc -std=c99 -c "$1.c" -o "$1.o"
    nm -u "$1.o" | sed 's/.* //' | (! grep -vxE 'strcmp|memset|_GLOBAL_OFFSET_TABLE_|__stack_chk_fail')
}

@test "an image embeds in C as in invar" {
    run "$invar" export run -o picture.c
    [ "$status" -eq 0 ]
    [ "$output" = "picture.c: small-resnet, image float32 [N, 1, 16, 16] -> representation float32 [N, 32]" ]
    cat >picture-main.c <<'END'
#include "picture.h"
#include <stdio.h>
int main(void)
{
    static float image[PICTURE_HEIGHT * PICTURE_WIDTH], out[PICTURE_FEATURES], work[PICTURE_WORK];
    static unsigned char pixels[PICTURE_HEIGHT * PICTURE_WIDTH];
    if (fread(pixels, 1, 16, stdin) != 16)
        return 1;
    while (fread(pixels, sizeof pixels, 1, stdin) == 1) {
        for (int i = 0; i < PICTURE_HEIGHT * PICTURE_WIDTH; i++)
            image[i] = (float)pixels[i] / 255;
        picture_embed(image, out, work);
        fwrite(out, sizeof out, 1, stdout);
    }
    return 0;
}
END
    compile picture
    ./picture <data/t10k-images-idx3-ubyte >picture.out
    "$invar" embed run idx:data -o run.npy --split test --threads 1 >/dev/null
    same_numbers run.npy picture.out
}

@test "a row of a table embeds in C as in invar, missing and unseen cells too" {
    "$invar" export table --format c -o rows.c
    cat >rows-main.c <<'END'
#include "rows.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(void)
{
    char line[300];
    float out[ROWS_FEATURES], work[ROWS_WORK];
    if (ROWS_NUMBERS != 2 || ROWS_CATEGORIES != 2 || !fgets(line, sizeof line, stdin))
        return 1;
    while (fgets(line, sizeof line, stdin)) {
        char *cell[5], *at = line;
        for (int i = 0; i < 5; i++) {
            cell[i] = at;
            at = strpbrk(at, ",\n");
            *at++ = 0;
        }
        const double numbers[] = {*cell[0] ? strtod(cell[0], NULL) : strtod("nan", NULL), strtod(cell[2], NULL)};
        const char *const categories[] = {*cell[1] ? cell[1] : NULL, cell[3]};
        rows_embed(numbers, categories, out, work);
        fwrite(out, sizeof out, 1, stdout);
    }
    return 0;
}
END
    compile rows
    { cat table.csv; echo "31,never seen,1000000005,t0,x"; } >more.csv
    ./rows <more.csv >rows.out
    "$invar" embed table csv:more.csv -o rows.npy --threads 1 >/dev/null
    same_numbers rows.npy rows.out
}

@test "the format is that of the file's ending; with --json what goes in and comes out" {
    for ending in onnx safetensors c; do
        "$invar" export run -o "encoder.$ending" --json | json_object
        [ -s "encoder.$ending" ]
    done
    [ -s encoder.h ]
    (! LC_ALL=C grep -q 'idx:data' encoder.safetensors)
    "$invar" pretrain tiny.yaml init=encoder.safetensors training.epochs=1 --run again --threads 1 >/dev/null 2>&1
}

@test "what cannot be exported is refused in a sentence" {
    fails_with 2 "$invar" export run
    says "-o FILE"
    fails_with 2 "$invar" export run -o encoder
    says ".safetensors"
    fails_with 2 "$invar" export run -o encoder.onnx --format tflite
    says "tflite" "known are: onnx, safetensors, c"
    fails_with 1 "$invar" export nowhere -o encoder.onnx
    says "nowhere/encoder.safetensors"
    fails_with 1 "$invar" export run -o nowhere/encoder.onnx
    says "nowhere/encoder.onnx"
}
