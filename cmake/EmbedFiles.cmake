# SPDX-License-Identifier: Apache-2.0
# cmake "-DFILES=name=path|name=path" -DHEADER=room/name.h -DOUTPUT=FILE.c -P EmbedFiles.cmake
# Writes a C file that holds each file as `const char NAME[]`, NUL-ended, and its size as NAME_size. Characters rather than
# string literals, which the standard allows to be no longer than 4095 characters.
string(REPLACE "|" ";" files "${FILES}")
set(text "/* Made by cmake/EmbedFiles.cmake. */\n#include \"${HEADER}\"\n")
foreach(item IN LISTS files)
    string(FIND "${item}" "=" at)
    string(SUBSTRING "${item}" 0 ${at} name)
    math(EXPR at "${at} + 1")
    string(SUBSTRING "${item}" ${at} -1 path)
    file(READ ${path} hex HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${hex}")
    string(LENGTH "${hex}" size)
    math(EXPR size "${size} / 2")
    string(APPEND text "\nconst char ${name}[] = {${bytes}0};\nconst size_t ${name}_size = ${size};\n")
endforeach()
file(WRITE ${OUTPUT} "${text}")
