/* SPDX-License-Identifier: Apache-2.0 */
/* The methods of a probe. */
#include "study/study.h"

#include <stdio.h>
#include <string.h>

#define LISTED(name) &study_method_##name,
const struct study_method_spec *const study_methods[] = {STUDY_METHODS(LISTED) NULL};

const struct study_method_spec *study_method_find(const char *name, struct invar_error *err)
{
    char known[256] = "";
    size_t used = 0;

    for (const struct study_method_spec *const *m = study_methods; *m; m++) {
        if (strcmp((*m)->name, name) == 0)
            return *m;
        if (used < sizeof known)
            used += (size_t)snprintf(known + used, sizeof known - used, "%s%s",
                                     !used  ? ""
                                     : m[1] ? ", "
                                            : " or ",
                                     (*m)->name);
    }
    invar_error_set(err, INVAR_ERROR_USAGE, "method is \"%s\"; expected %s", name, known);
    return NULL;
}

const void *study_options_of(const struct study_settings *settings, const struct study_method_spec *method)
{
    int i = 0;

    while (study_methods[i] != method)
        i++;
    return settings->options[i];
}
