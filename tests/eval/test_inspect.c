/* SPDX-License-Identifier: Apache-2.0 */
/* Inspections of encoders made by hand, whose numbers are known or follow from each other. */
#include "eval/inspection.h"
#include "eval/inspect/inspect.h"

static const enum invar_inspect_section spaces[] = {INVAR_INSPECT_REPRESENTATION, INVAR_INSPECT_EMBEDDING};

/* ---- information ---- */

static void test_bounds_add_up(void **state)
{
    static const char *const names[] = {"gaussian", "logdet", "pairdist_upper", "pairdist_lower"};
    struct bench b;
    (void)state;
    bench_open(&b, false);
    struct invar_inspection *i = inspect(&b);
    assert_int_equal(i->samples, TESTS);
    assert_int_equal(i->h_width, H);
    assert_int_equal(i->z_width, Z);
    for (int s = 0; s < 2; s++) {
        const double d = s ? Z : H, log_q = value(i, spaces[s], "expected_log_q");
        const double sigma = value(i, spaces[s], "sigma");
        const double variance = (-2 * log_q - d * log(2 * M_PI)) / d;
        for (int k = 0; k < 4; k++) {
            char entropy[64], bound[64], fitted[64];
            snprintf(entropy, sizeof entropy, "view_entropy_%s", names[k]);
            snprintf(bound, sizeof bound, "bound_%s", names[k]);
            snprintf(fitted, sizeof fitted, "bound_fitted_%s", names[k]);
            const double h = value(i, spaces[s], entropy);
            assert_near(value(i, spaces[s], bound), h + log_q, 1e-12);
            if (k == 1)
                continue;
            const double v = variance + (k > 1 ? sigma * sigma : 0);
            assert_near(value(i, spaces[s], fitted), h - d / 2 * log(2 * M_PI * M_E * v), 1e-9);
        }
        /* no variance of q does better than the fitted one */
        assert_true(value(i, spaces[s], "expected_log_q_fitted") >= log_q);
        assert_true(value(i, spaces[s], "pairdist_information_lower") > 0);
        assert_true(value(i, spaces[s], "pairdist_information_lower") <
                    value(i, spaces[s], "pairdist_information_upper"));
        assert_true(value(i, spaces[s], "pairdist_information_upper") < log(TESTS));
        const struct invar_series *spectrum = invar_inspection_series(i, spaces[s], "eigenvalues");
        double total = 0;
        for (int64_t j = 0; j < spectrum->count; j++)
            total += spectrum->value[j];
        assert_near(sigma * sigma, total / 10, 1e-9);
        const double spread = value(i, spaces[s], "direction_spread");
        assert_near(value(i, spaces[s], "alignment_relative"), value(i, spaces[s], "alignment") / (2 * spread * spread),
                    1e-12);
    }
    invar_inspection_free(i);
    bench_close(&b);
}

/* Views that change nothing: the two coincide with each other and with the plain one. */
static void test_equal_views(void **state)
{
    static const char *const names[] = {"gaussian", "logdet", "pairdist_upper", "pairdist_lower"};
    struct bench b;
    (void)state;
    bench_open(&b, false);
    make_plain(&b);
    struct invar_inspection *i = inspect(&b);
    for (int s = 0; s < 2; s++) {
        assert_near(value(i, spaces[s], "alignment"), 0, 1e-9);
        assert_near(value(i, spaces[s], "expected_log_q"), -(s ? Z : H) / 2.0 * log(2 * M_PI), 1e-6);
        for (int k = 0; k < 4; k++) {
            char plain[64], drawn[64];
            snprintf(plain, sizeof plain, "entropy_%s", names[k]);
            snprintf(drawn, sizeof drawn, "view_entropy_%s", names[k]);
            assert_near(value(i, spaces[s], drawn), value(i, spaces[s], plain), 1e-5);
        }
    }
    invar_inspection_free(i);
    bench_close(&b);
}

/* Ten times the embeddings: the fitted bounds and the information of PairDist stay, E log q does not. */
static void test_scale_free(void **state)
{
    static const char *const same[] = {"bound_fitted_gaussian",
                                       "bound_fitted_pairdist_upper",
                                       "bound_fitted_pairdist_lower",
                                       "pairdist_information_upper",
                                       "pairdist_information_lower",
                                       "direction_spread",
                                       "alignment",
                                       "effective_rank"};
    struct bench b;
    (void)state;
    bench_open(&b, false);
    struct invar_inspection *before = inspect(&b);
    for (int64_t k = 0; k < b.projector->net->trained_count; k++)
        b.projector->parameters[k] *= 10;
    struct invar_inspection *after = inspect(&b);
    for (size_t k = 0; k < sizeof same / sizeof *same; k++)
        assert_near(value(after, INVAR_INSPECT_EMBEDDING, same[k]), value(before, INVAR_INSPECT_EMBEDDING, same[k]),
                    1e-4);
    assert_near(value(after, INVAR_INSPECT_EMBEDDING, "sigma"), 10 * value(before, INVAR_INSPECT_EMBEDDING, "sigma"),
                1e-5);
    assert_true(value(after, INVAR_INSPECT_EMBEDDING, "expected_log_q") <
                value(before, INVAR_INSPECT_EMBEDDING, "expected_log_q") - 1);
    invar_inspection_free(before);
    invar_inspection_free(after);
    bench_close(&b);
}

/* Of a recipe with local views and lists by view, the first two global views are drawn. */
static void test_many_views(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, false);
    b.views.image.blur = (struct invar_real_list){2, {0, 0}};
    struct invar_inspection *two = inspect(&b);
    b.views.count = 3;
    b.views.local = 2;
    b.views.local_size = SIDE / 2;
    b.views.image.blur = (struct invar_real_list){5, {0, 0, 1, 1, 1}};
    assert_true(
        invar_options_set(invar_view_option_table, &b.views, "solarise=[0, 0, 1, 1, 1]", &(struct invar_error){0}));
    struct invar_inspection *many = inspect(&b);
    for (int s = 0; s < 2; s++)
        assert_near(value(many, spaces[s], "alignment"), value(two, spaces[s], "alignment"), 0);
    invar_inspection_free(two);
    invar_inspection_free(many);
    bench_close(&b);
}

/* ---- classes ---- */

static void test_fisher(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, false);
    struct invar_inspection *i = inspect(&b);
    const struct invar_series *edges = invar_inspection_series(i, INVAR_INSPECT_FISHER, "edges");
    const struct invar_series *counts = invar_inspection_series(i, INVAR_INSPECT_FISHER, "counts");
    double pairs = 0;
    for (int64_t k = 0; k < counts->count; k++)
        pairs += counts->value[k];
    assert_near(pairs, 4 * 3, 0);
    assert_true(counts->value[0] > 0 && counts->value[counts->count - 1] > 0);
    assert_int_equal(edges->count, counts->count + 1);
    assert_near(edges->value[0], value(i, INVAR_INSPECT_FISHER, "fisher_min"), 1e-12);
    assert_near(edges->value[counts->count], value(i, INVAR_INSPECT_FISHER, "fisher_max"), 1e-12);
    invar_inspection_free(i);
    bench_close(&b);
}

/* ---- normality under noise ---- */

static void add_noise(struct bench *b)
{
    b->options.noise_samples = 4;
    b->options.noise_draws = 300; /* more than a batch, and no multiple of it */
    b->options.noise_levels = (struct invar_real_list){3, {0.01, 1, 30}};
}

static void test_linear_outputs_are_normal(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, false);
    add_noise(&b);
    struct invar_inspection *i = inspect(&b);
    for (int level = 0; level < 3; level++)
        for (int s = 0; s < 2; s++) {
            const char *const names[][3] = {{"h_normal", "h_median_p", "h_constant"},
                                            {"z_normal", "z_median_p", "z_constant"}};
            assert_true(invar_inspection_series(i, INVAR_INSPECT_NOISE, names[s][0])->value[level] >= 0.85);
            assert_near(invar_inspection_series(i, INVAR_INSPECT_NOISE, names[s][1])->value[level], 0.5, 0.25);
            assert_near(invar_inspection_series(i, INVAR_INSPECT_NOISE, names[s][2])->value[level], 0, 0);
        }
    invar_inspection_free(i);
    bench_close(&b);
}

/* Noise far above the input: what comes behind a ReLU is half a Gaussian. */
static void test_clipped_outputs_are_not(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, true);
    add_noise(&b);
    struct invar_inspection *i = inspect(&b);
    const struct invar_series *normal = invar_inspection_series(i, INVAR_INSPECT_NOISE, "h_normal");
    const struct invar_series *constant = invar_inspection_series(i, INVAR_INSPECT_NOISE, "h_constant");
    assert_true(normal->value[2] < 0.1);
    assert_true(constant->value[0] > 0.1 && constant->value[2] == 0);
    assert_true(invar_inspection_series(i, INVAR_INSPECT_NOISE, "h_median_p")->value[2] < 0.01);
    const struct invar_finding *level = invar_inspection_find(i, INVAR_INSPECT_NOISE, "normal_level_h");
    assert_true(!level->known || level->value < 30);
    invar_inspection_free(i);
    bench_close(&b);
}

/* Distances against all pairs one by one, on inputs standardised as the encoder has it. */
static void test_nearest_distances(void **state)
{
    struct invar_error err = {0};
    struct invar_embedded input;
    struct bench b;
    double nearest[TESTS], least = INFINITY, most = 0;
    (void)state;
    bench_open(&b, false);
    add_noise(&b);
    struct invar_inspection *i = inspect(&b);
    const struct invar_series *quantiles = invar_inspection_series(i, INVAR_INSPECT_NOISE, "nearest");
    assert_ok(invar_embed_input(b.dataset, INVAR_TEST, &input, &err), &err);
    const double scale = (double)invar_dataset_info(b.dataset)->deviation[0] / (double)b.encoder->deviation[0];
    const float *x = input.features.data;
    for (int k = 0; k < TESTS; k++) {
        nearest[k] = INFINITY;
        for (int l = 0; l < TESTS; l++) {
            double square = 0;
            for (int j = 0; j < INPUT; j++)
                square += pow(scale * ((double)x[k * INPUT + j] - (double)x[l * INPUT + j]), 2);
            if (k != l)
                nearest[k] = fmin(nearest[k], sqrt(square));
        }
        least = fmin(least, nearest[k]);
        most = fmax(most, nearest[k]);
    }
    assert_near(quantiles->value[0], least, 1e-5);
    assert_near(quantiles->value[5], most, 1e-5);
    const struct invar_series *mistaken = invar_inspection_series(i, INVAR_INSPECT_NOISE, "mistaken");
    assert_near(mistaken->value[2], erfc(quantiles->value[3] / 60 / sqrt(2)) / 2, 1e-9);
    assert_near(value(i, INVAR_INSPECT_NOISE, "separate_level"), quantiles->value[1] / 4, 1e-12);
    invar_embedded_free(&input);
    invar_inspection_free(i);
    bench_close(&b);
}

/* ---- the generalisation bound ---- */

static void test_bound_of_a_head(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, false);
    b.options.labelled = 60;
    b.options.unlabelled = 50;
    struct invar_inspection *i = inspect(&b);
    const enum invar_inspect_section s = INVAR_INSPECT_BOUND;
    const double u = value(i, s, "unlabelled_term"), l = value(i, s, "labelled_term");
    assert_near(value(i, s, "labelled"), 60, 0);
    assert_near(value(i, s, "unlabelled"), 50, 0);
    assert_near(u, 2 / sqrt(50) * value(i, s, "unlabelled_norm"), 1e-12);
    assert_near(l, value(i, s, "labelled_norm") / sqrt(60), 1e-12);
    assert_near(value(i, s, "sum"), value(i, s, "invariance") + u + l, 1e-12);
    assert_near(value(i, s, "sum_scaled"), value(i, s, "invariance_scaled") + u + l, 1e-12);
    assert_true(value(i, s, "test_accuracy") > 80); /* bright squares: easy; chance is 25 */
    assert_true(value(i, s, "test_error") < value(i, s, "sum_scaled"));
    invar_inspection_free(i);
    /* more than there is: half of the split is left for the pairs */
    b.options.labelled = b.options.unlabelled = 1000000;
    i = inspect(&b);
    assert_near(value(i, s, "labelled"), 100, 0);
    assert_near(value(i, s, "unlabelled"), 100, 0);
    invar_inspection_free(i);
    bench_close(&b);
}

/* ---- collapse ---- */

static bool warned(const struct invar_inspection *inspection, const char *kind, const char *text)
{
    for (int i = 0; i < inspection->warning_count; i++)
        if (strcmp(inspection->warning[i].name, kind) == 0 && strstr(inspection->warning[i].says, text))
            return true;
    return false;
}

/* The weights are [Z][H], the bias follows. */
static void set_projector(struct bench *b, double scale, bool one_direction, float bias)
{
    struct invar_head *fresh = projector_create();
    for (int j = 0; j < Z; j++)
        for (int k = 0; k < H; k++)
            b->projector->parameters[j * H + k] = (float)scale * fresh->parameters[(one_direction ? 0 : j * H) + k];
    for (int j = 0; j < Z; j++)
        b->projector->parameters[Z * H + j] = one_direction ? 0 : bias;
    invar_head_free(fresh);
}

static void test_collapses_are_told_apart(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, false);
    b.options.collapse_rank = 0.2;

    set_projector(&b, 3, false, 0);
    struct invar_inspection *i = inspect(&b);
    assert_int_equal(i->warning_count, 0);
    const double rank = value(i, INVAR_INSPECT_EMBEDDING, "effective_rank");
    invar_inspection_free(i);

    set_projector(&b, 3e-3, false, 0);
    i = inspect(&b);
    assert_int_equal(i->warning_count, 1);
    assert_true(warned(i, "shrinking", "z.deviation is 0.00"));
    assert_near(value(i, INVAR_INSPECT_EMBEDDING, "effective_rank"), rank, 1e-4); /* which sees nothing of it */
    assert_near(i->warning[0].value, value(i, INVAR_INSPECT_EMBEDDING, "deviation"), 0);
    invar_inspection_free(i);

    b.subject.logdet_beta = 1;
    b.subject.logdet_share = 0.4;
    i = inspect(&b);
    assert_true(warned(i, "shrinking", "LogDet's share r is 0.4"));
    invar_inspection_free(i);
    b.subject.logdet_beta = 1e8; /* whose embeddings are small by right */
    i = inspect(&b);
    assert_int_equal(i->warning_count, 0);
    invar_inspection_free(i);
    b.subject.logdet_beta = b.subject.logdet_share = 0;

    set_projector(&b, 3, true, 0);
    i = inspect(&b);
    assert_int_equal(i->warning_count, 1);
    assert_true(warned(i, "dimensional", "z.effective_rank is 1 of 8"));
    invar_inspection_free(i);

    set_projector(&b, 3, false, 1000);
    i = inspect(&b);
    assert_true(warned(i, "complete", "z.alignment"));
    assert_false(warned(i, "shrinking", ""));
    invar_inspection_free(i);
    bench_close(&b);
}

/* ---- what there is not ---- */

static void test_absent(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, false);
    b.subject.projector = NULL;
    b.subject.no_projector = "it was lost";
    b.subject.views = NULL;
    b.options.labelled = 10;
    add_noise(&b);
    struct invar_inspection *i = inspect(&b);
    assert_false(i->section[INVAR_INSPECT_EMBEDDING].present);
    assert_string_equal(i->section[INVAR_INSPECT_EMBEDDING].absent, "it was lost");
    assert_int_equal(i->z_width, 0);
    assert_null(invar_inspection_find(i, INVAR_INSPECT_REPRESENTATION, "alignment"));
    assert_non_null(invar_inspection_find(i, INVAR_INSPECT_REPRESENTATION, "entropy_logdet"));
    assert_null(invar_inspection_series(i, INVAR_INSPECT_NOISE, "z_normal"));
    assert_false(i->section[INVAR_INSPECT_BOUND].present);
    assert_non_null(strstr(i->section[INVAR_INSPECT_BOUND].absent, "views"));
    assert_false(i->section[INVAR_INSPECT_CORRELATION].present);
    assert_non_null(strstr(i->section[INVAR_INSPECT_CORRELATION].absent, "views"));
    invar_inspection_free(i);

    /* all samples on one point: no scale, no number, no failure */
    b.subject.views = &b.views;
    memset(b.encoder->parameters, 0, (size_t)(H * INPUT) * sizeof(float));
    i = inspect(&b);
    const struct invar_finding *entropy =
        invar_inspection_find(i, INVAR_INSPECT_REPRESENTATION, "entropy_pairdist_upper");
    assert_false(entropy->known);
    assert_non_null(strstr(entropy->says, "sigma"));
    assert_false(i->section[INVAR_INSPECT_FISHER].present);
    assert_true(warned(i, "complete", "h.direction_spread"));
    assert_near(value(i, INVAR_INSPECT_CORRELATION, "h_hgr"), 0, 0);
    assert_null(invar_inspection_series(i, INVAR_INSPECT_CORRELATION, "h_correlations"));
    invar_inspection_free(i);
    bench_close(&b);
}

static void test_refusals(void **state)
{
    struct invar_error err = {0};
    struct bench b;
    (void)state;
    bench_open(&b, false);
    b.options.noise_levels = (struct invar_real_list){2, {1, 1}};
    assert_refused(invar_inspect(&b.subject, &b.options, &err), &err, INVAR_ERROR_USAGE, "noise_levels");
    b.options.noise_levels = (struct invar_real_list){1, {1}};
    for (int k = 0; k < Z * H; k++)
        b.projector->parameters[k] = 3e38F;
    assert_refused(invar_inspect(&b.subject, &b.options, &err), &err, INVAR_ERROR_NUMERIC,
                   "embedding z of test sample 0");
    b.projector->parameters[0] = NAN;
    assert_refused(invar_inspect(&b.subject, &b.options, &err), &err, INVAR_ERROR_NUMERIC, "of the projector");
    bench_close(&b);
}

/* One number too many takes the place of the last, one series too many is refused: neither is written past its room. */
static void test_room(void **state)
{
    static struct invar_findings section = {.name = "section"};
    struct invar_error err = {0};

    (void)state;
    for (int i = 0; i <= INVAR_MAX_FINDINGS; i++)
        inspect_add(&section, "number", "", i, "");
    assert_int_equal(section.count, INVAR_MAX_FINDINGS);
    assert_true(section.finding[INVAR_MAX_FINDINGS - 1].value == INVAR_MAX_FINDINGS);
    for (int i = 0; i < INVAR_MAX_SERIES; i++)
        assert_non_null(inspect_add_series(&section, "series", "", "", 1, &err));
    assert_refused(inspect_add_series(&section, "more", "", "", 1, &err), &err, INVAR_ERROR_DATA,
                   "no room for the series");
    for (int i = 0; i < INVAR_MAX_SERIES; i++)
        invar_free(section.series[i].value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_bounds_add_up),
        cmocka_unit_test(test_equal_views),
        cmocka_unit_test(test_scale_free),
        cmocka_unit_test(test_many_views),
        cmocka_unit_test(test_fisher),
        cmocka_unit_test(test_linear_outputs_are_normal),
        cmocka_unit_test(test_clipped_outputs_are_not),
        cmocka_unit_test(test_nearest_distances),
        cmocka_unit_test(test_bound_of_a_head),
        cmocka_unit_test(test_collapses_are_told_apart),
        cmocka_unit_test(test_absent),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
