# SPDX-License-Identifier: Apache-2.0
# DNNL::dnnl: the newest oneDNN that is there, or the one that INVAR_ONEDNN asks for. Where several are, that of
# `scripts/setup.sh --onednn3` in the build folder comes first, then CMAKE_PREFIX_PATH and DNNLROOT, then the system's.
# Not find_package(dnnl): Debian's package file asks for OpenCL headers that libdnnl-dev does not bring and the CPU does
# not need.
set(INVAR_ONEDNN auto CACHE STRING "oneDNN: auto (the newest), 2, 3, or the folder that holds its include/ and lib/")

# The oneDNN in a folder: NAME_INCLUDE, NAME_LIBRARY and NAME_VERSION, which is empty where there is none, or only one
# whose threads are not OpenMP's: --threads would not reach them.
function(invar_onednn_in folder name)
    set(${name}_VERSION "" PARENT_SCOPE)
    find_path(include oneapi/dnnl/dnnl_version.h PATHS ${folder} PATH_SUFFIXES include NO_DEFAULT_PATH NO_CACHE)
    find_library(library dnnl PATHS ${folder} PATH_SUFFIXES lib lib/${CMAKE_LIBRARY_ARCHITECTURE} lib64 NO_DEFAULT_PATH
        NO_CACHE)
    if(NOT include OR NOT library)
        return()
    endif()
    file(READ ${include}/oneapi/dnnl/dnnl_config.h config)
    file(STRINGS ${include}/oneapi/dnnl/dnnl_version.h lines REGEX "define +DNNL_VERSION_(MAJOR|MINOR|PATCH) +[0-9]+")
    string(REGEX REPLACE "[^;0-9]+" "" numbers "${lines}")
    if(config MATCHES "define DNNL_CPU_THREADING_RUNTIME DNNL_RUNTIME_OMP" AND numbers MATCHES "^[0-9]+;[0-9]+;[0-9]+$")
        string(REPLACE ";" "." version "${numbers}")
        set(${name}_VERSION ${version} PARENT_SCOPE)
        set(${name}_INCLUDE ${include} PARENT_SCOPE)
        set(${name}_LIBRARY ${library} PARENT_SCOPE)
    endif()
endfunction()

if(INVAR_ONEDNN MATCHES "^(auto|2|3)$")
    set(folders ${CMAKE_BINARY_DIR}/onednn3 ${CMAKE_PREFIX_PATH} $ENV{CMAKE_PREFIX_PATH} $ENV{DNNLROOT}
        ${CMAKE_SYSTEM_PREFIX_PATH})
else()
    get_filename_component(folders "${INVAR_ONEDNN}" ABSOLUTE BASE_DIR ${CMAKE_SOURCE_DIR})
endif()
set(DNNL_VERSION "")
foreach(folder IN LISTS folders)
    invar_onednn_in("${folder}" found)
    if(found_VERSION VERSION_GREATER "${DNNL_VERSION}" AND found_VERSION VERSION_LESS 4 AND
       found_VERSION VERSION_GREATER_EQUAL 2.6 AND
       (NOT INVAR_ONEDNN MATCHES "^[23]$" OR found_VERSION MATCHES "^${INVAR_ONEDNN}[.]"))
        set(DNNL_VERSION ${found_VERSION})
        set(DNNL_INCLUDE ${found_INCLUDE})
        set(DNNL_LIBRARY ${found_LIBRARY})
        set(DNNL_FOLDER ${folder})
    endif()
endforeach()
if(NOT DNNL_VERSION)
    list(REMOVE_DUPLICATES folders)
    list(JOIN folders ", " folders)
    message(FATAL_ERROR "INVAR_ONEDNN=${INVAR_ONEDNN}: no oneDNN of 2.6 or 3.x with OpenMP's threads in "
        "${folders}: install libdnnl-dev (2.6), or 3.x with scripts/setup.sh --onednn3 ${CMAKE_BINARY_DIR}, or name "
        "the folder of one with -DINVAR_ONEDNN=FOLDER")
endif()
message(STATUS "oneDNN ${DNNL_VERSION}: ${DNNL_LIBRARY} (INVAR_ONEDNN=${INVAR_ONEDNN})")

add_library(DNNL::dnnl INTERFACE IMPORTED)
target_link_libraries(DNNL::dnnl INTERFACE ${DNNL_LIBRARY})
if(NOT DNNL_INCLUDE IN_LIST CMAKE_C_IMPLICIT_INCLUDE_DIRECTORIES)
    target_include_directories(DNNL::dnnl SYSTEM INTERFACE ${DNNL_INCLUDE})
endif()
# What is built finds it by the path that CMake writes in, and so does what is installed, which takes one in the build
# folder along (install.cmake).
cmake_path(IS_PREFIX CMAKE_BINARY_DIR "${DNNL_LIBRARY}" NORMALIZE DNNL_IN_BUILD)
set(CMAKE_INSTALL_RPATH_USE_LINK_PATH ON)
