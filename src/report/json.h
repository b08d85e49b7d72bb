/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_REPORT_JSON_H
#define INVAR_REPORT_JSON_H

#include "base/json_write.h"

/** Arrays of numbers of six digits, NaN and Inf as null. */
void json_reals(struct json_writer *w, const char *name, const double *value, int64_t count, int64_t stride);
void json_floats(struct json_writer *w, const char *name, const float *value, int64_t count, int64_t stride);
void json_integers(struct json_writer *w, const char *name, const int64_t *value, int64_t count);
/** {"absent": sentence}: what stands where a section has nothing to show. */
void json_absent(struct json_writer *w, const char *name, const char *sentence);
/** The text that was written, which is then the caller's: invar_free; NULL with err where it is not whole. Frees the
 * writer. */
char *json_take(struct json_writer *w, struct invar_error *err);
/** JSON as text that may stand inside a <script> element: no '<', '>' or '&' is left in it. Free with invar_free. */
char *json_for_script(const char *json, struct invar_error *err);

#endif
