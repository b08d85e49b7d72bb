/* SPDX-License-Identifier: Apache-2.0 */
/* The linear probe of features, fitted until it converges. */
#include "study/study.h"
#include "invar/log.h"

static void tell_unconverged(const struct invar_logreg_result *fit, const struct invar_probe_options *options)
{
    if (!fit->converged)
        invar_log(INVAR_LOG_WARNING,
                  "the probe stopped after %lld iterations with a gradient of %.1e, above %.1e; raise "
                  "iterations=%lld",
                  (long long)fit->iterations, fit->gradient_norm, options->tolerance, (long long)options->iterations);
}

static bool fit(const struct study_subject *subject, struct invar_probe_result *result, struct invar_error *err)
{
    const struct invar_matrix train = study_features(&subject->train), test = study_features(&subject->test);
    const int classes = invar_dataset_info(subject->run->dataset)->classes;

    return invar_probe_fit(&train, subject->train.labels.data, &test, subject->test.labels.data, classes,
                           subject->options, result, err);
}

static bool measure(const struct study_subject *subject, const struct study_labels *labels, struct invar_probed *out,
                    struct invar_error *err)
{
    struct invar_probe_result result;

    if (study_is_few(labels))
        return study_linear_few(subject, labels, out, err);
    if (!fit(subject, &result, err))
        return false;
    tell_unconverged(&result.fit, subject->options);
    study_put_accuracy(subject, &result.test, out);
    const bool ok = study_put_groups(subject, &result.test, subject->test.index.data, out, err);
    out->l2 = result.l2;
    if (result.held_out_count) {
        out->held_out_count = result.held_out_count;
        out->held_out_top1 = result.held_out_top1;
    }
    out->objective = result.fit.objective;
    out->cross_entropy = result.fit.cross_entropy;
    out->gradient_norm = result.fit.gradient_norm;
    out->iterations = result.fit.iterations;
    out->converged = result.fit.converged;
    out->seconds = result.seconds;
    study_put_features(subject, out);
    study_put_protocol(subject, subject->options, out);
    invar_probe_result_free(&result);
    return ok;
}

static const char *chosen_on(const void *options, bool *on_test)
{
    *on_test = false;
    return ((const struct invar_probe_options *)options)->l2.count > 1
               ? "held-out training samples: the strength of the penalty"
               : "nothing";
}

static const char *const baselines[] = {"random", "input", "supervised", NULL};
const struct study_method_spec study_method_linear = {.name = "linear",
                                                      .help = "logistic regression, fitted until it converges",
                                                      .options = invar_probe_option_table,
                                                      .size = sizeof(struct invar_probe_options),
                                                      .baselines = baselines,
                                                      .labels = STUDY_CLASSES,
                                                      .of_numbers = &study_method_ridge,
                                                      .few_labels = true,
                                                      .of_features = true,
                                                      .chosen_on = chosen_on,
                                                      .measure = measure};
