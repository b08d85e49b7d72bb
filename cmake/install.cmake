# SPDX-License-Identifier: Apache-2.0
# cmake --install build: the command, the library in both forms, the headers, a pkg-config file.
include(GNUInstallDirs)
install(TARGETS invar_static invar_shared
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(TARGET invar)
    install(TARGETS invar RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(DIRECTORY include/invar DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
# Relative, so that the file is right under any --prefix.
file(RELATIVE_PATH INVAR_PC_UP "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
configure_file(cmake/invar.pc.in ${CMAKE_BINARY_DIR}/invar.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/invar.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
