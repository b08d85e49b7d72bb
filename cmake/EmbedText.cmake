# SPDX-License-Identifier: Apache-2.0
# cmake -DTEXT=FILE -DNAME=env_worker -DHEADER=env/worker.h -DOUTPUT=FILE.c -P EmbedText.cmake
# Writes a C file that holds a text, NAME_text, and its size, NAME_size.
file(READ ${TEXT} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
file(WRITE ${OUTPUT} "/* Made by cmake/EmbedText.cmake. */
#include \"${HEADER}\"

const char ${NAME}_text[] = {${bytes}0};
const size_t ${NAME}_size = sizeof ${NAME}_text - 1;
")
