/* SPDX-License-Identifier: Apache-2.0 */
/* invar robustness RUN: errors of the probe under the common image corruptions. */
#include "cli/cli.h"
#include "invar/study.h"
#include "report/robustness_show.h"
#include "run/results.h"

#include <stdlib.h>
#include <string.h>

struct arguments {
    bool json;
    int64_t threads, limit, seed;
    const char *table, *frost, *reference, *show, *source, *from;
    struct cli_list runs, corruptions, severities, baselines, assignments;
};

/* ---- text ---- */

static const cJSON *get(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static void print_number(const cJSON *object, const char *name)
{
    const cJSON *item = get(object, name);

    if (cJSON_IsNumber(item))
        printf(" %7.2f", item->valuedouble);
    else
        printf(" %7s", "none");
}

static void print_means(const cJSON *object, int severities, const char *suffix, const char *title, bool reference)
{
    char name[3][32];

    snprintf(name[0], sizeof name[0], "mean_error%s", suffix);
    snprintf(name[1], sizeof name[1], "mCE%s", suffix);
    snprintf(name[2], sizeof name[2], "mrCE%s", suffix);
    printf("%-24s", title);
    print_number(object, name[0]);
    if (reference) {
        printf("%*s", 8 * severities, "");
        print_number(object, name[1]);
        print_number(object, name[2]);
        printf("  (mCE%s, mrCE%s)", suffix, suffix);
    }
    printf("\n");
}

static void print_encoder(const cJSON *object, const cJSON *severities, const char *title)
{
    const cJSON *item, *value;
    bool reference = false;

    cJSON_ArrayForEach(item, get(object, "corruptions")) reference |= get(item, "CE") || get(item, "rCE");
    printf("\n%-24s %7s", title, "mean");
    cJSON_ArrayForEach(item, severities) printf(" %7d", item->valueint);
    printf("%s\n%-24s", reference ? "    CE %   rCE %" : "", "clean");
    print_number(get(object, "clean"), "error");
    printf("\n");
    cJSON_ArrayForEach(item, get(object, "corruptions"))
    {
        char name[64];
        snprintf(name, sizeof name, "%s%s", item->string, cJSON_IsTrue(get(item, "extra")) ? " (extra)" : "");
        printf("%-24s", name);
        print_number(item, "mean_error");
        cJSON_ArrayForEach(value, get(item, "error")) printf(" %7.2f", value->valuedouble);
        if (reference) {
            print_number(item, "CE");
            print_number(item, "rCE");
        }
        printf("\n");
    }
    print_means(object, cJSON_GetArraySize(severities), "", "mean over the 15", reference);
    print_means(object, cJSON_GetArraySize(severities), "_19", "mean over all 19", reference);
}

static double number(const cJSON *object, const char *name)
{
    return cJSON_GetNumberValue(get(object, name));
}

static void print_protocol(const cJSON *protocol)
{
    const char *from = cJSON_GetStringValue(get(protocol, "from"));
    const char *table = cJSON_GetStringValue(get(protocol, "table"));
    const char *frost = cJSON_GetStringValue(get(protocol, "frost"));

    printf("%s: %.0f test images of %.0f x %.0f x %.0f; errors in %%\n", get(protocol, "data")->valuestring,
           number(protocol, "images"), number(protocol, "height"), number(protocol, "width"),
           number(protocol, "channels"));
    if (from)
        printf("corrupted images: those of %s\n", from);
    else
        printf("corrupted by the parameters %s%s%s, seed %.0f, frost: %s\n",
               strcmp(table, "scaled") == 0 ? "between those for 32 and 224 pixels" : "for ",
               strcmp(table, "scaled") == 0 ? "" : table, strcmp(table, "scaled") == 0 ? "" : " pixels",
               number(protocol, "seed"),
               strcmp(frost, "synthetic") != 0 ? frost : "synthetic pictures (not comparable with published numbers)");
}

static void print_text(const cJSON *results)
{
    const cJSON *severities = get(get(results, "protocol"), "severities"), *reference = get(results, "reference");
    const cJSON *item;

    print_protocol(get(results, "protocol"));
    if (reference)
        printf("reference: %s, %.2f on clean images\n", get(reference, "name")->valuestring,
               number(reference, "clean"));
    print_encoder(results, severities, "probe of the run");
    cJSON_ArrayForEach(item, get(results, "baselines")) print_encoder(item, severities, item->string);
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
                                                     .settings = arguments->assignments.item,
                                                     .setting_count = arguments->assignments.count};
    struct cli_progress progress = {0};
    const struct invar_watch watch = {cli_told, &progress};
    const struct invar_run_options how = {.source = arguments->source, .threads = arguments->threads, .watch = &watch};
    const char *folder = arguments->runs.item[0];
    struct invar_results *results = NULL;
    struct invar_error err = {0};
    struct invar_run run = {0};
    bool ok = invar_run_open(&run, folder, &how, &err);
    int status = CLI_DONE;

    cli_catch_interrupt();
    if (ok && arguments->show)
        ok = report_robustness_show(&run, &request, arguments->show, &err);
    else if (ok)
        ok = (results = invar_robustness_run(&run, &request, &err)) != NULL;
    cli_progress_end(&progress);
    cli_release_interrupt();
    if (!ok)
        status = cli_fail(&err);
    else if (arguments->json && results)
        status = cli_print_results(results, "run", folder);
    else if (results)
        print_text(results->root);
    invar_results_free(results);
    invar_run_close(&run);
    return status;
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
    struct arguments arguments = {.table = "auto"};
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
        {"data", 0, "SOURCE", "other data, of which both splits are used (default: those of the run)", CLI_TEXT,
         &arguments.source, 0, 0},
        {"show", 0, "FILE.png", "measure nothing, but draw the corruptions of two test images", CLI_TEXT,
         &arguments.show, 0, 0},
        CLI_OPTION_THREADS(&arguments.threads),
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
    int status;

    if (!cli_parse(&usage, argc, argv, &status))
        return status;
    return robustness(&arguments);
}
