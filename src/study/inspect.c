/* SPDX-License-Identifier: Apache-2.0 */
/* An inspection of a run with what lies beside its encoder, as results of inspect.json. */
#include "invar/expert/file.h"
#include "invar/log.h"
#include "invar/study.h"
#include "run/recipe.h"
#include "run/results.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PATH_SIZE = 4096, BATCH = 256 };

/* Everything that is read from the folder of the run beside the encoder. */
struct beside {
    struct run_recipe recipe;
    struct invar_head *projector;
    char no_projector[INVAR_FINDING_TEXT];
    struct invar_perturber *perturber;
    double probe_error;
    char no_probe_error[INVAR_FINDING_TEXT];
};

/* What the linear probe of the run gets wrong, where it was measured on the same data. */
static bool read_probe(const struct invar_run *run, struct beside *out, struct invar_error *err)
{
    const struct invar_dataset_info *info = invar_dataset_info(run->dataset);
    char difference[256];
    cJSON *results = run_results_read(run->folder, "probe.json", err);

    if (!results)
        return false;
    const cJSON *linear = cJSON_GetObjectItemCaseSensitive(results, "linear");
    const cJSON *top1 = cJSON_GetObjectItemCaseSensitive(linear, "top1");
    const char *data = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(linear, "data"));
    const char *identity = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(linear, "data_identity"));
    out->probe_error = -1;
    if (!cJSON_IsNumber(top1) || !data)
        snprintf(out->no_probe_error, sizeof out->no_probe_error,
                 "there is no linear probe of this run: `invar probe RUN` measures one");
    else if (strcmp(data, info->source) != 0)
        snprintf(out->no_probe_error, sizeof out->no_probe_error,
                 "the linear probe of this run is of %.200s: `invar probe RUN data SOURCE` measures one here", data);
    else if (identity && info->identity &&
             !invar_data_identity_same(identity, info->identity, difference, sizeof difference))
        snprintf(out->no_probe_error, sizeof out->no_probe_error,
                 "the linear probe of this run is of what was there before: the data differ in %s: `invar probe RUN` "
                 "measures it anew",
                 difference);
    else
        out->probe_error = 100 - top1->valuedouble;
    cJSON_Delete(results);
    return true;
}

static bool read_beside(const struct invar_run *run, struct beside *out, struct invar_error *err)
{
    const char *folder = run->folder;
    char path[PATH_SIZE];

    if (!run_recipe_read(folder, &out->recipe, err) ||
        (out->recipe.adversary && !(out->perturber = invar_run_perturber(run, BATCH, NULL, err))) ||
        !invar_path_join(path, sizeof path, folder, "projector.safetensors", err))
        return false;
    if (invar_path_exists(path)) {
        out->projector = invar_head_read(path, err);
        return out->projector != NULL;
    }
    if (out->recipe.found && !out->recipe.projector)
        snprintf(out->no_projector, sizeof out->no_projector, "the recipe has no projector: z is h");
    else
        snprintf(out->no_projector, sizeof out->no_projector,
                 "%.300s: there is no such file, so z is not measured; `invar pretrain --resume --run RUN` writes it "
                 "where the last checkpoint is still there",
                 path);
    return true;
}

/* Features from elsewhere have neither. */
static void nothing_beside(const struct invar_run *run, struct beside *out)
{
    snprintf(out->no_projector, sizeof out->no_projector, "features from elsewhere are h, and there is no z");
    snprintf(out->no_probe_error, sizeof out->no_probe_error,
             "`invar probe %.200s --labels FILE` measures a linear probe", run->folder);
    out->probe_error = -1;
}

/* Features of another view must be of the same samples: as many, as wide. */
static bool check_pair(const struct invar_run *run, const struct invar_run *pair, struct invar_error *err)
{
    const struct invar_dataset_info *a = invar_dataset_info(run->dataset), *b = invar_dataset_info(pair->dataset);

    return (a->count[0] + a->count[1] == b->count[0] + b->count[1] && a->channels == b->channels) ||
           invar_error_set(err, INVAR_ERROR_DATA,
                           "%s: has %lld rows of %d features where %s has %lld of %d; expected another view of the "
                           "same samples, row by row",
                           pair->folder, (long long)(b->count[0] + b->count[1]), b->channels, run->folder,
                           (long long)(a->count[0] + a->count[1]), a->channels);
}

static struct invar_inspection *measure(const struct invar_run *run, const struct invar_run *pair,
                                        enum invar_split split, const struct beside *beside,
                                        const struct invar_inspect_options *options, struct invar_error *err)
{
    const struct invar_inspect_subject subject = {
        .device = run->device,
        .dataset = run->dataset,
        .pair = pair ? pair->dataset : NULL,
        .split = split,
        .encoder = run->encoder,
        .projector = beside->projector,
        .no_projector = beside->no_projector,
        .views = beside->recipe.found ? &beside->recipe.views : NULL,
        .perturber = beside->perturber,
        .logdet_beta = beside->recipe.logdet_beta,
        .logdet_share = beside->recipe.logdet_share,
        .probe_error = beside->probe_error >= 0 ? &beside->probe_error : NULL,
        .no_probe_error = beside->no_probe_error,
        .watch = run->watch,
    };

    if (run->encoder && !beside->recipe.found)
        invar_log(INVAR_LOG_WARNING, "%s/recipe.yaml: there is no such file, so nothing is said about views",
                  run->folder);
    return invar_inspect(&subject, options, err);
}

static cJSON *json_number(double value)
{
    return isfinite(value) ? cJSON_CreateNumber(value) : cJSON_CreateNull();
}

static void add_finding(cJSON *section, const struct invar_finding *finding)
{
    cJSON *item = cJSON_AddObjectToObject(section, finding->name);
    cJSON_AddItemToObject(item, "value", finding->known ? json_number(finding->value) : cJSON_CreateNull());
    cJSON_AddStringToObject(item, "unit", finding->unit);
    cJSON_AddStringToObject(item, "says", finding->says);
}

static void add_series(cJSON *section, const struct invar_series *series)
{
    cJSON *item = cJSON_AddObjectToObject(section, series->name);
    cJSON *values = cJSON_AddArrayToObject(item, "values");
    for (int64_t i = 0; i < series->count; i++)
        cJSON_AddItemToArray(values, json_number(series->value[i]));
    cJSON_AddStringToObject(item, "unit", series->unit);
    cJSON_AddStringToObject(item, "says", series->says);
}

static void add_options(cJSON *results, const struct invar_inspect_options *options)
{
    cJSON *item = cJSON_AddObjectToObject(results, "options");
    for (const struct invar_option *o = invar_inspect_option_table; o->name; o++) {
        const char *at = (const char *)options + o->offset;
        if (o->kind == INVAR_OPTION_INT) {
            int64_t value;
            memcpy(&value, at, sizeof value);
            cJSON_AddNumberToObject(item, o->name, (double)value);
        } else if (o->kind == INVAR_OPTION_REAL) {
            double value;
            memcpy(&value, at, sizeof value);
            cJSON_AddNumberToObject(item, o->name, value);
        } else {
            struct invar_real_list list;
            memcpy(&list, at, sizeof list);
            cJSON_AddItemToObject(item, o->name, cJSON_CreateDoubleArray(list.value, list.count));
        }
    }
}

static void describe(const struct invar_inspection *inspection, const struct invar_inspect_options *options,
                     cJSON *results)
{
    cJSON_AddNumberToObject(results, "samples", (double)inspection->samples);
    cJSON_AddNumberToObject(results, "labelled", (double)inspection->labelled);
    cJSON_AddNumberToObject(results, "h_width", (double)inspection->h_width);
    cJSON_AddItemToObject(results, "z_width",
                          inspection->z_width ? cJSON_CreateNumber((double)inspection->z_width) : cJSON_CreateNull());
    if (inspection->perturbed[0])
        cJSON_AddStringToObject(results, "perturbed", inspection->perturbed);
    add_options(results, options);
    for (int s = 0; s < INVAR_INSPECT_SECTIONS; s++) {
        const struct invar_findings *findings = &inspection->section[s];
        cJSON *section = cJSON_AddObjectToObject(results, findings->name);
        if (!findings->present)
            cJSON_AddStringToObject(section, "absent", findings->absent);
        for (int i = 0; findings->present && i < findings->count; i++)
            add_finding(section, &findings->finding[i]);
        for (int i = 0; findings->present && i < findings->series_count; i++)
            add_series(section, &findings->series[i]);
    }
    cJSON *warnings = cJSON_AddArrayToObject(results, "warnings");
    for (int i = 0; i < inspection->warning_count; i++) {
        cJSON *warning = cJSON_CreateObject();
        cJSON_AddStringToObject(warning, "collapse", inspection->warning[i].name);
        cJSON_AddStringToObject(warning, "says", inspection->warning[i].says);
        cJSON_AddItemToArray(warnings, warning);
    }
}

/* Into the folder of the run, where it is one. */
static struct invar_results *keep(const struct invar_run *run, enum invar_split split,
                                  const struct invar_inspection *inspection,
                                  const struct invar_inspect_options *options, struct invar_error *err)
{
    struct invar_results *results = run_results_create(err);

    if (!results)
        return NULL;
    run_add_data(invar_dataset_info(run->dataset), results->root);
    cJSON_AddStringToObject(results->root, "split", split == INVAR_TRAIN ? "train" : "test");
    describe(inspection, options, results->root);
    if (run_add_machine(run, results->root, err) &&
        (!run->encoder || run_results_merge(run->folder, "inspect.json", results->root, err)))
        return results;
    invar_results_free(results);
    return NULL;
}

struct invar_results *invar_inspect_run(const struct invar_run *run, const struct invar_run *pair,
                                        enum invar_split split, const struct invar_inspect_options *options,
                                        struct invar_inspection **out, struct invar_error *err)
{
    struct invar_results *results = NULL;
    struct beside beside = {0};
    bool ok = !pair || check_pair(run, pair, err);

    *out = NULL;
    if (ok && run->encoder)
        ok = run_results_merge(run->folder, "inspect.json", NULL, err) && read_beside(run, &beside, err) &&
             read_probe(run, &beside, err);
    else
        nothing_beside(run, &beside);
    if (ok)
        *out = measure(run, pair, split, &beside, options, err);
    if (*out)
        results = keep(run, split, *out, options, err);
    invar_perturber_close(beside.perturber);
    invar_head_free(beside.projector);
    return results;
}
