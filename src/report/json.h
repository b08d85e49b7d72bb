/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_REPORT_JSON_H
#define INVAR_REPORT_JSON_H

#include "invar/error.h"
#include <cjson/cJSON.h>
#include <stdint.h>

/** An array of numbers of six digits, NaN and Inf as null; NULL when memory is short. */
cJSON *json_reals(const double *value, int64_t count, int64_t stride);
cJSON *json_floats(const float *value, int64_t count, int64_t stride);
cJSON *json_integers(const int64_t *value, int64_t count);
/** {"absent": sentence}: what stands where a section has nothing to show. */
cJSON *json_absent(const char *sentence);
/** The object as text that may stand inside a <script> element: no '<', '>' or '&' is left in it. Free with
 * invar_free. */
char *json_for_script(const cJSON *object, struct invar_error *err);

#endif
