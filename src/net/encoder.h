/* SPDX-License-Identifier: Apache-2.0 */
/* The families of encoders; each file defines its own specs, and encoder.c has the table. */
#ifndef INVAR_SRC_NET_ENCODER_H
#define INVAR_SRC_NET_ENCODER_H

#include "invar/expert/net.h"

/** One line each here, in the order in which they are listed; a family has a file. */
#define INVAR_ENCODERS(ONE)                                                                                            \
    ONE(resnet18)                                                                                                      \
    ONE(resnet34)                                                                                                      \
    ONE(resnet50)                                                                                                      \
    ONE(small_resnet)                                                                                                  \
    ONE(mlp)                                                                                                           \
    ONE(nature)                                                                                                        \
    ONE(data_efficient)
#define INVAR_ENCODER_DECLARED(name) extern const struct invar_encoder_spec invar_encoder_##name;
INVAR_ENCODERS(INVAR_ENCODER_DECLARED)

/** A basic block (two 3x3 convolutions, torchvision names under prefix); the number of its last layer or -1. */
int net_basic_block(struct invar_net *net, int from, const char *prefix, int64_t out, int64_t stride,
                    struct invar_error *err);

#endif
