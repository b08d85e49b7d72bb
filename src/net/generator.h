/* SPDX-License-Identifier: Apache-2.0 */
/* The families of generators; each file defines its own spec, and generator.c has the table. */
#ifndef INVAR_SRC_NET_GENERATOR_H
#define INVAR_SRC_NET_GENERATOR_H

#include "invar/expert/net.h"

/** One file each, and one line each here. */
#define INVAR_GENERATORS(ONE)                                                                                          \
    ONE(cnn)                                                                                                           \
    ONE(mlp)                                                                                                           \
    ONE(viewmaker)
#define INVAR_GENERATOR_DECLARED(name) extern const struct invar_generator_spec invar_generator_##name;
INVAR_GENERATORS(INVAR_GENERATOR_DECLARED)

#endif
