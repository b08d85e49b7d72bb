/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_BASE_NAMES_H
#define INVAR_BASE_NAMES_H

#include "invar/error.h"
#include <stddef.h>

#define NAMES_HINT_SIZE 640

/**
 * A table of named things, as every room has them: encoders, terms, sources, verbs. Made by one of the macros below; a
 * row whose name is NULL ends it.
 */
struct names {
    const char *what; /**< "encoder" */
    const void *rows; /**< each begins with its name; NULL: there are none */
    size_t stride;    /**< bytes of a row; 0: they are pointers to what begins with its name, and a NULL ends them */
};
/* Refuses, when it is compiled, a struct that does not begin with its name. */
#define NAMES_BEGIN(row) (0 * sizeof(char[offsetof(__typeof__(row), name) == 0 ? 1 : -1]))
#define NAMES_ROWS(what, rows)                                                                                         \
    (struct names)                                                                                                     \
    {                                                                                                                  \
        what, rows, sizeof *(rows) + NAMES_BEGIN(*(rows))                                                              \
    }
#define NAMES_POINTERS(what, rows)                                                                                     \
    (struct names)                                                                                                     \
    {                                                                                                                  \
        what, rows, NAMES_BEGIN(**(rows))                                                                              \
    }
#define NAMES_TEXTS(what, texts)                                                                                       \
    (struct names)                                                                                                     \
    {                                                                                                                  \
        what, texts, sizeof(const char *)                                                                              \
    }

/** The row (of pointers: what it points to) whose name is the first `length` bytes of name, or NULL. */
const void *names_look(struct names names, const char *name, size_t length);

/** The same by a whole name; where there is none, the sentence of all tables: `encoder.kind: there is no encoder
 * "resnt18"; did you mean "resnet18"?`, or what there is in place of the question. key is the option that names it;
 * NULL: none does. */
const void *names_find(struct names names, const char *key, const char *name, struct invar_error *err);

/** How that sentence ends, for those that begin otherwise: `; did you mean "resnet18"?` or `; known are: a, b, c`, and
 * how many more where room ends. */
void names_hint(char out[NAMES_HINT_SIZE], struct names names, const char *name);

#endif
