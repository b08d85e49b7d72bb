# SPDX-License-Identifier: Apache-2.0
# Parts of the library that may be left out, with the packages that nothing else needs. What is left out says so: in each
# room ROOM/without_PART.c then stands for the files that are named here. tests/parts builds every command that lacks one.
option(INVAR_IMAGES "images:DIR, which decodes JPEG, PNG, TIFF and WebP" ON)
option(INVAR_AUDIO "audio:DIR, which decodes WAV, FLAC and OGG" ON)
option(INVAR_REPORT "invar report, pictures, files for TensorBoard and ONNX" ON)
set(INVAR_PARTS images audio report)
set(images_data exif formats images jpeg png tiff webp)
set(images_eval corruption_jpeg)
set(audio_data audio wave)
set(report_run event.pb-c events metrics_views picture)
set(report_export onnx onnx_graph onnx_table onnx.pb-c)
set(report_report corruption_sheet embedding_projector map page page_files report tsne views)

set(images_modules libturbojpeg libtiff-4>=4.5 libwebp libexif spng)
set(audio_modules sndfile soxr)
set(report_modules libprotobuf-c spng)

# The libraries of what is built, each once: INVAR_PART_LIBRARIES to link, INVAR_PART_LINK as -l for those who link the
# static library.
set(modules "")
foreach(part IN LISTS INVAR_PARTS)
    string(TOUPPER ${part} option)
    if(INVAR_${option})
        list(APPEND modules ${${part}_modules})
    endif()
endforeach()
list(REMOVE_DUPLICATES modules)
set(INVAR_PART_LIBRARIES "")
set(INVAR_PART_LINK "")
foreach(module IN LISTS modules)
    string(MAKE_C_IDENTIFIER ${module} name)
    pkg_check_modules(${name} REQUIRED IMPORTED_TARGET ${module})
    list(APPEND INVAR_PART_LIBRARIES PkgConfig::${name})
    list(TRANSFORM ${name}_LIBRARIES PREPEND -l OUTPUT_VARIABLE link)
    list(APPEND INVAR_PART_LINK ${link})
endforeach()
list(JOIN INVAR_PART_LINK " " INVAR_PART_LINK)

# The files of a room that are left out with a part, as a regular expression of their paths; nothing is never matched.
function(invar_part_files part room out)
    list(JOIN ${part}_${room} "|" files)
    string(REPLACE "." "\\." files "${files}")
    set(${out} "/${room}/([a-z]+/)?(${files})\\.c" PARENT_SCOPE)
endfunction()

# A room's sources without those of parts that are left out, or without what stands for them.
function(invar_part_sources room list_name)
    foreach(part IN LISTS INVAR_PARTS)
        string(TOUPPER ${part} option)
        if(INVAR_${option})
            list(FILTER ${list_name} EXCLUDE REGEX "/${room}/([a-z]+/)?without_${part}\\.c$")
        elseif(${part}_${room})
            invar_part_files(${part} ${room} files)
            list(FILTER ${list_name} EXCLUDE REGEX "${files}$")
        endif()
    endforeach()
    set(${list_name} ${${list_name}} PARENT_SCOPE)
endfunction()
