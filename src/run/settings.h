/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_RUN_SETTINGS_H
#define INVAR_RUN_SETTINGS_H

#include "invar/options.h"

/** One option of the resolved recipe: "terms.ntxent.tau" and "0.2"; lists as "[0.9, 0.999]". */
struct run_setting {
    char *key, *value;
};
/** Adds every scalar and list of a document. */
bool run_settings_add(struct run_setting **settings, int *count, int *capacity, const struct invar_node *node,
                      struct invar_error *err);
void run_settings_free(struct run_setting *settings, int count);

#endif
