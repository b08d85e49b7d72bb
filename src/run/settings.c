/* SPDX-License-Identifier: Apache-2.0 */
/* A recipe as a flat list: "terms.ntxent.tau" and "0.2". */
#include "invar/memory.h"
#include "run/settings.h"

struct list {
    struct run_setting **items;
    int *count, *capacity;
};

/* A scalar as it stands, a list as [a, b]. */
static bool put_text(const struct invar_node *node, struct invar_text *out, struct invar_error *err)
{
    const char *scalar = invar_node_text(node);
    if (scalar)
        return invar_text_printf(out, err, "%s", scalar);
    bool ok = invar_text_printf(out, err, "[");
    for (int i = 0; ok && i < invar_node_count(node); i++)
        ok = (i == 0 || invar_text_printf(out, err, ", ")) && put_text(invar_node_child(node, i), out, err);
    return ok && invar_text_printf(out, err, "]");
}

static bool add_one(const struct list *list, const char *key, const struct invar_node *node, struct invar_error *err)
{
    struct invar_text text = {0};
    struct run_setting setting = {0};
    void *items = *list->items;
    bool ok = put_text(node, &text, err) && invar_grow(&items, *list->count, list->capacity, sizeof **list->items, err);
    if (ok) {
        *list->items = items;
        setting.key = invar_strdup(key, err);
        setting.value = invar_strdup(text.data, err);
        (*list->items)[(*list->count)++] = setting;
        ok = setting.key && setting.value;
    }
    invar_text_free(&text);
    return ok;
}

/* A document nests at most 32 deep. */
static bool add_all(const struct list *list, const char *prefix, const struct invar_node *node, struct invar_error *err)
{
    bool ok = true;
    for (int i = 0; ok && i < invar_node_count(node); i++) {
        const struct invar_node *child = invar_node_child(node, i);
        struct invar_text key = {0};
        ok = invar_text_printf(&key, err, "%s%s%s", prefix, *prefix ? "." : "", invar_node_key(node, i)) &&
             (invar_node_is_mapping(child) ? add_all(list, key.data, child, err) : add_one(list, key.data, child, err));
        invar_text_free(&key);
    }
    return ok;
}

bool run_settings_add(struct run_setting **settings, int *count, int *capacity, const struct invar_node *node,
                      struct invar_error *err)
{
    const struct list list = {settings, count, capacity};
    return add_all(&list, "", node, err);
}

void run_settings_free(struct run_setting *settings, int count)
{
    for (int i = 0; i < count; i++) {
        invar_free(settings[i].key);
        invar_free(settings[i].value);
    }
    invar_free(settings);
}
