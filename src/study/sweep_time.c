/* SPDX-License-Identifier: Apache-2.0 */
/* Recipes of a sweep, and how long they take: plans of all, and some steps of each that differs in its work. */
#include "invar/metrics.h"
#include "invar/run.h"
#include "study/sweep.h"

#include <string.h>

#define ENOUGH_SECONDS 1.0
#define MOST_STEPS 20

enum { PACES = 64 };

/* What is open and known from run to run. */
struct pace {
    int threads;
    struct invar_device *device, *planning;
    struct invar_dataset *dataset; /* of the recipe before, kept while its data are the same */
    struct invar_data_options data;
    int count;
    struct paced {
        double operations, step_seconds;
        int64_t batch;
    } paced[PACES]; /* trainings of as many operations a step are timed once */
};

static bool open_data(struct pace *pace, const struct invar_recipe *recipe, struct invar_error *err)
{
    if (pace->dataset && memcmp(&pace->data, &recipe->data, sizeof pace->data) == 0)
        return true;
    invar_dataset_close(pace->dataset);
    memcpy(&pace->data, &recipe->data, sizeof pace->data); /* padding too, for the comparison */
    pace->dataset = invar_dataset_open(&recipe->data, err);
    return pace->dataset != NULL;
}

static bool open_devices(struct pace *pace, struct invar_error *err)
{
    if (!pace->device)
        pace->device = invar_device_open("auto", pace->threads, err);
    if (pace->device && !pace->planning)
        pace->planning = invar_device_open_planning("auto", pace->threads, err);
    return pace->device && pace->planning;
}

/* The first step warms up. */
static bool time_steps(struct invar_trainer *trainer, double *seconds, struct invar_error *err)
{
    struct invar_record record;
    double started = 0;
    int done = 0;

    if (!invar_trainer_step(trainer, &record, err))
        return false;
    for (started = invar_seconds(); done < MOST_STEPS && invar_seconds() - started < ENOUGH_SECONDS; done++)
        if (invar_trainer_steps_done(trainer) == invar_trainer_steps_total(trainer))
            break;
        else if (!invar_trainer_step(trainer, &record, err))
            return false;
    *seconds = done ? (invar_seconds() - started) / done : 0;
    return true;
}

/* Of a step as many operations as one before: that one's time. */
static struct paced *find(struct pace *pace, const struct paced *like)
{
    for (int i = 0; i < pace->count; i++)
        if (pace->paced[i].operations == like->operations && pace->paced[i].batch == like->batch)
            return &pace->paced[i];
    return NULL;
}

static bool plan(struct pace *pace, const struct invar_recipe *recipe, struct paced *out, int64_t *steps,
                 struct invar_error *err)
{
    const struct invar_trainer_options none = {0};
    struct invar_trainer_plan plan = {0};
    struct invar_trainer *trainer = invar_trainer_create(recipe, pace->dataset, pace->planning, &none, err);
    const bool ok = trainer && invar_trainer_describe(trainer, &plan, err);

    *steps = ok ? invar_trainer_steps_total(trainer) : 0;
    *out = (struct paced){.operations = plan.operations_per_step, .batch = recipe->training.batch};
    invar_trainer_free(trainer);
    return ok;
}

static bool training_seconds(struct pace *pace, const struct invar_recipe *recipe, double *seconds,
                             struct invar_error *err)
{
    const struct invar_trainer_options none = {0};
    struct invar_trainer *trainer = NULL;
    struct paced made;
    int64_t steps;

    if (!open_devices(pace, err) || !open_data(pace, recipe, err) || !plan(pace, recipe, &made, &steps, err))
        return false;
    const struct paced *found = find(pace, &made);
    if (!found) {
        trainer = invar_trainer_create(recipe, pace->dataset, pace->device, &none, err);
        const bool ok = trainer && time_steps(trainer, &made.step_seconds, err);
        invar_trainer_free(trainer);
        if (!ok)
            return false;
        found = &made;
        if (pace->count < PACES)
            pace->paced[pace->count++] = made;
    }
    *seconds = (double)steps * found->step_seconds;
    return true;
}

static struct invar_recipe *load(const struct study_sweep *sweep, const char *recipe, int i, struct invar_error *err)
{
    return invar_recipe_load(recipe, (const char *const *)sweep->run[i].setting, sweep->keys, err);
}

bool study_sweep_check(const struct study_sweep *sweep, const char *recipe, struct invar_error *err)
{
    for (int i = 0; i < sweep->count; i++) {
        struct invar_recipe *made = load(sweep, recipe, i, err);
        if (!made)
            return false;
        invar_recipe_free(made);
    }
    return true;
}

/* Each begins as soon as a place is free. */
bool study_sweep_seconds(const struct study_sweep *sweep, const char *recipe, const bool *done, int jobs, int threads,
                         double *seconds, struct invar_error *err)
{
    struct pace pace = {.threads = threads};
    double busy[STUDY_SWEEP_JOBS] = {0};
    bool ok = true;

    *seconds = 0;
    for (int i = 0; ok && i < sweep->count; i++) {
        struct invar_recipe *made = done[i] ? NULL : load(sweep, recipe, i, err);
        double own = 0;
        int place = 0;
        ok = done[i] || (made && training_seconds(&pace, made, &own, err));
        invar_recipe_free(made);
        for (int j = 1; j < jobs; j++)
            place = busy[j] < busy[place] ? j : place;
        busy[place] += own;
        *seconds = busy[place] > *seconds ? busy[place] : *seconds;
    }
    invar_dataset_close(pace.dataset);
    invar_device_close(pace.planning);
    invar_device_close(pace.device);
    return ok;
}
