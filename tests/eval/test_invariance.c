/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which changes of the embeddings leave a term or a measurement as it is. Every term of the registry, every function
 * invar_measure_* and every estimator of an entropy needs a line in the tables below; what a line claims holds to 1e-6
 * in float64, and what it does not claim changes the value, so that the lines are the whole truth. docs/terms.md has
 * the same lines.
 */
#include "eval/invariance.h"
#include "objective/battery.h"

#include "invar/expert/file.h"

#include <ctype.h>
#include <stdlib.h>

TEST_COVERS("measure.correlation");

enum { N = 40, D = 6, MOST = 3 };

/* ---- terms ---- */

static const struct claim {
    const char *name;
    struct variant variant;
    unsigned same;
} terms[] = {
    {"relic", {"relic", 2, {NULL}, false, true, 0}, UNIT},
    {"relic", {"relic", 2, {"normalise=false"}, false, true, 0}, ORDER | EXCHANGE | ROTATE},
    {"relic", {"relic", 2, {"groups=true"}, false, true, 0}, UNIT},
    {"relic", {"relic", 2, {"invariance=euclidean"}, false, true, 0}, UNIT},
    {"relic", {"relic", 2, {"rho=0.1"}, false, true, 0}, UNIT},
    {"relic", {"relic", 3, {"invariance=appendix_b", "bound=3"}, false, false, 0}, ORDER | EXCHANGE | ROTATE},
    {"ntxent", {"ntxent", 2, {NULL}, false, true, 0}, UNIT},
    {"byol", {"byol", 2, {NULL}, false, true, 0}, UNIT},
    {"byol", {"byol", 2, {"normalise=false"}, false, true, 0}, DISTANCE},
    {"imix", {"imix", 2, {NULL}, false, true, 0}, UNIT},
    {"cross_entropy", {"cross_entropy", 2, {NULL}, false, true, 0}, ORDER},
    {"barlow", {"barlow", 2, {NULL}, false, true, 0}, CENTRED},
    {"invariance", {"invariance", 2, {NULL}, false, true, 0}, DISTANCE},
    {"invariance", {"invariance", 2, {"normalise=true"}, false, true, 0}, UNIT},
    {"variance", {"variance", 2, {"gamma=1.3"}, false, true, 0}, CENTRED},
    {"covariance", {"covariance", 2, {NULL}, false, true, 0}, CENTRED},
    {"vicreg", {"vicreg", 2, {"gamma=1.3"}, false, true, 0}, SHIFT | ORDER | EXCHANGE},
    {"logdet", {"logdet", 2, {NULL}, false, true, 0}, SPREAD},
    {"logdet", {"logdet", 2, {"normalise=true"}, false, true, 0}, UNIT | ROTATE_APART},
    {"pairdist", {"pairdist", 2, {"sigma=4"}, false, true, 0}, SPREAD},
    {"pairdist", {"pairdist", 2, {"normalise=true"}, false, true, 0}, UNIT | ROTATE_APART},
    {"entropy_invariance", {"entropy_invariance", 2, {NULL}, false, true, 0}, DISTANCE},
    {"reconstruction", {"reconstruction", 2, {NULL}, false, true, 0}, DISTANCE},
    {"reconstruction", {"reconstruction", 2, {"whiten=true", "ridge=0"}, false, true, 0}, SCALE | CENTRED | ROTATE},
    {"orthonormality", {"orthonormality", 2, {NULL}, false, true, 0}, SPREAD},
    {"aplr", {"aplr", 2, {NULL}, false, true, 0}, DISTANCE},
    {"denoising", {"denoising", 2, {NULL}, false, true, 0}, DISTANCE},
    {"vime", {"vime", 2, {NULL}, false, true, 0}, ORDER},
    {"uniformity", {"uniformity", 2, {NULL}, false, true, 0}, UNIT},
    {"uniformity", {"uniformity", 2, {"normalise=false", "t=0.1"}, false, true, 0}, DISTANCE},
    {"koleo", {"koleo", 2, {NULL}, false, true, 0}, UNIT | ROTATE_APART},
    {"koleo", {"koleo", 2, {"normalise=false"}, false, true, 0}, SPREAD},
    {"sigreg", {"sigreg", 2, {"slices=16"}, false, true, 0}, ORDER},
    {"visreg", {"visreg", 2, {"slices=16"}, false, true, 0}, ORDER},
    {"visreg", {"visreg", 2, {"weight_centre=0", "slices=16"}, false, true, 0}, SHIFT | ORDER},
    {"tcr", {"tcr", 2, {NULL}, false, true, 0}, UNIT | ROTATE_APART},
    {"tcr", {"tcr", 2, {"invariance=mean"}, false, true, 0}, UNIT},
    {"tcr", {"tcr", 2, {"invariance=target"}, false, true, 0}, UNIT},
    {"vne", {"vne", 2, {NULL}, false, true, 0}, UNIT | ROTATE_APART},
    {"vne", {"vne", 2, {"normalise=false"}, false, true, 0}, SCALE | ORDER | EXCHANGE | ROTATE | ROTATE_APART},
    {"frossl", {"frossl", 2, {NULL}, false, true, 0}, SCALE | COLUMNS | COLUMNS_APART | ORDER | EXCHANGE},
    {"frossl", {"frossl", 2, {"centre=true"}, false, true, 0}, SCALE | COLUMNS | COLUMNS_APART | CENTRED},
    {"mmcr", {"mmcr", 2, {NULL}, false, true, 0}, UNIT},
    {"mmcr", {"mmcr", 2, {"lambda=0.3"}, false, true, 0}, UNIT},
    {"mmcr", {"mmcr", 2, {"normalise=false"}, false, true, 0}, ORDER | EXCHANGE | ROTATE},
    {"spectral_contrastive", {"spectral_contrastive", 2, {"mu=20"}, false, true, 0}, ORDER | EXCHANGE | ROTATE},
    {"supcon", {"supcon", 2, {NULL}, false, true, 0}, UNIT},
    {"supcon", {"supcon", 2, {"labels=true"}, false, true, 0}, UNIT},
    {"supcon", {"supcon", 2, {"form=in"}, false, true, 0}, UNIT},
    {"soft_hgr", {"soft_hgr", 2, {NULL}, false, true, 0}, CENTRED | ROTATE},
    {"mec", {"mec", 2, {NULL}, false, true, 0}, UNIT},
    {"mec", {"mec", 2, {"form=exact"}, false, true, 0}, UNIT},
    {"wmse", {"wmse", 2, {NULL}, false, true, 0}, SCALE | COLUMNS | COLUMNS_APART | SHIFT | SHIFT_APART | ORDER},
    {"wmse", {"wmse", 2, {"shrink=0.1"}, false, true, 0}, SHIFT | SHIFT_APART | ORDER},
    {"ssl_hsic", {"ssl_hsic", 2, {NULL}, false, true, 0}, UNIT},
    {"mmd", {"mmd", 2, {"sigma=3"}, false, true, 0}, ORDER | EXCHANGE | ROTATE | ROTATE_APART},
    {"moco", {"moco", 2, {NULL}, false, true, 0}, UNIT},
    {"nnclr", {"nnclr", 2, {NULL}, false, true, 0}, UNIT},
    {"corinfomax", {"corinfomax", 2, {NULL}, false, true, 0}, UNIT},
    {"corinfomax", {"corinfomax", 2, {"normalise=false"}, false, true, 0}, ORDER | EXCHANGE | ROTATE},
    {"tico", {"tico", 2, {NULL}, false, true, 0}, UNIT},
    {"dino", {"dino", 2, {NULL}, false, true, 0}, ORDER | EXCHANGE},
    {"swav", {"swav", 2, {NULL}, false, true, 0}, ORDER | EXCHANGE},
    {"swav", {"swav", 2, {"scores=prototypes"}, false, true, 0}, SCALE | ROWS | ORDER},
};
enum { TERMS = sizeof terms / sizeof *terms };

static void change_on_device(unsigned what, const struct invar_matrix *x, int view)
{
    const size_t bytes = (size_t)(x->rows * x->cols) * sizeof(double);
    double *values = malloc(bytes);

    invar_device_download(device, values, x->data, bytes);
    change(what, values, x->rows, x->cols, view);
    invar_device_upload(device, x->data, values, bytes);
    free(values);
}

static void change_inputs(unsigned what, struct bench *b)
{
    for (int role = 0; role < INVAR_ROLE_COUNT; role++)
        for (int view = 0; view < b->in.views && role != INVAR_ROLE_W; view++) {
            const struct invar_matrix *x = &b->in.by[role][view];
            if (x->data && (role != INVAR_ROLE_M || what == ORDER))
                change_on_device(what, x, view);
        }
    if (what != ORDER)
        return;
    reverse_integers(b->groups, N);
    reverse_integers(b->labels, N);
    reverse_integers(b->partner, N);
    reverse_rows(b->share, N, 1);
    for (int64_t i = 0; i < N; i++)
        b->partner[i] = N - 1 - b->partner[i];
}

/* A term that keeps something has seen the same embeddings in a step before: its queue is not empty. */
static double loss_of(struct bench *b)
{
    const int64_t count = b->term->state_size ? b->term->state_size(b->options, &b->in) : 0;
    struct invar_term_call call = call_of(b, 1, false);
    struct invar_term_value value = {0};
    struct invar_error err = {0};

    if (count == 0)
        return evaluate(b, 1, false).loss;
    const size_t bytes = (size_t)count * sizeof(float);
    float *initial = calloc((size_t)count, sizeof *initial);
    if (b->term->state_init)
        b->term->state_init(b->options, &b->in, initial);
    call.state = invar_device_alloc(device, (size_t)count, sizeof(float), &err);
    assert_non_null(call.state);
    invar_device_upload(device, call.state, initial, bytes);
    free(initial);
    assert_ok(b->term->check(b->options, &b->in, &err), &err);
    for (int step = 0; step < 2; step++) {
        invar_scratch_reset(b->scratch);
        assert_ok(invar_term_evaluate(b->term, call, &value, &err), &err);
    }
    invar_device_free(device, call.state);
    return value.loss;
}

static void terms_keep_what_their_lines_claim(void **state)
{
    (void)state;
    for (int i = 0; i < TERMS; i++)
        for (int k = 0; k < CHANGES; k++) {
            struct bench b = open_bench(&terms[i].variant, INVAR_FLOAT64, N, D);
            const double before = loss_of(&b);
            change_inputs(1U << k, &b);
            const double after = loss_of(&b);
            judge(terms[i].name, terms[i].variant.options[0] ? terms[i].variant.options[0] : "", terms[i].same, k,
                  &before, &after, 1);
            close_bench(&b);
        }
}

/* ---- measurements ---- */

struct views {
    struct invar_matrix z, other; /* host and device memory of the CPU device */
    int64_t labels[N];
};

typedef int measuring(const struct views *v, int variant, double *out);

static int entropy(const struct views *v, int estimator, double *out)
{
    const struct invar_entropy_options options = {
        .estimator = (enum invar_entropy_estimator)estimator, .beta = 2, .sigma = 2};
    struct invar_error err = {0};

    assert_ok(invar_measure_entropy(device, scratch, &v->z, &options, NULL, out, &err), &err);
    return 1;
}

static int information(const struct views *v, int estimator, double *out)
{
    const struct invar_entropy_options options = {
        .estimator = (enum invar_entropy_estimator)estimator, .beta = 2, .sigma = 2};
    struct invar_information found;
    struct invar_error err = {0};

    assert_ok(invar_measure_information(device, scratch, &v->z, &v->other, &options, NULL, NULL, &found, &err), &err);
    out[0] = found.bound;
    return 1;
}

static int alignment(const struct views *v, int variant, double *out)
{
    struct invar_error err = {0};
    (void)variant;
    assert_ok(invar_measure_alignment(device, scratch, &v->z, &v->other, NULL, NULL, out, &err), &err);
    return 1;
}

static int uniformity(const struct views *v, int variant, double *out)
{
    struct invar_error err = {0};
    (void)variant;
    assert_ok(invar_measure_uniformity(device, scratch, &v->z, 2, NULL, out, &err), &err);
    return 1;
}

static int correlation(const struct views *v, int variant, double *out)
{
    struct invar_correlation found;
    struct invar_error err = {0};
    (void)variant;
    assert_ok(invar_measure_correlation(device, scratch, &v->z, &v->other, out, &found, &err), &err);
    out[D] = found.sum;
    return D + 1;
}

static int probe_bound(const struct views *v, int variant, double *out)
{
    struct invar_probe_bound found;
    struct invar_error err = {0};
    (void)variant;
    assert_ok(invar_measure_probe_bound(device, scratch, &v->z, &v->other, v->labels, 5, &found, &err), &err);
    out[0] = found.held;
    out[1] = found.shared;
    return 2;
}

static int deviation(const struct views *v, int variant, double *out)
{
    struct invar_error err = {0};
    (void)variant;
    assert_ok(invar_measure_deviation(device, scratch, &v->z, out, &err), &err);
    return 1;
}

static int effective_rank(const struct views *v, int variant, double *out)
{
    struct invar_error err = {0};
    (void)variant;
    assert_ok(invar_measure_effective_rank(device, scratch, &v->z, out, &err), &err);
    return 1;
}

static int spectrum(const struct views *v, int centred, double *out)
{
    double other[D];
    struct invar_error err = {0};
    assert_ok(invar_measure_spectrum(device, scratch, &v->z, centred ? other : out, centred ? out : other, &err), &err);
    return D;
}

static int fisher(const struct views *v, int variant, double *out)
{
    struct invar_fisher found;
    struct invar_error err = {0};
    (void)variant;
    assert_ok(invar_measure_fisher(&v->z, v->labels, &found, &err), &err);
    out[0] = found.min;
    out[1] = found.median;
    out[2] = found.max;
    invar_fisher_free(&found);
    return 3;
}

static int normality(const struct views *v, int variant, double *out)
{
    double sample[N];
    struct invar_normality found;
    struct invar_error err = {0};
    (void)variant;
    for (int i = 0; i < N; i++)
        sample[i] = matrix_get(&v->z, i * D);
    assert_ok(invar_measure_normality(sample, N, &found, &err), &err);
    out[0] = found.k2;
    out[1] = found.p_value;
    return 2;
}

/* z and the other view are the unlabelled samples; half of each is labelled, half is for testing */
static int generalisation(const struct views *v, int raw, double *out)
{
    struct invar_matrix half = v->z, rest = v->other;
    half.rows = rest.rows = N; /* all, so that any order of the samples is the same set */
    const struct invar_generalisation_data data = {.classes = 5,
                                                   .plus = v->z,
                                                   .plus_plus = v->other,
                                                   .y_unlabelled = v->labels,
                                                   .labelled = half,
                                                   .y_labelled = v->labels,
                                                   .test = rest,
                                                   .y_test = v->labels};
    struct invar_generalisation found;
    struct invar_error err = {0};
    assert_ok(invar_measure_generalisation(&data, &found, &err), &err);
    out[0] = raw ? found.sum_without_q : found.sum_scaled_without_q;
    out[1] = found.test_error;
    invar_generalisation_free(&found);
    return 2;
}

/* two rows after one another are one sample */
static int lidar(const struct views *v, int variant, double *out)
{
    struct invar_error err = {0};
    (void)variant;
    assert_ok(invar_measure_lidar(device, scratch, &v->z, 2, 1e-4, 0, NULL, out, &err), &err);
    return 1;
}

static int power_law(const struct views *v, int centred, double *out)
{
    const struct invar_power_law_options options = {.first = 1, .centre = centred != 0, .threshold = 1e-12};
    struct invar_power_law found;
    struct invar_error err = {0};
    assert_ok(invar_measure_power_law(device, scratch, &v->z, &options, &found, &err), &err);
    out[0] = found.alpha;
    return 1;
}

static int stable_rank(const struct views *v, int centred, double *out)
{
    struct invar_error err = {0};
    assert_ok(invar_measure_stable_rank(device, scratch, &v->z, centred != 0, out, &err), &err);
    return 1;
}

static int two_nn(const struct views *v, int likelihood, double *out)
{
    struct invar_two_nn found;
    struct invar_error err = {0};
    assert_ok(invar_measure_two_nn(device, scratch, &v->z, likelihood ? -1 : 0.1, &found, &err), &err);
    out[0] = found.dimension;
    return 1;
}

static int cka(const struct views *v, int unbiased, double *out)
{
    struct invar_cka found;
    struct invar_error err = {0};
    assert_ok(invar_measure_cka(device, scratch, &v->z, &v->other, unbiased != 0, &found, &err), &err);
    out[0] = found.cka;
    return 1;
}

static const struct measure {
    const char *name, *variant;
    measuring *run;
    int option;
    unsigned same;
} measures[] = {
    {"entropy", "GAUSSIAN", entropy, INVAR_ENTROPY_GAUSSIAN, SPREAD},
    {"entropy", "LOGDET", entropy, INVAR_ENTROPY_LOGDET, SPREAD},
    {"entropy", "PAIRDIST_KL", entropy, INVAR_ENTROPY_PAIRDIST_KL, SPREAD},
    {"entropy", "PAIRDIST_BHATTACHARYYA", entropy, INVAR_ENTROPY_PAIRDIST_BHATTACHARYYA, SPREAD},
    {"logdet_in_nats", "of a number", NULL, 0, 0},
    {"information", "GAUSSIAN", information, INVAR_ENTROPY_GAUSSIAN, DISTANCE},
    {"information", "LOGDET", information, INVAR_ENTROPY_LOGDET, DISTANCE},
    {"information", "PAIRDIST_KL", information, INVAR_ENTROPY_PAIRDIST_KL, DISTANCE},
    {"information", "PAIRDIST_BHATTACHARYYA", information, INVAR_ENTROPY_PAIRDIST_BHATTACHARYYA, DISTANCE},
    {"alignment", "", alignment, 0, UNIT},
    {"uniformity", "", uniformity, 0, UNIT | ROTATE_APART},
    {"correlation", "", correlation, 0, SCALE | COLUMNS | COLUMNS_APART | SPREAD},
    {"probe_bound", "", probe_bound, 0, SCALE | COLUMNS | COLUMNS_APART | SPREAD},
    {"deviation", "", deviation, 0, CENTRED},
    {"effective_rank", "", effective_rank, 0, SCALE | ORDER | EXCHANGE | ROTATE | ROTATE_APART},
    {"spectrum", "singular values", spectrum, 0, ORDER | EXCHANGE | ROTATE | ROTATE_APART},
    {"spectrum", "covariance", spectrum, 1, SPREAD},
    {"fisher", "", fisher, 0, SCALE | SPREAD},
    {"normality", "of a column", normality, 0, SCALE | COLUMNS | COLUMNS_APART | SHIFT | SHIFT_APART | ORDER},
    {"generalisation", "scale-free", generalisation, 0, SCALE | COLUMNS | ORDER | EXCHANGE | ROTATE},
    {"generalisation", "", generalisation, 1, ORDER | EXCHANGE | ROTATE},
    {"lidar", "", lidar, 0, SPREAD},
    {"power_law", "", power_law, 1, SCALE | SPREAD},
    {"power_law", "of Z^T Z", power_law, 0, SCALE | ORDER | EXCHANGE | ROTATE | ROTATE_APART},
    {"stable_rank", "", stable_rank, 0, SCALE | ORDER | EXCHANGE | ROTATE | ROTATE_APART},
    {"stable_rank", "centred", stable_rank, 1, SCALE | SPREAD},
    {"two_nn", "by a line", two_nn, 0, SCALE | SPREAD},
    {"two_nn", "by likelihood", two_nn, 1, SCALE | SPREAD},
    {"cka", "", cka, 0, SCALE | SPREAD},
    {"cka", "unbiased", cka, 1, SCALE | SPREAD},
    {"human_normalised", "of scores", NULL, 0, 0},
    {"iqm", "of returns", NULL, 0, 0},
    {"improvement", "of returns", NULL, 0, 0},
    {"gain", "of returns", NULL, 0, 0},
    {"interquartile", "of scores", NULL, 0, 0},
};
enum { MEASURES = sizeof measures / sizeof *measures };

static struct views make_views(void)
{
    struct views v = {.z = {INVAR_FLOAT64, N, D, calloc((size_t)N * D, sizeof(double))},
                      .other = {INVAR_FLOAT64, N, D, calloc((size_t)N * D, sizeof(double))}};
    struct invar_random random = invar_random_stream(SEED, INVAR_RANDOM_TEST, 3, 0, 0);

    for (int64_t i = 0; i < N; i++)
        v.labels[i] = i * i % 5 == 1 ? i % 2 : i % 5;
    for (int64_t i = 0; i < (int64_t)N * D; i++) {
        const double shared = (double)invar_random_normal(&random) + (double)(v.labels[i / D] == i % D);
        matrix_put(&v.z, i, shared + 0.5 * (double)invar_random_normal(&random));
        matrix_put(&v.other, i, shared + 0.5 * (double)invar_random_normal(&random));
    }
    return v;
}

static void measures_keep_what_their_lines_claim(void **state)
{
    (void)state;
    for (int i = 0; i < MEASURES; i++)
        for (int k = 0; k < CHANGES && measures[i].run; k++) {
            double before[D + MOST], after[D + MOST];
            struct views v = make_views();
            const int count = measures[i].run(&v, measures[i].option, before);
            change(1U << k, v.z.data, N, D, 0);
            change(1U << k, v.other.data, N, D, 1);
            if (1U << k == ORDER)
                reverse_integers(v.labels, N);
            invar_scratch_reset(scratch);
            measures[i].run(&v, measures[i].option, after);
            judge(measures[i].name, measures[i].variant, measures[i].same, k, before, after, count);
            invar_scratch_reset(scratch);
            free(v.z.data);
            free(v.other.data);
        }
}

/* ---- nothing without a line ---- */

static void every_term_has_a_line(void **state)
{
    (void)state;
    for (const struct invar_term_spec *const *term = invar_term_list(); *term; term++) {
        bool found = false;
        for (int i = 0; i < TERMS; i++)
            found = found || strcmp(terms[i].name, (*term)->name) == 0;
        if (!found)
            fail_msg("the term %s has no line here: add what leaves it as it is", (*term)->name);
    }
}

/* Is there a line of that name, or (estimators) of that variant? */
static bool has_line(const char *name, size_t length, bool variant)
{
    for (int i = 0; i < MEASURES; i++) {
        const char *own = variant ? measures[i].variant : measures[i].name;
        if (strlen(own) == length && strncmp(own, name, length) == 0)
            return true;
    }
    return false;
}

static char *read_text(const char *path)
{
    struct invar_bytes bytes = {0};
    struct invar_error err = {0};

    assert_ok(invar_file_read(&bytes, path, 1 << 20, &err), &err);
    char *text = strndup((const char *)bytes.data, bytes.size);
    invar_bytes_free(&bytes);
    assert_non_null(text);
    return text;
}

/* every word that begins so in a header has a line under what follows in it; returns how many there are */
static int check_words(const char *path, const char *prefix, bool variant)
{
    char *text = read_text(path);
    int count = 0;

    for (const char *at = text; (at = strstr(at, prefix)) != NULL; count++) {
        size_t length = 0;
        at += strlen(prefix);
        while (isalnum((unsigned char)at[length]) || at[length] == '_')
            length++;
        if (!variant && at[length] != '(')
            continue;
        if (!has_line(at, length, variant))
            fail_msg("%s: %s%.*s has no line here: add what leaves it as it is", path, prefix, (int)length, at);
    }
    free(text);
    return count;
}

static void every_measure_has_a_line(void **state)
{
    (void)state;
    assert_true(check_words("include/invar/measure.h", "invar_measure_", false) >= 16);
    assert_true(check_words("include/invar/expert/objective.h", "invar_measure_", false) >= 3);
    assert_true(check_words("include/invar/measure.h", "INVAR_ENTROPY_", true) >= 4);
}

/* ---- the table of docs/terms.md ---- */

static void expect_line(const char *text, const char *name, const char *variant, unsigned same)
{
    char line[256];
    int length = snprintf(line, sizeof line, "| `%s`%s%s |", name, *variant ? ", " : "", variant);

    for (int k = 0; k < CHANGES; k++)
        length += snprintf(line + length, sizeof line - (size_t)length, " %s |", same >> k & 1 ? "x" : "");
    if (!strstr(text, line))
        fail_msg("docs/terms.md lacks the line\n%s", line);
}

static void documents_have_the_same_lines(void **state)
{
    char *text = read_text("docs/terms.md");

    (void)state;
    for (int i = 0; i < TERMS; i++)
        expect_line(text, terms[i].name, terms[i].variant.options[0] ? terms[i].variant.options[0] : "", terms[i].same);
    for (int i = 0; i < MEASURES; i++)
        if (measures[i].run)
            expect_line(text, measures[i].name, measures[i].variant, measures[i].same);
    free(text);
}

/* ---- a direction that a rotation hides among large ones ---- */

static void correlations_of_columns_of_any_scale_after_a_rotation(void **state)
{
    struct views v = make_views();
    double before[D + 1], after[D + 1];

    (void)state;
    correlation(&v, 0, before);
    for (int64_t i = 0; i < N * D; i++) {
        matrix_put(&v.z, i, matrix_get(&v.z, i) * (i % D == 0 ? 0.01 : 31));
        matrix_put(&v.other, i, matrix_get(&v.other, i) * (i % D == 3 ? 0.01 : 31));
    }
    change(ROTATE_APART, v.z.data, N, D, 0);
    change(ROTATE_APART, v.other.data, N, D, 1);
    invar_scratch_reset(scratch);
    correlation(&v, 0, after);
    for (int k = 0; k <= D; k++)
        assert_near(after[k], before[k], 1e-6);
    invar_scratch_reset(scratch);
    free(v.z.data);
    free(v.other.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(terms_keep_what_their_lines_claim),
        cmocka_unit_test(measures_keep_what_their_lines_claim),
        cmocka_unit_test(every_term_has_a_line),
        cmocka_unit_test(every_measure_has_a_line),
        cmocka_unit_test(documents_have_the_same_lines),
        cmocka_unit_test(correlations_of_columns_of_any_scale_after_a_rotation),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
