/* SPDX-License-Identifier: Apache-2.0 */
/* The linear probe of features, fitted until it converges. */
#include "study/study.h"
#include "invar/log.h"
#include "invar/memory.h"
#include "run/test.h"

static void tell_unconverged(const struct invar_logreg_result *fit, const struct invar_probe_options *options)
{
    if (!fit->converged)
        invar_log(INVAR_LOG_WARNING,
                  "the probe stopped after %lld iterations with a gradient of %.1e, above %.1e; raise "
                  "iterations=%lld",
                  (long long)fit->iterations, fit->gradient_norm, options->tolerance, (long long)options->iterations);
}

/* Other test data whose classes are not those of training one by one. */
static bool rules_compete(const struct study_subject *subject)
{
    const struct invar_run_test *test = subject->run->test;

    return test && (subject->settings->compete_test || run_test_is_merged(test));
}

/* The classifier stays; what it says is read as the rules have it. */
static bool measure_competing(const struct study_subject *subject, const struct invar_matrix *test,
                              struct invar_probe_result *result, struct invar_error *err)
{
    const int classes = invar_dataset_info(subject->run->dataset)->classes;
    int64_t *labels = subject->test.labels.data;
    const struct invar_matrix scores = {INVAR_FLOAT32, test->rows, classes,
                                        invar_alloc((size_t)test->rows, (size_t)classes * sizeof(float), err)};
    bool ok = scores.data && invar_logreg_scores(test, result->weight, result->bias, classes, scores.data, err);

    if (ok) {
        run_test_compete(subject->run->test, subject->settings->compete_test, &scores, labels);
        ok = invar_accuracy_measure(&scores, labels, &result->test, err) &&
             invar_accuracy_add_probabilities(&result->test, &scores, INVAR_SCORES_LOGITS, labels, err);
        result->test_count = test->rows;
    }
    invar_free(scores.data);
    return ok;
}

static bool fit(const struct study_subject *subject, struct invar_probe_result *result, struct invar_error *err)
{
    const struct invar_matrix train = study_features(&subject->train), test = study_features(&subject->test);
    const int classes = invar_dataset_info(subject->run->dataset)->classes;

    if (!rules_compete(subject))
        return invar_probe_fit(&train, subject->train.labels.data, &test, subject->test.labels.data, classes,
                               subject->options, result, err);
    return invar_probe_fit(&train, subject->train.labels.data, NULL, NULL, classes, subject->options, result, err) &&
           (measure_competing(subject, &test, result, err) || (invar_probe_result_free(result), false));
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
