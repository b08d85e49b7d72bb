/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_BASE_OPTIONS_H
#define INVAR_BASE_OPTIONS_H

#include "invar/options.h"

#define OPTION_EXPECTED_SIZE 384

/** What an option accepts, in words: "an integer from 1 to 10", "one of kl, euclidean". */
void option_expected(char out[OPTION_EXPECTED_SIZE], const struct invar_option *option);

/** The option that a key of a settings document means, also by a former name or in a part, whose offset is then in that
 * of the copy; false: none. found may be NULL. */
bool option_find(const struct invar_option *table, const char *key, size_t length, struct invar_option *found);

/** Whether the option of the object has its default. */
bool option_is_default(const struct invar_option *option, const void *object);
void option_set_default(const struct invar_option *option, void *object);

/** The i-th of "a|b|c" and its length; NULL past the last. */
const char *option_choice(const char *choices, int i, int *length);

#endif
