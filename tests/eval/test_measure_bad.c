/* SPDX-License-Identifier: Apache-2.0 */
/* Every measurement is given NaN and Inf, in every place, and says so. */
#include "measuring.h"

enum { BAD_N = 9, BAD_D = 3 };
typedef bool measurement(const struct invar_matrix *z, const struct invar_matrix *other, struct invar_error *err);

static double unused[BAD_N * BAD_D];

static bool gaussian(const struct invar_matrix *z, const struct invar_matrix *other, struct invar_error *err)
{
    (void)other;
    return entropy(z, INVAR_ENTROPY_GAUSSIAN, unused, err);
}

static bool logdet(const struct invar_matrix *z, const struct invar_matrix *other, struct invar_error *err)
{
    (void)other;
    return entropy(z, INVAR_ENTROPY_LOGDET, unused, err);
}

static bool pairdist_kl(const struct invar_matrix *z, const struct invar_matrix *other, struct invar_error *err)
{
    (void)other;
    return entropy(z, INVAR_ENTROPY_PAIRDIST_KL, unused, err);
}

static bool pairdist_lower(const struct invar_matrix *z, const struct invar_matrix *other, struct invar_error *err)
{
    (void)other;
    return entropy(z, INVAR_ENTROPY_PAIRDIST_BHATTACHARYYA, unused, err);
}

static bool information(const struct invar_matrix *z, const struct invar_matrix *other, struct invar_error *err)
{
    const struct invar_entropy_options options = {.estimator = INVAR_ENTROPY_LOGDET, .beta = 1};
    struct invar_information out;
    return invar_measure_information(device, scratch, z, other, &options, NULL, NULL, &out, err);
}

static bool information_of_the_other(const struct invar_matrix *z, const struct invar_matrix *other,
                                     struct invar_error *err)
{
    return information(other, z, err);
}

static bool alignment(const struct invar_matrix *z, const struct invar_matrix *other, struct invar_error *err)
{
    return invar_measure_alignment(device, scratch, z, other, NULL, NULL, unused, err);
}

static bool alignment_of_the_other(const struct invar_matrix *z, const struct invar_matrix *other,
                                   struct invar_error *err)
{
    return alignment(other, z, err);
}

static bool correlation(const struct invar_matrix *z, const struct invar_matrix *other, struct invar_error *err)
{
    struct invar_correlation out;
    return correlate(z, other, unused, &out, err);
}

static bool correlation_of_the_other(const struct invar_matrix *z, const struct invar_matrix *other,
                                     struct invar_error *err)
{
    return correlation(other, z, err);
}

static bool uniformity(const struct invar_matrix *z, const struct invar_matrix *other, struct invar_error *err)
{
    (void)other;
    return invar_measure_uniformity(device, scratch, z, 2, NULL, unused, err);
}

static bool deviation(const struct invar_matrix *z, const struct invar_matrix *other, struct invar_error *err)
{
    (void)other;
    return invar_measure_deviation(device, scratch, z, unused, err);
}

static bool effective_rank(const struct invar_matrix *z, const struct invar_matrix *other, struct invar_error *err)
{
    (void)other;
    return invar_measure_effective_rank(device, scratch, z, unused, err);
}

static bool singular_values(const struct invar_matrix *z, const struct invar_matrix *other, struct invar_error *err)
{
    (void)other;
    return invar_measure_spectrum(device, scratch, z, unused, NULL, err);
}

static bool eigenvalues(const struct invar_matrix *z, const struct invar_matrix *other, struct invar_error *err)
{
    (void)other;
    return invar_measure_spectrum(device, scratch, z, NULL, unused, err);
}

static bool fisher_of(const struct invar_matrix *z, const struct invar_matrix *other, struct invar_error *err)
{
    static const int64_t labels[BAD_N] = {0, 0, 0, 1, 1, 1, 1, 0, 1};
    struct invar_fisher out = {0};
    (void)other;
    bool ok = invar_measure_fisher(z, labels, &out, err);
    invar_fisher_free(&out);
    return ok;
}

/* the bound with z in one of its four places */
static bool bound_with(const struct invar_matrix *z, const struct invar_matrix *other, int place,
                       struct invar_error *err)
{
    static const int64_t labels[BAD_N] = {0, 0, 0, 1, 1, 1, 1, 0, 1};
    const struct invar_generalisation_data data = {.classes = 2,
                                                   .plus = place == 0 ? *z : *other,
                                                   .plus_plus = place == 1 ? *z : *other,
                                                   .labelled = place == 2 ? *z : *other,
                                                   .test = place == 3 ? *z : *other,
                                                   .y_unlabelled = labels,
                                                   .y_labelled = labels,
                                                   .y_test = labels};
    struct invar_generalisation out = {0};
    bool ok = invar_measure_generalisation(&data, &out, err);
    invar_generalisation_free(&out);
    return ok;
}

static bool bound_plus(const struct invar_matrix *z, const struct invar_matrix *other, struct invar_error *err)
{
    return bound_with(z, other, 0, err);
}

static bool bound_plus_plus(const struct invar_matrix *z, const struct invar_matrix *other, struct invar_error *err)
{
    return bound_with(z, other, 1, err);
}

static bool bound_labelled(const struct invar_matrix *z, const struct invar_matrix *other, struct invar_error *err)
{
    return bound_with(z, other, 2, err);
}

static bool bound_test(const struct invar_matrix *z, const struct invar_matrix *other, struct invar_error *err)
{
    return bound_with(z, other, 3, err);
}

static bool normality(const struct invar_matrix *z, const struct invar_matrix *other, struct invar_error *err)
{
    struct invar_normality out;
    (void)other;
    return invar_measure_normality(z->data, z->rows * z->cols, &out, err);
}

static const struct {
    const char *name;
    measurement *run;
    bool names_row, wide; /* wide: float64 alone */
} measurements[] = {
    {"gaussian entropy", gaussian, true, false},
    {"logdet entropy", logdet, true, false},
    {"pairdist entropy, upper", pairdist_kl, true, false},
    {"pairdist entropy, lower", pairdist_lower, true, false},
    {"information bound", information, true, false},
    {"information bound, other view", information_of_the_other, true, false},
    {"alignment", alignment, true, false},
    {"alignment, other view", alignment_of_the_other, true, false},
    {"correlation", correlation, true, false},
    {"correlation, other view", correlation_of_the_other, true, false},
    {"uniformity", uniformity, true, false},
    {"deviation", deviation, true, false},
    {"effective rank", effective_rank, false, false},
    {"singular values", singular_values, false, false},
    {"eigenvalues", eigenvalues, false, false},
    {"fisher", fisher_of, true, false},
    {"generalisation bound, plus", bound_plus, true, false},
    {"generalisation bound, plus plus", bound_plus_plus, true, false},
    {"generalisation bound, labelled", bound_labelled, true, false},
    {"generalisation bound, test", bound_test, true, false},
    {"normality", normality, false, true},
};

/* one of them, anywhere, in either type: a sentence, never a number */
static void numbers_that_are_none_are_reported(void **state)
{
    static const double bad[] = {NAN, INFINITY, -INFINITY};
    double values[BAD_N * BAD_D], other[BAD_N * BAD_D];
    float narrow[BAD_N * BAD_D], narrow_other[BAD_N * BAD_D];
    const struct invar_matrix wide[] = {matrix(values, BAD_N, BAD_D), matrix(other, BAD_N, BAD_D)};
    const struct invar_matrix single[] = {{INVAR_FLOAT32, BAD_N, BAD_D, narrow},
                                          {INVAR_FLOAT32, BAD_N, BAD_D, narrow_other}};

    (void)state;
    fill(other, BAD_N * BAD_D, 0, 4);
    for (size_t m = 0; m < sizeof measurements / sizeof *measurements; m++) {
        struct invar_error err = {0};
        fill(values, BAD_N * BAD_D, 0, 3);
        invar_scratch_reset(scratch);
        assert_ok(measurements[m].run(&wide[1], &wide[1], &err), &err);
        for (int k = 0; k < 3 * BAD_N * BAD_D; k++) {
            char row[16];
            fill(values, BAD_N * BAD_D, 0, 3);
            values[k / 3] = bad[k % 3];
            for (int i = 0; i < BAD_N * BAD_D; i++) {
                narrow[i] = (float)values[i];
                narrow_other[i] = (float)other[i];
            }
            snprintf(row, sizeof row, "row %d ", k / 3 / BAD_D);
            for (int t = 0; t < (measurements[m].wide ? 1 : 2); t++) {
                const struct invar_matrix *z = t ? single : wide;
                invar_scratch_reset(scratch);
                if (measurements[m].run(&z[0], &z[1], &err))
                    fail_msg("%s: %g in element %d is accepted", measurements[m].name, bad[k % 3], k / 3);
                if (err.code != INVAR_ERROR_NUMERIC || (measurements[m].names_row && !strstr(err.message, row)))
                    fail_msg("%s: %g in element %d gives \"%s\"", measurements[m].name, bad[k % 3], k / 3, err.message);
                invar_error_clear(&err);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_that_are_none_are_reported),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
