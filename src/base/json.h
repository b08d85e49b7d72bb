/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "invar/error.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

/** What a file of results may hold: about 80 bytes of memory each. */
#define JSON_MOST_VALUES ((size_t)4000000)

/** Lets cJSON allocate through a function that remembers failure, and forgets what it remembered. Before JSON is built:
 * an item that could not be had is left out of its parent without a word, and json_whole tells. Memory still comes from
 * malloc and goes to free, so that items made before stay valid. Forgets for the calling thread alone. */
void json_begin(void);
/** Remembers that a part is missing for a reason of its own. */
void json_lost(void);
/** Nothing has been lost by this thread since json_begin; else false with err, and what was built must not be kept.
 * `what` names it in the sentence. */
bool json_whole(const char *what, struct invar_error *err) __attribute__((warn_unused_result));
/** The text of what was built since json_begin, formatted or on one line; NULL with err, where json_whole would fail,
 * too. `what` names it in the sentence. Free with cJSON_free. */
char *json_print(const cJSON *root, bool formatted, const char *what, struct invar_error *err);
/**
 * Parses one value that takes all of the text, of up to `most` values in all. NULL with err: INVAR_ERROR_MEMORY, or
 * INVAR_ERROR_FORMAT and "WHAT: is torn or no JSON" or "WHAT: has more than .. values", each followed by `advice`,
 * which begins with its own comma or is "". Free with cJSON_Delete. What json_whole remembers stays as it was.
 */
cJSON *json_parse(const char *text, size_t size, size_t most, const char *what, const char *advice,
                  struct invar_error *err);

#endif
