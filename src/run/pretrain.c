/* SPDX-License-Identifier: Apache-2.0 */
/* A whole training in one call. */
#include "invar/metrics.h"
#include "invar/run.h"

#include <stdio.h>
#include <string.h>

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
    struct invar_recipe *recipe =
        request->recipe ? invar_recipe_load(request->recipe, request->settings, request->setting_count, err)
                        : invar_run_recipe(request->folder, request->settings, request->setting_count, err);
    struct invar_device *device = recipe ? invar_device_open("auto", (int)request->threads, err) : NULL;
    struct invar_dataset *data = device ? invar_dataset_open(&recipe->data, err) : NULL;
    struct invar_recorder *recorder = data ? invar_recorder_create(recipe, data, &options, err) : NULL;
    struct invar_trainer *trainer = recorder ? invar_trainer_create(recipe, data, device, &options, err) : NULL;
    const bool ok = trainer && invar_recorder_run(recorder, trainer, err);

    invar_trainer_free(trainer);
    invar_recorder_free(recorder);
    invar_dataset_close(data);
    invar_device_close(device);
    invar_recipe_free(recipe);
    return ok;
}
