/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DATA_FIELDS_H
#define DATA_FIELDS_H

#include "invar/error.h"
#include <stddef.h>
#include <stdint.h>

/** What is known of every item beside its label, as text: parts of file names, class folders. */
struct data_field {
    char *name;
    int values;   /**< distinct ones; 0: more than there may be classes, of numbers alone */
    char **value; /**< [values] in byte order, of table columns that are numbers by value */
    int32_t *of;  /**< [items] number of the item's value */
    int64_t items;
    double *number;    /**< [items] where all are numbers, NaN: missing; else NULL */
    bool seems_number; /**< as a label it is taken for a number, unless told otherwise */
    char *reason;      /**< why, or NULL */
};
struct data_fields {
    int count;
    struct data_field *field; /**< [count] */
};

/** Room for so many fields, to be filled one by one; zeroed fields are accepted by all below. */
bool data_fields_reserve(struct data_fields *fields, int count, struct invar_error *err);
void data_fields_free(struct data_fields *fields);
/** Copies name and text[items]. */
bool data_field_fill(struct data_field *field, const char *name, const char *const *text, int64_t items,
                     struct invar_error *err);
/** Copies name and value[values], distinct ones; of[items] is left to be filled. */
bool data_field_make(struct data_field *field, const char *name, const char *const *value, int values, int64_t items,
                     struct invar_error *err);
/** The field of that name, or NULL. */
const struct data_field *data_fields_look(const struct data_fields *fields, const char *name, size_t length);
/** The same, or NULL with a sentence that has the nearest or lists them; key is the option that names it
 * and why what it is needed for ends the sentence where there are no fields at all. */
const struct data_field *data_fields_find(const struct data_fields *fields, const char *name, size_t length,
                                          const char *key, struct invar_error *err);

/** Whether two texts are one value: numbers that are equal are (1 and 1.0, not 01). */
bool data_value_same(const char *a, const char *b);

/** FIELD=ITEM,ITEM,...; an item is a value, or A..B for whole numbers from A to B. */
struct data_condition {
    const struct data_field *field; /**< borrowed */
    bool *chosen;                   /**< [values] */
};
/** Refused: a field or a value that there is not, a range without any value. key is the option for messages. */
bool data_condition_read(struct data_condition *condition, const struct data_fields *fields, const char *text,
                         const char *key, struct invar_error *err);
void data_condition_free(struct data_condition *condition);
static inline bool data_condition_meets(const struct data_condition *condition, int64_t item)
{
    return condition->chosen[condition->field->of[item]];
}

#endif
