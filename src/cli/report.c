/* SPDX-License-Identifier: Apache-2.0 */
/* invar report RUN..: one HTML page about a run, or about several side by side. */
#include "cli/cli.h"
#include "invar/expert/file.h"
#include "invar/report.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { PATH_SIZE = 4096 };

struct arguments {
    bool json, watch;
    int64_t threads, samples, seed, interval;
    const char *output, *source;
    struct cli_list runs, assignments;
};

/* What Ctrl-C ends is the waiting, not a page that is being written. */
static bool told(void *user, const struct invar_progress *progress)
{
    cli_told(user, progress);
    return true;
}

static int say(const struct arguments *arguments, const char *path, bool in_training)
{
    struct stat status;
    char size[32];
    if (stat(path, &status) != 0) {
        cli_message("%s: it is written, but cannot be looked at: %s", path, strerror(errno));
        return CLI_FAILED;
    }
    const double bytes = (double)status.st_size;

    if (arguments->json) {
        struct json_writer w = CLI_JSON;
        json_open_object(&w, NULL);
        json_text(&w, "file", path);
        json_number(&w, "bytes", bytes);
        json_number(&w, "runs", arguments->runs.count);
        json_bool(&w, "in_training", in_training);
        json_close(&w);
        return cli_print_json(&w);
    }
    printf("%s: %d %s, %s; open it in a browser\n", path, arguments->runs.count,
           arguments->runs.count == 1 ? "run" : "runs", human_bytes(bytes, size, sizeof size));
    return CLI_DONE;
}

/* Sleeps in short pieces, so that Ctrl-C is heard at once. */
static void wait_for(int64_t seconds)
{
    const double end = invar_seconds() + (double)seconds;
    const struct timespec piece = {.tv_nsec = 100000000};

    while (!cli_stop && invar_seconds() < end)
        nanosleep(&piece, NULL);
}

/* Writes again and again while a run is in training; the last time when none is any more. */
static bool watch(struct invar_report *report, const struct arguments *arguments, const char *path,
                  struct invar_error *err)
{
    cli_message("%s is written anew every %lld s while training goes on; Ctrl-C ends that", path,
                (long long)arguments->interval);
    cli_catch_interrupt();
    while (invar_report_in_training(report) && !cli_stop) {
        wait_for(arguments->interval);
        if (!invar_report_write(report, path, cli_stop ? 0 : arguments->interval, err))
            return false;
    }
    return true;
}

static int write_report(const struct arguments *arguments, const char *path)
{
    struct cli_progress progress = {0};
    const struct invar_watch shown = {told, &progress};
    const struct invar_report_options options = {.source = arguments->source,
                                                 .settings = arguments->assignments.item,
                                                 .setting_count = arguments->assignments.count,
                                                 .samples = arguments->samples,
                                                 .seed = (uint64_t)arguments->seed,
                                                 .threads = arguments->threads,
                                                 .watch = &shown};
    struct invar_error err = {0};
    struct invar_report *report = invar_report_create(arguments->runs.item, arguments->runs.count, &options, &err);
    bool ok = report && invar_report_write(report, path, arguments->watch ? arguments->interval : 0, &err);

    if (ok && arguments->watch && invar_report_in_training(report))
        ok = watch(report, arguments, path, &err);
    else if (ok && arguments->watch)
        cli_message("no run is in training, so there is nothing to watch");
    const bool in_training = ok && invar_report_in_training(report);
    invar_report_free(report);
    return ok ? say(arguments, path, in_training) : cli_fail(&err);
}

/* What is wrong with KEY=VALUE is said at once, and not on the page. */
static bool check_assignments(const struct cli_list *assignments, struct invar_error *err)
{
    struct invar_data_options options;

    invar_options_default(invar_data_option_table, &options);
    for (int i = 0; i < assignments->count; i++)
        if (!invar_options_set(invar_data_option_table, &options, assignments->item[i], err))
            return false;
    return true;
}

int invar_cli_report(int argc, char **argv)
{
    struct arguments arguments = {.samples = 1000, .interval = 10};
    const struct cli_option options[] = {
        {"output", 'o', "FILE", "the page (default: RUN/report.html; of several runs: report.html)", CLI_TEXT,
         &arguments.output, 0, 0},
        {"watch", 0, NULL, "write it anew while training goes on; the page loads itself anew too", CLI_FLAG,
         &arguments.watch, 0, 0},
        {"interval", 0, "N", "seconds between two pages of --watch (default: 10)", CLI_INTEGER, &arguments.interval, 1,
         86400},
        {"samples", 0, "N",
         "samples of the embedding map, at most 5000 (default: 1000); 0: open no data, leave out map and views",
         CLI_INTEGER, &arguments.samples, 0, 5000},
        {"seed", 0, "N", "of t-SNE (default: 0)", CLI_INTEGER, &arguments.seed, 0, INT64_MAX},
        {"data", 0, "SOURCE", "other data for map and views (default: those of each run)", CLI_TEXT, &arguments.source,
         0, 0},
        CLI_OPTION_THREADS(&arguments.threads),
        CLI_OPTION_JSON(&arguments.json),
        CLI_OPTION_END,
    };
    const struct cli_usage usage = {
        .verb = "report",
        .arguments = "RUN [RUN ...] [-o FILE] [--watch] [KEY=VALUE ...]",
        .purpose = "One self-contained HTML page about a run, or about several side by side: what the run is, its\n"
                   "curves, the views as the network sees them, a map of the embeddings, the confusion of the probe,\n"
                   "robustness and spectra where `invar probe`, `invar robustness` and `invar inspect` have found\n"
                   "them. It opens in any browser without a network. KEY=VALUE is of the data section.",
        .options = options,
        .positionals = &arguments.runs,
        .positional_minimum = 1,
        .positional_maximum = 16,
        .positional_name = "RUN",
        .assignments = &arguments.assignments,
        .example = "  invar report runs/quickstart\n"
                   "  invar report runs/relic-0 runs/simclr-0 -o both.html\n"
                   "  invar report runs/long --watch\n",
    };
    char path[PATH_SIZE];
    struct invar_error err = {0};
    int status;

    if (!cli_parse(&usage, argc, argv, &status))
        return status;
    if (!check_assignments(&arguments.assignments, &err))
        return cli_fail(&err);
    if (arguments.output || arguments.runs.count > 1)
        snprintf(path, sizeof path, "%s", arguments.output ? arguments.output : "report.html");
    else if (!invar_path_join(path, sizeof path, arguments.runs.item[0], "report.html", &err))
        return cli_fail(&err);
    return write_report(&arguments, path);
}
