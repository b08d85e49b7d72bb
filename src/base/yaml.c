/* SPDX-License-Identifier: Apache-2.0 */
/* libyaml's events into a tree of nodes. Refused: duplicate keys, aliases (they can blow a small file up), deep
 * nesting, a second document. */
#include "base/node.h"
#include <string.h>
#include <yaml.h>

#define DEPTH_LIMIT 32
#define NODE_LIMIT 10000

struct reader {
    yaml_parser_t parser;
    const char *origin, *key;
    int nodes;
    struct invar_error *err;
};

static int line_of(const struct reader *reader, const yaml_mark_t *mark)
{
    return reader->key ? 0 : (int)mark->line + 1;
}

static bool refuse(const struct reader *reader, const yaml_mark_t *mark, const char *what, const char *detail)
{
    if (reader->key)
        return invar_error_set(reader->err, INVAR_ERROR_USAGE, "%s: %s: %s%s", reader->origin, reader->key, what,
                               detail);
    return invar_error_set(reader->err, INVAR_ERROR_FORMAT, "%s:%d: %s%s", reader->origin, line_of(reader, mark), what,
                           detail);
}

static bool next(struct reader *reader, yaml_event_t *event)
{
    if (yaml_parser_parse(&reader->parser, event))
        return true;
    if (reader->parser.error == YAML_MEMORY_ERROR)
        return invar_error_set(reader->err, INVAR_ERROR_MEMORY, "%s: no memory to read it", reader->origin);
    const char *problem = reader->parser.problem ? reader->parser.problem : "unknown problem";
    return refuse(reader, &reader->parser.problem_mark, "not valid YAML: ", problem);
}

static struct invar_node *read_value(struct reader *reader, const yaml_event_t *event, int depth);

static struct invar_node *read_scalar(struct reader *reader, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    if (strlen(text) != event->data.scalar.length) {
        refuse(reader, &event->start_mark, "a value holds a NUL character", "");
        return NULL;
    }
    struct invar_node *node =
        node_create(NODE_SCALAR, text, reader->origin, line_of(reader, &event->start_mark), reader->err);
    if (node)
        node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return node;
}

/* The value that follows the key event, as a new child of node. */
static bool read_entry(struct reader *reader, struct invar_node *node, const yaml_event_t *key, int depth)
{
    if (key->type != YAML_SCALAR_EVENT)
        return refuse(reader, &key->start_mark, "a key must be a plain word", "");
    const char *name = (const char *)key->data.scalar.value;
    if (strlen(name) != key->data.scalar.length)
        return refuse(reader, &key->start_mark, "a key holds a NUL character", "");
    if (invar_node_get(node, name))
        return refuse(reader, &key->start_mark, "this key stands twice; keep one: ", name);
    yaml_event_t event;
    if (!next(reader, &event))
        return false;
    struct invar_node *child = read_value(reader, &event, depth);
    yaml_event_delete(&event);
    if (!child)
        return false;
    child->line = line_of(reader, &key->start_mark);
    return node_append(node, name, child, reader->err);
}

static bool read_element(struct reader *reader, struct invar_node *node, const yaml_event_t *event, int depth)
{
    struct invar_node *child = read_value(reader, event, depth);
    return child && node_append(node, NULL, child, reader->err);
}

static struct invar_node *read_collection(struct reader *reader, const yaml_event_t *start, int depth)
{
    bool mapping = start->type == YAML_MAPPING_START_EVENT;
    yaml_event_type_t end = mapping ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;
    struct invar_node *node = node_create(mapping ? NODE_MAPPING : NODE_SEQUENCE, NULL, reader->origin,
                                          line_of(reader, &start->start_mark), reader->err);
    while (node) {
        yaml_event_t event;
        if (!next(reader, &event))
            break;
        if (event.type == end) {
            yaml_event_delete(&event);
            return node;
        }
        bool ok = mapping ? read_entry(reader, node, &event, depth) : read_element(reader, node, &event, depth);
        yaml_event_delete(&event);
        if (!ok)
            break;
    }
    invar_node_free(node);
    return NULL;
}

static struct invar_node *read_value(struct reader *reader, const yaml_event_t *event, int depth)
{
    if (depth > DEPTH_LIMIT) {
        refuse(reader, &event->start_mark, "settings are nested too deeply", "");
        return NULL;
    }
    if (++reader->nodes > NODE_LIMIT) {
        refuse(reader, &event->start_mark, "more values than settings ever have", "");
        return NULL;
    }
    if (event->type == YAML_SCALAR_EVENT)
        return read_scalar(reader, event);
    if (event->type == YAML_MAPPING_START_EVENT || event->type == YAML_SEQUENCE_START_EVENT)
        return read_collection(reader, event, depth + 1);
    refuse(reader, &event->start_mark, "aliases are not read here; write the value out", "");
    return NULL;
}

/* Takes events until one of a type that carries or ends a document's content. */
static bool skip_to_content(struct reader *reader, yaml_event_t *event)
{
    for (;;) {
        if (!next(reader, event))
            return false;
        if (event->type != YAML_STREAM_START_EVENT && event->type != YAML_DOCUMENT_START_EVENT &&
            event->type != YAML_DOCUMENT_END_EVENT)
            return true;
        yaml_event_delete(event);
    }
}

static struct invar_node *read_document(struct reader *reader)
{
    yaml_event_t event;
    if (!skip_to_content(reader, &event))
        return NULL;
    struct invar_node *node;
    if (event.type == YAML_STREAM_END_EVENT) {
        yaml_event_delete(&event);
        return node_create(NODE_SCALAR, "", reader->origin, reader->key ? 0 : 1, reader->err);
    }
    node = read_value(reader, &event, 0);
    yaml_event_delete(&event);
    if (!node)
        return NULL;
    bool ok = skip_to_content(reader, &event);
    if (ok && event.type != YAML_STREAM_END_EVENT)
        ok = refuse(reader, &event.start_mark, "a second document begins here; expected one", "");
    yaml_event_delete(&event);
    if (ok)
        return node;
    invar_node_free(node);
    return NULL;
}

struct invar_node *node_from_yaml(const char *text, size_t size, const char *origin, const char *key,
                                  struct invar_error *err)
{
    struct reader reader = {.origin = origin, .key = key, .err = err};
    if (!yaml_parser_initialize(&reader.parser)) {
        invar_error_set(err, INVAR_ERROR_MEMORY, "%s: no memory to read it", origin);
        return NULL;
    }
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, size);
    struct invar_node *node = read_document(&reader);
    yaml_parser_delete(&reader.parser);
    return node;
}
