/* SPDX-License-Identifier: Apache-2.0 */
/* invar compare RUN..: runs side by side, means over seeds, and paired differences. */
#include "cli/cli.h"
#include "invar/memory.h"
#include "report/compare.h"
#include "study/likeness.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { MAX_METRICS = 64, PLAIN_WIDTH = 120, LEAST_WIDTH = 40, CKA_SAMPLES = 1024 };

struct arguments {
    bool json, choose, cka;
    int64_t threads;
    const char *base, *format, *sort;
    struct cli_list runs, metrics;
};

/* The terminal's, or a page's where the output goes elsewhere. */
static int output_width(void)
{
    struct winsize size;
    if (isatty(STDOUT_FILENO) && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col >= LEAST_WIDTH)
        return size.ws_col;
    const char *columns = getenv("COLUMNS");
    const int width = columns ? atoi(columns) : 0;
    return width >= LEAST_WIDTH ? width : PLAIN_WIDTH;
}

/* "--metric a,b --metric c" as names; the texts are cut in place. False: too many. */
static bool split_metrics(char **lists, int count, const char **names, int *name_count)
{
    *name_count = 0;
    for (int i = 0; i < count; i++) {
        char *rest = NULL;
        for (char *name = strtok_r(lists[i], ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
            if (*name_count == MAX_METRICS)
                return false;
            names[(*name_count)++] = name;
        }
    }
    return true;
}

static int print_json(const struct comparison *comparison)
{
    struct json_writer w = CLI_JSON;

    comparison_json(comparison, &w);
    return cli_print_json(&w);
}

static int print(const struct arguments *arguments, struct comparison *comparison, struct invar_error *err)
{
    struct invar_text text = {0};
    bool ok;
    if (strcmp(arguments->format, "json") == 0)
        return print_json(comparison);
    if (strcmp(arguments->format, "csv") == 0)
        ok = comparison_csv(comparison, &text, err);
    else if (strcmp(arguments->format, "markdown") == 0)
        ok = comparison_markdown(comparison, &text, err);
    else
        ok = comparison_text(comparison, output_width(), &text, err);
    if (ok)
        fputs(text.data, stdout);
    if (ok && strcmp(arguments->format, "csv") == 0)
        for (int i = 0; i < comparison->note_count; i++)
            cli_message("%s", comparison->note[i]);
    invar_text_free(&text);
    return ok ? CLI_DONE : cli_fail(err);
}

static int compare(const struct arguments *arguments, const char *const *metrics, int metric_count)
{
    const struct invar_run_options how = {.threads = arguments->threads};
    struct comparison_options options = {.base = arguments->base,
                                         .sort = arguments->sort,
                                         .metric_count = metric_count,
                                         .metric = metrics,
                                         .choose = arguments->choose};
    struct report_run *runs[CLI_LIST_SIZE] = {NULL};
    struct comparison comparison = {0};
    struct invar_error err = {0};
    const size_t all = (size_t)arguments->runs.count;
    double *cka = arguments->cka ? invar_alloc(all * all, sizeof *cka, &err) : NULL;
    int status = CLI_DONE, count = 0;

    while (count < arguments->runs.count && (runs[count] = report_run_read(arguments->runs.item[count], &err)))
        count++;
    options.cka = cka;
    if (count < arguments->runs.count ||
        (arguments->cka &&
         (!cka || !study_likeness(arguments->runs.item, count, CKA_SAMPLES, &how, cka, &options.cka_samples, &err))) ||
        !comparison_make(&comparison, runs, count, &options, &err))
        status = cli_fail(&err);
    else
        status = print(arguments, &comparison, &err);
    comparison_free(&comparison);
    invar_free(cka);
    for (int i = 0; i < count; i++)
        report_run_free(runs[i]);
    return status;
}

static bool known_format(const char *format)
{
    static const char *const formats[] = {"text", "csv", "markdown", "json"};
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (strcmp(format, formats[i]) == 0)
            return true;
    return false;
}

int invar_cli_compare(int argc, char **argv)
{
    struct arguments arguments = {.format = "text"};
    const char *metrics[MAX_METRICS];
    char *lists[CLI_LIST_SIZE];
    const struct cli_option options[] = {
        {"base", 0, "RUN", "what differences are taken to: a run or the name of a group (default: the first)", CLI_TEXT,
         &arguments.base, 0, 0},
        {"metric", 0, "NAME[,..]", "these numbers alone: linear, mCE, linear.top5, z.effective_rank, loss, ...",
         CLI_LIST, &arguments.metrics, 0, 0},
        {"sort", 0, "NAME", "by this number, the best group first (default: as given)", CLI_TEXT, &arguments.sort, 0,
         0},
        {"choose", 0, NULL,
         "which run each measure without labels would take, judged by the first --metric (default: linear)", CLI_FLAG,
         &arguments.choose, 0, 0},
        {"cka", 0, NULL, "how alike h of the runs are: embeds the same samples with each", CLI_FLAG, &arguments.cka, 0,
         0},
        CLI_OPTION_THREADS(&arguments.threads),
        {"format", 0, "FORMAT", "text, csv, markdown or json (default: text)", CLI_TEXT, &arguments.format, 0, 0},
        CLI_OPTION_JSON(&arguments.json),
        CLI_OPTION_END,
    };
    const struct cli_usage usage = {
        .verb = "compare",
        .arguments = "RUN.. [--base RUN] [--metric NAME[,..]] [--sort NAME] [--choose] [--cka] [--format FORMAT]",
        .purpose =
            "Runs side by side: what `invar probe` and `invar robustness` found, rank and entropy of z at the end\n"
            "of training, its time, and the options in which the runs differ. Runs that differ in training.seed\n"
            "alone form a group: its mean with the 95 % interval over seeds, and the paired difference to a base\n"
            "group over the seeds that both have. --metric takes any number of probe.json, robustness.json,\n"
            "inspect.json and returns.json by its path, and any key of metrics.jsonl (its last value).\n"
            "--choose reads inspect.json.",
        .options = options,
        .positionals = &arguments.runs,
        .positional_minimum = 1,
        .positional_maximum = CLI_LIST_SIZE,
        .positional_name = "RUN",
        .example = "  invar compare runs/simclr-1 runs/simclr-2 runs/relic-1 runs/relic-2\n"
                   "  invar compare runs/* --base simclr --metric linear,mCE --format markdown\n"
                   "  invar compare runs/* --choose --cka\n",
    };
    struct invar_error err = {0};
    int status, metric_count = 0, copied = 0;

    if (!cli_parse(&usage, argc, argv, &status))
        return status;
    if (arguments.json)
        arguments.format = "json";
    if (!known_format(arguments.format))
        return cli_wrong_usage(&usage, "--format is \"%s\"; expected text, csv, markdown or json", arguments.format);
    while (copied < arguments.metrics.count && (lists[copied] = invar_strdup(arguments.metrics.item[copied], &err)))
        copied++;
    if (copied < arguments.metrics.count)
        status = cli_fail(&err);
    else if (!split_metrics(lists, copied, metrics, &metric_count))
        status = cli_wrong_usage(&usage, "--metric names more than %d numbers", MAX_METRICS);
    else
        status = compare(&arguments, metrics, metric_count);
    for (int i = 0; i < copied; i++)
        invar_free(lists[i]);
    return status;
}
