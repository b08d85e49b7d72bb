/* SPDX-License-Identifier: Apache-2.0 */
/* The linear probe by SGD as a result of probe.json. */
#include "study/study.h"
#include "run/recipe.h"

#include <math.h>

static const struct invar_probed_state *keep_state(const struct study_subject *subject,
                                                   const struct invar_sgd_probe_state *state)
{
    struct invar_probed_state *out = json_room_take(subject->room, 1, sizeof *out);

    if (out)
        *out =
            (struct invar_probed_state){.epoch = state->epoch,
                                        .step = -1,
                                        .top1 = state->test.top1,
                                        .interval = {state->test.low, state->test.high},
                                        .top5 = state->test.top5,
                                        .held_out_top1 = state->held_out_top1 >= 0 ? state->held_out_top1 : (double)NAN,
                                        .lr = state->lr,
                                        .l2 = state->l2};
    return out;
}

static bool describe(const struct study_subject *subject, const struct invar_sgd_probe_result *result,
                     struct invar_probed *out, struct invar_error *err)
{
    struct invar_sgd_probe_options used = *(const struct invar_sgd_probe_options *)subject->options;
    const struct invar_accuracy *reported = used.report == INVAR_PROBE_BEST ? &result->best.test : &result->last.test;

    used.batch = result->batch;
    if (used.views.augment == INVAR_PROBE_AUTO)
        used.views.augment = result->plain ? INVAR_PROBE_NONE : INVAR_PROBE_CROP_FLIP;
    study_put_accuracy(subject, reported, out);
    out->best = keep_state(subject, &result->best);
    out->last = keep_state(subject, &result->last);
    out->candidates = result->candidates;
    out->steps = result->steps;
    if (result->held_out_count)
        out->held_out_count = result->held_out_count;
    out->seconds = result->seconds;
    study_put_data(subject, result->train_count, result->test_count, result->dimensions, out);
    study_put_classes(subject, out);
    study_put_protocol(subject, &used, out);
    return study_put_groups(subject, reported, reported->index, out, err);
}

static bool measure(const struct study_subject *subject, const struct study_labels *labels, struct invar_probed *out,
                    struct invar_error *err)
{
    const struct invar_run *run = subject->run;
    struct run_recipe recipe;
    struct invar_sgd_probe_result result;
    struct invar_sgd_probe_work work = {
        .device = run->device, .encoder = subject->encoder, .dataset = run->dataset, .watch = run->watch};

    (void)labels;
    if (!run_recipe_read(run->folder, &recipe, err))
        return false;
    work.run = recipe.found ? &recipe.views : NULL;
    if (!invar_sgd_probe(&work, subject->options, &result, err))
        return false;
    const bool ok = describe(subject, &result, out, err);
    invar_sgd_probe_result_free(&result);
    return ok;
}

static const char *chosen_on(const void *options, bool *on_test)
{
    *on_test = ((const struct invar_sgd_probe_options *)options)->choose == INVAR_PROBE_TEST;
    return *on_test ? "the test split: best epoch, and rate and penalty where there are several; chosen there, they "
                      "are better than they are"
                    : "held-out training samples: rate, penalty and best epoch";
}

static const char *const baselines[] = {"random", "supervised", NULL};
const struct study_method_spec study_method_sgd = {
    .name = "sgd",
    .help = "a linear classifier by SGD on views drawn anew every epoch, as in papers",
    .options = invar_sgd_probe_option_table,
    .size = sizeof(struct invar_sgd_probe_options),
    .baselines = baselines,
    .labels = STUDY_CLASSES,
    .chosen_on = chosen_on,
    .measure = measure};
