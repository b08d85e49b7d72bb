/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times the value and the gradient of every term on a batch of embeddings: one JSON object first for the machine, then
 * one for each term and width. With a folder it also writes the inputs there, so that a peer does the same work.
 * usage: bench_terms THREADS SAMPLES REPEATS [FOLDER [CASE ..]]
 */
#include "invar/expert/random.h"
#include "invar/invar.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define VIEWS 2
#define PEAK_SIDE 2048
#define PEAK_REPEATS 5 /* the best, as of the terms */
#define MAX_REPEATS 1000

static const int64_t widths[] = {256, 2048};

/* Multiply-adds, times two, of the matrix products that a term cannot do without: a symmetric product counts half, and
 * one in float64 twice. n samples, d dimensions, least the smaller of both. */
static double no_products(double n, double d, double least)
{
    return 0 * n * d * least;
}

/* logits and two gradients, the transposed logits for free */
static double relic_products(double n, double d, double least)
{
    (void)least;
    return 6 * n * n * d;
}

static double relic_target_products(double n, double d, double least)
{
    (void)least;
    return 8 * n * n * d;
}

/* of 2n x 2n logits, symmetric */
static double ntxent_products(double n, double d, double least)
{
    (void)least;
    return 12 * n * n * d;
}

/* a correlation of d x d (or two symmetric ones of n x n) and two gradients; twice a covariance and its gradient */
static double correlation_products(double n, double d, double least)
{
    return 6 * n * d * least;
}

/* twice: the symmetric matrix, its factor, two triangular solutions */
static double logdet_products(double n, double d, double least)
{
    return 2 * VIEWS * (3 * n * d * least + least * least * least / 3);
}

/* twice: distances in float64, symmetric, and the gradient in float32 */
static double pairdist_products(double n, double d, double least)
{
    (void)least;
    return VIEWS * 4 * n * n * d;
}

/* options: YAML that is JSON too */
static const struct timed {
    const char *name, *term, *options;
    double (*products)(double n, double d, double least);
} cases[] = {
    {"relic", "relic", "{\"tau\": 0.2}", relic_products},
    {"relic, target", "relic", "{\"tau\": 0.2, \"target\": true}", relic_target_products},
    {"ntxent", "ntxent", "{\"tau\": 0.2}", ntxent_products},
    {"byol", "byol", "{}", no_products},
    {"barlow", "barlow", "{}", correlation_products},
    {"invariance", "invariance", "{}", no_products},
    {"variance", "variance", "{}", no_products},
    {"covariance", "covariance", "{}", correlation_products},
    {"vicreg", "vicreg", "{}", correlation_products},
    {"logdet", "logdet", "{\"beta\": 10}", logdet_products},
    {"pairdist kl", "pairdist", "{\"distance\": \"kl\", \"sigma\": 0.45, \"normalise\": true}", pairdist_products},
    {"pairdist bhattacharyya", "pairdist", "{\"distance\": \"bhattacharyya\", \"sigma\": 0.45, \"normalise\": true}",
     pairdist_products},
    {"pairdist chernoff", "pairdist",
     "{\"distance\": \"chernoff\", \"chernoff_alpha\": 0.2, \"sigma\": 0.45, \"normalise\": true}", pairdist_products},
    {"entropy_invariance", "entropy_invariance", "{\"beta\": 10}", logdet_products},
    {"uniformity", "uniformity", "{}", no_products},
    {"koleo", "koleo", "{}", no_products},
    {"tcr", "tcr", "{}", no_products},
    {"vne", "vne", "{}", no_products},
    {"frossl", "frossl", "{}", no_products},
    {"spectral_contrastive", "spectral_contrastive", "{}", no_products},
    {"supcon", "supcon", "{}", no_products},
    {"soft_hgr", "soft_hgr", "{}", no_products},
    {"wmse", "wmse", "{\"shrink\": 0.1}", no_products},
    {"ssl_hsic", "ssl_hsic", "{}", no_products},
    {"mec", "mec", "{}", no_products},
    {"mmd", "mmd", "{\"sigma\": 32}", no_products},
    {"sigreg", "sigreg", "{}", no_products},
    {"visreg", "visreg", "{}", no_products},
    {"mmcr", "mmcr", "{}", no_products},
    {"corinfomax", "corinfomax", "{\"eps\": 0.01}", no_products},
    {"moco", "moco", "{\"queue\": 1024}", no_products},
    {"nnclr", "nnclr", "{\"queue\": 1024}", no_products},
    {"tico", "tico", "{}", no_products},
    {"dino", "dino", "{}", no_products},
    {"swav", "swav", "{\"epsilon\": 1}", no_products},
};

/* Of sigreg and visreg, brought like the other inputs, so that a peer has the same. */
enum { SLICES = 256 };

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void free_inputs(struct invar_embeddings *in, struct invar_embeddings *gradient)
{
    for (int role = 0; role < INVAR_ROLE_COUNT; role++)
        for (int v = 0; v < VIEWS; v++) {
            invar_free(in->by[role][v].data);
            invar_free(gradient->by[role][v].data);
        }
}

/* Two views in roles z, q and t, a shared part and one of each, and room for the gradients of z and q. */
static bool make_inputs(int64_t n, int64_t d, struct invar_embeddings *in, struct invar_embeddings *gradient,
                        struct invar_error *err)
{
    *in = *gradient = (struct invar_embeddings){.views = VIEWS};
    for (int role = INVAR_ROLE_Z; role <= INVAR_ROLE_T; role++)
        for (int v = 0; v < VIEWS; v++) {
            struct invar_random shared = invar_random_stream(1, INVAR_RANDOM_TEST, 0, 0, 0);
            struct invar_random own = invar_random_stream(1, INVAR_RANDOM_TEST, 1, (uint64_t)role, (uint32_t)v);
            float *x = invar_alloc((size_t)(n * d), sizeof *x, err);
            in->by[role][v] = (struct invar_matrix){.dtype = INVAR_FLOAT32, .rows = n, .cols = d, .data = x};
            gradient->by[role][v] = in->by[role][v];
            gradient->by[role][v].data = role == INVAR_ROLE_T ? NULL : invar_alloc((size_t)(n * d), sizeof *x, err);
            if (!x || (role != INVAR_ROLE_T && !gradient->by[role][v].data))
                return false;
            for (int64_t i = 0; i < n * d; i++)
                x[i] = 0.8f * invar_random_normal(&shared) + 0.3f * invar_random_normal(&own);
        }
    return true;
}

static bool write_inputs(const char *folder, const struct invar_embeddings *in, struct invar_error *err)
{
    static const char letters[] = {[INVAR_ROLE_Z] = 'z', [INVAR_ROLE_Q] = 'q', [INVAR_ROLE_T] = 't'};

    for (int role = INVAR_ROLE_Z; role <= INVAR_ROLE_T; role++)
        for (int v = 0; v < VIEWS; v++) {
            const struct invar_matrix *x = &in->by[role][v];
            struct invar_array array = {.dtype = x->dtype, .rank = 2, .shape = {x->rows, x->cols}, .data = x->data};
            char path[4096];
            snprintf(path, sizeof path, "%s/%c%d-%lld.npy", folder, letters[role], v + 1, (long long)x->cols);
            if (!invar_npy_write(&array, path, err))
                return false;
        }
    return true;
}

static bool make_slices(int64_t d, struct invar_embeddings *in, const char *folder, struct invar_error *err)
{
    struct invar_random random = invar_random_stream(1, INVAR_RANDOM_TEST, 2, 0, 0);
    struct invar_array array = {.dtype = INVAR_FLOAT32, .rank = 2, .shape = {d, SLICES}};
    char path[4096];

    array.data = invar_alloc((size_t)(d * SLICES), sizeof(float), err);
    in->by[INVAR_ROLE_W][0] = (struct invar_matrix){INVAR_FLOAT32, d, SLICES, array.data};
    for (int64_t i = 0; array.data && i < d * SLICES; i++)
        ((float *)array.data)[i] = invar_random_normal(&random);
    snprintf(path, sizeof path, "%s/slices-%lld.npy", folder ? folder : "", (long long)d);
    return array.data && (!folder || invar_npy_write(&array, path, err));
}

/* the roles that the term reads: others cost nothing, not even being zeroed */
static void choose_roles(const struct invar_objective *objective, struct invar_embeddings *x)
{
    const char *name = invar_objective_term(objective, 0)->name;
    const unsigned roles =
        invar_objective_roles(objective) |
        (strcmp(name, "sigreg") == 0 || strcmp(name, "visreg") == 0 ? INVAR_ROLE_BIT(INVAR_ROLE_W) : 0);

    for (int role = 0; role < INVAR_ROLE_COUNT; role++)
        for (int v = 0; v < VIEWS; v++)
            if (!(roles & INVAR_ROLE_BIT(role)) ||
                !invar_term_reads(invar_objective_term(objective, 0), invar_objective_options(objective, 0),
                                  (enum invar_role)role, v))
                x->by[role][v] = (struct invar_matrix){0};
}

static int compare_seconds(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* the first evaluation takes its memory and is not counted */
static bool time_term(struct invar_device *device, struct invar_objective *objective, struct invar_embeddings in,
                      struct invar_embeddings gradient, int repeats, double *seconds, double *loss,
                      struct invar_error *err)
{
    choose_roles(objective, &in);
    choose_roles(objective, &gradient);
    if (!invar_objective_check(objective, &in, err))
        return false;
    struct invar_evaluator *evaluator = invar_evaluator_create(objective, device, &in, err);
    struct invar_scratch *scratch = evaluator ? invar_device_scratch_create(device, err) : NULL;
    struct invar_ledger ledger;
    bool ok = scratch && invar_ledger_take(device, scratch, invar_evaluator_slots(evaluator), &ledger, err);
    for (int i = -1; ok && i < repeats; i++) {
        const double start = seconds_now();
        invar_ledger_clear(&ledger);
        ok = invar_evaluator_run(evaluator, &ledger, &in, &gradient, NULL, (struct invar_term_key){0}, err);
        if (ok) {
            invar_device_read(&ledger);
            ok = invar_evaluator_settle(evaluator, loss, NULL, err);
        }
        if (i >= 0)
            seconds[i] = seconds_now() - start;
    }
    qsort(seconds, (size_t)repeats, sizeof *seconds, compare_seconds);
    invar_scratch_free(scratch);
    invar_evaluator_free(evaluator);
    return ok;
}

static double gradient_norm(struct invar_device *device, const struct invar_objective *objective,
                            const struct invar_embeddings *all)
{
    const unsigned roles = invar_objective_roles(objective);
    struct invar_embeddings chosen = *all, *gradient = &chosen;
    double sum = 0; /* a slot of the cpu, whose memory is that of the host */

    choose_roles(objective, gradient);
    for (int role = 0; role < INVAR_ROLE_COUNT; role++)
        for (int v = 0; v < VIEWS; v++)
            if ((roles & INVAR_ROLE_BIT(role)) && gradient->by[role][v].data)
                invar_dense_dot(device, &gradient->by[role][v], &gradient->by[role][v], 1, &sum);
    return sqrt(sum);
}

static void print(cJSON *object)
{
    char *text = cJSON_PrintUnformatted(object);
    printf("%s\n", text ? text : "");
    fflush(stdout);
    cJSON_free(text);
    cJSON_Delete(object);
}

static bool run_case(struct invar_device *device, const struct timed *timed, const struct invar_embeddings *in,
                     const struct invar_embeddings *gradient, int repeats, struct invar_error *err)
{
    const int64_t n = in->by[INVAR_ROLE_Z][0].rows, d = in->by[INVAR_ROLE_Z][0].cols;
    double seconds[MAX_REPEATS], loss;
    char yaml[256];

    snprintf(yaml, sizeof yaml, "{\"%s\": %s}", timed->term, timed->options);
    struct invar_node *node = invar_node_parse(yaml, strlen(yaml), timed->name, err);
    struct invar_objective *objective = node ? invar_objective_create(node, err) : NULL;
    const bool ok = objective && time_term(device, objective, *in, *gradient, repeats, seconds, &loss, err);
    if (ok) {
        cJSON *line = cJSON_CreateObject();
        cJSON_AddStringToObject(line, "case", timed->name);
        cJSON_AddStringToObject(line, "term", timed->term);
        cJSON_AddRawToObject(line, "options", timed->options);
        cJSON_AddNumberToObject(line, "samples", (double)n);
        cJSON_AddNumberToObject(line, "width", (double)d);
        cJSON_AddNumberToObject(line, "operations", timed->products((double)n, (double)d, (double)(n < d ? n : d)));
        cJSON_AddNumberToObject(line, "seconds", seconds[0]);
        cJSON_AddNumberToObject(line, "median_s", seconds[repeats / 2]);
        cJSON_AddNumberToObject(line, "loss", loss);
        cJSON_AddNumberToObject(line, "gradient_norm", gradient_norm(device, objective, gradient));
        print(line);
    }
    invar_objective_free(objective);
    invar_node_free(node);
    return ok;
}

/* none named: all */
static bool is_wanted(const char *name, char **wanted, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(wanted[i], name) == 0)
            return true;
    return count == 0;
}

static bool run(int threads, int64_t samples, int repeats, const char *folder, char **wanted, int count,
                struct invar_error *err)
{
    struct invar_embeddings in = {0}, gradient = {0};
    struct invar_device *device = invar_device_open("cpu", threads, err);
    double peak = 0, once;
    bool ok = false;

    if (!device)
        goto done;
    for (int i = 0; i < PEAK_REPEATS; i++) {
        if (!invar_device_matrix_peak(device, INVAR_PRECISION_FLOAT32, PEAK_SIDE, &once, err))
            goto done;
        peak = once > peak ? once : peak;
    }
    cJSON *machine = cJSON_CreateObject();
    cJSON_AddStringToObject(machine, "device", invar_device_describe(device));
    cJSON_AddNumberToObject(machine, "threads", invar_device_threads(device));
    cJSON_AddNumberToObject(machine, "matrix_peak_flops", peak);
    print(machine);
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
        if (!make_inputs(samples, widths[w], &in, &gradient, err) || (folder && !write_inputs(folder, &in, err)) ||
            !make_slices(widths[w], &in, folder, err))
            goto done;
        for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
            if (is_wanted(cases[c].name, wanted, count) && !run_case(device, &cases[c], &in, &gradient, repeats, err))
                goto done;
        free_inputs(&in, &gradient);
        in = gradient = (struct invar_embeddings){0};
    }
    ok = true;
done:
    free_inputs(&in, &gradient);
    invar_device_close(device);
    return ok;
}

int main(int argc, char **argv)
{
    struct invar_error err = {0};
    const long threads = argc > 1 ? strtol(argv[1], NULL, 10) : 0, samples = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
    const long repeats = argc > 3 ? strtol(argv[3], NULL, 10) : 0;

    if (argc < 4 || threads < 1 || threads > 1024 || samples < 2 || repeats < 1 || repeats > MAX_REPEATS) {
        fprintf(stderr, "usage: bench_terms THREADS SAMPLES REPEATS [FOLDER [CASE ..]]\n");
        return 2;
    }
    if (!run((int)threads, samples, (int)repeats, argc > 4 ? argv[4] : NULL, argv + 5, argc > 5 ? argc - 5 : 0, &err)) {
        fprintf(stderr, "bench_terms: %s\n", err.message);
        return 1;
    }
    return 0;
}
