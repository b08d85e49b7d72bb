/* SPDX-License-Identifier: Apache-2.0 */
/* The one place that opens the adversary of a run for measuring. */
#include "invar/expert/file.h"
#include "run/recipe.h"

#include <string.h>

enum { PATH_SIZE = 4096 };

struct invar_perturber *run_perturber_open(const char *folder, const struct invar_recipe *recipe,
                                           struct invar_device *device, const struct invar_encoder *encoder,
                                           const struct invar_dataset_info *info, int64_t batch,
                                           struct invar_error *err)
{
    const struct invar_adversary_options *o = &recipe->adversary;
    char generator[PATH_SIZE];

    if (!invar_path_join(generator, sizeof generator, folder, "generator.safetensors", err))
        return NULL;
    if (strcmp(o->kind, "none") == 0) {
        invar_error_set(err, INVAR_ERROR_USAGE,
                        "%s/recipe.yaml: adversary.kind is none, so there are no perturbations to show: give a run "
                        "whose recipe has an adversary",
                        folder);
        return NULL;
    }
    const struct invar_perturber_options options = {
        .kind = o->kind,
        .file = generator,
        .build = {.widths = o->widths, .noise = o->noise, .blocks = o->blocks},
        .eps = o->eps,
        .ball = o->p,
        .views = o->views,
        .batch = batch,
    };
    return invar_perturber_open(device, encoder, info, &options, err);
}

struct invar_perturber *invar_run_perturber(const struct invar_run *run, int64_t batch, uint64_t *seed,
                                            struct invar_error *err)
{
    struct invar_recipe *recipe = invar_run_recipe(run->folder, NULL, 0, err);
    struct invar_perturber *perturber = NULL;

    if (!recipe)
        return NULL;
    perturber = run_perturber_open(run->folder, recipe, run->device, run->encoder, invar_dataset_info(run->dataset),
                                   batch, err);
    if (seed)
        *seed = (uint64_t)recipe->training.seed;
    invar_recipe_free(recipe);
    return perturber;
}
