# SPDX-License-Identifier: Apache-2.0
# What the rooms run, report and export are made of beside their sources (included by src/CMakeLists.txt):
# ROOM_generated.
# TensorBoard's and ONNX's messages are made from their descriptions; generated code is not held to our warnings.
find_program(PROTOC_C protoc-c REQUIRED)
set(generated ${CMAKE_CURRENT_BINARY_DIR}/generated)
file(MAKE_DIRECTORY ${generated}/run ${generated}/report ${generated}/export)
foreach(messages run/event export/onnx)
    get_filename_component(room ${messages} DIRECTORY)
    get_filename_component(name ${messages} NAME)
    add_custom_command(OUTPUT ${generated}/${messages}.pb-c.c ${generated}/${messages}.pb-c.h
        COMMAND ${PROTOC_C} --c_out=${generated}/${room} --proto_path=${CMAKE_CURRENT_SOURCE_DIR}/${room} ${name}.proto
        DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${messages}.proto VERBATIM)
    set_source_files_properties(${generated}/${messages}.pb-c.c PROPERTIES COMPILE_OPTIONS "-w")
    set(${room}_generated ${generated}/${messages}.pb-c.c ${generated}/${messages}.pb-c.h)
endforeach()

# The page of `invar report`: its own files, and Chart.js as Debian has it, which it carries with it.
find_file(CHART_JS NAMES Chart.min.js chart.min.js chart.umd.js PATHS /usr/share/javascript/chart.js
    /usr/share/nodejs/chart.js/dist NO_DEFAULT_PATH DOC "Chart.js, minified (Debian: libjs-chart.js)")
if(NOT CHART_JS)
    message(FATAL_ERROR "Chart.js is not there: install libjs-chart.js, or say where it is with -DCHART_JS=FILE")
endif()
set(page_folder ${CMAKE_CURRENT_SOURCE_DIR}/report/page)
set(page_files page_template=${page_folder}/report.html.in page_style=${page_folder}/report.css
    page_base=${page_folder}/base.js page_map=${page_folder}/map.js page_sections=${page_folder}/sections.js
    page_chart=${CHART_JS})
set(embedded_page ${CMAKE_CURRENT_BINARY_DIR}/generated/report/page_files.c)
list(JOIN page_files "|" page_list)
add_custom_command(OUTPUT ${embedded_page}
    COMMAND ${CMAKE_COMMAND} "-DFILES=${page_list}" -DHEADER=report/page_files.h -DOUTPUT=${embedded_page}
            -P ${CMAKE_SOURCE_DIR}/cmake/EmbedFiles.cmake
    DEPENDS ${page_folder}/report.html.in ${page_folder}/report.css ${page_folder}/base.js ${page_folder}/map.js
            ${page_folder}/sections.js ${CHART_JS} ${CMAKE_SOURCE_DIR}/cmake/EmbedFiles.cmake VERBATIM)
set(report_generated ${embedded_page})
