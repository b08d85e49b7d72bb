/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_TRAIN_STORE_H
#define INVAR_TRAIN_STORE_H

#include "train/chain.h"

/** Host memory through which the weights of one net pass. Free it in either case. */
struct invar_staging {
    float *parameters, *statistics;
};
bool invar_staging_create(struct invar_staging *staging, const struct invar_net *net, struct invar_error *err);
void invar_staging_free(struct invar_staging *staging);
/** Weights of a net under prefix + name. */
bool invar_store_weights(const struct invar_weights *weights, const char *prefix, struct invar_safetensors *file,
                         struct invar_error *err);
bool invar_restore_weights(struct invar_weights *weights, const char *prefix, const struct invar_safetensors *file,
                           const char *path, struct invar_error *err);
/** Weights ("NAME."), those of the target network ("target.NAME.") and buffers ("optimiser.NAME.0"); net NULL: nothing.
 * path is what messages call the file. */
bool invar_store_net(const struct invar_chain_net *net, struct invar_safetensors *file, struct invar_error *err);
bool invar_restore_net(const struct invar_chain_net *net, const struct invar_safetensors *file, const char *path,
                       struct invar_error *err);

#endif
