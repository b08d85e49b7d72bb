/* SPDX-License-Identifier: Apache-2.0 */
/* The one place that opens the adversary of a run for measuring. */
#include "cli/adversary.h"

#include "invar/file.h"
#include "invar/train.h"

#include <string.h>

enum { PATH_SIZE = 4096 };

struct invar_perturber *cli_adversary_open(const struct cli_run *run, int64_t batch, uint64_t *seed,
                                           struct invar_error *err)
{
    char path[PATH_SIZE], generator[PATH_SIZE];
    struct invar_perturber *perturber = NULL;
    struct invar_recipe *recipe = NULL;

    if (!invar_path_join(path, sizeof path, run->folder, "recipe.yaml", err) ||
        !invar_path_join(generator, sizeof generator, run->folder, "generator.safetensors", err))
        return NULL;
    recipe = invar_recipe_load(path, NULL, 0, err);
    if (!recipe)
        return NULL;
    const struct invar_adversary_options *o = &recipe->adversary;
    const struct invar_perturber_options options = {
        .kind = o->kind,
        .file = generator,
        .build = {.widths = o->widths, .noise = o->noise, .blocks = o->blocks},
        .eps = o->eps,
        .ball = (enum invar_ball)o->p,
        .views = o->views,
        .batch = batch,
    };
    if (strcmp(o->kind, "none") == 0)
        invar_error_set(err, INVAR_ERROR_USAGE,
                        "%s: adversary.kind is none, so there are no perturbations to show: give a run whose recipe "
                        "has an adversary",
                        path);
    else
        perturber = invar_perturber_open(run->device, run->encoder, invar_dataset_info(run->dataset), &options, err);
    if (seed)
        *seed = (uint64_t)recipe->training.seed;
    invar_recipe_free(recipe);
    return perturber;
}
