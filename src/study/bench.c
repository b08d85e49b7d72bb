/* SPDX-License-Identifier: Apache-2.0 */
/* A training step on this machine, as a fraction of what its processor can do, and where the time goes. */
#include "study/bench.h"
#include "study/noise.h"
#include "train/ranks.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static double resident_now(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file && fscanf(file, "%*s %ld", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

/* What was resident at most, from here on where the system can forget what was before. */
static void resident_forget(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "w");
    if (!file)
        return;
    fputs("5", file);
    fclose(file);
}

static double resident_peak(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (double)usage.ru_maxrss * 1024.0 : 0.0;
}

static bool run_steps(struct invar_trainer *trainer, int64_t steps, const struct study_bench_request *request,
                      struct invar_error *err)
{
    struct invar_progress told = {.what = invar_precision_name(request->precision), .unit = "steps", .total = steps};
    struct invar_record record;
    bool ok = true;

    for (int64_t i = 0; ok && i < steps; i++) {
        ok = invar_trainer_step(trainer, &record, err);
        told.done = i + 1;
        ok = ok && invar_watch_tell(request->watch, &told, err);
    }
    return ok;
}

/* The first of several processes is asked, and tells the others. */
static int64_t more(const struct study_bench_request *request, const struct study_bench *so_far,
                    struct invar_error *err)
{
    int64_t steps = ranks_leads(request->ranks) ? request->more(request->user, so_far, err) : 0;

    if (!ranks_agree(request->ranks, steps >= 0, err) || !ranks_broadcast(request->ranks, &steps, sizeof steps, err))
        return -1;
    return steps;
}

/* One stretch of steps, and what was sent in it. */
static bool time_stretch(struct invar_trainer *trainer, const struct study_bench_request *request, int64_t steps,
                         struct study_bench *out, struct invar_error *err)
{
    struct invar_ranks_traffic before, after;
    const double start = invar_seconds();

    ranks_traffic(request->ranks, &before);
    const bool ok = run_steps(trainer, steps, request, err);
    out->last_seconds = invar_seconds() - start;
    ranks_traffic(request->ranks, &after);
    out->steps += steps;
    out->messages += (double)(after.messages - before.messages);
    out->sent_bytes += (double)(after.bytes - before.bytes);
    out->sending_s += after.seconds - before.seconds;
    return ok;
}

/* The first step of a trainer is the warm-up, which counts for nothing. */
static bool time_steps(struct invar_trainer *trainer, const struct study_bench_request *request,
                       struct study_bench *out, struct invar_error *err)
{
    struct invar_profile_entry before[STUDY_BENCH_ENTRIES];
    bool ok = run_steps(trainer, 1, request, err);
    const int count = invar_trainer_profile(trainer, before, STUDY_BENCH_ENTRIES);
    int64_t steps = 0;
    double all = 0;

    while (ok && (steps = more(request, out, err)) > 0) {
        ok = time_stretch(trainer, request, steps, out, err);
        all += out->last_seconds;
    }
    if (!ok || steps < 0)
        return false;
    if (out->steps == 0)
        return invar_error_set(err, INVAR_ERROR_USAGE, "no step was asked for, so none was timed");
    out->seconds = all / (double)out->steps;
    out->messages /= (double)out->steps;
    out->sent_bytes /= (double)out->steps;
    out->sending_s /= (double)out->steps;
    out->entry_count = invar_trainer_profile(trainer, out->entries, STUDY_BENCH_ENTRIES);
    for (int i = 0; i < out->entry_count && i < count; i++)
        out->entries[i].seconds = (out->entries[i].seconds - before[i].seconds) / (double)out->steps;
    return true;
}

/* The first process makes them, and those that do not see its folder their own of the same name. */
static bool make_noise(const struct invar_recipe *recipe, struct invar_ranks *ranks, char *folder, size_t size,
                       struct invar_error *err)
{
    const bool leads = ranks_leads(ranks);
    bool ok = !leads || study_noise_make(recipe, folder, size, err);

    if (!ranks_agree(ranks, ok, err) || !ranks_broadcast(ranks, folder, size, err))
        return false;
    ok = leads || study_noise_make(recipe, folder, size, err);
    return ranks_agree(ranks, ok, err);
}

/* The recipe in that precision, with random data in the folder unless it is given others. */
static struct invar_recipe *load(const struct study_bench_request *request, char *folder, size_t size,
                                 struct invar_error *err)
{
    struct invar_recipe *recipe = invar_recipe_load(request->recipe, request->settings, request->setting_count, err);
    bool given = false;

    if (!recipe)
        return NULL;
    for (int i = 0; i < request->setting_count; i++)
        given = given || strncmp(request->settings[i], "data.source=", 12) == 0;
    recipe->training.precision = request->precision;
    /* Enough steps for the warm-up and the measurement whatever the length that the recipe asks for. */
    recipe->training.epochs = 1e6;
    recipe->training.steps = 0;
    if (!given && !make_noise(recipe, request->ranks, folder, size, err)) {
        invar_recipe_free(recipe);
        return NULL;
    }
    if (!given)
        study_noise_use(recipe, folder);
    return recipe;
}

static bool measure(const struct invar_recipe *recipe, const struct study_bench_request *request,
                    struct study_bench *out, struct invar_error *err)
{
    const struct invar_trainer_options profiled = {.profile = true, .ranks = request->ranks};
    struct invar_dataset *dataset = NULL;
    struct invar_trainer *trainer = NULL;
    struct invar_device *device = invar_device_open("auto", request->threads, err);
    bool ok = device && invar_device_machine(device, out->precision, &out->machine, err) &&
              (dataset = invar_dataset_open(&recipe->data, err)) != NULL;

    const double before = resident_now();
    resident_forget();
    ok = ok && (trainer = invar_trainer_create(recipe, dataset, device, &profiled, err)) != NULL &&
         invar_trainer_describe(trainer, &out->plan, err) && time_steps(trainer, request, out, err);
    out->peak_bytes = resident_peak();
    out->step_bytes = out->peak_bytes - before;
    ok = ok && invar_device_matrix_peak(device, out->precision, STUDY_BENCH_SIDE, &out->peak_flops, err);
    out->of_peak = out->plan.operations_per_step / out->seconds / out->peak_flops;
    out->of_winograd = out->plan.winograd_operations_per_step / out->seconds / out->peak_flops;
    invar_trainer_free(trainer);
    invar_dataset_close(dataset);
    invar_device_close(device);
    return ok;
}

bool study_bench_run(const struct study_bench_request *request, struct study_bench *out, struct invar_error *err)
{
    char folder[3000] = "";
    struct invar_recipe *recipe = load(request, folder, sizeof folder, err);

    *out = (struct study_bench){.precision = request->precision,
                                .batch = recipe ? recipe->training.batch : 0,
                                .processes = invar_ranks_count(request->ranks)};
    const bool ok = recipe && measure(recipe, request, out, err);
    study_noise_remove(folder);
    invar_recipe_free(recipe);
    return ok;
}

void study_bench_put(const struct study_bench *b, struct json_writer *w)
{
    json_open_object(w, invar_precision_name(b->precision));
    json_text(w, "processor", b->machine.processor);
    json_text(w, "instruction_set", b->machine.instruction_set);
    json_number(w, "threads", b->machine.threads);
    json_number(w, "step_s", b->seconds);
    json_number(w, "samples_per_s", (double)b->batch / b->seconds);
    json_number(w, "steps", (double)b->steps);
    json_number(w, "parameters", (double)b->plan.parameters);
    json_number(w, "flops", b->plan.operations_per_step / b->seconds);
    json_number(w, "matrix_peak_flops", b->peak_flops);
    json_number(w, "fraction_of_peak", b->of_peak);
    json_number(w, "operations_per_step", b->plan.operations_per_step);
    json_number(w, "winograd_operations_per_step", b->plan.winograd_operations_per_step);
    json_number(w, "fraction_of_winograd_bound", b->of_winograd);
    json_number(w, "workspace_bytes", (double)b->plan.workspace_bytes);
    json_number(w, "step_resident_bytes", b->step_bytes);
    json_number(w, "peak_resident_bytes", b->peak_bytes);
    json_number(w, "processes", b->processes);
    json_number(w, "sent_messages_per_step", b->messages);
    json_number(w, "sent_bytes_per_step", b->sent_bytes);
    json_number(w, "sending_s", b->sending_s);
    json_open_object(w, "seconds_by_work");
    for (int i = 0; i < b->entry_count; i++)
        json_number(w, b->entries[i].name, b->entries[i].seconds);
    json_close(w);
    json_close(w);
}
