/* SPDX-License-Identifier: Apache-2.0 */
/* invar robustness RUN: errors of the probe under the common image corruptions. */
#include "cli/robustness.h"
#include "base/json.h"
#include "cli/probe.h"
#include "cli/probe_training.h"
#include "base/json.h"
#include "invar/eval.h"
#include "invar/file.h"
#include "invar/version.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const baselines[] = {"random", "supervised", NULL};
enum { PATH_SIZE = 4096, NAME_SIZE = 64 };

struct arguments {
    bool json;
    int64_t threads, limit, seed;
    const char *table, *frost, *reference, *show, *source, *from;
    struct cli_list runs, corruptions, severities, baselines, assignments;
};

/* One evaluation from its arguments to what is written. */
struct robustness {
    const struct arguments *arguments;
    struct cli_run run;
    struct robustness_plan plan;
    struct robustness_reference reference;
    struct probe_settings settings; /* of the probe */
    struct cli_progress progress;
    struct invar_watch watch; /* shows it */
    cJSON *results, *baselines;
};

/* -1: there is none of that name. */
static int table_of(const char *name)
{
    for (int table = 0; invar_corruption_table_name(table); table++)
        if (strcmp(invar_corruption_table_name(table), name) == 0)
            return table;
    return -1;
}

static int place_in(const char *const *names, const char *name)
{
    int i = 0;
    while (names[i] && strcmp(names[i], name) != 0)
        i++;
    return names[i] ? i : -1;
}

/* ---- what is measured ---- */

/* Calls take for every word of lists such as "fog,snow". */
static bool each_word(const struct cli_list *list, struct robustness_plan *plan,
                      bool (*take)(struct robustness_plan *plan, const char *word, struct invar_error *err),
                      struct invar_error *err)
{
    for (int i = 0; i < list->count; i++)
        for (const char *word = list->item[i]; word;) {
            const char *comma = strchr(word, ',');
            const size_t length = comma ? (size_t)(comma - word) : strlen(word);
            char text[NAME_SIZE];
            if (length >= sizeof text)
                return invar_error_set(err, INVAR_ERROR_USAGE, "\"%s\" is no list of names with commas between them",
                                       list->item[i]);
            memcpy(text, word, length);
            text[length] = '\0';
            if (!take(plan, text, err))
                return false;
            word = comma ? comma + 1 : NULL;
        }
    return true;
}

/* Both lists are kept in their natural order, each entry once. */
static bool take_corruption(struct robustness_plan *plan, const char *word, struct invar_error *err)
{
    const struct invar_corruption_spec *spec = invar_corruption_find(word, err);
    int kept = 0;
    bool chosen[ROBUSTNESS_MAX_CELLS] = {false};

    if (!spec)
        return false;
    for (int i = 0; i < invar_corruption_count(); i++) {
        chosen[i] = invar_corruption_at(i) == spec;
        for (int k = 0; k < plan->corruption_count; k++)
            chosen[i] = chosen[i] || plan->corruptions[k] == invar_corruption_at(i);
    }
    for (int i = 0; i < invar_corruption_count(); i++)
        if (chosen[i])
            plan->corruptions[kept++] = invar_corruption_at(i);
    plan->corruption_count = kept;
    return true;
}

static bool take_severity(struct robustness_plan *plan, const char *word, struct invar_error *err)
{
    bool chosen[INVAR_CORRUPTION_SEVERITIES] = {false};
    const int severity = word[0] - '0';

    if (!word[0] || word[1] || severity < 1 || severity > INVAR_CORRUPTION_SEVERITIES)
        return invar_error_set(err, INVAR_ERROR_USAGE, "--severity is \"%s\"; expected 1 to %d, or several as in 1,3,5",
                               word, INVAR_CORRUPTION_SEVERITIES);
    for (int i = 0; i < plan->severity_count; i++)
        chosen[plan->severities[i] - 1] = true;
    chosen[severity - 1] = true;
    plan->severity_count = 0;
    for (int i = 0; i < INVAR_CORRUPTION_SEVERITIES; i++)
        if (chosen[i])
            plan->severities[plan->severity_count++] = i + 1;
    return true;
}

static bool choose_cells(struct robustness *r, struct invar_error *err)
{
    struct robustness_plan *plan = &r->plan;

    if (!each_word(&r->arguments->corruptions, plan, take_corruption, err) ||
        !each_word(&r->arguments->severities, plan, take_severity, err))
        return false;
    for (int i = 0; !r->arguments->corruptions.count && i < invar_corruption_count(); i++)
        plan->corruptions[plan->corruption_count++] = invar_corruption_at(i);
    for (int i = 0; !r->arguments->severities.count && i < INVAR_CORRUPTION_SEVERITIES; i++)
        plan->severities[plan->severity_count++] = i + 1;
    return true;
}

static int make_cells(const struct robustness_plan *plan, struct invar_robustness_cell *cells)
{
    int count = 0;

    for (int c = 0; c < plan->corruption_count; c++)
        for (int s = 0; s < plan->severity_count; s++)
            cells[count++] = (struct invar_robustness_cell){plan->corruptions[c], plan->severities[s], 0, 0};
    return count;
}

/* What the data say: sizes, numbers, the table; and the pictures of frost where they are needed. */
static bool complete_plan(struct robustness *r, struct invar_error *err)
{
    const struct invar_dataset_info *info = invar_dataset_info(r->run.dataset);
    const struct invar_shape input = invar_net_input(r->run.encoder->net);
    struct robustness_plan *plan = &r->plan;
    struct invar_robustness_cell cells[ROBUSTNESS_MAX_CELLS];
    bool frost = false;

    plan->data = info->source;
    plan->images = info->count[INVAR_TEST];
    if (plan->options.limit && plan->options.limit < plan->images)
        plan->images = plan->options.limit;
    plan->height = (int)input.height;
    plan->width = (int)input.width;
    plan->channels = info->channels;
    plan->options.table = invar_corruption_table_used(plan->options.table, plan->height, plan->width);
    for (int i = 0; i < plan->corruption_count; i++)
        frost |= strcmp(plan->corruptions[i]->name, "frost") == 0;
    if (frost && !plan->from) {
        plan->pictures = invar_frost_create(plan->frost, err);
        if (!plan->pictures)
            return false;
        plan->options.frost = plan->pictures;
    }
    return invar_robustness_check(r->run.encoder, info, &plan->options, cells, plan->from ? 0 : make_cells(plan, cells),
                                  err);
}

static bool prepare(struct robustness *r, struct invar_error *err)
{
    const struct arguments *a = r->arguments;

    r->plan.from = a->from;
    r->plan.frost = a->frost;
    r->plan.options = (struct invar_robustness_options){
        .table = (enum invar_corruption_table)table_of(a->table), .seed = (uint64_t)a->seed, .limit = a->limit};
    invar_options_default(invar_probe_option_table, &r->settings.linear);
    for (int i = 0; i < a->assignments.count; i++)
        if (!invar_options_set(invar_probe_option_table, &r->settings.linear, a->assignments.item[i], err))
            return false;
    return choose_cells(r, err) && cli_run_merge(a->runs.item[0], "robustness.json", NULL, err) &&
           cli_run_open(&r->run, a->runs.item[0], a->source, NULL, a->threads, err) && complete_plan(r, err);
}

/* ---- measuring ---- */

/* The probe on clean representations of the training split. */
static bool fit_probe(struct robustness *r, const struct invar_encoder *encoder, struct invar_probe_result *out,
                      struct invar_error *err)
{
    const struct invar_dataset_info *info = invar_dataset_info(r->run.dataset);
    struct invar_embedded train = {0};
    bool ok = cli_run_embed(&r->run, encoder, INVAR_TRAIN, &train, err);

    if (ok) {
        const struct invar_matrix features = {INVAR_FLOAT32, train.features.shape[0], train.features.shape[1],
                                              train.features.data};
        ok = invar_probe_fit(&features, train.labels.data, NULL, NULL, info->classes, &r->settings.linear, out, err);
    }
    invar_embedded_free(&train);
    if (ok && !out->fit.converged)
        cli_message("warning: the probe stopped after %lld iterations with a gradient of %.1e, above %.1e; raise "
                    "iterations=%lld",
                    (long long)out->fit.iterations, out->fit.gradient_norm, r->settings.linear.tolerance,
                    (long long)r->settings.linear.iterations);
    return ok;
}

static bool measure_cells(struct robustness *r, const struct invar_encoder *encoder,
                          const struct invar_classifier *classifier, struct invar_robustness_cell *cells, int count,
                          struct invar_robustness_cell *clean, struct invar_error *err)
{
    struct robustness_plan *plan = &r->plan;
    bool ok;

    plan->options.watch = &r->watch;
    cli_catch_interrupt();
    ok = invar_robustness_measure(r->run.device, encoder, r->run.dataset, classifier, &plan->options, cells,
                                  plan->from ? 0 : count, clean, err) &&
         (!plan->from || invar_robustness_ready(r->run.device, encoder, invar_dataset_info(r->run.dataset), plan->from,
                                                classifier, &plan->options, cells, count, err));
    cli_progress_end(&r->progress);
    cli_release_interrupt();
    return ok;
}

static void add_probe(const struct robustness *r, const struct invar_probe_result *probe, cJSON *object)
{
    cJSON *item = cJSON_AddObjectToObject(object, "probe");

    cJSON_AddNumberToObject(item, "train_count", (double)probe->train_count);
    cJSON_AddNumberToObject(item, "l2", probe->l2);
    if (probe->held_out_count) {
        cJSON_AddStringToObject(item, "chosen_on", "held-out part of the training split");
        cJSON_AddNumberToObject(item, "held_out_count", (double)probe->held_out_count);
        cJSON_AddNumberToObject(item, "held_out_top1", probe->held_out_top1);
        cJSON_AddNumberToObject(item, "seed", (double)r->settings.linear.seed);
    }
    cJSON_AddBoolToObject(item, "converged", probe->fit.converged);
}

/* Errors of one encoder, into object. */
static bool measure(struct robustness *r, const struct invar_encoder *encoder, cJSON *object, struct invar_error *err)
{
    struct invar_robustness_cell cells[ROBUSTNESS_MAX_CELLS], clean = {0};
    const int count = make_cells(&r->plan, cells);
    const double started = cli_seconds();
    struct robustness_result result;
    struct invar_probe_result probe = {0};
    bool ok = fit_probe(r, encoder, &probe, err);
    const double fitted = cli_seconds();

    if (ok) {
        const struct invar_classifier classifier = {invar_dataset_info(r->run.dataset)->classes, probe.dimensions,
                                                    probe.weight, probe.bias};
        ok = measure_cells(r, encoder, &classifier, cells, count, &clean, err);
    }
    if (ok) {
        const double seconds = cli_seconds() - fitted;
        int64_t images = clean.count;
        result.clean = 100 * (double)clean.wrong / (double)clean.count;
        for (int i = 0; i < count; i++) {
            result.error[i] = 100 * (double)cells[i].wrong / (double)cells[i].count;
            images += cells[i].count;
        }
        add_probe(r, &probe, object);
        robustness_add(object, &r->plan, &result, &r->reference);
        cJSON_AddNumberToObject(cJSON_GetObjectItemCaseSensitive(object, "clean"), "count", (double)clean.count);
        if (r->plan.from)
            cJSON_AddNumberToObject(object, "ready_images", (double)cells[0].count);
        cJSON_AddNumberToObject(object, "images_per_s", (double)images / seconds);
        cJSON_AddNumberToObject(object, "seconds", cli_seconds() - started);
    }
    invar_probe_result_free(&probe);
    return ok;
}

static bool measure_baseline(struct robustness *r, const char *name, struct invar_error *err)
{
    cJSON *object = cJSON_AddObjectToObject(r->baselines, name);
    struct probe_training *supervised = NULL;
    struct invar_encoder *random = NULL;
    bool ok;

    if (strcmp(name, "supervised") == 0) {
        supervised = probe_supervised_train(&r->run, &r->settings, err);
        ok = supervised && measure(r, supervised->encoder, object, err);
        if (ok)
            probe_supervised_describe(supervised, r->run.trained_in, object);
    } else {
        random = cli_run_random_encoder(&r->run, err);
        ok = random && measure(r, random, object, err);
    }
    probe_training_free(supervised);
    invar_encoder_free(random);
    return ok;
}

static bool measure_all(struct robustness *r, struct invar_error *err)
{
    cJSON *protocol = robustness_protocol(&r->plan);

    if (invar_dataset_info(r->run.dataset)->identity)
        cJSON_AddStringToObject(protocol, "data_identity", invar_dataset_info(r->run.dataset)->identity);
    cJSON_AddStringToObject(protocol, "precision", "float32");
    cJSON_AddStringToObject(protocol, "version", INVAR_VERSION);
    r->results = cJSON_CreateObject();
    cJSON_AddNumberToObject(r->results, "format", ROBUSTNESS_FORMAT);
    cJSON_AddItemToObject(r->results, "protocol", protocol);
    if (r->reference.name)
        cJSON_AddStringToObject(cJSON_AddObjectToObject(r->results, "reference"), "name", r->reference.name);
    if (!measure(r, r->run.encoder, r->results, err))
        return false;
    if (r->arguments->baselines.count)
        r->baselines = cJSON_AddObjectToObject(r->results, "baselines");
    for (const char *const *name = baselines; *name; name++)
        for (int i = 0; i < r->arguments->baselines.count; i++)
            if (strcmp(r->arguments->baselines.item[i], *name) == 0) {
                if (!measure_baseline(r, *name, err))
                    return false;
                break;
            }
    return true;
}

/* ---- what is left behind ---- */

/* Corrupted images that results are about. */
static double amount(const cJSON *results)
{
    const cJSON *protocol = cJSON_GetObjectItemCaseSensitive(results, "protocol"), *item;
    const cJSON *images = cJSON_GetObjectItemCaseSensitive(protocol, "images");
    double lists = 0;

    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(results, "corruptions")) lists +=
        cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(item, "error"));
    return cJSON_IsNumber(images) ? lists * images->valuedouble : 0;
}

/* A look at a part does not take the place of the whole. */
static bool write_results(const struct robustness *r, struct invar_error *err)
{
    cJSON *before = cli_run_results(r->run.folder, "robustness.json", err), *kept = NULL;
    char path[PATH_SIZE];
    char *text = NULL;
    bool ok = before && invar_path_join(path, sizeof path, r->run.folder, "robustness.json", err);

    if (ok && amount(before) > amount(r->results)) {
        cli_message("%s is about more corruptions, severities or images than this, and stays as it is", path);
    } else if (ok) {
        kept = cJSON_Duplicate(r->results, true);
        ok = cli_run_add_machine(&r->run, kept, err);
        text = ok ? json_print(kept, true, path, err) : NULL;
        ok = text && invar_file_write(path, text, strlen(text), err);
    }
    cJSON_free(text);
    cJSON_Delete(kept);
    cJSON_Delete(before);
    return ok;
}

static void print_text(const struct robustness *r)
{
    const struct robustness_plan *plan = &r->plan;
    const cJSON *item;

    printf("%s: %lld test images of %d x %d x %d; errors in %%\n", plan->data, (long long)plan->images, plan->height,
           plan->width, plan->channels);
    if (plan->from)
        printf("corrupted images: those of %s\n", plan->from);
    else
        printf("corrupted by the parameters %s, seed %llu, frost: %s\n",
               plan->options.table == INVAR_CORRUPTION_SCALED ? "between those for 32 and 224 pixels"
               : plan->options.table == INVAR_CORRUPTION_32   ? "for 32 pixels"
                                                              : "for 224 pixels",
               (unsigned long long)plan->options.seed,
               plan->frost ? plan->frost : "synthetic pictures (not comparable with published numbers)");
    if (r->reference.name)
        printf("reference: %s, %.2f on clean images\n", r->reference.name, robustness_reference_clean(&r->reference));
    robustness_print(r->results, plan, "probe of the run");
    cJSON_ArrayForEach(item, r->baselines) robustness_print(item, plan, item->string);
}

static bool evaluate(struct robustness *r, struct invar_error *err)
{
    if (!probe_check_labels(invar_dataset_info(r->run.dataset), err) ||
        !robustness_reference_open(&r->reference, r->arguments->reference, &r->plan, err))
        return false;
    return measure_all(r, err) && write_results(r, err);
}

static int show(struct robustness *r)
{
    struct invar_error err = {0};

    if (!robustness_show(&r->run, &r->plan, r->arguments->show, &err))
        return cli_fail(&err);
    cli_message("%s: two test images under %d corruptions at %d severities", r->arguments->show,
                r->plan.corruption_count, r->plan.severity_count);
    return CLI_DONE;
}

static int robustness(const struct arguments *arguments)
{
    struct robustness r = {.arguments = arguments, .watch = {cli_told, &r.progress}};
    struct invar_error err = {0};
    int status = CLI_DONE;

    if (!prepare(&r, &err)) {
        status = cli_fail(&err);
    } else if (arguments->show) {
        status = show(&r);
    } else if (!evaluate(&r, &err)) {
        status = cli_fail(&err);
    } else if (arguments->json) {
        cJSON_AddStringToObject(r.results, "run", arguments->runs.item[0]);
        status = cli_print_json(r.results);
        r.results = NULL;
    } else {
        print_text(&r);
    }
    cJSON_Delete(r.results);
    robustness_reference_close(&r.reference);
    invar_frost_free(r.plan.pictures);
    cli_run_close(&r.run);
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
    if (table_of(arguments.table) < 0)
        return cli_wrong_usage(&usage, "--table is \"%s\"; expected auto, 32, 224 or scaled", arguments.table);
    for (int i = 0; i < arguments.baselines.count; i++)
        if (place_in(baselines, arguments.baselines.item[i]) < 0)
            return cli_wrong_usage(&usage, "--baseline is \"%s\"; expected random or supervised",
                                   arguments.baselines.item[i]);
    return robustness(&arguments);
}
