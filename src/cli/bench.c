/* SPDX-License-Identifier: Apache-2.0 */
/* invar bench: a training step on this machine, as a fraction of what its processor can do, and where the time goes. */
#include "cli/cli.h"
#include "invar/device.h"
#include "invar/file.h"
#include "invar/memory.h"
#include "invar/random.h"
#include "invar/train.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define PEAK_SIDE 2048
#define MAX_ENTRIES 32
#define MAX_OVERRIDES (CLI_LIST_SIZE + 4)

struct measured {
    enum invar_precision precision;
    int64_t steps, batch;
    double seconds, peak_flops;
    struct invar_trainer_plan plan;
    int entry_count;
    struct invar_profile_entry entries[MAX_ENTRIES];
};

/* Random images in the binary format of CIFAR-10, so that a benchmark needs no data set; the time of a step does not
   depend on what the pixels are. */
static bool write_images(const char *folder, struct invar_error *err)
{
    enum { RECORD = 3073, RECORDS = 512 };
    unsigned char *records = invar_alloc(RECORDS, RECORD, err);
    bool ok = records != NULL;
    for (int file = 0; ok && file < 6; file++) {
        char name[32], path[4096];
        struct invar_random random = invar_random_stream(1, INVAR_RANDOM_TEST, 0, (uint64_t)file, 0);
        for (int i = 0; i < RECORDS * RECORD; i++)
            records[i] = (unsigned char)(i % RECORD == 0 ? i / RECORD % 10 : (int)(invar_random_bits(&random) >> 24));
        if (file < 5)
            snprintf(name, sizeof name, "data_batch_%d.bin", file + 1);
        else
            snprintf(name, sizeof name, "test_batch.bin");
        ok = invar_path_join(path, sizeof path, folder, name, err) &&
             invar_file_write(path, records, (size_t)RECORDS * RECORD, err);
    }
    invar_free(records);
    return ok;
}

static void remove_images(const char *folder)
{
    for (int file = 0; file < 6; file++) {
        char path[4200];
        if (file < 5)
            snprintf(path, sizeof path, "%s/data_batch_%d.bin", folder, file + 1);
        else
            snprintf(path, sizeof path, "%s/test_batch.bin", folder);
        unlink(path);
    }
    rmdir(folder);
}

/* Steps until `steps` are done; the first call of a trainer is the warm-up, which counts for nothing. */
static bool time_steps(struct invar_trainer *trainer, struct measured *out, struct invar_error *err)
{
    struct invar_record record;
    struct invar_profile_entry before[MAX_ENTRIES];
    struct cli_progress progress;
    bool ok = false;
    cli_progress_start(&progress, invar_precision_name(out->precision), "steps");
    if (!invar_trainer_step(trainer, &record, err))
        goto done;
    int count = invar_trainer_profile(trainer, before, MAX_ENTRIES);
    double start = cli_seconds();
    for (int64_t i = 0; i < out->steps; i++) {
        if (cli_stop) {
            invar_error_set(err, INVAR_ERROR_INTERRUPTED, "interrupted");
            goto done;
        }
        if (!invar_trainer_step(trainer, &record, err))
            goto done;
        cli_progress_update(&progress, i + 1, out->steps);
    }
    out->seconds = (cli_seconds() - start) / (double)out->steps;
    out->entry_count = invar_trainer_profile(trainer, out->entries, MAX_ENTRIES);
    for (int i = 0; i < out->entry_count && i < count; i++)
        out->entries[i].seconds = (out->entries[i].seconds - before[i].seconds) / (double)out->steps;
    ok = true;
done:
    cli_progress_end(&progress);
    return ok;
}

static bool measure(const char *recipe_name, struct cli_list *overrides, int threads, struct measured *out,
                    struct invar_error *err)
{
    const char *items[MAX_OVERRIDES];
    char precision[64];
    int count = 0;
    struct invar_recipe *recipe = NULL;
    struct invar_dataset *dataset = NULL;
    struct invar_device *device = NULL;
    struct invar_trainer *trainer = NULL;
    bool ok = false;

    for (int i = 0; i < overrides->count; i++)
        items[count++] = overrides->item[i];
    snprintf(precision, sizeof precision, "training.precision=%s", invar_precision_name(out->precision));
    items[count++] = precision;
    recipe = invar_recipe_load(recipe_name, items, count, err);
    if (!recipe)
        goto done;
    /* Enough steps for the warm-up and the measurement whatever the length that the recipe asks for. */
    recipe->training.epochs = 1000;
    recipe->training.steps = 0;
    out->batch = recipe->training.batch;
    device = invar_device_open("cpu", threads, err);
    dataset = device ? invar_dataset_open(&recipe->data, err) : NULL;
    if (!dataset || !invar_device_matrix_peak(device, out->precision, PEAK_SIDE, &out->peak_flops, err))
        goto done;
    trainer = invar_trainer_create(recipe, dataset, device, &(struct invar_trainer_options){.profile = true}, err);
    if (!trainer)
        goto done;
    ok = invar_trainer_describe(trainer, &out->plan, err) && time_steps(trainer, out, err);
done:
    invar_trainer_free(trainer);
    invar_dataset_close(dataset);
    invar_device_close(device);
    invar_recipe_free(recipe);
    return ok;
}

static double resident_peak(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (double)usage.ru_maxrss * 1024.0 : 0.0;
}

static void print_text(const struct measured *m)
{
    char workspace[32], resident[32];
    double flops = m->plan.operations_per_step / m->seconds;
    printf("%s\n", invar_precision_name(m->precision));
    printf("  step      %.3f s, %.1f samples/s (batch %lld)\n", m->seconds, (double)m->batch / m->seconds,
           (long long)m->batch);
    printf("  compute   %.1f GFLOP/s of %.1f in a product of n = %d: %.0f %%\n", flops / 1e9, m->peak_flops / 1e9,
           PEAK_SIDE, 100.0 * flops / m->peak_flops);
    printf("  memory    workspace %s, process peak %s\n",
           cli_bytes((double)m->plan.workspace_bytes, workspace, sizeof workspace),
           cli_bytes(resident_peak(), resident, sizeof resident));
    for (int i = 0; i < m->entry_count; i++)
        if (m->entries[i].seconds > 0)
            printf("  %5.1f %%   %s\n", 100.0 * m->entries[i].seconds / m->seconds, m->entries[i].name);
}

static cJSON *to_json(const struct measured *m)
{
    cJSON *object = cJSON_CreateObject(), *where = cJSON_CreateObject();
    double flops = m->plan.operations_per_step / m->seconds;
    cJSON_AddNumberToObject(object, "step_s", m->seconds);
    cJSON_AddNumberToObject(object, "samples_per_s", (double)m->batch / m->seconds);
    cJSON_AddNumberToObject(object, "steps", (double)m->steps);
    cJSON_AddNumberToObject(object, "flops", flops);
    cJSON_AddNumberToObject(object, "matrix_peak_flops", m->peak_flops);
    cJSON_AddNumberToObject(object, "fraction_of_peak", flops / m->peak_flops);
    cJSON_AddNumberToObject(object, "workspace_bytes", (double)m->plan.workspace_bytes);
    cJSON_AddNumberToObject(object, "peak_resident_bytes", resident_peak());
    for (int i = 0; i < m->entry_count; i++)
        cJSON_AddNumberToObject(where, m->entries[i].name, m->entries[i].seconds);
    cJSON_AddItemToObject(object, "seconds_by_work", where);
    return object;
}

/* Every precision asked for; one that this processor lacks is said, not failed, unless it was asked for by name. */
static int run(const char *recipe, struct cli_list *overrides, int threads, int64_t steps, const char *asked, bool json)
{
    struct invar_error err = {0};
    cJSON *all = json ? cJSON_CreateObject() : NULL;
    struct invar_device *device = invar_device_open("cpu", threads, &err);
    if (!device)
        return cli_fail(&err);
    if (json)
        cJSON_AddStringToObject(all, "device", invar_device_describe(device));
    else
        printf("%s, recipe %s\n", invar_device_describe(device), recipe);
    for (enum invar_precision p = INVAR_PRECISION_FLOAT32; p <= INVAR_PRECISION_BFLOAT16; p++) {
        enum invar_precision used;
        struct measured m = {.precision = p, .steps = steps};
        struct invar_error unable = {0};
        if (asked && strcmp(asked, invar_precision_name(p)) != 0)
            continue;
        if (!asked && !invar_device_precision(device, p, &used, &unable)) {
            cli_message("%s", unable.message);
            continue;
        }
        if (!measure(recipe, overrides, threads, &m, &err))
            break;
        if (json)
            cJSON_AddItemToObject(all, invar_precision_name(p), to_json(&m));
        else
            print_text(&m);
    }
    invar_device_close(device);
    if (err.code != INVAR_OK) {
        cJSON_Delete(all);
        return cli_fail(&err);
    }
    return json ? cli_print_json(all) : CLI_DONE;
}

int invar_cli_bench(int argc, char **argv)
{
    int64_t threads = 0, steps = 3;
    bool json = false;
    const char *precision = NULL;
    struct cli_list positionals = {0}, overrides = {0};
    const struct cli_option options[] = {
        {"steps", 0, "N", "steps to time after one that warms up (default: 3)", CLI_INTEGER, &steps, 1, 1000000},
        {"precision", 0, "NAME", "float32 or bfloat16 (default: all that this processor has)", CLI_TEXT, &precision, 0,
         0},
        CLI_OPTION_THREADS(&threads),
        CLI_OPTION_JSON(&json),
        CLI_OPTION_END,
    };
    const struct cli_usage usage = {
        .verb = "bench",
        .arguments = "[RECIPE] [KEY=VALUE ...]",
        .purpose =
            "Times whole training steps (data, views, nets, loss, optimiser) on random 32 x 32 images or on the\n"
            "data.source given, beside this machine's matrix peak. The default is ReLIC with ResNet-18 (small\n"
            "stem) on 256 samples in 2 views.",
        .options = options,
        .positionals = &positionals,
        .positional_maximum = 1,
        .positional_name = "RECIPE",
        .assignments = &overrides,
        .example = "  invar bench --steps 5\n  invar bench relic-cifar10 encoder.kind=small-resnet --json\n",
    };
    int status = CLI_DONE;
    if (!cli_parse(&usage, argc, argv, &status))
        return status;
    if (precision && strcmp(precision, "float32") != 0 && strcmp(precision, "bfloat16") != 0)
        return cli_wrong_usage(&usage, "--precision %s: expected float32 or bfloat16", precision);
    cli_catch_interrupt();

    struct invar_error err = {0};
    struct cli_list all = {0};
    const char *temporary = getenv("TMPDIR");
    char folder[3000], source[3100];
    bool given = false;
    if (positionals.count == 0)
        for (const char *const *item = (const char *const[]){"encoder.kind=resnet18", "encoder.stem=small",
                                                             "encoder.widths=null", "encoder.pool=null", NULL};
             *item; item++)
            all.item[all.count++] = *item;
    for (int i = 0; i < overrides.count && all.count < CLI_LIST_SIZE - 1; i++) {
        given = given || strncmp(overrides.item[i], "data.source=", 12) == 0;
        all.item[all.count++] = overrides.item[i];
    }
    const char *recipe = positionals.count ? positionals.item[0] : "relic-cifar10";
    if (given)
        return run(recipe, &all, (int)threads, steps, precision, json);
    snprintf(folder, sizeof folder, "%s/invar-bench-XXXXXX", temporary && *temporary ? temporary : "/tmp");
    if (!mkdtemp(folder)) {
        invar_error_set(&err, INVAR_ERROR_FILE, "%s: cannot be created; set TMPDIR to a folder that can be written",
                        folder);
        return cli_fail(&err);
    }
    snprintf(source, sizeof source, "data.source=cifar10:%s", folder);
    all.item[all.count++] = source;
    status = write_images(folder, &err) ? run(recipe, &all, (int)threads, steps, precision, json) : cli_fail(&err);
    remove_images(folder);
    return status;
}
