/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DATA_PATTERN_H
#define DATA_PATTERN_H

#include "data/fields.h"

#define DATA_MAX_FIELDS 16

/** A pattern such as {digit}_{speaker}_{index}: field i, and the text that must follow it. Borrows its text. */
struct data_pattern {
    int count;
    struct {
        const char *text;
        size_t length;
    } head, name[DATA_MAX_FIELDS], after[DATA_MAX_FIELDS];
};

/** Refused: no field, a brace without its partner, names that are not letters, digits, - and _, one twice, fields
 * without text between them. */
bool data_pattern_read(struct data_pattern *pattern, const char *text, struct invar_error *err);

/** The fields of names[count] (file names; folders and ending are passed over). A name that does not fit is an error.*/
bool data_pattern_fields(const char *pattern, const char *const *names, int64_t count, struct data_fields *fields,
                         struct invar_error *err);

#endif
