/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "invar/error.h"

#include <stdbool.h>

/** Lets cJSON allocate through a function that remembers failure, and forgets what it remembered. Before JSON is built:
 * an item that could not be had is left out of its parent without a word, and json_whole tells. Memory still comes from
 * malloc and goes to free, so that items made before stay valid. Forgets for the calling thread alone. */
void json_begin(void);
/** Remembers that a part is missing for a reason of its own. */
void json_lost(void);
/** Nothing has been lost by this thread since json_begin; else false with err, and what was built must not be kept.
 * `what` names it in the sentence. */
bool json_whole(const char *what, struct invar_error *err) __attribute__((warn_unused_result));

#endif
