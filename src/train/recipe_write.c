/* SPDX-License-Identifier: Apache-2.0 */
/* The resolved recipe as YAML, and the documentation of every option. */
#include "train/recipe.h"

#include <string.h>

/* All options with their values, defaults too: a run repeats itself under a later version that has other defaults. */
static bool write_section(const char *name, const char *kind, const struct invar_option *table, const void *object,
                          struct invar_text *out, struct invar_error *err)
{
    return invar_text_printf(out, err, "%s:\n", name) && (!kind || invar_text_printf(out, err, "  kind: %s\n", kind)) &&
           invar_options_write(table, object, 2, out, err);
}

static bool write_optimiser(const struct invar_recipe *recipe, struct invar_text *out, struct invar_error *err)
{
    return write_section("optimiser", recipe->optimiser->name, invar_rate_option_table, &recipe->rate, out, err) &&
           invar_options_write(recipe->optimiser->options, recipe->optimiser_options, 2, out, err);
}

bool recipe_write_section(const struct invar_recipe *recipe, const char *name, struct invar_text *out,
                          struct invar_error *err)
{
    const struct {
        const char *name;
        const struct invar_option *table;
        const void *object;
    } plain[] = {{"data", invar_data_option_table, &recipe->data},
                 {"views", invar_view_option_table, &recipe->views},
                 {"projector", invar_head_option_table, &recipe->projector},
                 {"predictor", invar_head_option_table, &recipe->predictor},
                 {"target", invar_target_option_table, &recipe->target},
                 {"adversary", invar_adversary_option_table, &recipe->adversary},
                 {"classifier", invar_classifier_option_table, &recipe->classifier},
                 {"training", invar_training_option_table, &recipe->training},
                 {"device", invar_compute_option_table, &recipe->device}};

    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (strcmp(name, plain[i].name) == 0)
            return write_section(name, NULL, plain[i].table, plain[i].object, out, err);
    if (strcmp(name, "encoder") == 0)
        return write_section(name, recipe->encoder->name, recipe->encoder->options, recipe->encoder_options, out, err);
    if (strcmp(name, "terms") == 0)
        return invar_text_printf(out, err, "terms:\n") && invar_objective_write(recipe->objective, 2, out, err);
    return write_optimiser(recipe, out, err);
}

bool invar_recipe_write(const struct invar_recipe *recipe, struct invar_text *out, struct invar_error *err)
{
    bool ok = invar_options_write(invar_recipe_root_table, recipe, 0, out, err);

    for (const char *const *name = invar_recipe_sections; ok && *name; name++)
        ok = recipe_write_section(recipe, *name, out, err);
    return ok;
}

/* ---- schema ---- */

/* A schema for people: each line is made of the table that the reader uses, so that neither can know a key that the
 * other does not. */
static bool describe_section(const char *name, const char *help, const struct invar_option *table,
                             struct invar_text *out, struct invar_error *err)
{
    return invar_text_printf(out, err, "\n%s:  # %s\n", name, help) && invar_options_describe(table, 2, out, err);
}

static bool describe_kind(const char *label, const char *name, const char *help, const struct invar_option *table,
                          struct invar_text *out, struct invar_error *err)
{
    return invar_text_printf(out, err, "  %s%s  # %s\n", label, name, help) &&
           invar_options_describe(table, 4, out, err);
}

static bool describe_encoders(struct invar_text *out, struct invar_error *err)
{
    if (!invar_text_printf(out, err, "\nencoder:  # the net whose output is the representation h; by kind\n"))
        return false;
    for (const struct invar_encoder_spec *const *e = invar_encoder_list(); *e; e++)
        if (!describe_kind("kind: ", (*e)->name, (*e)->help, (*e)->options, out, err))
            return false;
    return true;
}

static bool describe_optimisers(struct invar_text *out, struct invar_error *err)
{
    if (!describe_section("optimiser", "the rate, and the options of its kind", invar_rate_option_table, out, err))
        return false;
    for (const struct invar_optimiser_spec *const *o = invar_optimiser_list(); *o; o++)
        if (!describe_kind("kind: ", (*o)->name, (*o)->help, (*o)->options, out, err))
            return false;
    return true;
}

static bool describe_generators(struct invar_text *out, struct invar_error *err)
{
    if (!describe_section("adversary", "a generator that perturbs views, trained against the encoder",
                          invar_adversary_option_table, out, err))
        return false;
    for (const struct invar_generator_spec *const *g = invar_generator_list(); *g; g++)
        if (!invar_text_printf(out, err, "  kind: %s  # %s\n", (*g)->name, (*g)->help))
            return false;
    return true;
}

static bool describe_terms(struct invar_text *out, struct invar_error *err)
{
    if (!invar_text_printf(out, err, "\nterms:  # the weighted sum that is minimised; each has a weight (default 1)\n"))
        return false;
    for (const struct invar_term_spec *const *t = invar_term_list(); *t; t++)
        if (!describe_kind("", (*t)->name, (*t)->help, (*t)->options, out, err))
            return false;
    return true;
}

bool invar_recipe_schema(struct invar_text *out, struct invar_error *err)
{
    return invar_options_describe(invar_recipe_root_table, 0, out, err) &&
           describe_section("data", "where samples come from", invar_data_option_table, out, err) &&
           describe_section("views", "what the network sees of a sample", invar_view_option_table, out, err) &&
           describe_encoders(out, err) &&
           describe_section("projector", "head on h whose output is the embedding z; without it z is h",
                            invar_head_option_table, out, err) &&
           describe_section("predictor", "head on z whose output is q; without it q is z", invar_head_option_table, out,
                            err) &&
           describe_section("target", "the target network, whose embedding is t", invar_target_option_table, out,
                            err) &&
           describe_generators(out, err) &&
           describe_section("classifier", "a linear classifier on h that is trained beside the encoder on labels",
                            invar_classifier_option_table, out, err) &&
           describe_terms(out, err) && describe_optimisers(out, err) &&
           describe_section("training", "the run", invar_training_option_table, out, err) &&
           describe_section("device", "how it is computed", invar_compute_option_table, out, err);
}
