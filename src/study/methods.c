/* SPDX-License-Identifier: Apache-2.0 */
/* The methods of a probe. */
#include "study/study.h"

#include "base/names.h"

#define LISTED(name) &study_method_##name,
const struct study_method_spec *const study_methods[] = {STUDY_METHODS(LISTED) NULL};

const struct study_method_spec *study_method_find(const char *name, struct invar_error *err)
{
    return names_find(NAMES_POINTERS("method", study_methods), "method", name, err);
}

const void *study_options_of(const struct study_settings *settings, const struct study_method_spec *method)
{
    int i = 0;

    while (study_methods[i] != method)
        i++;
    return settings->options[i];
}
