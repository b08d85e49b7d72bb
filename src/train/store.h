/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_TRAIN_STORE_H
#define INVAR_TRAIN_STORE_H

#include "train/chain.h"

/** Host memory through which the weights of one net pass. Free it in either case. */
struct invar_staging {
    float *parameters, *statistics;
};
bool staging_create(struct invar_staging *staging, const struct invar_net *net, struct invar_error *err);
void staging_free(struct invar_staging *staging);
/** Weights of a net under prefix + name. */
bool store_weights(const struct invar_weights *weights, const char *prefix, struct invar_safetensors *file,
                   struct invar_error *err);
bool restore_weights(struct invar_weights *weights, const char *prefix, const struct invar_safetensors *file,
                     const char *path, struct invar_error *err);
/** Weights ("NAME."), those of the target network ("target.NAME.") and buffers ("optimiser.NAME.0"); net NULL: nothing.
 * path is what messages call the file. */
bool store_net(const struct invar_chain_net *net, struct invar_safetensors *file, struct invar_error *err);
bool restore_net(const struct invar_chain_net *net, const struct invar_safetensors *file, const char *path,
                 struct invar_error *err);

#endif
