/* SPDX-License-Identifier: Apache-2.0 */
/* invar inspect RUN: the numbers that explain the representations and embeddings of a run. */
#include "cli/inspect.h"
#include "cli/adversary.h"
#include "cli/run.h"
#include "cli/samples.h"
#include "invar/file.h"

#include <stdio.h>
#include <string.h>

enum { PATH_SIZE = 4096, BATCH = 256 };

struct arguments {
    bool json;
    int64_t threads;
    const char *source, *split, *samples;
    const char *pair, *label; /* of features from elsewhere */
    struct cli_list runs, assignments, labels, data;
    struct invar_inspect_options options;
};

static void print_table(FILE *stream)
{
    struct invar_text text = {0};
    if (invar_options_describe(invar_inspect_option_table, 2, &text, NULL))
        fprintf(stream, "KEY=VALUE:\n%s", text.data);
    invar_text_free(&text);
}

/* Everything that is read from the folder of the run beside the encoder. */
struct beside {
    struct inspect_recipe recipe;
    struct invar_head *projector;
    char no_projector[INVAR_FINDING_TEXT];
    struct invar_perturber *perturber;
    double probe_error;
    char no_probe_error[INVAR_FINDING_TEXT];
};

/* What the linear probe of the run gets wrong, where it was measured on the same data. */
static bool read_probe(const struct cli_run *run, struct beside *out, struct invar_error *err)
{
    const struct invar_dataset_info *info = invar_dataset_info(run->dataset);
    char difference[256];
    cJSON *results = cli_run_results(run->folder, "probe.json", err);

    if (!results)
        return false;
    const cJSON *linear = cJSON_GetObjectItemCaseSensitive(results, "linear");
    const cJSON *top1 = cJSON_GetObjectItemCaseSensitive(linear, "top1");
    const char *data = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(linear, "data"));
    const char *identity = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(linear, "data_identity"));
    out->probe_error = -1;
    if (!cJSON_IsNumber(top1) || !data)
        snprintf(out->no_probe_error, sizeof out->no_probe_error,
                 "there is no linear probe of this run: `invar probe RUN` measures one");
    else if (strcmp(data, info->source) != 0)
        snprintf(out->no_probe_error, sizeof out->no_probe_error,
                 "the linear probe of this run is of %.200s: `invar probe RUN --data SOURCE` measures one here", data);
    else if (identity && info->identity &&
             !invar_data_identity_same(identity, info->identity, difference, sizeof difference))
        snprintf(out->no_probe_error, sizeof out->no_probe_error,
                 "the linear probe of this run is of what was there before: the data differ in %s: `invar probe RUN` "
                 "measures it anew",
                 difference);
    else
        out->probe_error = 100 - top1->valuedouble;
    cJSON_Delete(results);
    return true;
}

static bool read_beside(const struct cli_run *run, struct beside *out, struct invar_error *err)
{
    const char *folder = run->folder;
    char path[PATH_SIZE];

    if (!inspect_recipe_read(folder, &out->recipe, err) ||
        (out->recipe.adversary && !(out->perturber = cli_adversary_open(run, BATCH, NULL, err))) ||
        !invar_path_join(path, sizeof path, folder, "projector.safetensors", err))
        return false;
    if (invar_path_exists(path)) {
        out->projector = invar_head_read(path, err);
        return out->projector != NULL;
    }
    if (out->recipe.found && !out->recipe.projector)
        snprintf(out->no_projector, sizeof out->no_projector, "the recipe has no projector: z is h");
    else
        snprintf(out->no_projector, sizeof out->no_projector,
                 "%.300s: there is no such file, so z is not measured; `invar pretrain --resume --run RUN` writes it "
                 "where the last checkpoint is still there",
                 path);
    return true;
}

static bool measure(const struct arguments *arguments, struct cli_run *run, struct invar_dataset *pair,
                    const struct beside *beside, struct invar_inspection **out, struct invar_error *err)
{
    const enum invar_split split = strcmp(arguments->split, "train") == 0 ? INVAR_TRAIN : INVAR_TEST;
    struct cli_progress progress = {0};
    const struct invar_watch watch = {cli_told, &progress};
    const struct invar_inspect_subject subject = {
        .device = run->device,
        .dataset = run->dataset,
        .pair = pair,
        .split = split,
        .encoder = run->encoder,
        .projector = beside->projector,
        .no_projector = beside->no_projector,
        .views = beside->recipe.found ? &beside->recipe.views : NULL,
        .perturber = beside->perturber,
        .logdet_beta = beside->recipe.logdet_beta,
        .logdet_share = beside->recipe.logdet_share,
        .probe_error = beside->probe_error >= 0 ? &beside->probe_error : NULL,
        .no_probe_error = beside->no_probe_error,
        .watch = &watch,
    };
    if (run->encoder && !beside->recipe.found)
        cli_message("warning: %s/recipe.yaml: there is no such file, so nothing is said about views", run->folder);
    *out = invar_inspect(&subject, &arguments->options, err);
    cli_progress_end(&progress);
    return *out != NULL;
}

static void print_results(const struct arguments *arguments, const struct cli_run *run,
                          const struct invar_inspection *inspection)
{
    printf("%s: %lld %s samples, h %lld wide", invar_dataset_info(run->dataset)->source, (long long)inspection->samples,
           arguments->split, (long long)inspection->h_width);
    if (inspection->z_width)
        printf(", z %lld wide", (long long)inspection->z_width);
    if (inspection->labelled > 0 && inspection->labelled < inspection->samples)
        printf(", %lld with a label", (long long)inspection->labelled);
    printf("\n");
    if (inspection->perturbed[0])
        printf("%s\n", inspection->perturbed);
    inspect_print(inspection);
}

/* The run with what lies beside it. */
static bool open_run(const struct arguments *arguments, struct cli_run *run, struct beside *beside,
                     struct invar_error *err)
{
    const char *folder = arguments->runs.item[0];

    return cli_run_merge(folder, "inspect.json", NULL, err) &&
           cli_run_open(run, folder, arguments->source, NULL, arguments->threads, err) &&
           read_beside(run, beside, err) && read_probe(run, beside, err);
}

/* Features of another view must be of the same samples: as many, as wide. */
static bool check_pair(const struct cli_run *run, const struct cli_run *pair, struct invar_error *err)
{
    const struct invar_dataset_info *a = invar_dataset_info(run->dataset), *b = invar_dataset_info(pair->dataset);

    return (a->count[0] + a->count[1] == b->count[0] + b->count[1] && a->channels == b->channels) ||
           invar_error_set(
               err, INVAR_ERROR_DATA,
               "--pair %s: has %lld rows of %d features where %s has %lld of %d; expected another view of the "
               "same samples, row by row",
               pair->folder, (long long)(b->count[0] + b->count[1]), b->channels, run->folder,
               (long long)(a->count[0] + a->count[1]), a->channels);
}

static bool open_features(struct arguments *arguments, struct cli_run *run, struct cli_run *pair, struct beside *beside,
                          struct invar_error *err)
{
    struct cli_features features = {.file = arguments->runs.item[0],
                                    .labels = cli_take_label_file(&arguments->labels),
                                    .label = arguments->label,
                                    .assignments = &arguments->data};

    snprintf(beside->no_projector, sizeof beside->no_projector, "features from elsewhere are h, and there is no z");
    snprintf(beside->no_probe_error, sizeof beside->no_probe_error,
             "`invar probe %.200s --labels FILE` measures a linear probe", features.file);
    beside->probe_error = -1;
    if (arguments->labels.count)
        return invar_error_set(err, INVAR_ERROR_USAGE, "--labels %s: expected a file, FILE.npy or FILE.csv",
                               arguments->labels.item[0]);
    if (!cli_run_open_features(run, &features, arguments->threads, err))
        return false;
    features.file = arguments->pair;
    return !arguments->pair ||
           (cli_run_open_features(pair, &features, arguments->threads, err) && check_pair(run, pair, err));
}

/* The test split where there is one. */
static void choose_split(struct arguments *arguments, const struct cli_run *run)
{
    const bool tests = run->encoder || invar_dataset_info(run->dataset)->count[INVAR_TEST] > 0;

    if (!arguments->split)
        arguments->split = tests ? "test" : "train";
}

/* Into the folder of the run, where it is one. */
static bool keep(const struct cli_run *run, cJSON *results, struct invar_error *err)
{
    return cli_run_add_machine(run, results, err) &&
           (!run->encoder || cli_run_merge(run->folder, "inspect.json", results, err));
}

static int inspect(struct arguments *arguments)
{
    const bool features = cli_is_features(arguments->runs.item[0]);
    struct invar_error err = {0};
    struct cli_run run = {0}, pair = {0};
    struct beside beside = {0};
    struct invar_inspection *inspection = NULL;
    cJSON *results = cJSON_CreateObject();
    int status = CLI_DONE;
    bool ok =
        features ? open_features(arguments, &run, &pair, &beside, &err) : open_run(arguments, &run, &beside, &err);

    if (ok) {
        choose_split(arguments, &run);
        ok = measure(arguments, &run, pair.dataset, &beside, &inspection, &err);
    }
    if (!ok) {
        status = cli_fail(&err);
        goto done;
    }
    cli_run_add_data(invar_dataset_info(run.dataset), results);
    cJSON_AddStringToObject(results, "split", arguments->split);
    inspect_to_json(inspection, &arguments->options, results);
    if (!keep(&run, results, &err)) {
        status = cli_fail(&err);
    } else if (arguments->json) {
        cJSON_AddStringToObject(results, features ? "features" : "run", run.folder);
        status = cli_print_json(results);
        results = NULL;
    } else {
        print_results(arguments, &run, inspection);
    }
done:
    cJSON_Delete(results);
    invar_inspection_free(inspection);
    invar_perturber_close(beside.perturber);
    invar_head_free(beside.projector);
    cli_run_close(&pair);
    cli_run_close(&run);
    return status;
}

/* Instead of the numbers: a look at what the adversary does. */
static int show_samples(const struct arguments *arguments)
{
    const enum invar_split split =
        arguments->split && strcmp(arguments->split, "train") == 0 ? INVAR_TRAIN : INVAR_TEST;
    struct invar_error err = {0};
    struct cli_run run = {0};
    const bool ok = cli_run_open(&run, arguments->runs.item[0], arguments->source, NULL, arguments->threads, &err) &&
                    cli_samples_write(&run, split, arguments->samples, &err);

    cli_run_close(&run);
    return ok ? CLI_DONE : cli_fail(&err);
}

int invar_cli_inspect(int argc, char **argv)
{
    struct arguments arguments = {0};
    const struct cli_option options[] = {
        {"data", 0, "SOURCE", "other data (default: those of the run)", CLI_TEXT, &arguments.source, 0, 0},
        {"split", 0, "SPLIT", "test or train (default: test, of features without a test split train)", CLI_TEXT,
         &arguments.split, 0, 0},
        {"labels", 0, "FILE", "of FILE.npy: its labels, FILE.npy or FILE.csv", CLI_LIST, &arguments.labels, 0, 0},
        {"label", 0, "COLUMN", "of FILE.npy: the column of --labels that has them", CLI_TEXT, &arguments.label, 0, 0},
        {"pair", 0, "FILE.npy",
         "of FILE.npy: features of another view of the same samples, for alignment, the information bound, canonical "
         "correlations and the generalisation bound",
         CLI_TEXT, &arguments.pair, 0, 0},
        {"samples", 0, "FILE",
         "instead: clean samples, the adversary's perturbations and their sum (PNG; tables: text)", CLI_TEXT,
         &arguments.samples, 0, 0},
        CLI_OPTION_THREADS(&arguments.threads),
        CLI_OPTION_JSON(&arguments.json),
        CLI_OPTION_END,
    };
    const struct cli_usage usage = {
        .verb = "inspect",
        .arguments = "RUN|FILE.npy [--data SOURCE] [--labels FILE] [--pair FILE.npy] [--split SPLIT] [KEY=VALUE ...]",
        .purpose =
            "Numbers that explain what a run has learned, each with its unit and what it says: entropy of h and z\n"
            "by four estimators, effective rank and spectrum, alignment and uniformity, the bound of the\n"
            "information that two views share (perturbed by the run's adversary where it has one), their canonical\n"
            "correlations beside the error of the linear probe (where probe.json has it), Fisher ratios of the\n"
            "classes, normality of the outputs under input noise, and the generalisation bound of a linear head\n"
            "beside its measured error. A collapse is warned of, with the number that shows it. The results also\n"
            "go into RUN/inspect.json. FILE.npy holds features that another program made, one row a sample: the same\n"
            "numbers of them as they are, data.KEY=VALUE as for the source npy:FILE.",
        .options = options,
        .positionals = &arguments.runs,
        .positional_minimum = 1,
        .positional_maximum = 1,
        .positional_name = "RUN or FILE.npy",
        .assignments = &arguments.assignments,
        .example = "  invar inspect runs/quickstart\n"
                   "  invar inspect runs/quickstart labelled=200 noise_samples=4\n"
                   "  invar inspect features.npy --labels features.csv\n"
                   "  invar inspect runs/aplr --samples perturbations.png\n",
        .more = print_table,
    };
    struct invar_error err = {0};
    int status;

    if (!cli_parse(&usage, argc, argv, &status))
        return status;
    if (arguments.split && strcmp(arguments.split, "test") != 0 && strcmp(arguments.split, "train") != 0)
        return cli_wrong_usage(&usage, "--split is \"%s\"; expected test or train", arguments.split);
    const bool features = cli_is_features(arguments.runs.item[0]);
    const char *stray = features                 ? (arguments.source    ? "--data"
                                                    : arguments.samples ? "--samples"
                                                                        : NULL)
                        : arguments.labels.count ? "--labels"
                        : arguments.label        ? "--label"
                        : arguments.pair         ? "--pair"
                                                 : NULL;
    if (stray)
        return cli_wrong_usage(&usage, "%s is for %s, not for %s", stray, features ? "runs" : "features, FILE.npy",
                               arguments.runs.item[0]);
    if (features)
        cli_take_data(&arguments.assignments, &arguments.data);
    invar_options_default(invar_inspect_option_table, &arguments.options);
    for (int i = 0; i < arguments.assignments.count; i++)
        if (!invar_options_set(invar_inspect_option_table, &arguments.options, arguments.assignments.item[i], &err))
            return cli_fail(&err);
    return arguments.samples ? show_samples(&arguments) : inspect(&arguments);
}
