/* SPDX-License-Identifier: Apache-2.0 */
/* The tree that a settings document becomes. */
#include "base/node.h"
#include "invar/expert/file.h"
#include "invar/memory.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FILE_LIMIT ((size_t)1 << 20)
#define COMMAND_LINE "command line"

struct invar_node *node_create(enum node_kind kind, const char *text, const char *origin, int line,
                               struct invar_error *err)
{
    struct invar_node *node = invar_alloc(1, sizeof *node, err);
    if (!node)
        return NULL;
    node->kind = kind;
    node->line = line;
    node->origin = invar_strdup(origin, err);
    node->text = text ? invar_strdup(text, err) : NULL;
    if (node->origin && (node->text || !text))
        return node;
    invar_node_free(node);
    return NULL;
}

static void clear_children(struct invar_node *node)
{
    for (int i = 0; i < node->count; i++) {
        invar_free(node->children[i].key);
        invar_node_free(node->children[i].node);
    }
    invar_free(node->children);
    node->children = NULL;
    node->count = node->capacity = 0;
}

void invar_node_free(struct invar_node *node)
{
    if (!node)
        return;
    clear_children(node);
    invar_free(node->text);
    invar_free(node->typed);
    invar_free(node->origin);
    invar_free(node);
}

static bool make_room(struct invar_node *node, struct invar_error *err)
{
    if (node->count < node->capacity)
        return true;
    int capacity = node->capacity ? node->capacity * 2 : 8;
    struct node_child *children = invar_alloc((size_t)capacity, sizeof *children, err);
    if (!children)
        return false;
    if (node->count)
        memcpy(children, node->children, (size_t)node->count * sizeof *children);
    invar_free(node->children);
    node->children = children;
    node->capacity = capacity;
    return true;
}

bool node_append(struct invar_node *parent, const char *key, struct invar_node *child, struct invar_error *err)
{
    char *copy = key ? invar_strdup(key, err) : NULL;
    if ((key && !copy) || !make_room(parent, err)) {
        invar_free(copy);
        invar_node_free(child);
        return false;
    }
    parent->children[parent->count].key = copy;
    parent->children[parent->count].node = child;
    parent->count++;
    return true;
}

static void remove_child(struct invar_node *parent, int i)
{
    invar_free(parent->children[i].key);
    invar_node_free(parent->children[i].node);
    parent->count--;
    memmove(&parent->children[i], &parent->children[i + 1], (size_t)(parent->count - i) * sizeof parent->children[0]);
}

bool node_is_null(const struct invar_node *node)
{
    return node->kind == NODE_SCALAR && !node->quoted &&
           (!*node->text || strcmp(node->text, "~") == 0 || strcasecmp(node->text, "null") == 0);
}

void node_where(char out[NODE_WHERE_SIZE], const struct invar_node *node)
{
    if (node->line > 0)
        snprintf(out, NODE_WHERE_SIZE, "%s:%d", node->origin, node->line);
    else
        snprintf(out, NODE_WHERE_SIZE, "%s", node->origin);
}

struct invar_node *invar_node_parse(const char *text, size_t size, const char *origin, struct invar_error *err)
{
    return node_from_yaml(text, size, origin, NULL, err);
}

struct invar_node *invar_node_read(const char *path, struct invar_error *err)
{
    struct invar_bytes bytes;
    if (!invar_file_read(&bytes, path, FILE_LIMIT, err))
        return NULL;
    struct invar_node *node = invar_node_parse((const char *)bytes.data, bytes.size, path, err);
    invar_bytes_free(&bytes);
    if (node && node_is_null(node)) {
        invar_error_set(err, INVAR_ERROR_FORMAT, "%s: holds no settings, expected lines of the form key: value", path);
        invar_node_free(node);
        return NULL;
    }
    return node;
}

bool invar_node_is_mapping(const struct invar_node *node)
{
    return node && node->kind == NODE_MAPPING;
}

static int find_key(const struct invar_node *node, const char *key)
{
    for (int i = 0; i < node->count; i++)
        if (strcmp(node->children[i].key, key) == 0)
            return i;
    return -1;
}

const struct invar_node *invar_node_get(const struct invar_node *node, const char *key)
{
    int i = invar_node_is_mapping(node) ? find_key(node, key) : -1;
    return i < 0 ? NULL : node->children[i].node;
}

int invar_node_count(const struct invar_node *node)
{
    return node ? node->count : 0;
}

const struct invar_node *invar_node_child(const struct invar_node *node, int i)
{
    return node && i >= 0 && i < node->count ? node->children[i].node : NULL;
}

const char *invar_node_key(const struct invar_node *node, int i)
{
    return node && i >= 0 && i < node->count ? node->children[i].key : NULL;
}

const char *invar_node_text(const struct invar_node *node)
{
    return node ? (node->typed && node->kind == NODE_SCALAR ? node->typed : node->text) : NULL;
}

int invar_node_line(const struct invar_node *node)
{
    return node ? node->line : 0;
}

const char *invar_node_origin(const struct invar_node *node)
{
    return node ? node->origin : "";
}

/* ---- overrides ---- */

/* Index of the child that a part of the key names: a key of a mapping, a number in a sequence; -1 when there is none.
 */
static int find_part(const struct invar_node *node, const char *part)
{
    if (node->kind == NODE_MAPPING)
        return find_key(node, part);
    char *end = NULL;
    long i = strtol(part, &end, 10);
    return end != part && !*end && i >= 0 && i < node->count ? (int)i : -1;
}

/* What can hold children: a mapping, a sequence whose element exists, or nothing yet, which becomes a mapping. */
static bool can_descend(struct invar_node *node, const char *part, const char *key, struct invar_error *err)
{
    if (node_is_null(node)) {
        invar_free(node->text);
        node->text = NULL;
        node->kind = NODE_MAPPING;
    }
    if (node->kind == NODE_MAPPING)
        return true;
    if (node->kind == NODE_SEQUENCE)
        return find_part(node, part) >= 0 ||
               invar_error_set(err, INVAR_ERROR_USAGE,
                               COMMAND_LINE ": %s: the list has elements 0 to %d, there is none called %s", key,
                               node->count - 1, part);
    return invar_error_set(err, INVAR_ERROR_USAGE,
                           COMMAND_LINE ": %s: what holds %s is the single value '%s', not a section", key, part,
                           node->text);
}

/* Puts value, which is consumed, where part says in node; NULL takes away what is there. */
static bool put_value(struct invar_node *node, const char *part, struct invar_node *value, struct invar_error *err)
{
    int i = find_part(node, part);
    if (!value) {
        if (i >= 0)
            remove_child(node, i);
        return true;
    }
    if (i < 0)
        return node_append(node, part, value, err);
    invar_node_free(node->children[i].node);
    node->children[i].node = value;
    return true;
}

/* The node below which `part` goes, made when it does not exist. */
static struct invar_node *descend(struct invar_node *node, const char *part, const char *key, struct invar_error *err)
{
    if (!can_descend(node, part, key, err))
        return NULL;
    int i = find_part(node, part);
    if (i >= 0)
        return node->children[i].node;
    struct invar_node *child = node_create(NODE_MAPPING, NULL, COMMAND_LINE, 0, err);
    return child && node_append(node, part, child, err) ? child : NULL;
}

static bool apply(struct invar_node *root, char *parts, const char *key, struct invar_node *value,
                  struct invar_error *err)
{
    struct invar_node *node = root;
    char *part = parts;
    for (char *dot = strchr(part, '.'); dot; dot = strchr(part, '.')) {
        *dot = '\0';
        node = descend(node, part, key, err);
        if (!node)
            goto failed;
        part = dot + 1;
    }
    if (!can_descend(node, part, key, err))
        goto failed;
    return put_value(node, part, value, err);
failed:
    invar_node_free(value);
    return false;
}

/* What VALUE is depends on the option, which only the table knows that reads it: the value as YAML has it, for numbers,
 * lists and sections, and beside it the text as it was typed. What is no YAML can only be text. */
static struct invar_node *typed_value(const char *text, const char *key, struct invar_error *err)
{
    struct invar_error why = {0};
    struct invar_node *value = node_from_yaml(text, strlen(text), COMMAND_LINE, key, &why);
    if (!value && why.code == INVAR_ERROR_MEMORY) {
        invar_error_set(err, why.code, "%s", why.message);
        return NULL;
    }
    if (!value)
        value = node_create(NODE_SCALAR, text, COMMAND_LINE, 0, err);
    if (!value || (value->typed = invar_strdup(text, err)))
        return value;
    invar_node_free(value);
    return NULL;
}

bool invar_node_override(struct invar_node *root, const char *assignment, struct invar_error *err)
{
    const char *equals = strchr(assignment, '=');
    if (!equals || equals == assignment || assignment[0] == '.' || equals[-1] == '.' ||
        (strstr(assignment, "..") && strstr(assignment, "..") < equals))
        return invar_error_set(err, INVAR_ERROR_USAGE, COMMAND_LINE ": '%s' is not of the form KEY=VALUE", assignment);
    char *key = invar_strdup(assignment, err);
    char *parts = invar_strdup(assignment, err);
    bool ok = false;
    if (!key || !parts)
        goto done;
    key[equals - assignment] = parts[equals - assignment] = '\0';
    const bool reset = strcmp(equals + 1, "null") == 0;
    struct invar_node *value = reset ? NULL : typed_value(equals + 1, key, err);
    ok = (reset || value) && apply(root, parts, key, value, err);
done:
    invar_free(key);
    invar_free(parts);
    return ok;
}
