/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_RUN_RECIPE_H
#define INVAR_RUN_RECIPE_H

#include "invar/run.h"

/** What the recipe of a run says to those who measure it; all of it optional. */
struct run_recipe {
    bool found;
    struct invar_view_options views;
    bool projector, adversary;
    double logdet_beta, logdet_share; /**< as in invar_inspect_subject */
};
/** found is false where there is no recipe.yaml. */
bool run_recipe_read(const char *folder, struct run_recipe *out, struct invar_error *err);
/** The adversary of a recipe, with the weights of FOLDER/generator.safetensors, for views as info says. */
struct invar_perturber *run_perturber_open(const char *folder, const struct invar_recipe *recipe,
                                           struct invar_device *device, const struct invar_encoder *encoder,
                                           const struct invar_dataset_info *info, int64_t batch,
                                           struct invar_error *err);

#endif
