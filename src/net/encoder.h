/* SPDX-License-Identifier: Apache-2.0 */
/* The families of encoders; each file defines its own specs, and encoder.c has the table. */
#ifndef INVAR_SRC_NET_ENCODER_H
#define INVAR_SRC_NET_ENCODER_H

#include "invar/expert/net.h"

extern const struct invar_encoder_spec invar_encoder_resnet18, invar_encoder_resnet34, invar_encoder_resnet50,
    invar_encoder_small_resnet, invar_encoder_mlp;

/** A basic block (two 3x3 convolutions, torchvision names under prefix); the number of its last layer or -1. */
int invar_net_basic_block(struct invar_net *net, int from, const char *prefix, int64_t out, int64_t stride,
                          struct invar_error *err);

#endif
