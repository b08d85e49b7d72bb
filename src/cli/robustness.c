/* SPDX-License-Identifier: Apache-2.0 */
/* invar robustness RUN: errors of the probe under the common image corruptions. */
#include "cli/run.h"
#include "data/source.h"
#include "invar/study.h"
#include "report/robustness_show.h"
#include "report/text.h"
#include "run/apart.h"
#include "study/robustness_results.h"
#include "train/ranks.h"

#include <stdlib.h>
#include <string.h>

struct arguments {
    bool json, flips;
    int64_t threads, limit, seed, rank_timeout;
    const char *table, *frost, *reference, *show, *source, *from, *plain, *choose;
    struct cli_list runs, corruptions, severities, baselines, assignments, data;
};

static int print_json(const struct invar_robustness_results *results, const char *folder)
{
    struct json_writer w = CLI_JSON;

    json_open_object(&w, NULL);
    study_robustness_results_put(results, false, &w);
    json_text(&w, "run", folder);
    json_close(&w);
    return cli_print_json(&w);
}

/* ---- the verb ---- */

static int robustness(const struct arguments *arguments)
{
    const struct invar_robustness_request request = {.corruptions = arguments->corruptions.item,
                                                     .corruption_count = arguments->corruptions.count,
                                                     .severities = arguments->severities.item,
                                                     .severity_count = arguments->severities.count,
                                                     .table = arguments->table,
                                                     .frost = arguments->frost,
                                                     .seed = arguments->seed,
                                                     .limit = arguments->limit,
                                                     .from = arguments->from,
                                                     .reference = arguments->reference,
                                                     .baselines = arguments->baselines.item,
                                                     .baseline_count = arguments->baselines.count,
                                                     .choose = arguments->choose,
                                                     .flips = arguments->flips,
                                                     .settings = arguments->assignments.item,
                                                     .setting_count = arguments->assignments.count};
    struct cli_progress progress = {0};
    const struct invar_watch watch = {cli_told, &progress};
    struct invar_run_options how = {.source = arguments->source,
                                    .settings = arguments->data.item,
                                    .setting_count = arguments->data.count,
                                    .threads = arguments->threads,
                                    .watch = &watch};
    const char *folder = arguments->runs.item[0];
    struct invar_robustness_results *results = NULL;
    struct invar_error err = {0};
    struct invar_run run = {0};
    bool ok = cli_ranks_open(&how.ranks, "robustness", arguments->rank_timeout, &err) &&
              (!arguments->plain || invar_plain_view_read(&how.plain, arguments->plain, &err));
    if (ok && arguments->show && invar_ranks_rank(how.ranks) == 0)
        ok = run_place_apart(folder, &how, arguments->show, "show", &err) &&
             data_place_apart(arguments->show, "show", "--frost", arguments->frost, &err);
    ok = ranks_agree(how.ranks, ok, &err) && invar_run_open(&run, folder, &how, &err);
    int status = CLI_DONE;

    cli_catch_interrupt();
    if (ok && arguments->show)
        ok = !invar_run_leads(&run) || report_robustness_show(&run, &request, arguments->show, &err);
    else if (ok)
        ok = (results = invar_robustness_run(&run, &request, &err)) != NULL;
    cli_progress_end(&progress);
    cli_release_interrupt();
    if (!invar_run_agree(&run, ok, &err))
        status = cli_ranks_fail(how.ranks, &err);
    else if (arguments->json && results)
        status = print_json(results, folder);
    else if (results)
        report_robustness_print(stdout, results);
    invar_robustness_results_free(results);
    invar_run_close(&run);
    return cli_ranks_end(how.ranks, status);
}

static void print_tables(FILE *stream)
{
    struct invar_text text = {0};

    fprintf(stream, "corruptions:\n");
    for (int i = 0; i < invar_corruption_count(); i++) {
        const struct invar_corruption_spec *spec = invar_corruption_at(i);
        fprintf(stream, "  %-18s %-8s %s%s\n", spec->name, spec->family, spec->help, spec->extra ? " (extra)" : "");
    }
    if (invar_options_describe(invar_probe_option_table, 2, &text, NULL))
        fprintf(stream, "\nKEY=VALUE of the probe:\n%s", text.data);
    invar_text_free(&text);
}

int invar_cli_robustness(int argc, char **argv)
{
    struct arguments arguments = {.table = "auto", .rank_timeout = 600};
    const struct cli_option options[] = {
        {"corruption", 0, "NAME,..", "these corruptions alone (default: all 19); repeatable", CLI_LIST,
         &arguments.corruptions, 0, 0},
        {"severity", 0, "N,..", "these severities alone (default: 1,2,3,4,5)", CLI_LIST, &arguments.severities, 0, 0},
        {"table", 0, "TABLE",
         "parameters: those for 32 or 224 pixels, scaled between, or auto, by size (default: auto)", CLI_TEXT,
         &arguments.table, 0, 0},
        {"frost", 0, "DIR", "folder of pictures of frost (default: synthetic ones)", CLI_TEXT, &arguments.frost, 0, 0},
        {"seed", 0, "N", "of the corruptions (default: 0)", CLI_INTEGER, &arguments.seed, 0, INT64_C(9007199254740992)},
        {"limit", 0, "N", "so many test images, evenly spread (default: all)", CLI_INTEGER, &arguments.limit, 1,
         INT64_C(1000000000)},
        {"from", 0, "DIR", "images that are corrupted already: NAME.npy and labels.npy, or NAME/SEVERITY/CLASS/IMAGE",
         CLI_TEXT, &arguments.from, 0, 0},
        {"reference", 0, "RUN", "what errors are divided by: a run, RUN:random or RUN:supervised, or alexnet", CLI_TEXT,
         &arguments.reference, 0, 0},
        {"baseline", 0, "NAME", "the same on random (the encoder before training) or supervised; repeatable", CLI_LIST,
         &arguments.baselines, 0, 0},
        {"choose", 0, "WHERE",
         "the strength of the probe: on held_out training samples, or on the extra corruptions of the test split, as "
         "ReLIC's paper does (default: held_out)",
         CLI_TEXT, &arguments.choose, 0, 0},
        {"flips", 0, NULL, "also how often the prediction changes along shift, zoom, colours and blur", CLI_FLAG,
         &arguments.flips, 0, 0},
        {"data", 0, "SOURCE", "other data, of which both splits are used (default: those of the run)", CLI_TEXT,
         &arguments.source, 0, 0},
        {"show", 0, "FILE.png", "measure nothing, but draw the corruptions of two test images", CLI_TEXT,
         &arguments.show, 0, 0},
        CLI_OPTION_PLAIN(&arguments.plain),
        CLI_OPTION_THREADS(&arguments.threads),
        CLI_OPTION_RANK_TIMEOUT(&arguments.rank_timeout),
        CLI_OPTION_JSON(&arguments.json),
        CLI_OPTION_END,
    };
    const struct cli_usage usage = {
        .verb = "robustness",
        .arguments = "RUN [--reference RUN|alexnet] [--corruption NAME,..] [--severity N,..] [KEY=VALUE ...]",
        .purpose = "Errors of the linear probe, fitted on clean training images, on the test split under the 15 common "
                   "corruptions and\nthe 4 extra ones at 5 severities; against a reference also CE, rCE, mCE and mrCE. "
                   "The results go into\nRUN/robustness.json; docs/evaluation.md has the protocol.",
        .options = options,
        .positionals = &arguments.runs,
        .positional_minimum = 1,
        .positional_maximum = 1,
        .positional_name = "RUN",
        .assignments = &arguments.assignments,
        .example = "  invar robustness runs/quickstart --baseline random\n"
                   "  invar robustness runs/b --reference runs/a\n"
                   "  invar robustness runs/quickstart --corruption fog,snow --severity 3,5 --limit 1000\n"
                   "  invar robustness runs/quickstart --show corruptions.png\n",
        .more = print_tables,
    };
    struct invar_error err = {0};
    int status;

    if (!cli_parse(&usage, argc, argv, &status))
        return status;
    cli_take_data(&arguments.assignments, &arguments.data);
    return cli_check_data(&arguments.data, arguments.source, "", &err) ? robustness(&arguments) : cli_fail(&err);
}
