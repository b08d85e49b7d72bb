/* SPDX-License-Identifier: Apache-2.0 */
/* JSON as text, written from its beginning to its end: the one way in which objects that are not merged with a file's
 * come about. What memory was too short for is remembered, and json_written says so. */
#ifndef BASE_JSON_WRITE_H
#define BASE_JSON_WRITE_H

#include "invar/options.h"

#include <stdbool.h>
#include <stdint.h>

enum { JSON_DEPTH = 32 };

/** A zeroed one writes on one line. */
struct json_writer {
    bool formatted; /**< a member a line, with tabs */
    bool lost;      /**< memory was short */
    int depth;
    struct {
        bool array, begun;
    } open[JSON_DEPTH];
    struct invar_text text;
};

/** Bytes of the UTF-8 character that a text begins with; 0: its first byte is none of UTF-8, as names of files may
 * hold. JSON is UTF-8 alone, so such a byte b is written as the text \xb: JSON_FOREIGN. */
int json_character(const char *text);
#define JSON_FOREIGN "\\\\x%02x"

/* Within an object the next member gets the name, which an element of an array has not: NULL. */

void json_open_object(struct json_writer *w, const char *name);
void json_open_array(struct json_writer *w, const char *name);
/** The innermost object or array ends. */
void json_close(struct json_writer *w);
/** As short as reads back to 15 digits, else with 17; null where it is not finite. */
void json_number(struct json_writer *w, const char *name, double value);
void json_bool(struct json_writer *w, const char *name, bool value);
/** null where the text is NULL. */
void json_text(struct json_writer *w, const char *name, const char *text);
void json_null(struct json_writer *w, const char *name);
/** JSON that was written elsewhere, as it is. */
void json_raw(struct json_writer *w, const char *name, const char *json);
void json_numbers(struct json_writer *w, const char *name, const double *value, int64_t count);
void json_texts(struct json_writer *w, const char *name, const char *const *text, int64_t count);

/** All is closed and nothing was lost; else false with err, and the text is not to be used. what: names it there. */
bool json_written(const struct json_writer *w, const char *what, struct invar_error *err)
    __attribute__((warn_unused_result));
/** The text and a line end behind *out, if it is whole. Frees the writer. */
bool json_finish(struct json_writer *w, const char *what, struct invar_text *out, struct invar_error *err);
void json_writer_free(struct json_writer *w);

#endif
