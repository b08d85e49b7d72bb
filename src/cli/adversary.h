/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_CLI_ADVERSARY_H
#define INVAR_CLI_ADVERSARY_H

#include "cli/run.h"
#include "invar/perturber.h"

/** The adversary of FOLDER/recipe.yaml, with the weights of FOLDER/generator.safetensors, for batches of so many
 * samples. A recipe without one is an error. seed: of the training; may be NULL. */
struct invar_perturber *cli_adversary_open(const struct cli_run *run, int64_t batch, uint64_t *seed,
                                           struct invar_error *err);

#endif
