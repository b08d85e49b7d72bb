/* SPDX-License-Identifier: Apache-2.0 */
/* KEY=VALUE of the command line on top of a recipe's document. */
#include "train/recipe.h"

#include "base/names.h"
#include "base/options.h"
#include "data/source.h"
#include "invar/log.h"

#include <stdio.h>
#include <string.h>

/* The value of the last "SECTION.KEY=VALUE" among the overrides, or NULL. The last one counts, as for every
 * override. */
static const char *overridden(const char *section, const char *key, const char *const *overrides, int count)
{
    char prefix[32];
    const char *value = NULL;

    snprintf(prefix, sizeof prefix, "%s.%s=", section, key);
    for (int i = 0; i < count; i++)
        if (strncmp(overrides[i], prefix, strlen(prefix)) == 0)
            value = overrides[i] + strlen(prefix);
    return value;
}

static bool drop(struct invar_node *root, const char *section, const char *key, const char *cause, const char *value,
                 struct invar_error *err)
{
    char removal[INVAR_TEXT_SIZE];

    invar_log(INVAR_LOG_INFO, "%s.%s of the recipe is dropped: %s.%s is now %s", section, key, section, cause, value);
    snprintf(removal, sizeof removal, "%s.%s=null", section, key);
    return invar_node_override(root, removal, err);
}

/* Bytes of a name that say the kind: of an environment those before its own, "gym:ALE/Pong-v5". */
static size_t kind_length(const char *name)
{
    const char *last = strrchr(name, '/') ? strrchr(name, '/') : strchr(name, ':');

    return last ? (size_t)(last - name) : strlen(name);
}

/* The file's options belong to the kind that it names; another one takes its defaults. The rate is of every kind. */
static bool drop_options_of_old_kind(struct invar_node *root, const char *section, const char *naming, const char *kind,
                                     struct invar_error *err)
{
    const struct invar_node *mapping = invar_node_get(root, section);
    const char *old = invar_node_text(invar_node_get(mapping, naming));

    if (!old || (kind_length(old) == kind_length(kind) && strncmp(old, kind, kind_length(kind)) == 0))
        return true;
    for (int i = invar_node_count(mapping) - 1; i >= 0; i--) {
        const char *key = invar_node_key(mapping, i);
        bool rate = strcmp(section, "optimiser") == 0 && option_find(invar_rate_option_table, key, strlen(key), NULL);
        if (!rate && strcmp(key, naming) != 0 && !drop(root, section, key, naming, kind, err))
            return false;
    }
    return true;
}

/* Nor are labels of its test rows those of another file of them. */
static bool drop_of_old_test(struct invar_node *root, const char *test, struct invar_error *err)
{
    const struct invar_node *data = invar_node_get(root, "data");
    const char *old = invar_node_text(invar_node_get(data, "test"));
    const char *labels = invar_node_text(invar_node_get(data, "test_labels"));

    return !old || !test || data_options_same_file(old, test) || !labels || !*labels ||
           drop(root, "data", "test_labels", "test", test, err);
}

/* Labels, groups and test rows of the recipe's samples are none of other samples. How many there should be is kept:
 * another number is told of, and recipes of published settings say it for data that lie anywhere. */
bool recipe_drop_of_old_set(struct invar_node *root, const char *const *overrides, int count, struct invar_error *err)
{
    const struct invar_node *data = invar_node_get(root, "data");
    const char *old = invar_node_text(invar_node_get(data, "source"));
    const char *source = overridden("data", "source", overrides, count);

    if (!old || !source || data_options_same_set(old, source))
        return drop_of_old_test(root, overridden("data", "test", overrides, count), err);
    for (int i = invar_node_count(data) - 1; i >= 0; i--) {
        const char *key = invar_node_key(data, i), *value = invar_node_text(invar_node_get(data, key));
        if (data_options_of_set(key) && strcmp(key, "samples") != 0 && value && *value &&
            !drop(root, "data", key, "source", source, err))
            return false;
    }
    return true;
}

/* Kinds first, whatever their place on the command line: options of the old kind must be gone before options of the
 * new one are set, or a key that both have would be dropped with the old. */
bool recipe_override(struct invar_node *root, const char *const *overrides, int count, struct invar_error *err)
{
    static const char *const kinds[][2] = {{"encoder", "kind"}, {"optimiser", "kind"}, {"env", "id"}};

    for (int i = 0; i < 3; i++) {
        const char *kind = overridden(kinds[i][0], kinds[i][1], overrides, count);
        if (kind && !drop_options_of_old_kind(root, kinds[i][0], kinds[i][1], kind, err))
            return false;
    }
    for (int i = 0; i < count; i++)
        if (!invar_node_override(root, overrides[i], err))
            return false;
    return true;
}

const char *const recipe_indifferent[] = {"env.python", "env.timeout", "training.log_interval",
                                          "training.checkpoint_interval", NULL};

bool recipe_is_indifferent(const char *key)
{
    return names_look(NAMES_TEXTS("", recipe_indifferent), key, strlen(key)) != NULL;
}
