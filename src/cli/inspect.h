/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_CLI_INSPECT_H
#define INVAR_CLI_INSPECT_H

#include "invar/inspect.h"
#include <cjson/cJSON.h>

/** What RUN/recipe.yaml says about the views, the projector and LogDet; all of it optional. */
struct inspect_recipe {
    bool found;
    struct invar_view_options views;
    bool projector, adversary;
    double logdet_beta, logdet_share; /**< as in invar_inspect_subject */
};
/** found is false where there is no recipe.yaml. */
bool inspect_recipe_read(const char *folder, struct inspect_recipe *out, struct invar_error *err);

/** Sections, warnings and options into results. */
void inspect_to_json(const struct invar_inspection *inspection, const struct invar_inspect_options *options,
                     cJSON *results);
/** The same for people, on standard output. */
void inspect_print(const struct invar_inspection *inspection);

#endif
