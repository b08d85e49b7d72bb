/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a recipe: the file, the overrides, then one section after the other, each by its own table. */
#include "train/recipe.h"

#include "base/names.h"
#include "invar/expert/file.h"
#include "invar/log.h"

#include <stdio.h>
#include <string.h>

static const char *const only_kind[] = {"kind", NULL};

static struct names shipped_recipes(void)
{
    return NAMES_ROWS("recipe", invar_recipe_shipped);
}

const struct invar_recipe_name *invar_recipe_names(void)
{
    return invar_recipe_shipped;
}

static bool no_such_recipe(const char *name, struct invar_error *err)
{
    char hint[NAMES_HINT_SIZE];

    names_hint(hint, shipped_recipes(), name);
    return invar_error_set(err, INVAR_ERROR_USAGE, "%s: there is no such file, and no recipe of that name ships%s",
                           name, hint);
}

/* Recipes under names that promised more than they hold: they were never Viewmaker as its authors have it. */
static const char *renamed(const char *name)
{
    static const char *const names[][2] = {{"viewmaker-audio", "adversarial-ntxent-audio"},
                                           {"viewmaker-fashion-mnist", "adversarial-ntxent-fashion-mnist"},
                                           {"viewmaker-table", "adversarial-ntxent-table"}};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i][0], name) == 0) {
            invar_log(INVAR_LOG_WARNING, "the recipe %s is called %s, since it is not Viewmaker as its authors have it",
                      name, names[i][1]);
            return names[i][1];
        }
    return name;
}

/* A shipped name wins over a file of that name: `invar pretrain simclr-table` means the same in every folder; a path
 * says ./simclr-table. */
static struct invar_node *read_document(const char *name_or_path, struct invar_error *err)
{
    const char *name = renamed(name_or_path);
    const struct invar_recipe_name *shipped = names_look(shipped_recipes(), name, strlen(name));

    if (shipped)
        return invar_node_parse(shipped->text, strlen(shipped->text), shipped->name, err);
    if (!invar_path_exists(name_or_path)) {
        no_such_recipe(name_or_path, err);
        return NULL;
    }
    return invar_node_read(name_or_path, err);
}

/* ---- sections ---- */

/* A section that is missing is one that has its defaults: recipes say what differs. */
static bool read_section(const struct invar_node *root, const char *name, const struct invar_option *table,
                         void *object, struct invar_error *err)
{
    invar_options_default(table, object);
    return invar_options_read(table, object, invar_node_get(root, name), name, NULL, err);
}

/* A head that the recipe does not mention is the identity, whatever the defaults of the table. "projector: {}" and no
 * projector are the same: a head is asked for by saying something of it. */
static bool read_head(const struct invar_node *root, const char *name, struct invar_head_options *head,
                      struct invar_error *err)
{
    if (!read_section(root, name, invar_head_option_table, head, err))
        return false;
    if (invar_node_count(invar_node_get(root, name)) == 0) {
        head->output = 0;
        head->hidden.count = 0;
    }
    return true;
}

/* The kind of a section, or fallback; NULL with err where there is neither. An encoder has no default kind, as there
 * is none that suits images, tables and sounds; an optimiser has. */
static const char *section_kind(const struct invar_node *root, const struct invar_node *section, const char *name,
                                const char *fallback, struct invar_error *err)
{
    const struct invar_node *node = invar_node_get(section, "kind");
    const char *kind = node ? invar_node_text(node) : fallback;

    if (!kind)
        invar_error_set(err, INVAR_ERROR_USAGE, "%s: %s.kind is missing: name one of those in the schema of recipes",
                        invar_node_origin(root), name);
    return kind;
}

static bool read_encoder(const struct invar_node *root, struct invar_recipe *recipe, struct invar_error *err)
{
    const struct invar_node *section = invar_node_get(root, "encoder");
    const char *kind = section_kind(root, section, "encoder", NULL, err);

    recipe->encoder = kind ? invar_encoder_find(kind, err) : NULL;
    if (!recipe->encoder)
        return false;
    recipe->encoder_options = invar_alloc(1, recipe->encoder->options_size, err);
    if (!recipe->encoder_options)
        return false;
    invar_options_default(recipe->encoder->options, recipe->encoder_options);
    return invar_options_read(recipe->encoder->options, recipe->encoder_options, section, "encoder", only_kind, err);
}

/* Rate and options are read in one go against both tables, so that a mistyped key is compared with all keys that
 * could have been meant; then they go their ways. */
static bool read_optimiser(const struct invar_node *root, struct invar_recipe *recipe, struct invar_error *err)
{
    const struct invar_node *section = invar_node_get(root, "optimiser");
    const char *kind = section_kind(root, section, "optimiser", "adamw", err);
    struct invar_rate_and_options both = {0};
    bool ok = false;

    recipe->optimiser = kind ? invar_optimiser_find(kind, err) : NULL;
    if (!recipe->optimiser || !rate_and_options_create(&both, recipe->optimiser, err))
        return false;
    if (!invar_options_read(both.table, both.object, section, "optimiser", only_kind, err))
        goto done;
    recipe->optimiser_options = invar_alloc(1, recipe->optimiser->options_size, err);
    if (!recipe->optimiser_options)
        goto done;
    memcpy(recipe->optimiser_options, both.options, recipe->optimiser->options_size);
    recipe->rate = *both.rate;
    ok = !recipe->optimiser->check || recipe->optimiser->check(recipe->optimiser_options, err);
done:
    rate_and_options_free(&both);
    return ok;
}

static bool read_terms(const struct invar_node *root, struct invar_recipe *recipe, struct invar_error *err)
{
    const struct invar_node *section = invar_node_get(root, "terms");

    if (invar_node_count(section) == 0)
        return invar_error_set(err, INVAR_ERROR_USAGE, "%s: terms: name at least one term, such as relic: {tau: 0.2}",
                               invar_node_origin(root));
    recipe->objective = invar_objective_create(section, err);
    return recipe->objective != NULL;
}

/* ---- the whole ---- */

/* "folder/relic-x.yaml" -> "relic-x". The name is written into results and files, so it must be the same wherever the
 * recipe lies. */
static void name_from_path(char *name, size_t size, const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path, *dot = strrchr(base, '.');
    size_t length = dot && dot != base ? (size_t)(dot - base) : strlen(base);

    snprintf(name, size, "%.*s", (int)length, base);
}

static bool read_root(const struct invar_node *root, const char *name_or_path, struct invar_recipe *recipe,
                      struct invar_error *err)
{
    invar_options_default(invar_recipe_root_table, recipe);
    if (!invar_options_read(invar_recipe_root_table, recipe, root, "", invar_recipe_sections, err))
        return false;
    if (recipe->name[0] == '\0')
        name_from_path(recipe->name, sizeof recipe->name, name_or_path);
    if (strlen(recipe->name) > 127 || strpbrk(recipe->name, "/\n"))
        return invar_error_set(err, INVAR_ERROR_USAGE, "%s: name: at most 127 characters without a slash are expected",
                               invar_node_origin(root));
    return true;
}

bool recipe_read_section(struct invar_recipe *recipe, const char *name, const struct invar_node *root,
                         struct invar_error *err)
{
    const struct {
        const char *name;
        const struct invar_option *table;
        void *object;
    } plain[] = {{"data", invar_data_option_table, &recipe->data},
                 {"views", invar_view_option_table, &recipe->views},
                 {"target", invar_target_option_table, &recipe->target},
                 {"adversary", invar_adversary_option_table, &recipe->adversary},
                 {"classifier", invar_classifier_option_table, &recipe->classifier},
                 {"training", invar_training_option_table, &recipe->training},
                 {"device", invar_compute_option_table, &recipe->device}};

    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (strcmp(name, plain[i].name) == 0)
            return read_section(root, name, plain[i].table, plain[i].object, err);
    return strcmp(name, "encoder") == 0     ? read_encoder(root, recipe, err)
           : strcmp(name, "projector") == 0 ? read_head(root, name, &recipe->projector, err)
           : strcmp(name, "predictor") == 0 ? read_head(root, name, &recipe->predictor, err)
           : strcmp(name, "terms") == 0     ? read_terms(root, recipe, err)
                                            : read_optimiser(root, recipe, err);
}

/* In the order of the resolved file. Rules that span sections come last, when every section is known to be good by
 * itself: a message about two sections is no help where one of them is mistyped. */
static bool read_all(const struct invar_node *root, const char *name_or_path, struct invar_recipe *recipe,
                     struct invar_error *err)
{
    bool ok = read_root(root, name_or_path, recipe, err);

    for (const char *const *name = invar_recipe_sections; ok && *name; name++)
        ok = recipe_read_section(recipe, *name, root, err);
    return ok && recipe_check(recipe, invar_node_origin(root), err);
}

struct invar_recipe *recipe_of(const struct invar_node *root, const char *name_or_path, struct invar_error *err)
{
    struct invar_recipe *recipe = invar_alloc(1, sizeof *recipe, err);

    if (recipe && read_all(root, name_or_path, recipe, err))
        return recipe;
    invar_recipe_free(recipe);
    return NULL;
}

struct invar_recipe *invar_recipe_load(const char *name_or_path, const char *const *overrides, int override_count,
                                       struct invar_error *err)
{
    struct invar_node *root = read_document(name_or_path, err);
    struct invar_recipe *recipe = root && recipe_drop_of_old_set(root, overrides, override_count, err) &&
                                          recipe_override(root, overrides, override_count, err)
                                      ? recipe_of(root, name_or_path, err)
                                      : NULL;

    invar_node_free(root);
    return recipe;
}

/* Without overrides: resolved recipes of runs are whole. */
struct invar_recipe *recipe_parse(const char *text, const char *name, struct invar_error *err)
{
    struct invar_node *root = invar_node_parse(text, strlen(text), name, err);
    struct invar_recipe *recipe = root ? recipe_of(root, name, err) : NULL;

    invar_node_free(root);
    return recipe;
}

void invar_recipe_free(struct invar_recipe *recipe)
{
    if (!recipe)
        return;
    invar_free(recipe->encoder_options);
    invar_free(recipe->optimiser_options);
    invar_objective_free(recipe->objective);
    invar_free(recipe);
}
