/* SPDX-License-Identifier: Apache-2.0 */
/* A probe where the label is a number: what there is for it, and the rows that have one. */
#include "study/study.h"
#include "invar/memory.h"

#include <stdio.h>
#include <math.h>
#include <string.h>

/* ---- what there is for numbers ---- */

const char *study_label_name(const struct invar_dataset_info *info, const struct study_settings *settings)
{
    return settings->label ? settings->label : info->table ? info->table->label : "";
}

static bool needs_classes(const struct invar_dataset_info *info, const struct study_settings *settings,
                          const char *what, struct invar_error *err)
{
    return invar_error_set(err, INVAR_ERROR_USAGE,
                           "%s: its label %s is a number, and %s needs classes: probe it with method linear or "
                           "neighbours, or take it for classes with data.label_kind=class",
                           info->source, study_label_name(info, settings), what);
}

bool study_check_number(const struct invar_dataset_info *info, struct study_settings *settings,
                        const struct invar_probe_request *request, struct invar_error *err)
{
    char what[128];

    if (!info->label_number) {
        if (!(settings->method->labels & STUDY_CLASSES) || settings->for_numbers)
            return invar_error_set(err, INVAR_ERROR_USAGE,
                                   "%s: its labels are classes, and %s is of labels that are numbers: leave it out, or "
                                   "take a column of numbers for what it is with data.label_kind=number",
                                   info->source, settings->for_numbers ? settings->for_numbers : "method ridge");
        return true;
    }
    snprintf(what, sizeof what, "%s %s", settings->preset ? "preset" : "method",
             settings->preset ? settings->preset->name : settings->method->name);
    if (settings->preset || (!(settings->method->labels & STUDY_NUMBERS) && !settings->method->of_numbers))
        return needs_classes(info, settings, what, err);
    for (int i = 0; i < request->baseline_count; i++)
        if (strcmp(request->baselines[i], "supervised") == 0)
            return needs_classes(info, settings, "baseline supervised", err);
    if (request->groups)
        return needs_classes(info, settings, "groups, which is accuracy,", err);
    if (settings->for_classes)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "%s is of labels that are classes, and the label of %s is a number, whose options are "
                               "alpha, folds and seed: leave it out, or set data.label_kind=class",
                               settings->for_classes, info->source);
    if (settings->method->of_numbers)
        settings->method = settings->method->of_numbers;
    return true;
}

/* ---- rows with a target ---- */

bool study_keep_targets(struct invar_embedded *embedded, const double *targets, double **out, struct invar_error *err)
{
    const size_t width = (size_t)embedded->features.shape[1] * invar_dtype_size(embedded->features.dtype);
    int64_t *index = embedded->index.data, kept = 0;
    char *features = embedded->features.data;

    *out = invar_alloc((size_t)embedded->features.shape[0] + 1, sizeof **out, err);
    if (!*out)
        return false;
    for (int64_t i = 0; i < embedded->features.shape[0]; i++) {
        const double target = targets[index[i]];
        if (isnan(target))
            continue;
        if (kept < i)
            memcpy(features + (size_t)kept * width, features + (size_t)i * width, width);
        index[kept] = index[i];
        (*out)[kept++] = target;
    }
    embedded->labels.shape[0] = embedded->index.shape[0] = embedded->features.shape[0] = kept;
    return true;
}
