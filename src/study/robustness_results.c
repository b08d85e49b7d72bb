/* SPDX-License-Identifier: Apache-2.0 */
/* Errors under corruption as results. */
#include "study/robustness.h"

#include <stdio.h>
#include <math.h>
#include <string.h>

cJSON *robustness_protocol(const struct robustness_plan *plan)
{
    cJSON *object = cJSON_CreateObject();

    cJSON_AddStringToObject(object, "data", plan->data);
    if (plan->from)
        cJSON_AddStringToObject(object, "from", plan->from);
    cJSON_AddNumberToObject(object, "images", (double)plan->images);
    cJSON_AddNumberToObject(object, "height", plan->height);
    cJSON_AddNumberToObject(object, "width", plan->width);
    cJSON_AddNumberToObject(object, "channels", plan->channels);
    cJSON_AddItemToObject(object, "severities", cJSON_CreateIntArray(plan->severities, plan->severity_count));
    if (plan->from)
        return object;
    cJSON_AddStringToObject(object, "table", invar_corruption_table_name((int)plan->options.table));
    cJSON_AddNumberToObject(object, "seed", (double)plan->options.seed);
    cJSON_AddStringToObject(object, "frost", plan->frost ? plan->frost : "synthetic");
    cJSON_AddNumberToObject(object, "frost_pictures", invar_frost_count(plan->pictures));
    return object;
}

/* NAN and infinities are left out. */
static void add_number(cJSON *object, const char *name, double value)
{
    if (isfinite(value))
        cJSON_AddNumberToObject(object, name, value);
}

static double mean(const double *value, int count)
{
    double sum = 0;

    for (int i = 0; i < count; i++)
        sum += value[i];
    return sum / count;
}

/* Sums over corruptions of one kind of number. */
struct sums {
    double error, ce, rce;
    int count;
};

static void add_means(cJSON *object, const char *suffix, const struct sums *sums)
{
    char name[32];

    snprintf(name, sizeof name, "mean_error%s", suffix);
    add_number(object, name, sums->error / sums->count);
    snprintf(name, sizeof name, "mCE%s", suffix);
    add_number(object, name, sums->ce / sums->count);
    snprintf(name, sizeof name, "mrCE%s", suffix);
    add_number(object, name, sums->rce / sums->count);
}

void robustness_add(cJSON *object, const struct robustness_plan *plan, const struct robustness_result *result,
                    const struct robustness_reference *reference)
{
    cJSON *clean = cJSON_AddObjectToObject(object, "clean");
    cJSON *corruptions = cJSON_AddObjectToObject(object, "corruptions");
    struct sums benchmark = {0}, all = {0};
    int known = 0;

    add_number(clean, "error", result->clean);
    for (int c = 0; c < plan->corruption_count; c++) {
        const struct invar_corruption_spec *spec = plan->corruptions[c];
        const double *error = result->error + c * plan->severity_count;
        double theirs[INVAR_CORRUPTION_SEVERITIES], ce = NAN, rce = NAN;
        cJSON *item = cJSON_AddObjectToObject(corruptions, spec->name);
        cJSON_AddStringToObject(item, "family", spec->family);
        cJSON_AddBoolToObject(item, "extra", spec->extra);
        cJSON_AddItemToObject(item, "error", cJSON_CreateDoubleArray(error, plan->severity_count));
        cJSON_AddNumberToObject(item, "mean_error", mean(error, plan->severity_count));
        if (reference->name) {
            robustness_reference_errors(reference, plan, spec->name, theirs);
            ce = invar_corruption_error(error, theirs, plan->severity_count);
            rce = invar_relative_corruption_error(error, result->clean, theirs, robustness_reference_clean(reference),
                                                  plan->severity_count);
            add_number(item, "CE", ce);
            add_number(item, "rCE", rce);
        }
        for (struct sums *sums = &all; sums; sums = sums == &all && !spec->extra ? &benchmark : NULL) {
            sums->error += mean(error, plan->severity_count);
            sums->ce += ce;
            sums->rce += rce;
            sums->count++;
        }
    }
    for (int i = 0; i < invar_corruption_count(); i++)
        known += !invar_corruption_at(i)->extra;
    if (benchmark.count == known)
        add_means(object, "", &benchmark);
    if (all.count == invar_corruption_count())
        add_means(object, "_19", &all);
}
