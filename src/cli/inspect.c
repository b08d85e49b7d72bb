/* SPDX-License-Identifier: Apache-2.0 */
/* invar inspect RUN: information, geometry and separability of the representations of a run. */
#include "cli/run.h"
#include "invar/data.h"
#include "invar/measure.h"
#include "invar/memory.h"
#include "invar/objective.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

struct settings {
    int64_t samples;
    double beta, sigma, uniformity_t;
};

#define AT(field) offsetof(struct settings, field)
static const struct invar_option table[] = {
    {"samples", INVAR_OPTION_INT, AT(samples), "4096", 2, 32768, NULL,
     "at most so many, evenly spaced over the test split; PairDist takes 8 bytes for every pair of them"},
    {"beta", INVAR_OPTION_REAL, AT(beta), "1", 1e-9, 1e9, NULL, "of the LogDet entropy"},
    {"sigma", INVAR_OPTION_REAL, AT(sigma), "1", 1e-9, 1e9, NULL, "of the PairDist entropies, in units of h"},
    {"uniformity_t", INVAR_OPTION_REAL, AT(uniformity_t), "2", 1e-3, 100, NULL, "of the uniformity"},
    {0},
};

static void print_table(FILE *stream)
{
    struct invar_text text = {0};
    if (invar_options_describe(table, 2, &text, NULL))
        fprintf(stream, "KEY=VALUE:\n%s", text.data);
    invar_text_free(&text);
}

/* One measurement; a value that could not be had is null, and says why. */
static void add(cJSON *results, const char *name, const double *value, const char *unit, const char *says)
{
    cJSON *item = cJSON_AddObjectToObject(results, name);
    cJSON_AddItemToObject(item, "value", value ? cJSON_CreateNumber(*value) : cJSON_CreateNull());
    cJSON_AddStringToObject(item, "unit", unit);
    cJSON_AddStringToObject(item, "says", says);
}

/* What the data do not allow is part of the report; anything else ends it. */
static bool is_finding(const struct invar_error *err)
{
    return err->code == INVAR_ERROR_NUMERIC || err->code == INVAR_ERROR_DATA;
}

struct inspection {
    struct invar_device *device;
    struct invar_scratch *scratch;
    struct settings settings;
    struct invar_matrix features; /* rows of the sample */
    int64_t *labels;
    cJSON *results;
};

static bool add_entropies(struct inspection *in, struct invar_error *err)
{
    static const struct {
        enum invar_entropy_estimator estimator;
        const char *name, *says;
    } entropies[] = {
        {INVAR_ENTROPY_GAUSSIAN, "entropy_gaussian", "of a Gaussian of the same covariance: above the true entropy"},
        {INVAR_ENTROPY_LOGDET, "entropy_logdet", "0 when all samples coincide; grows with every direction in use"},
        {INVAR_ENTROPY_PAIRDIST_KL, "entropy_pairdist_upper",
         "of a mixture of Gaussians around the samples, from above"},
        {INVAR_ENTROPY_PAIRDIST_BHATTACHARYYA, "entropy_pairdist_lower", "the same from below"},
    };
    for (size_t i = 0; i < sizeof entropies / sizeof *entropies; ++i) {
        const struct invar_entropy_options options = {entropies[i].estimator, in->settings.beta, in->settings.sigma};
        struct invar_error why = {0};
        double value;
        invar_scratch_reset(in->scratch);
        if (!invar_measure_entropy(in->device, in->scratch, &in->features, &options, NULL, &value, &why)) {
            if (!is_finding(&why))
                return invar_error_set(err, why.code, "%s", why.message);
            add(in->results, entropies[i].name, NULL, "nats", why.message);
            continue;
        }
        add(in->results, entropies[i].name, &value, "nats", entropies[i].says);
        if (options.estimator != INVAR_ENTROPY_LOGDET)
            continue;
        value = invar_measure_logdet_in_nats(value, in->features.cols, options.beta);
        add(in->results, "entropy_logdet_gaussian_scale", &value, "nats",
            "the same on the scale of entropy_gaussian, where beta C is large");
    }
    return true;
}

static bool add_spectrum(struct inspection *in, struct invar_error *err)
{
    const int64_t d = in->features.cols;
    double *eigenvalues = invar_alloc((size_t)d, sizeof *eigenvalues, err), sum = 0, part = 0, rank, deviation;
    bool ok = false;
    int64_t needed = 0;
    invar_scratch_reset(in->scratch);
    if (!eigenvalues || !invar_measure_deviation(in->device, in->scratch, &in->features, &deviation, err) ||
        !invar_measure_effective_rank(in->device, in->scratch, &in->features, &rank, err) ||
        !invar_measure_spectrum(in->device, in->scratch, &in->features, NULL, eigenvalues, err))
        goto done;
    for (int64_t i = 0; i < d; ++i)
        sum += eigenvalues[i];
    while (needed < d && part < 0.99 * sum)
        part += eigenvalues[needed++];
    const double directions = (double)needed;
    add(in->results, "deviation", &deviation, "units of h", "mean over features of their deviation; 0 is collapse");
    add(in->results, "effective_rank", &rank, "directions", "RankMe: about how many directions are in use");
    add(in->results, "directions_99", &directions, "directions", "hold 99 % of the variance");
    cJSON_AddItemToObject(in->results, "covariance_eigenvalues", cJSON_CreateDoubleArray(eigenvalues, (int)d));
    ok = true;
done:
    invar_free(eigenvalues);
    return ok;
}

static bool add_uniformity(struct inspection *in, struct invar_error *err)
{
    double value;
    invar_scratch_reset(in->scratch);
    if (!invar_measure_uniformity(in->device, in->scratch, &in->features, in->settings.uniformity_t, NULL, &value, err))
        return false;
    add(in->results, "uniformity", &value, "log", "0 when all samples coincide; more negative: more evenly spread");
    return true;
}

static bool add_fisher(struct inspection *in, struct invar_error *err)
{
    struct invar_fisher fisher;
    struct invar_error why = {0};
    if (!invar_measure_fisher(&in->features, in->labels, &fisher, &why)) {
        if (!is_finding(&why))
            return invar_error_set(err, why.code, "%s", why.message);
        add(in->results, "fisher_median", NULL, "ratio", why.message);
        return true;
    }
    const double single = fisher.single, collapsed = fisher.collapsed;
    add(in->results, "fisher_min", &fisher.min, "ratio", "the pair of classes that is hardest to tell apart");
    add(in->results, "fisher_quartile1", &fisher.quartile1, "ratio",
        "a quarter of the ordered pairs of classes is below");
    add(in->results, "fisher_median", &fisher.median, "ratio", "squared distance of class means over pairwise scatter");
    add(in->results, "fisher_quartile3", &fisher.quartile3, "ratio", "three quarters are below");
    add(in->results, "fisher_max", &fisher.max, "ratio", "the pair that is easiest to tell apart");
    add(in->results, "fisher_single", &single, "classes", "left out: one sample only");
    add(in->results, "fisher_collapsed", &collapsed, "classes", "left out: all their samples coincide");
    invar_fisher_free(&fisher);
    return true;
}

/* Evenly spaced rows move to the front. */
static void thin(struct invar_embedded *embedded, int64_t count)
{
    const int64_t rows = embedded->features.shape[0], cols = embedded->features.shape[1];
    float *features = embedded->features.data;
    int64_t *labels = embedded->labels.data;
    if (rows <= count)
        return;
    for (int64_t i = 0; i < count; ++i) {
        const int64_t from = i * rows / count;
        memmove(features + i * cols, features + from * cols, (size_t)cols * sizeof *features);
        labels[i] = labels[from];
    }
    embedded->features.shape[0] = embedded->labels.shape[0] = count;
}

static bool measure(struct cli_run *run, const struct settings *settings, cJSON *results, struct invar_error *err)
{
    const struct invar_dataset_info *info = invar_dataset_info(run->dataset);
    struct invar_embedded embedded = {0};
    struct inspection in = {.device = run->device, .settings = *settings, .results = results};
    bool ok = false;
    if (!cli_run_embed(run, run->encoder, INVAR_TEST, &embedded, err))
        goto done;
    thin(&embedded, settings->samples);
    in.features = (struct invar_matrix){INVAR_FLOAT32, embedded.features.shape[0], embedded.features.shape[1], NULL};
    const size_t count = (size_t)(in.features.rows * in.features.cols);
    in.labels = embedded.labels.data;
    in.scratch = invar_scratch_create(err);
    in.features.data = invar_device_alloc(run->device, count, sizeof(float), err);
    if (!in.scratch || !in.features.data)
        goto done;
    invar_device_upload(run->device, in.features.data, embedded.features.data, count * sizeof(float));
    cJSON_AddStringToObject(results, "data", info->source);
    cJSON_AddStringToObject(results, "split", "test");
    cJSON_AddNumberToObject(results, "samples", (double)in.features.rows);
    cJSON_AddNumberToObject(results, "dimensions", (double)in.features.cols);
    if (!add_entropies(&in, err) || !add_spectrum(&in, err) || !add_uniformity(&in, err))
        goto done;
    /* The measurement of classes reads the host's copy. */
    void *on_device = in.features.data;
    in.features.data = embedded.features.data;
    ok = info->classes < 2 || add_fisher(&in, err);
    in.features.data = on_device;
done:
    invar_device_free(run->device, in.features.data);
    invar_scratch_free(in.scratch);
    invar_embedded_free(&embedded);
    return ok;
}

static void print_results(const cJSON *results)
{
    const cJSON *item;
    printf("%s: %.0f test samples x %.0f features\n\n", cJSON_GetObjectItemCaseSensitive(results, "data")->valuestring,
           cJSON_GetObjectItemCaseSensitive(results, "samples")->valuedouble,
           cJSON_GetObjectItemCaseSensitive(results, "dimensions")->valuedouble);
    cJSON_ArrayForEach(item, results)
    {
        const cJSON *value = cJSON_GetObjectItemCaseSensitive(item, "value");
        if (!value)
            continue;
        printf("%-30s ", item->string);
        if (cJSON_IsNumber(value))
            printf("%14.6g", value->valuedouble);
        else
            printf("%14s", "none");
        printf(" %-10s  %s\n", cJSON_GetObjectItemCaseSensitive(item, "unit")->valuestring,
               cJSON_GetObjectItemCaseSensitive(item, "says")->valuestring);
    }
}

static int inspect(const char *folder, const char *source, int64_t threads, const struct settings *settings, bool json)
{
    struct invar_error err = {0};
    struct cli_run run = {0};
    cJSON *results = cJSON_CreateObject();
    int status = CLI_DONE;
    if (!cli_run_merge(folder, "inspect.json", NULL, &err) ||
        !cli_run_open(&run, folder, source, NULL, threads, &err) || !measure(&run, settings, results, &err) ||
        !cli_run_merge(folder, "inspect.json", results, &err)) {
        status = cli_fail(&err);
    } else if (json) {
        cJSON_AddStringToObject(results, "run", folder);
        status = cli_print_json(results);
        results = NULL;
    } else {
        print_results(results);
    }
    cJSON_Delete(results);
    cli_run_close(&run);
    return status;
}

int invar_cli_inspect(int argc, char **argv)
{
    bool json = false;
    int64_t threads = 0;
    const char *source = NULL;
    struct cli_list runs = {0}, assignments = {0};
    struct settings settings;
    const struct cli_option options[] = {
        {"data", 0, "SOURCE", "other data (default: those of the run)", CLI_TEXT, &source, 0, 0},
        CLI_OPTION_THREADS(&threads),
        CLI_OPTION_JSON(&json),
        CLI_OPTION_END,
    };
    const struct cli_usage usage = {
        .verb = "inspect",
        .arguments = "RUN [--data SOURCE] [KEY=VALUE ...]",
        .purpose = "Numbers that explain the representations of a run, on its test split under the plain view: entropy "
                   "by four\nestimators, effective rank and spectrum, uniformity, and Fisher ratios where there are "
                   "labels. Each with its unit\nand what it says. The results also go into RUN/inspect.json.",
        .options = options,
        .positionals = &runs,
        .positional_minimum = 1,
        .positional_maximum = 1,
        .positional_name = "RUN",
        .assignments = &assignments,
        .example = "  invar inspect runs/quickstart\n",
        .more = print_table,
    };
    struct invar_error err = {0};
    int status;
    if (!cli_parse(&usage, argc, argv, &status))
        return status;
    invar_options_default(table, &settings);
    for (int i = 0; i < assignments.count; ++i)
        if (!invar_options_set(table, &settings, assignments.item[i], &err))
            return cli_fail(&err);
    return inspect(runs.item[0], source, threads, &settings, json);
}
