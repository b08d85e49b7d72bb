/* SPDX-License-Identifier: Apache-2.0 */
/* Ridge regression, in the place of classifiers where the label is a number. */
#include "study/study.h"

void study_put_regression(const struct invar_regression *measured, struct invar_probed *out)
{
    out->r2 = measured->r2;
    out->mae = measured->mae;
    out->mse = measured->mse;
    study_put_spearman(measured->spearman, out);
}

static bool measure(const struct study_subject *subject, const struct study_labels *labels, struct invar_probed *out,
                    struct invar_error *err)
{
    const struct invar_matrix train = study_features(&subject->train), test = study_features(&subject->test);
    struct invar_ridge_result result;

    if (study_is_few(labels))
        return study_ridge_few(subject, labels, out, err);
    if (!invar_ridge_fit(&train, subject->train_targets, &test, subject->test_targets, subject->options, &result, err))
        return false;
    study_put_regression(&result.test, out);
    out->alpha = result.alpha;
    if (result.chosen)
        out->held_out_r2 = result.held_out_r2;
    out->seconds = result.seconds;
    out->label_kind = "number";
    study_put_features(subject, out);
    study_put_protocol(subject, subject->options, out);
    invar_ridge_result_free(&result);
    return true;
}

static const char *chosen_on(const void *options, bool *on_test)
{
    *on_test = false;
    return ((const struct invar_ridge_options *)options)->alpha.count > 1
               ? "training samples, each held out once: the strength of the penalty"
               : "nothing";
}

static const char *const baselines[] = {"random", "input", NULL};
const struct study_method_spec study_method_ridge = {
    .name = "ridge",
    .key = "linear",
    .help = "of labels that are numbers, where it is what linear means: ridge regression",
    .options = invar_ridge_option_table,
    .size = sizeof(struct invar_ridge_options),
    .baselines = baselines,
    .labels = STUDY_NUMBERS,
    .few_labels = true,
    .of_features = true,
    .chosen_on = chosen_on,
    .measure = measure};
