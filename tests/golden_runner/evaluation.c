/* SPDX-License-Identifier: Apache-2.0 */
/* The probe's logistic regression and nearest neighbours, on features of both types. */
#include "golden_runner/golden.h"

static bool run_logreg(struct golden_case *c, struct invar_error *err)
{
    const int classes = (int)golden_real(c, "classes", 2);

    golden_fixed(c, "penalise_bias", "false");
    golden_fixed(c, "loss_scaling", "\"mean\"");
    const struct invar_logreg_options options = {.l2 = golden_real(c, "l2", 0), .iterations = 10000, .tolerance = 1e-9};
    const struct invar_array *labels = golden_input(c, "labels");
    struct invar_logreg_result result;
    struct invar_matrix features;
    double *weight = NULL, *bias = NULL, mean = 0;
    bool ok = false;

    if (!golden_matrix(c, "features", &features) || !labels)
        goto done;
    weight = invar_alloc((size_t)(classes * features.cols), sizeof *weight, err);
    bias = invar_alloc((size_t)classes, sizeof *bias, err);
    if (!weight || !bias || !invar_logreg_fit(&features, labels->data, classes, &options, weight, bias, &result, err))
        goto done;
    for (int k = 0; k < classes; k++)
        mean += bias[k] / classes;
    for (int k = 0; k < classes; k++)
        bias[k] -= mean;
    golden_give_scalar(c, "objective", result.objective);
    golden_give_scalar(c, "cross_entropy", result.cross_entropy);
    golden_give_array(c, "weight", weight, classes * features.cols);
    golden_give_array(c, "bias", bias, classes);
    ok = true;
done:
    invar_free(features.data);
    invar_free(weight);
    invar_free(bias);
    return ok;
}

static bool run_knn(struct golden_case *c, struct invar_error *err)
{
    const int classes = (int)golden_real(c, "classes", 2);
    const struct invar_array *labels = golden_input(c, "labels");
    struct invar_matrix train, test = {0};
    int64_t *predictions = NULL;
    double *scores = NULL;
    bool ok = false;

    if (!golden_matrix(c, "train", &train) || !golden_matrix(c, "test", &test) || !labels)
        goto done;
    predictions = invar_alloc((size_t)test.rows, sizeof *predictions, err);
    scores = invar_alloc((size_t)(test.rows * classes), sizeof *scores, err);
    if (!predictions || !scores ||
        !invar_neighbours(&train, labels->data, &test, classes, (int64_t)golden_real(c, "k", 1),
                          golden_real(c, "temperature", 1), predictions, scores, err))
        goto done;
    golden_give_array(c, "scores", scores, test.rows * classes);
    golden_give_integers(c, "predictions", predictions, test.rows);
    ok = true;
done:
    invar_free(train.data);
    invar_free(test.data);
    invar_free(predictions);
    invar_free(scores);
    return ok;
}

const struct golden_kind golden_evaluation[] = {
    {"logreg", GOLDEN_F32 | GOLDEN_F64, run_logreg},
    {"knn", GOLDEN_F32 | GOLDEN_F64, run_knn},
    {0},
};
