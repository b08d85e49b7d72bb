/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_OPTIONS_H
#define INVAR_OPTIONS_H

#include "invar/error.h"
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Options come from one place. A component declares a struct and one table of its fields: name, type, default, range,
 * and help stand together; the recipe reader, KEY=VALUE on the command line, `invar recipes schema`, error messages and
 * the resolved recipe.yaml are all made from that table.
 */

#define INVAR_TEXT_SIZE 512
#define INVAR_LIST_SIZE 16

struct invar_int_list {
    int count;
    int64_t value[INVAR_LIST_SIZE];
};
struct invar_real_list {
    int count;
    double value[INVAR_LIST_SIZE];
};

enum invar_option_kind {
    INVAR_OPTION_INT,       /**< int64_t */
    INVAR_OPTION_REAL,      /**< double */
    INVAR_OPTION_BOOL,      /**< bool */
    INVAR_OPTION_TEXT,      /**< char[INVAR_TEXT_SIZE] */
    INVAR_OPTION_CHOICE,    /**< an enum whose constants count the choices from 0, see INVAR_CHOICES */
    INVAR_OPTION_INT_LIST,  /**< struct invar_int_list; a single integer is accepted as a list of one */
    INVAR_OPTION_REAL_LIST, /**< struct invar_real_list; a single number is accepted as a list of one */
    INVAR_OPTION_RENAMED,   /**< no field: a former name of the option that choices names, see INVAR_RENAMED */
    INVAR_OPTION_PART,      /**< no field: the options of another table stand here, see INVAR_PART */
};

struct invar_option {
    const char *name; /**< NULL ends the table */
    enum invar_option_kind kind;
    size_t offset;
    const char *initial;     /**< the default, written as in YAML: "0.2", "true", "adamw", "[256, 128]" */
    double minimum, maximum; /**< inclusive, for numbers and list elements; both 0: no bound */
    const void *choices; /**< "kl|euclidean" of a CHOICE; the table of a PART; "auto" of a REAL, a word that means 0 */
    const char *help;    /**< one line, with unit */
};

/** A line of a table: the option `name` was called `former` until the last version. That is still read, with a warning,
 * and never written, listed or suggested. */
#define INVAR_RENAMED(former, name)                                                                                    \
    {                                                                                                                  \
        former, INVAR_OPTION_RENAMED, 0, NULL, 0, 0, name, NULL                                                        \
    }

/** A line of a table: all options of `table`, whose struct begins at `offset`, as if they stood here. Settings know
 * nothing of it; `name` is for those who ask what belongs together. */
#define INVAR_PART(name, offset, table)                                                                                \
    {                                                                                                                  \
        name, INVAR_OPTION_PART, offset, NULL, 0, 0, table, NULL                                                       \
    }

/*
 * The choices of an option, each with the constant of an enum and as recipes spell it, stand in one list, of which
 * enum, table and names are made:
 *
 *     #define COLOURS(CHOICE) CHOICE(COLOUR_RED, "red") CHOICE(COLOUR_GREEN, "green")
 *     enum colour { COLOURS(INVAR_CHOICE_CONSTANT) };
 *     {"colour", INVAR_OPTION_CHOICE, offsetof(struct wall, colour), "red", 0, 0, INVAR_CHOICES(COLOURS), "of the
 * wall"},
 */
#define INVAR_CHOICE_CONSTANT(constant, text) constant,
#define INVAR_CHOICE_TEXT(constant, text) "|" text
#define INVAR_CHOICE_NAME(constant, text) [constant] = text,
#define INVAR_CHOICES(CHOICES) (&(CHOICES(INVAR_CHOICE_TEXT))[1])

/** A peak rate: as it is given, or times batch / 256. */
#define INVAR_RATE_SCALINGS(CHOICE) CHOICE(INVAR_RATE_SCALING_NONE, "none") CHOICE(INVAR_RATE_SCALING_LINEAR, "linear")
enum invar_rate_scaling { INVAR_RATE_SCALINGS(INVAR_CHOICE_CONSTANT) };

/* ---- a settings document (YAML), with the line of every key for messages ---- */

struct invar_node; /* a mapping, sequence or scalar */

/** origin is what messages call it: a file name, "command line". JSON is accepted too (YAML is a superset). Refused:
 * duplicate keys, aliases, nesting beyond 32, a second document. An empty document is an empty scalar. */
struct invar_node *invar_node_parse(const char *text, size_t size, const char *origin, struct invar_error *err);
struct invar_node *invar_node_read(const char *path, struct invar_error *err);
void invar_node_free(struct invar_node *node);

bool invar_node_is_mapping(const struct invar_node *node);
/** Child of a mapping; NULL when absent or not a mapping. */
const struct invar_node *invar_node_get(const struct invar_node *node, const char *key);
/** Number of children of a mapping or sequence (0 for a scalar); child i; and its key (mapping only). */
int invar_node_count(const struct invar_node *node);
const struct invar_node *invar_node_child(const struct invar_node *node, int i);
const char *invar_node_key(const struct invar_node *node, int i);
/** Text of a scalar ("" for an empty one; as it was typed, where it is from the command line); NULL otherwise. */
const char *invar_node_text(const struct invar_node *node);
int invar_node_line(const struct invar_node *node);
const char *invar_node_origin(const struct invar_node *node);

/** Applies "a.b.c=value" to the document, making mappings on the way. An option of text takes value as it is typed, to
 * the letter; any other takes it as YAML. "a.b.c=" is the empty text, and the value null takes the key away, so that
 * its default applies. A number names an element of a list that exists ("terms.0.tau=0.2"). */
bool invar_node_override(struct invar_node *root, const char *assignment, struct invar_error *err);

/* ---- tables ---- */

/** Fills the fields of the table with its defaults. It takes no memory and cannot fail; a default that the option
 * itself would refuse is a bug (assert). */
void invar_options_default(const struct invar_option *table, void *object);

/**
 * Sets the fields that a mapping names (object must hold defaults already). Keys in `ignored` (NULL-ended, may be NULL)
 * are skipped; mapping may be NULL (nothing is set). Integers accept 3.0 but not 3.5, numbers accept integers, neither
 * accepts quotes. An unknown key, a wrong type or a value out of range is an error that names origin, line, the full
 * key (path + "." + key), what was expected and the nearest known key.
 */
bool invar_options_read(const struct invar_option *table, void *object, const struct invar_node *mapping,
                        const char *path, const char *const *ignored, struct invar_error *err);
/** Whether the fields hold what the table accepts, as those of a program's own may not; else a sentence as above. */
bool invar_options_check(const struct invar_option *table, const void *object, const char *path,
                         struct invar_error *err);
/** One KEY=VALUE pair (command line), as invar_node_override has it; VALUE null sets the default. */
bool invar_options_set(const struct invar_option *table, void *object, const char *assignment, struct invar_error *err);

/** Text that grows; zero-initialise, free with invar_text_free. */
struct invar_text {
    char *data;
    size_t size, capacity;
};
bool invar_text_printf(struct invar_text *text, struct invar_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void invar_text_free(struct invar_text *text);

/** Writes every field as YAML lines, indented; numbers so that reading them gives the same value. */
bool invar_options_write(const struct invar_option *table, const void *object, int indent, struct invar_text *out,
                         struct invar_error *err);
/** Writes the table itself as documentation lines: name, type, default, range, help. */
bool invar_options_describe(const struct invar_option *table, int indent, struct invar_text *out,
                            struct invar_error *err);
/** The known name nearest to a mistyped one (edit distance at most 3 and under half its length), or NULL. names is
 * NULL-ended. */
const char *invar_nearest_name(const char *name, const char *const *names);

#ifdef __cplusplus
}
#endif

#endif
