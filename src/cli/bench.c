/* SPDX-License-Identifier: Apache-2.0 */
/* invar bench: a training step on this machine, as a fraction of what its processor can do, and where the time goes. */
#include "cli/cli.h"
#include "invar/device.h"
#include "study/bench.h"

#include <string.h>

struct arguments {
    const char *precision; /* NULL: all that this processor has */
    int64_t threads, steps;
    bool json, wait;
};

/* To whoever waits: what has been made and warmed up, then how long so many steps took. */
static int64_t more(void *user, const struct study_bench *so_far, struct invar_error *err)
{
    const struct arguments *arguments = user;
    char line[64];

    if (!arguments->wait)
        return so_far->steps ? 0 : arguments->steps;
    if (so_far->steps)
        printf("{\"steps\": %lld, \"seconds\": %.9g}\n", (long long)arguments->steps, so_far->last_seconds);
    else
        printf("{\"parameters\": %lld, \"batch\": %lld}\n", (long long)so_far->plan.parameters,
               (long long)so_far->batch);
    fflush(stdout);
    if (fgets(line, sizeof line, stdin))
        return arguments->steps;
    if (so_far->steps)
        return 0;
    invar_error_set(err, INVAR_ERROR_USAGE, "--wait: standard input has no line, so no step was timed");
    return -1;
}

static void print_text(const struct study_bench *b)
{
    char workspace[32], step[32], resident[32];
    printf("%s\n", invar_precision_name(b->precision));
    printf("  step      %.4g s, %.1f samples/s (batch %lld), %lld parameters\n", b->seconds,
           (double)b->batch / b->seconds, (long long)b->batch, (long long)b->plan.parameters);
    printf("  compute   %.1f GFLOP/s of %.1f in a product of n = %d: %.0f %%\n",
           b->plan.operations_per_step / b->seconds / 1e9, b->peak_flops / 1e9, STUDY_BENCH_SIDE, 100 * b->of_peak);
    printf("  bound     %.0f %% of what products at that rate allow with Winograd's F(4x4, 3x3), %.1f samples/s\n",
           100 * b->of_winograd, (double)b->batch / b->seconds / b->of_winograd);
    printf("  memory    workspace %s, step %s, process peak %s\n",
           human_bytes((double)b->plan.workspace_bytes, workspace, sizeof workspace),
           human_bytes(b->step_bytes, step, sizeof step), human_bytes(b->peak_bytes, resident, sizeof resident));
    if (b->processes > 1)
        printf("  processes %d; each sends %s a step in %.0f messages, and sends or waits in %.0f %% of it\n",
               b->processes, human_bytes(b->sent_bytes, step, sizeof step), b->messages,
               100 * b->sending_s / b->seconds);
    for (int i = 0; i < b->entry_count; i++)
        if (b->entries[i].seconds > 0)
            printf("  %5.1f %%   %s\n", 100 * b->entries[i].seconds / b->seconds, b->entries[i].name);
}

/* Every precision asked for; one that this processor lacks is said, not failed, unless it was asked for by name. */
static int run(const struct arguments *arguments, struct study_bench_request *request)
{
    struct cli_progress progress = {0};
    const struct invar_watch watch = {cli_told, &progress};
    struct invar_error err = {0};
    struct json_writer w = CLI_JSON;
    struct invar_device *device = invar_device_open("auto", request->threads, &err);
    if (!device || !cli_ranks_open(&request->ranks, "bench", 600, &err)) {
        invar_device_close(device);
        return cli_ranks_end(request->ranks, cli_ranks_fail(request->ranks, &err));
    }
    request->watch = &watch;
    json_open_object(&w, NULL);
    json_text(&w, "device", invar_device_describe(device));
    if (!arguments->json)
        printf("%s, recipe %s\n", invar_device_describe(device), request->recipe);
    for (enum invar_precision p = INVAR_PRECISION_FLOAT32; p <= INVAR_PRECISION_BFLOAT16; p++) {
        enum invar_precision used;
        struct study_bench found;
        struct invar_error unable = {0};
        if (arguments->precision && strcmp(arguments->precision, invar_precision_name(p)) != 0)
            continue;
        if (!arguments->precision && !invar_device_precision(device, p, &used, &unable)) {
            cli_message("%s", unable.message);
            continue;
        }
        request->precision = p;
        if (!study_bench_run(request, &found, &err))
            break;
        if (arguments->json)
            study_bench_put(&found, &w);
        else
            print_text(&found);
    }
    cli_progress_end(&progress);
    invar_device_close(device);
    json_close(&w);
    int status = CLI_DONE;
    if (err.code != INVAR_OK)
        status = cli_ranks_fail(request->ranks, &err);
    else if (arguments->json)
        status = cli_print_json(&w);
    if (err.code != INVAR_OK || !arguments->json)
        json_writer_free(&w);
    invar_ranks_close(request->ranks);
    return status;
}

int invar_cli_bench(int argc, char **argv)
{
    /* the machine's own measure, unless a recipe is named */
    static const char *const plain[] = {"encoder.kind=resnet18", "encoder.stem=small", "encoder.widths=null",
                                        "encoder.pool=null"};
    enum { PLAIN = sizeof plain / sizeof *plain };
    struct arguments arguments = {.steps = 3};
    struct study_bench_request request = {.recipe = "relic-cifar10", .more = more, .user = &arguments};
    const char *settings[CLI_LIST_SIZE + PLAIN];
    struct cli_list positionals = {0}, overrides = {0};
    const struct cli_option options[] = {
        {"steps", 0, "N", "steps to time after one that warms up (default: 3)", CLI_INTEGER, &arguments.steps, 1,
         1000000},
        {"precision", 0, "NAME", "float32 or bfloat16 (default: all that this processor has)", CLI_TEXT,
         &arguments.precision, 0, 0},
        {"wait", 0, NULL, "time so many steps at every line of standard input, each answered by a line of JSON",
         CLI_FLAG, &arguments.wait, 0, 0},
        CLI_OPTION_THREADS(&arguments.threads),
        CLI_OPTION_JSON(&arguments.json),
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
    if (arguments.precision && strcmp(arguments.precision, "float32") != 0 &&
        strcmp(arguments.precision, "bfloat16") != 0)
        return cli_wrong_usage(&usage, "--precision %s: expected float32 or bfloat16", arguments.precision);
    if (arguments.wait && (!arguments.precision || !arguments.json))
        return cli_wrong_usage(&usage, "--wait answers in JSON for one precision: give --json and --precision");
    cli_catch_interrupt();
    request.threads = (int)arguments.threads;
    request.settings = settings;
    if (positionals.count)
        request.recipe = positionals.item[0];
    for (int i = 0; !positionals.count && i < PLAIN; i++)
        settings[request.setting_count++] = plain[i];
    for (int i = 0; i < overrides.count; i++)
        settings[request.setting_count++] = overrides.item[i];
    return run(&arguments, &request);
}
