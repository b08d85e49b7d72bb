/* SPDX-License-Identifier: Apache-2.0 */
/* The linear probe by SGD as a result of probe.json. */
#include "study/study.h"
#include "run/recipe.h"

static void add_state(cJSON *object, const char *name, const struct invar_sgd_probe_state *state)
{
    cJSON *item = cJSON_AddObjectToObject(object, name);

    cJSON_AddNumberToObject(item, "epoch", (double)state->epoch);
    cJSON_AddNumberToObject(item, "top1", state->test.top1);
    cJSON_AddItemToObject(item, "interval", cJSON_CreateDoubleArray((double[]){state->test.low, state->test.high}, 2));
    cJSON_AddNumberToObject(item, "top5", state->test.top5);
    if (state->held_out_top1 >= 0)
        cJSON_AddNumberToObject(item, "held_out_top1", state->held_out_top1);
    cJSON_AddNumberToObject(item, "lr", state->lr);
    cJSON_AddNumberToObject(item, "l2", state->l2);
}

static cJSON *describe(const struct invar_sgd_probe_result *result, const struct invar_dataset_info *info,
                       const struct study_settings *settings, struct invar_error *err)
{
    const struct invar_accuracy *reported =
        settings->sgd.report == INVAR_PROBE_BEST ? &result->best.test : &result->last.test;
    struct study_settings used = *settings;
    cJSON *object = cJSON_CreateObject();

    used.sgd.batch = result->batch;
    if (used.sgd.views.augment == INVAR_PROBE_AUTO)
        used.sgd.views.augment = result->plain ? INVAR_PROBE_NONE : INVAR_PROBE_CROP_FLIP;
    study_add_accuracy(object, reported);
    if (!study_add_groups(object, reported, reported->index, settings, err)) {
        cJSON_Delete(object);
        return NULL;
    }
    add_state(object, "best", &result->best);
    add_state(object, "last", &result->last);
    cJSON_AddNumberToObject(object, "candidates", (double)result->candidates);
    cJSON_AddNumberToObject(object, "steps", (double)result->steps);
    if (result->held_out_count)
        cJSON_AddNumberToObject(object, "held_out_count", (double)result->held_out_count);
    cJSON_AddNumberToObject(object, "seconds", result->seconds);
    run_add_data(info, object);
    cJSON_AddNumberToObject(object, "train_count", (double)result->train_count);
    cJSON_AddNumberToObject(object, "test_count", (double)result->test_count);
    cJSON_AddNumberToObject(object, "dimensions", (double)result->dimensions);
    if (info->class_names)
        cJSON_AddItemToObject(object, "classes", cJSON_CreateStringArray(info->class_names, info->classes));
    study_add_protocol(object, &used);
    return object;
}

cJSON *study_measure_sgd(const struct invar_run *run, const struct invar_encoder *encoder,
                         const struct study_settings *settings, struct invar_error *err)
{
    struct run_recipe recipe;
    struct invar_sgd_probe_result result;
    struct invar_sgd_probe_work work = {
        .device = run->device, .encoder = encoder, .dataset = run->dataset, .watch = run->watch};
    cJSON *object;
    bool ok;

    if (!run_recipe_read(run->folder, &recipe, err))
        return NULL;
    work.run = recipe.found ? &recipe.views : NULL;
    ok = invar_sgd_probe(&work, &settings->sgd, &result, err);
    if (!ok)
        return NULL;
    object = describe(&result, invar_dataset_info(run->dataset), settings, err);
    invar_sgd_probe_result_free(&result);
    return object;
}
