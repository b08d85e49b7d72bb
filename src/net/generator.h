/* SPDX-License-Identifier: Apache-2.0 */
/* The families of generators; each file defines its own spec, and generator.c has the table. */
#ifndef INVAR_SRC_NET_GENERATOR_H
#define INVAR_SRC_NET_GENERATOR_H

#include "invar/expert/net.h"

extern const struct invar_generator_spec invar_generator_cnn, invar_generator_mlp;

#endif
