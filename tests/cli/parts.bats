#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# invar without images, audio or reports, and without all three: it links without their libraries (tests/parts.cmake), is
# configured without their packages, and says what it lacks.
load common

setup()
{
    cd "$BATS_TEST_TMPDIR" || return
}

no() { # COMMAND..: it fails
    if "$@"; then return 1; fi
}

without() { # PART ARGUMENTS..
    "$build/tests/parts/without_$1" "${@:2}"
}

lacks() { # PART OPTION ARGUMENTS..: refused with the option that brings it back
    run without "$1" "${@:3}"
    echo "$output"
    [ "$status" -ne 0 ] && [[ "$output" == *"this invar was built without "*"-D$2=ON"* ]]
}

@test "without images: folders of images are refused, arrays of images are read" {
    mkdir images
    "$build/tests/make_data" idx data 64 32 16 4
    for part in images all; do
        lacks $part INVAR_IMAGES data images:images
        without $part data idx:data >/dev/null
    done
}

@test "without audio: folders of clips are refused" {
    mkdir clips
    for part in audio all; do
        lacks $part INVAR_AUDIO data audio:clips
    done
}

@test "without reports: a run has its metrics and no events, and there is no page" {
    "$build/tests/make_data" idx data 64 32 16 4
    tiny_recipe >tiny.yaml
    for part in report all; do
        without $part pretrain tiny.yaml training.epochs=1 --run $part --threads 1 >/dev/null 2>&1
        [ -s $part/metrics.jsonl ]
        [ -z "$(find $part -name 'events*')" ]
        lacks $part INVAR_REPORT report $part
        lacks $part INVAR_REPORT export $part -o encoder.onnx
        without $part probe $part --threads 1 >/dev/null
        without $part compare $part all >/dev/null || [ $part = report ]
    done
}

@test "what is left out needs no package: it is linked and configured without" {
    declare -A libraries=([images]='jpeg|tiff|webp|exif' [audio]='sndfile|soxr' [report]='protobuf')
    libraries[all]="${libraries[images]}|${libraries[audio]}|${libraries[report]}|spng"
    for part in "${!libraries[@]}"; do
        readelf -d "$build/tests/parts/without_$part" | grep NEEDED >needed
        grep -q libyaml needed
        no grep -E "lib(turbo)?(${libraries[$part]})" needed
    done
    mkdir bin
    cat >bin/pkg-config <<'END'
#!/bin/sh
case " $* " in *jpeg*|*tiff*|*webp*|*exif*|*spng*|*sndfile*|*soxr*|*protobuf*) exit 1 ;; esac
exec /usr/bin/pkg-config "$@"
END
    chmod +x bin/pkg-config
    PATH=$PWD/bin:$PATH cmake -B none -DINVAR_IMAGES=OFF -DINVAR_AUDIO=OFF -DINVAR_REPORT=OFF "$root" >none.log
    no grep -E '^(PROTOC_C|CHART_JS|BATS|cmocka_DIR):' none/CMakeCache.txt
    grep -q -- '-lpthread' none/invar.pc
    no grep -E 'jpeg|tiff|webp|exif|spng|sndfile|soxr|protobuf' none/invar.pc
}

@test "no file but those that are left out includes a header of a part's packages" {
    files() { # PART..: those of it
        for part in "$@"; do
            sed -n "s/^set(${part}_\(data\|eval\|run\|report\|export\) \(.*\))/\1 \2/p" "$root/cmake/parts.cmake" |
                while read -r room names; do
                    for name in $names; do (cd "$root" && find "src/$room" -name "$name.c"); done
                done
        done | sort
    }
    outside() { # HEADERS PART..
        (cd "$root" && grep -rlE "#include [<\"]($1)" src) | sort | comm -23 - <(files "${@:2}")
    }
    [ "$(files images | wc -l)" -gt 6 ]
    [ -z "$(outside 'turbojpeg|tiffio|webp/|libexif/' images)" ]
    [ -z "$(outside 'sndfile|soxr' audio)" ]
    [ -z "$(outside 'run/event\.pb-c|export/onnx\.pb-c|report/page_files' report)" ]
    [ -z "$(outside spng images report)" ]
}
