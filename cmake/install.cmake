# SPDX-License-Identifier: Apache-2.0
# cmake --install build: the command, the library in both forms, the headers, a pkg-config file, and the oneDNN of the build
# folder where it has one.
include(GNUInstallDirs)
install(FILES ${INVAR_ARCHIVE} DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS invar_shared EXPORT invar-targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
    INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
set_target_properties(invar_shared PROPERTIES EXPORT_NAME invar)
# Opened by the library where a launcher started several processes; a package of its own, as it needs MPI.
if(TARGET invar_mpi)
    install(TARGETS invar_mpi LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/invar COMPONENT mpi)
endif()
# Inside the wheel of the Python package (pyproject.toml).
install(TARGETS invar_shared LIBRARY DESTINATION . NAMELINK_SKIP COMPONENT python EXCLUDE_FROM_ALL)
set(INVAR_CMAKE_FOLDER ${CMAKE_INSTALL_LIBDIR}/cmake/invar)
install(EXPORT invar-targets NAMESPACE invar:: FILE invar-targets.cmake DESTINATION ${INVAR_CMAKE_FOLDER})
if(TARGET invar)
    install(TARGETS invar RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
    install(DIRECTORY ${CMAKE_BINARY_DIR}/manual/man1 ${CMAKE_BINARY_DIR}/manual/man5 DESTINATION ${CMAKE_INSTALL_MANDIR})
    install(FILES ${CMAKE_BINARY_DIR}/manual/invar
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
    set(INVAR_ZSH_FOLDER ${CMAKE_INSTALL_DATADIR}/zsh/site-functions CACHE STRING "where zsh finds completions")
    install(FILES ${CMAKE_BINARY_DIR}/manual/_invar DESTINATION ${INVAR_ZSH_FOLDER})
endif()
# Of libinvar.a: for pkg-config, and for CMake, where a path may have spaces.
set(DNNL_LINK -ldnnl)
set(DNNL_ITEM -ldnnl)
if(DNNL_IN_BUILD)
    file(GLOB DNNL_FILES ${DNNL_FOLDER}/lib/libdnnl.so*)
    install(FILES ${DNNL_FILES} DESTINATION ${CMAKE_INSTALL_LIBDIR}/invar)
    install(FILES ${DNNL_FOLDER}/LICENSE.txt DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/invar RENAME LICENSE.oneDNN OPTIONAL)
    set_target_properties(invar_shared PROPERTIES INSTALL_RPATH "$ORIGIN/invar")
    if(TARGET invar)
        file(RELATIVE_PATH DNNL_UP "/prefix/${CMAKE_INSTALL_BINDIR}" "/prefix/${CMAKE_INSTALL_LIBDIR}/invar")
        set_target_properties(invar PROPERTIES INSTALL_RPATH "$ORIGIN/${DNNL_UP}")
    endif()
    set(DNNL_LINK "-L\${libdir}/invar -Wl,-rpath,\${libdir}/invar -ldnnl")
    set(DNNL_ITEM "\${invar_libdir}/invar/libdnnl.so")
endif()
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY include/invar DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
# The libraries that libinvar.a itself calls, which are shared ones: theirs come along.
list(TRANSFORM OPENBLAS_LIBRARY_DIRS PREPEND -L OUTPUT_VARIABLE OPENBLAS_LINK)
list(JOIN OPENBLAS_LINK " " OPENBLAS_LINK)
set(INVAR_PRIVATE_LIBS "-lyaml -lcjson -lz ${INVAR_PART_LINK} -llapacke ${OPENBLAS_LINK} \
-lopenblas -llbfgs -lcsv -lunistring -fopenmp -lm -lpthread")
include(CMakePackageConfigHelpers)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/invar-config-version.cmake COMPATIBILITY SameMinorVersion)
configure_file(cmake/invar-config.cmake.in ${CMAKE_BINARY_DIR}/invar-config.cmake @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/invar-config.cmake ${CMAKE_BINARY_DIR}/invar-config-version.cmake
    DESTINATION ${INVAR_CMAKE_FOLDER})
# Relative, so that the file is right under any --prefix.
file(RELATIVE_PATH INVAR_PC_UP "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
configure_file(cmake/invar.pc.in ${CMAKE_BINARY_DIR}/invar.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/invar.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# cpack --config build/CPackConfig.cmake: what is installed as a .tar.gz, to be unpacked anywhere.
set(CPACK_GENERATOR TGZ)
set(CPACK_MONOLITHIC_INSTALL ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_FILE_NAME "invar-${PROJECT_VERSION}-${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR}")
set(CPACK_SOURCE_GENERATOR TGZ)
set(CPACK_SOURCE_PACKAGE_FILE_NAME "invar-${PROJECT_VERSION}")
set(CPACK_SOURCE_IGNORE_FILES "/\\.git/" "/build[^/]*/" "/runs/" "__pycache__")
include(CPack)
