/* SPDX-License-Identifier: Apache-2.0 */
/* Measures of predictions: AUROC, recall and F1, calibration, accuracy by group, R2. */
#include "golden_runner/golden.h"

static bool run_auroc(struct golden_case *c, struct invar_error *err)
{
    const struct invar_array *labels = golden_input(c, "labels");
    struct invar_auroc auroc = {0};
    struct invar_matrix scores;

    golden_fixed(c, "average", "\"macro\"");
    const bool ok =
        golden_matrix(c, "scores", &scores) && labels && invar_auroc_measure(&scores, labels->data, &auroc, err);
    if (ok) {
        golden_give_scalar(c, "auroc", auroc.mean);
        golden_give_array(c, "auroc_each", auroc.each, auroc.count);
        golden_give_integers(c, "classes", auroc.label, auroc.count);
    }
    invar_auroc_free(&auroc);
    invar_free(scores.data);
    return ok;
}

static bool run_classification(struct golden_case *c, struct invar_error *err)
{
    const struct invar_array *labels = golden_input(c, "labels");
    struct invar_classification result = {0};
    struct invar_matrix scores;
    int64_t *predictions = NULL;
    bool ok = false;

    if (!golden_matrix(c, "scores", &scores) || !labels)
        goto done;
    predictions = invar_alloc((size_t)scores.rows, sizeof *predictions, err);
    if (!predictions || !invar_predict(&scores, predictions, err) ||
        !invar_classification_measure(predictions, labels->data, scores.rows, (int)scores.cols, &result, err))
        goto done;
    golden_give_scalar(c, "accuracy", result.accuracy);
    golden_give_scalar(c, "balanced_accuracy", result.balanced_accuracy);
    golden_give_scalar(c, "macro_f1", result.macro_f1);
    golden_give_array(c, "recall", result.recall, result.classes);
    golden_give_array(c, "f1", result.f1, result.classes);
    golden_give_integers(c, "confusion", result.confusion, (int64_t)result.classes * result.classes);
    ok = true;
done:
    invar_classification_free(&result);
    invar_free(predictions);
    invar_free(scores.data);
    return ok;
}

static bool run_ece(struct golden_case *c, struct invar_error *err)
{
    const int bins = (int)golden_real(c, "bins", INVAR_CALIBRATION_BINS);
    const struct invar_array *labels = golden_input(c, "labels");
    struct invar_calibration result = {0};
    struct invar_matrix probabilities;

    const bool ok = golden_matrix(c, "probabilities", &probabilities) && labels &&
                    invar_calibration_measure(&probabilities, labels->data, bins, &result, err);
    if (ok) {
        golden_give_scalar(c, "ece", result.ece);
        golden_give_scalar(c, "mce", result.mce);
        golden_give_integers(c, "counts", result.count, bins);
        golden_give_array(c, "accuracies", result.accuracy, bins);
        golden_give_array(c, "confidences", result.confidence, bins);
    }
    invar_calibration_free(&result);
    invar_free(probabilities.data);
    return ok;
}

static bool run_worst_group(struct golden_case *c, struct invar_error *err)
{
    const struct invar_array *predictions = golden_input(c, "predictions"), *labels = golden_input(c, "labels");
    const struct invar_array *groups = golden_input(c, "groups");
    struct invar_group_accuracy result;

    if (!predictions || !labels || !groups ||
        !invar_group_accuracy_measure(predictions->data, labels->data, groups->data, labels->shape[0], &result, err))
        return false;
    golden_give_scalar(c, "accuracy", result.all);
    golden_give_scalar(c, "worst_accuracy", result.worst);
    golden_give_scalar(c, "mean_over_groups", result.mean);
    golden_give_integers(c, "groups", result.group, result.count);
    golden_give_integers(c, "counts", result.samples, result.count);
    golden_give_array(c, "accuracies", result.accuracy, result.count);
    invar_group_accuracy_free(&result);
    return true;
}

static bool run_r2(struct golden_case *c, struct invar_error *err)
{
    struct invar_regression result = {0};
    struct invar_matrix predictions, targets = {0};

    golden_fixed(c, "multioutput", "\"mean\"");
    const bool ok = golden_matrix(c, "predictions", &predictions) && golden_matrix(c, "targets", &targets) &&
                    invar_regression_measure(&predictions, &targets, &result, err);
    if (ok) {
        golden_give_scalar(c, "r2", result.r2);
        golden_give_scalar(c, "mse", result.mse);
        golden_give_scalar(c, "mae", result.mae);
        golden_give_array(c, "r2_each", result.r2_each, result.targets);
    }
    invar_regression_free(&result);
    invar_free(predictions.data);
    invar_free(targets.data);
    return ok;
}

const struct golden_kind golden_predictions[] = {
    {"auroc", GOLDEN_F32 | GOLDEN_F64, run_auroc}, {"classification", GOLDEN_F32 | GOLDEN_F64, run_classification},
    {"ece", GOLDEN_F32 | GOLDEN_F64, run_ece},     {"worst_group", GOLDEN_F64, run_worst_group},
    {"r2", GOLDEN_F32 | GOLDEN_F64, run_r2},       {0},
};
