/* SPDX-License-Identifier: Apache-2.0 */
/* A whole training in one call. */
#include "eval/inspect/inspect.h"
#include "invar/log.h"
#include "invar/metrics.h"
#include "invar/run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NEIGHBOURS = 1024 };

/* Median distance of so many training samples to the nearest other one, over the root of their size. */
static bool neighbour_distance(struct invar_dataset *data, double *out, struct invar_error *err)
{
    const int64_t total = invar_dataset_info(data)->count[INVAR_TRAIN];
    int64_t count, *order = inspect_spaced(total, NEIGHBOURS, &count, err);
    const struct embed_work work = {.dataset = data,
                                    .pass = {.split = INVAR_TRAIN, .order = order, .count = count},
                                    .input_stride = 1,
                                    .what = "distances of samples"};
    struct embed_rows rows = {0};
    double *distance = order ? invar_alloc((size_t)count + 1, sizeof *distance, err) : NULL;
    bool ok = distance && embed_run(&work, &rows, err);

    if (ok && rows.rows < 2)
        ok = invar_error_set(err, INVAR_ERROR_DATA,
                             "adversary.eps is auto, which takes distances of samples, and there are "
                             "fewer than two: give it a number");
    ok = ok && inspect_nearest(&rows.input, distance, err);
    if (ok) {
        inspect_sort(distance, rows.rows);
        *out = inspect_quantile(distance, rows.rows, 0.5) / sqrt((double)rows.input.shape[1]);
    }
    embed_rows_free(&rows);
    invar_free(distance);
    invar_free(order);
    return ok;
}

/* The number takes the place of "auto" in the recipe, so that the run's folder has it and a resumed run asks nothing.
 */
bool invar_recipe_settle(struct invar_recipe *recipe, struct invar_dataset *data, struct invar_error *err)
{
    double distance;

    if (strcmp(recipe->adversary.kind, "none") == 0 || recipe->adversary.eps > 0)
        return true;
    if (!neighbour_distance(data, &distance, err))
        return false;
    recipe->adversary.eps = distance / 2;
    if (!(recipe->adversary.eps > 0))
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "adversary.eps is auto, and half of the samples have an equal one, so that their "
                               "distance is 0: give it a number");
    invar_log(INVAR_LOG_INFO, "adversary.eps is %.3g: half the median distance of a sample to the nearest other one",
              recipe->adversary.eps);
    return true;
}

struct pretraining {
    const struct invar_watch *watch;
    double loss;
};

static bool report(void *user, const struct invar_record *record, struct invar_error *err)
{
    struct pretraining *p = user;
    char note[64];

    for (int i = 0; i < record->count; i++)
        if (strcmp(record->metric[i].name, "loss") == 0)
            p->loss = record->metric[i].value;
    snprintf(note, sizeof note, "loss %.4g", p->loss);
    return invar_watch_tell(
        p->watch, &(struct invar_progress){"training", "steps", record->step, record->total_steps, note}, err);
}

bool invar_pretrain(const struct invar_pretrain_request *request, struct invar_error *err)
{
    struct pretraining pretraining = {.watch = request->watch};
    struct invar_trainer_options options = {.folder = request->folder,
                                            .resume = request->resume,
                                            .accept_data = request->accept_data,
                                            .report = report,
                                            .user = &pretraining};

    if (!request->folder || !*request->folder)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "a pretraining without a folder for its run: name one (a trainer alone needs none)");
    struct invar_recipe *recipe =
        request->recipe ? invar_recipe_load(request->recipe, request->settings, request->setting_count, err)
                        : invar_run_recipe(request->folder, request->settings, request->setting_count, err);
    struct invar_device *device = recipe ? invar_device_open("auto", (int)request->threads, err) : NULL;
    struct invar_dataset *data = device ? invar_dataset_open(&recipe->data, err) : NULL;
    struct invar_recorder *recorder =
        data && invar_recipe_settle(recipe, data, err) ? invar_recorder_create(recipe, data, &options, err) : NULL;
    struct invar_trainer *trainer = recorder ? invar_trainer_create(recipe, data, device, &options, err) : NULL;
    const bool ok = trainer && invar_recorder_run(recorder, trainer, err);

    invar_trainer_free(trainer);
    invar_recorder_free(recorder);
    invar_dataset_close(data);
    invar_device_close(device);
    invar_recipe_free(recipe);
    return ok;
}
