# SPDX-License-Identifier: Apache-2.0
# cmake "-DRECIPES=a.yaml|b.yaml" -DOUTPUT=FILE.c -DTABLE=NAME -DHEADER=FILE.h -P EmbedRecipes.cmake
# Writes a C file that holds the recipes: name, help (the first line, a comment) and text. Bytes rather than string
# literals, which the standard allows to be no longer than 4095 characters.
function(to_bytes hex out)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
    set(${out} "{${bytes}0}" PARENT_SCOPE)
endfunction()

string(REPLACE "|" ";" recipes "${RECIPES}")
list(SORT recipes)
set(arrays "")
set(table "")
set(i 0)
foreach(recipe IN LISTS recipes)
    get_filename_component(name ${recipe} NAME_WE)
    file(READ ${recipe} hex HEX)
    to_bytes("${hex}" text)
    file(READ ${recipe} content)
    if(NOT content MATCHES "^# ([^\n]+)\n")
        message(FATAL_ERROR "${recipe}: the first line must be a comment that says what the recipe is")
    endif()
    string(HEX "${CMAKE_MATCH_1}" hex)
    to_bytes("${hex}" help)
    string(APPEND arrays "static const char text_${i}[] = ${text};\nstatic const char help_${i}[] = ${help};\n")
    string(APPEND table "    {\"${name}\", help_${i}, text_${i}},\n")
    math(EXPR i "${i} + 1")
endforeach()
file(WRITE ${OUTPUT} "/* Made from recipes/ by cmake/EmbedRecipes.cmake. */
#include \"${HEADER}\"

${arrays}
const struct invar_recipe_name ${TABLE}[] = {
${table}    {0},
};
")
