/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_TRAIN_RECIPE_H
#define INVAR_TRAIN_RECIPE_H

#include "invar/train.h"

/* Tables of the sections that belong to this room; each over the struct of train.h that it is named after. */
extern const struct invar_option invar_recipe_root_table[]; /* struct invar_recipe: name, init */
extern const struct invar_option invar_target_option_table[];
extern const struct invar_option invar_adversary_option_table[];
extern const struct invar_option invar_classifier_option_table[];
extern const struct invar_option invar_rate_option_table[]; /* struct invar_optimiser_options */
extern const struct invar_option invar_training_option_table[];
extern const struct invar_option invar_compute_option_table[];

/** The names of the sections that are mappings, in the order in which they are written; NULL-ended. */
extern const char *const invar_recipe_sections[];

/** One of those sections, to and from the document that has it; one that is missing has its defaults. */
bool recipe_read_section(struct invar_recipe *recipe, const char *name, const struct invar_node *root,
                         struct invar_error *err);
bool recipe_write_section(const struct invar_recipe *recipe, const char *name, struct invar_text *out,
                          struct invar_error *err);

/** Recipes embedded at build time (cmake/EmbedRecipes.cmake); ended by a NULL name. */
extern const struct invar_recipe_name invar_recipe_shipped[];

/** A recipe from its document, without overrides; it is named after the path where it names itself nowhere. */
struct invar_recipe *recipe_of(const struct invar_node *root, const char *name_or_path, struct invar_error *err);
/** A recipe from its text; `name` is what messages call it. */
struct invar_recipe *recipe_parse(const char *text, const char *name, struct invar_error *err);

/** Applies overrides to the document; another kind of encoder or optimiser drops the file's options
 * of it, and another kind of environment those of the file's. */
bool recipe_override(struct invar_node *root, const char *const *overrides, int count, struct invar_error *err);

/** Options of an agent's recipe ("env.timeout") that change nothing of what is computed: they may be others where a run
 * goes on, and tell neither runs nor evaluations apart. The last is NULL. */
extern const char *const recipe_indifferent[];
bool recipe_is_indifferent(const char *key);

/** Where overrides have another data.source than the document, its labels, metadata, groups and test rows are dropped:
 * to be called before, and not where a run goes on, whose data may have moved. */
bool recipe_drop_of_old_set(struct invar_node *root, const char *const *overrides, int count, struct invar_error *err);

/** A run of so many steps must have some after its warm-up. */
bool recipe_check_warmup(const struct invar_recipe *recipe, const char *origin, int64_t total, struct invar_error *err);

/** The rules that span sections; origin is what messages call the recipe. */
bool recipe_check(const struct invar_recipe *recipe, const char *origin, struct invar_error *err);

/** Whether the generator ascends this term (where it reads a perturbed view), and whether some other term reads a
 * perturbed view as well, so that the gradients of the two sides need a backward pass each. */
bool recipe_ascends(const struct invar_recipe *recipe, int i);
bool recipe_ascends_apart(const struct invar_recipe *recipe);
/** Whether there is an adversary, whether it is noise, whether it has a generator that learns, and whether that one's
 * gradient needs a backward pass of its own. */
bool adversary_enabled(const struct invar_recipe *recipe);
bool adversary_is_noise(const struct invar_recipe *recipe);
bool adversary_trained(const struct invar_recipe *recipe);
bool adversary_apart(const struct invar_recipe *recipe);

/**
 * The optimiser section holds the rate (invar_rate_option_table) and the options of its kind side by side: one table
 * over both, so that a mistyped key is compared with all of them. The object is the rate followed by the options.
 */
struct invar_rate_and_options {
    struct invar_option *table;
    void *object; /* defaults until read */
    struct invar_optimiser_options *rate;
    void *options;
};
bool rate_and_options_create(struct invar_rate_and_options *out, const struct invar_optimiser_spec *spec,
                             struct invar_error *err);
void rate_and_options_free(struct invar_rate_and_options *both);

#endif
