/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_BASE_NODE_H
#define INVAR_BASE_NODE_H

#include "invar/options.h"

#define NODE_WHERE_SIZE 320

enum node_kind { NODE_SCALAR, NODE_SEQUENCE, NODE_MAPPING };

struct node_child {
    char *key; /* NULL in a sequence */
    struct invar_node *node;
};

struct invar_node {
    enum node_kind kind;
    char *text;  /* scalar only */
    bool quoted; /* a quoted scalar is text whatever it looks like */
    char *typed; /* of a value on the command line: as it was typed, which is what an option of text takes */
    char *origin;
    int line; /* from 1; 0 where lines mean nothing (command line). Of the key, for the child of a mapping. */
    int count, capacity;
    struct node_child *children;
};

/** A new node; text may be NULL for sequences and mappings. */
struct invar_node *node_create(enum node_kind kind, const char *text, const char *origin, int line,
                               struct invar_error *err);

/** Appends child, which the parent owns from then on, also when this fails (child is freed). key is copied; NULL in a
 * sequence. */
bool node_append(struct invar_node *parent, const char *key, struct invar_node *child, struct invar_error *err);

/** A scalar that YAML reads as null: empty, ~ or null, without quotes. */
bool node_is_null(const struct invar_node *node);

/** "recipe.yaml:12" or "command line", for messages. */
void node_where(char out[NODE_WHERE_SIZE], const struct invar_node *node);

/** Parses one YAML document. key is NULL for a file; for a value on the command line it is the key that messages name,
 * and lines are not counted. */
struct invar_node *node_from_yaml(const char *text, size_t size, const char *origin, const char *key,
                                  struct invar_error *err);

#endif
