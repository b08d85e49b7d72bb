/* SPDX-License-Identifier: Apache-2.0 */
/* Measurements work in float64 whatever they are given, so both precisions must meet the tolerance of float64. */
#include "golden_runner/golden.h"

#include <string.h>

static void give_exact(struct golden_case *c, const char *name, double value)
{
    golden_give(c, name, false, c->tolerance_f64, &value, 1);
}

/* memory like x; its data NULL with the failure set */
static struct invar_matrix room_like(struct golden_case *c, const struct invar_matrix *x)
{
    struct invar_matrix room = *x;

    room.data = invar_alloc((size_t)(x->rows * x->cols), invar_dtype_size(x->dtype), NULL);
    if (!room.data)
        golden_fail(c, "memory is short");
    return room;
}

static void give_gradient(struct golden_case *c, const char *name, const struct invar_matrix *gradient)
{
    golden_give_data(c, name, true, gradient->dtype, gradient->data, gradient->rows * gradient->cols);
}

static bool run_effective_rank(struct golden_case *c, struct invar_error *err)
{
    struct invar_scratch *scratch = invar_device_scratch_create(c->device, err);
    double *singular = NULL, *covariance = NULL, rank;
    struct invar_matrix z;
    bool ok = false;

    golden_fixed(c, "centre", "false");
    golden_fixed(c, "eps", "0");
    if (!golden_matrix(c, "z", &z))
        goto done;
    const int64_t count = z.rows < z.cols ? z.rows : z.cols;
    singular = invar_alloc((size_t)count, sizeof *singular, err);
    covariance = invar_alloc((size_t)z.cols, sizeof *covariance, err);
    if (!scratch || !singular || !covariance || !invar_measure_effective_rank(c->device, scratch, &z, &rank, err) ||
        !invar_measure_spectrum(c->device, scratch, &z, singular, covariance, err))
        goto done;
    give_exact(c, "effective_rank", rank);
    golden_give(c, "singular_values", false, c->tolerance_f64, singular, count);
    golden_give(c, "covariance_eigenvalues", false, c->tolerance_f64, covariance, z.cols);
    ok = true;
done:
    invar_free(z.data);
    invar_free(singular);
    invar_free(covariance);
    invar_scratch_free(scratch);
    return ok;
}

static bool run_gaussian(struct golden_case *c, struct invar_error *err)
{
    const struct invar_entropy_options options = {.estimator = INVAR_ENTROPY_GAUSSIAN};
    struct invar_scratch *scratch = invar_device_scratch_create(c->device, err);
    struct invar_matrix z = {0}, gradient = {0};
    double entropy;
    bool ok = scratch && golden_matrix(c, "z", &z) && (gradient = room_like(c, &z)).data &&
              invar_measure_entropy(c->device, scratch, &z, &options, &gradient, &entropy, err);

    golden_differentiates(c, "entropy");
    if (ok) {
        give_exact(c, "entropy", entropy);
        give_gradient(c, "z", &gradient);
    }
    invar_free(z.data);
    invar_free(gradient.data);
    invar_scratch_free(scratch);
    return ok;
}

/* beta and sigma are read where the estimator has them, so that they are unknown to the others */
static struct invar_entropy_options entropy_options(struct golden_case *c)
{
    static const char *const names[] = {"gaussian", "logdet", "pairdist_kl", "pairdist_bhattacharyya"};
    const char *name = cJSON_GetStringValue(golden_option(c, "entropy"));
    struct invar_entropy_options options = {.estimator = INVAR_ENTROPY_GAUSSIAN, .beta = 1, .sigma = 1};
    int i = 0;

    while (i < 4 && strcmp(names[i], name ? name : "gaussian") != 0)
        i++;
    if (i == 4)
        golden_fail(c, "the option entropy is none of gaussian, logdet, pairdist_kl and pairdist_bhattacharyya");
    else
        options.estimator = (enum invar_entropy_estimator)i;
    if (options.estimator == INVAR_ENTROPY_LOGDET)
        options.beta = golden_real(c, "beta", 1);
    else if (options.estimator != INVAR_ENTROPY_GAUSSIAN)
        options.sigma = golden_real(c, "sigma", 1);
    return options;
}

static bool run_information_bound(struct golden_case *c, struct invar_error *err)
{
    const struct invar_entropy_options options = entropy_options(c);
    struct invar_scratch *scratch = invar_device_scratch_create(c->device, err);
    struct invar_matrix z = {0}, z_prime = {0}, by_z = {0}, by_prime = {0};
    struct invar_information information;
    bool ok =
        scratch && golden_matrix(c, "z", &z) && golden_matrix(c, "z_prime", &z_prime) &&
        (by_z = room_like(c, &z)).data && (by_prime = room_like(c, &z)).data &&
        invar_measure_information(c->device, scratch, &z, &z_prime, &options, &by_z, &by_prime, &information, err);

    golden_differentiates(c, "bound");
    if (ok) {
        give_exact(c, "entropy", information.entropy);
        give_exact(c, "expected_log_q", information.expected_log_q);
        give_exact(c, "bound", information.bound);
        give_gradient(c, "z", &by_z);
        give_gradient(c, "z_prime", &by_prime);
    }
    invar_free(z.data);
    invar_free(z_prime.data);
    invar_free(by_z.data);
    invar_free(by_prime.data);
    invar_scratch_free(scratch);
    return ok;
}

/* The case differentiates one of the three; a view that has no part in it has gradient 0. */
static bool run_alignment_uniformity(struct golden_case *c, struct invar_error *err)
{
    struct invar_scratch *scratch = invar_device_scratch_create(c->device, err);
    struct invar_matrix z1 = {0}, z2 = {0}, by_z1 = {0}, by_z2 = {0};
    const double t = golden_real(c, "t", 2);
    const char *of = c->gradient_of ? c->gradient_of : "alignment";
    const bool of_alignment = strcmp(of, "alignment") == 0, of_1 = strcmp(of, "uniformity_z1") == 0,
               of_2 = strcmp(of, "uniformity_z2") == 0;
    double alignment, uniformity1, uniformity2;
    bool ok = scratch && golden_matrix(c, "z1", &z1) && golden_matrix(c, "z2", &z2) &&
              (by_z1 = room_like(c, &z1)).data && (by_z2 = room_like(c, &z2)).data &&
              invar_measure_alignment(c->device, scratch, &z1, &z2, of_alignment ? &by_z1 : NULL,
                                      of_alignment ? &by_z2 : NULL, &alignment, err) &&
              invar_measure_uniformity(c->device, scratch, &z1, t, of_1 ? &by_z1 : NULL, &uniformity1, err) &&
              invar_measure_uniformity(c->device, scratch, &z2, t, of_2 ? &by_z2 : NULL, &uniformity2, err);

    golden_fixed(c, "normalise", "true");
    golden_fixed(c, "alignment_exponent", "2");
    if (!of_alignment && !of_1 && !of_2)
        golden_fail(c, "gradient_of must be alignment, uniformity_z1 or uniformity_z2, not %s", of);

    if (ok) {
        give_exact(c, "alignment", alignment);
        give_exact(c, "uniformity_z1", uniformity1);
        give_exact(c, "uniformity_z2", uniformity2);
        give_gradient(c, "z1", &by_z1);
        give_gradient(c, "z2", &by_z2);
    }
    invar_free(z1.data);
    invar_free(z2.data);
    invar_free(by_z1.data);
    invar_free(by_z2.data);
    invar_scratch_free(scratch);
    return ok;
}

static bool run_hgr(struct golden_case *c, struct invar_error *err)
{
    struct invar_scratch *scratch = invar_device_scratch_create(c->device, err);
    struct invar_matrix z = {0}, z_tilde = {0};
    struct invar_correlation correlation;
    double *correlations = NULL;
    bool ok = scratch && golden_matrix(c, "z", &z) && golden_matrix(c, "z_tilde", &z_tilde) &&
              (correlations = invar_alloc((size_t)z.cols, sizeof *correlations, err)) &&
              invar_measure_correlation(c->device, scratch, &z, &z_tilde, correlations, &correlation, err);

    if (ok) {
        give_exact(c, "hgr", correlation.sum);
        golden_give(c, "correlations", false, c->tolerance_f64, correlations, correlation.count);
    }
    invar_free(z.data);
    invar_free(z_tilde.data);
    invar_free(correlations);
    invar_scratch_free(scratch);
    return ok;
}

static bool run_fisher(struct golden_case *c, struct invar_error *err)
{
    const struct invar_array *labels = golden_input(c, "labels");
    struct invar_fisher fisher = {0};
    struct invar_matrix features;
    const bool ok = golden_matrix(c, "features", &features) && labels &&
                    invar_measure_fisher(&features, labels->data, &fisher, err);

    golden_fixed(c, "quantiles", "\"linear\"");
    if (ok) {
        golden_give_integers(c, "classes", fisher.ids, fisher.classes);
        golden_give(c, "ratios", false, c->tolerance_f64, fisher.ratios, (int64_t)fisher.classes * fisher.classes);
        give_exact(c, "min", fisher.min);
        give_exact(c, "quartile1", fisher.quartile1);
        give_exact(c, "median", fisher.median);
        give_exact(c, "quartile3", fisher.quartile3);
        give_exact(c, "max", fisher.max);
    }
    invar_free(features.data);
    invar_fisher_free(&fisher);
    return ok;
}

static bool run_normality(struct golden_case *c, struct invar_error *err)
{
    struct invar_normality normality;
    struct invar_matrix sample;
    const bool ok = golden_matrix(c, "sample", &sample) &&
                    invar_measure_normality(sample.data, sample.rows * sample.cols, &normality, err);

    if (ok) {
        give_exact(c, "skewness", normality.skewness);
        give_exact(c, "kurtosis", normality.kurtosis);
        give_exact(c, "z_skewness", normality.z_skewness);
        give_exact(c, "z_kurtosis", normality.z_kurtosis);
        give_exact(c, "k2", normality.k2);
        give_exact(c, "p_value", normality.p_value);
    }
    invar_free(sample.data);
    return ok;
}

static const int64_t *labels_of(struct golden_case *c, const char *name)
{
    const struct invar_array *array = golden_input(c, name);
    return array ? array->data : NULL;
}

static bool run_generalisation(struct golden_case *c, struct invar_error *err)
{
    struct invar_generalisation_data data = {.classes = (int)golden_real(c, "classes", 2),
                                             .y_unlabelled = labels_of(c, "y_unlabelled"),
                                             .y_labelled = labels_of(c, "y_labelled"),
                                             .y_test = labels_of(c, "y_test")};
    struct invar_generalisation out = {0};
    const bool ok = golden_matrix(c, "f_plus", &data.plus) && golden_matrix(c, "f_plusplus", &data.plus_plus) &&
                    golden_matrix(c, "f_labelled", &data.labelled) && golden_matrix(c, "f_test", &data.test) &&
                    data.y_unlabelled && data.y_labelled && data.y_test &&
                    invar_measure_generalisation(&data, &out, err);

    golden_fixed(c, "head_bias", "false");
    golden_fixed(c, "unlabelled_features", "\"f_plus\"");
    if (ok) {
        give_exact(c, "invariance", out.invariance);
        give_exact(c, "unlabelled_norm", out.unlabelled_norm);
        give_exact(c, "labelled_norm", out.labelled_norm);
        give_exact(c, "unlabelled_term", out.unlabelled_term);
        give_exact(c, "labelled_term", out.labelled_term);
        give_exact(c, "sum_without_q", out.sum_without_q);
        give_exact(c, "test_error", out.test_error);
        golden_give(c, "head", false, c->tolerance_f64, out.head, data.classes * data.plus.cols);
    }
    invar_free(data.plus.data);
    invar_free(data.plus_plus.data);
    invar_free(data.labelled.data);
    invar_free(data.test.data);
    invar_generalisation_free(&out);
    return ok;
}

const struct golden_kind golden_measures[] = {
    {"effective_rank", GOLDEN_F32 | GOLDEN_F64, run_effective_rank},
    {"gaussian", GOLDEN_F32 | GOLDEN_F64, run_gaussian},
    {"information_bound", GOLDEN_F32 | GOLDEN_F64, run_information_bound},
    {"alignment_uniformity", GOLDEN_F32 | GOLDEN_F64, run_alignment_uniformity},
    {"hgr", GOLDEN_F32 | GOLDEN_F64, run_hgr},
    {"fisher", GOLDEN_F32 | GOLDEN_F64, run_fisher},
    {"normality", GOLDEN_F64, run_normality},
    {"generalisation_bound", GOLDEN_F32 | GOLDEN_F64, run_generalisation},
    {0},
};
