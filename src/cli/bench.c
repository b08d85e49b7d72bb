/* SPDX-License-Identifier: Apache-2.0 */
/* invar bench: a training step on this machine, as a fraction of what its processor can do, and where the time goes. */
#include "study/noise.h"
#include "cli/cli.h"
#include "invar/device.h"

#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define PEAK_SIDE 2048
#define MAX_ENTRIES 32
#define MAX_OVERRIDES (CLI_LIST_SIZE + 4)

struct request {
    const char *recipe, *precision; /* precision NULL: all that this processor has */
    struct cli_list *overrides;
    int threads;
    int64_t steps;
    bool json, wait;
    char folder[3000]; /* of the random data; empty: there are none */
};

struct measured {
    enum invar_precision precision;
    int64_t steps, batch;
    double seconds, peak_flops;
    double before_bytes, peak_bytes; /* resident: before the trainer was made, and at most until its steps were done */
    struct invar_machine machine;
    struct invar_trainer_plan plan;
    int entry_count;
    struct invar_profile_entry entries[MAX_ENTRIES];
};

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

/* How many more steps; 0: no more are asked for. */
static int64_t await(const struct request *request, int64_t done)
{
    char line[64];
    if (!request->wait)
        return done ? 0 : request->steps;
    return fgets(line, sizeof line, stdin) ? request->steps : 0;
}

/* To whoever waits: what has been made and warmed up, and how long so many steps took. */
static void print_ready(const struct measured *m)
{
    printf("{\"parameters\": %lld, \"batch\": %lld}\n", (long long)m->plan.parameters, (long long)m->batch);
    fflush(stdout);
}

static void print_steps(int64_t steps, double seconds)
{
    printf("{\"steps\": %lld, \"seconds\": %.9g}\n", (long long)steps, seconds);
    fflush(stdout);
}

static bool run_steps(struct invar_trainer *trainer, int64_t steps, struct cli_progress *progress,
                      struct invar_error *err)
{
    struct invar_record record;
    for (int64_t i = 0; i < steps; i++) {
        if (cli_stop)
            return invar_error_set(err, INVAR_ERROR_INTERRUPTED, "interrupted");
        if (!invar_trainer_step(trainer, &record, err))
            return false;
        cli_progress_update(progress, i + 1, steps);
    }
    return true;
}

/* The first call of a trainer is the warm-up, which counts for nothing. */
static bool time_steps(struct invar_trainer *trainer, const struct request *request, struct measured *out,
                       struct invar_error *err)
{
    struct invar_profile_entry before[MAX_ENTRIES];
    struct cli_progress progress;
    cli_progress_start(&progress, invar_precision_name(out->precision), "steps");
    bool ok = run_steps(trainer, 1, &progress, err);
    const int count = invar_trainer_profile(trainer, before, MAX_ENTRIES);
    if (ok && request->wait)
        print_ready(out);
    for (int64_t steps; ok && (steps = await(request, out->steps)) > 0; out->steps += steps) {
        const double start = invar_seconds();
        ok = run_steps(trainer, steps, &progress, err);
        const double seconds = invar_seconds() - start;
        out->seconds += seconds;
        if (ok && request->wait)
            print_steps(steps, seconds);
    }
    cli_progress_end(&progress);
    if (ok && out->steps == 0)
        return invar_error_set(err, INVAR_ERROR_USAGE, "--wait: standard input has no line, so no step was timed");
    out->seconds /= (double)out->steps;
    out->peak_bytes = resident_peak();
    out->entry_count = invar_trainer_profile(trainer, out->entries, MAX_ENTRIES);
    for (int i = 0; i < out->entry_count && i < count; i++)
        out->entries[i].seconds = (out->entries[i].seconds - before[i].seconds) / (double)out->steps;
    return ok;
}

/* The recipe in that precision, with random data unless it is given others. */
static struct invar_recipe *load(struct request *request, enum invar_precision asked, struct invar_error *err)
{
    const char *items[MAX_OVERRIDES];
    char precision[64];
    int count = 0;
    bool given = false;

    for (int i = 0; i < request->overrides->count; i++) {
        items[count++] = request->overrides->item[i];
        given = given || strncmp(items[i], "data.source=", 12) == 0;
    }
    snprintf(precision, sizeof precision, "training.precision=%s", invar_precision_name(asked));
    items[count++] = precision;
    struct invar_recipe *recipe = invar_recipe_load(request->recipe, items, count, err);
    if (!recipe)
        return NULL;
    /* Enough steps for the warm-up and the measurement whatever the length that the recipe asks for. */
    recipe->training.epochs = 1e6;
    recipe->training.steps = 0;
    if (!given && !request->folder[0] && !study_noise_make(recipe, request->folder, sizeof request->folder, err)) {
        invar_recipe_free(recipe);
        return NULL;
    }
    if (!given)
        study_noise_use(recipe, request->folder);
    return recipe;
}

static bool measure(struct request *request, struct measured *out, struct invar_error *err)
{
    struct invar_dataset *dataset = NULL;
    struct invar_device *device = NULL;
    struct invar_trainer *trainer = NULL;
    struct invar_recipe *recipe = load(request, out->precision, err);
    bool ok = false;

    if (!recipe)
        goto done;
    out->batch = recipe->training.batch;
    device = invar_device_open("auto", request->threads, err);
    if (!device || !invar_device_machine(device, out->precision, &out->machine, err))
        goto done;
    dataset = invar_dataset_open(&recipe->data, err);
    if (!dataset)
        goto done;
    out->before_bytes = resident_now();
    resident_forget();
    trainer = invar_trainer_create(recipe, dataset, device, &(struct invar_trainer_options){.profile = true}, err);
    if (!trainer)
        goto done;
    ok = invar_trainer_describe(trainer, &out->plan, err) && time_steps(trainer, request, out, err) &&
         invar_device_matrix_peak(device, out->precision, PEAK_SIDE, &out->peak_flops, err);
done:
    invar_trainer_free(trainer);
    invar_dataset_close(dataset);
    invar_device_close(device);
    invar_recipe_free(recipe);
    return ok;
}

/* Part of the rate that this machine would have if products of matrices were all that a step takes: directly, and with
 * the fewer products of Winograd's F(4x4, 3x3). */
static double of_peak(const struct measured *m)
{
    return m->plan.operations_per_step / m->seconds / m->peak_flops;
}

static double of_winograd(const struct measured *m)
{
    return m->plan.winograd_operations_per_step / m->seconds / m->peak_flops;
}

static void print_text(const struct measured *m)
{
    char workspace[32], step[32], resident[32];
    printf("%s\n", invar_precision_name(m->precision));
    printf("  step      %.4g s, %.1f samples/s (batch %lld), %lld parameters\n", m->seconds,
           (double)m->batch / m->seconds, (long long)m->batch, (long long)m->plan.parameters);
    printf("  compute   %.1f GFLOP/s of %.1f in a product of n = %d: %.0f %%\n",
           m->plan.operations_per_step / m->seconds / 1e9, m->peak_flops / 1e9, PEAK_SIDE, 100.0 * of_peak(m));
    printf("  bound     %.0f %% of what products at that rate allow with Winograd's F(4x4, 3x3), %.1f samples/s\n",
           100.0 * of_winograd(m), (double)m->batch * m->peak_flops / m->plan.winograd_operations_per_step);
    printf("  memory    workspace %s, step %s, process peak %s\n",
           cli_bytes((double)m->plan.workspace_bytes, workspace, sizeof workspace),
           cli_bytes(m->peak_bytes - m->before_bytes, step, sizeof step),
           cli_bytes(m->peak_bytes, resident, sizeof resident));
    for (int i = 0; i < m->entry_count; i++)
        if (m->entries[i].seconds > 0)
            printf("  %5.1f %%   %s\n", 100.0 * m->entries[i].seconds / m->seconds, m->entries[i].name);
}

static void write_json(struct json_writer *w, const struct measured *m)
{
    json_open_object(w, invar_precision_name(m->precision));
    json_text(w, "processor", m->machine.processor);
    json_text(w, "instruction_set", m->machine.instruction_set);
    json_number(w, "threads", m->machine.threads);
    json_number(w, "step_s", m->seconds);
    json_number(w, "samples_per_s", (double)m->batch / m->seconds);
    json_number(w, "steps", (double)m->steps);
    json_number(w, "parameters", (double)m->plan.parameters);
    json_number(w, "flops", m->plan.operations_per_step / m->seconds);
    json_number(w, "matrix_peak_flops", m->peak_flops);
    json_number(w, "fraction_of_peak", of_peak(m));
    json_number(w, "operations_per_step", m->plan.operations_per_step);
    json_number(w, "winograd_operations_per_step", m->plan.winograd_operations_per_step);
    json_number(w, "fraction_of_winograd_bound", of_winograd(m));
    json_number(w, "workspace_bytes", (double)m->plan.workspace_bytes);
    json_number(w, "step_resident_bytes", m->peak_bytes - m->before_bytes);
    json_number(w, "peak_resident_bytes", m->peak_bytes);
    json_open_object(w, "seconds_by_work");
    for (int i = 0; i < m->entry_count; i++)
        json_number(w, m->entries[i].name, m->entries[i].seconds);
    json_close(w);
    json_close(w);
}

/* Every precision asked for; one that this processor lacks is said, not failed, unless it was asked for by name. */
static int run(struct request *request)
{
    struct invar_error err = {0};
    struct json_writer w = CLI_JSON;
    struct invar_device *device = invar_device_open("auto", request->threads, &err);
    if (!device)
        return cli_fail(&err);
    json_open_object(&w, NULL);
    json_text(&w, "device", invar_device_describe(device));
    if (!request->json)
        printf("%s, recipe %s\n", invar_device_describe(device), request->recipe);
    for (enum invar_precision p = INVAR_PRECISION_FLOAT32; p <= INVAR_PRECISION_BFLOAT16; p++) {
        enum invar_precision used;
        struct measured m = {.precision = p};
        struct invar_error unable = {0};
        if (request->precision && strcmp(request->precision, invar_precision_name(p)) != 0)
            continue;
        if (!request->precision && !invar_device_precision(device, p, &used, &unable)) {
            cli_message("%s", unable.message);
            continue;
        }
        if (!measure(request, &m, &err))
            break;
        if (request->json)
            write_json(&w, &m);
        else
            print_text(&m);
    }
    invar_device_close(device);
    json_close(&w);
    if (err.code == INVAR_OK && request->json)
        return cli_print_json(&w);
    json_writer_free(&w);
    return err.code == INVAR_OK ? CLI_DONE : cli_fail(&err);
}

int invar_cli_bench(int argc, char **argv)
{
    int64_t threads = 0, steps = 3;
    struct request request = {.recipe = "relic-cifar10"};
    struct cli_list positionals = {0}, overrides = {0}, all = {0};
    const struct cli_option options[] = {
        {"steps", 0, "N", "steps to time after one that warms up (default: 3)", CLI_INTEGER, &steps, 1, 1000000},
        {"precision", 0, "NAME", "float32 or bfloat16 (default: all that this processor has)", CLI_TEXT,
         &request.precision, 0, 0},
        {"wait", 0, NULL, "time so many steps at every line of standard input, each answered by a line of JSON",
         CLI_FLAG, &request.wait, 0, 0},
        CLI_OPTION_THREADS(&threads),
        CLI_OPTION_JSON(&request.json),
        CLI_OPTION_END,
    };
    const struct cli_usage usage = {
        .verb = "bench",
        .arguments = "[RECIPE] [KEY=VALUE ...]",
        .purpose =
            "Times whole training steps (data, views, nets, loss, optimiser) on random data of the kind that the\n"
            "recipe is for (images, a table of 16 columns, clips), or on the data.source given, beside this machine's\n"
            "matrix peak. The default is ReLIC with ResNet-18 (small stem) on 256 images of 32 x 32 in 2 views.",
        .options = options,
        .positionals = &positionals,
        .positional_maximum = 1,
        .positional_name = "RECIPE",
        .assignments = &overrides,
        .example = "  invar bench --steps 5\n  invar bench relic-cifar10 encoder.kind=small-resnet --json\n"
                   "  invar bench aplr-table --steps 100\n",
    };
    int status = CLI_DONE;
    if (!cli_parse(&usage, argc, argv, &status))
        return status;
    if (request.precision && strcmp(request.precision, "float32") != 0 && strcmp(request.precision, "bfloat16") != 0)
        return cli_wrong_usage(&usage, "--precision %s: expected float32 or bfloat16", request.precision);
    if (request.wait && (!request.precision || !request.json))
        return cli_wrong_usage(&usage, "--wait answers in JSON for one precision: give --json and --precision");
    cli_catch_interrupt();

    request.threads = (int)threads;
    request.steps = steps;
    request.overrides = &all;
    if (positionals.count)
        request.recipe = positionals.item[0];
    else
        for (const char *const *item = (const char *const[]){"encoder.kind=resnet18", "encoder.stem=small",
                                                             "encoder.widths=null", "encoder.pool=null", NULL};
             *item; item++)
            all.item[all.count++] = *item;
    for (int i = 0; i < overrides.count && all.count < CLI_LIST_SIZE; i++)
        all.item[all.count++] = overrides.item[i];
    status = run(&request);
    study_noise_remove(request.folder);
    return status;
}
