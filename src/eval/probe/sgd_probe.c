/* SPDX-License-Identifier: Apache-2.0 */
/* The linear probe by stochastic gradient descent: every rate and strength at once, on the same views. */
#include "eval/probe/bank.h"
#include "eval/check.h"
#include "eval/probe/feed.h"
#include "invar/log.h"
#include "invar/memory.h"
#include "base/threads.h"
#include "invar/watch.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define FIELD(name) offsetof(struct invar_sgd_probe_options, name)
/* Defaults are the common protocol of linear evaluation on ImageNet, whose rates and strengths are searched over. */
const struct invar_option invar_sgd_probe_option_table[] = {
    {"epochs", INVAR_OPTION_INT, FIELD(epochs), "80", 1, 1e6, NULL, "passes over the training samples"},
    {"batch", INVAR_OPTION_INT, FIELD(batch), "1024", 1, 65536, NULL, "samples a step"},
    {"lr", INVAR_OPTION_REAL_LIST, FIELD(lr), "[0.4, 0.3, 0.2, 0.1, 0.05]", 1e-9, 1e6, NULL,
     "peak rates to choose from, before scaling; one value: no choice"},
    {"lr_scaling", INVAR_OPTION_CHOICE, FIELD(lr_scaling), "linear", 0, 0, INVAR_CHOICES(INVAR_RATE_SCALINGS),
     "linear: the peak is lr * batch / 256"},
    {"l2", INVAR_OPTION_REAL_LIST, FIELD(l2), "[0, 1e-5, 1e-4]", 0, 1e6, NULL,
     "strengths of the penalty to choose from, on features as they are; bias free"},
    {"momentum", INVAR_OPTION_REAL, FIELD(momentum), "0.9", 0, 0.9999, NULL, "weight of the past"},
    {"nesterov", INVAR_OPTION_BOOL, FIELD(nesterov), "true", 0, 0, NULL, "step along gradient + momentum * past"},
    {"schedule", INVAR_OPTION_CHOICE, FIELD(schedule), "cosine", 0, 0, INVAR_CHOICES(INVAR_PROBE_SCHEDULES),
     "of the rate: down to 0 at the end, step by step; or multiplied by gamma at every milestone"},
    {"milestones", INVAR_OPTION_INT_LIST, FIELD(milestones), "[60, 80]", 1, 1e6, NULL, "epochs of schedule=step"},
    {"gamma", INVAR_OPTION_REAL, FIELD(gamma), "0.1", 1e-9, 1, NULL, "of schedule=step"},
    {"warmup", INVAR_OPTION_INT, FIELD(warmup), "0", 0, 1e6, NULL, "epochs in which the rate rises from 0"},
    {"augment", INVAR_OPTION_CHOICE, FIELD(views.augment), "auto", 0, 0, INVAR_CHOICES(INVAR_PROBE_AUGMENTS),
     "views of training samples, drawn anew every epoch; run: the first of the run's; auto: crop and flip of images"},
    {"crop", INVAR_OPTION_REAL_LIST, FIELD(views.crop), "[0.08, 1]", 0.0001, 1, NULL,
     "[low, high] area of the random resized crop"},
    {"flip", INVAR_OPTION_REAL, FIELD(views.flip), "0.5", 0, 1, NULL, "probability of a horizontal flip"},
    {"held_out", INVAR_OPTION_REAL, FIELD(held_out), "0.1", 0.001, 0.9, NULL,
     "fraction of the training samples of every class on which rate, strength and best epoch are chosen"},
    {"choose", INVAR_OPTION_CHOICE, FIELD(choose), "held_out", 0, 0, INVAR_CHOICES(INVAR_PROBE_CHOOSES),
     "where they are chosen; test makes results better than they are, and they say so"},
    {"report", INVAR_OPTION_CHOICE, FIELD(report), "last", 0, 0, INVAR_CHOICES(INVAR_PROBE_REPORTS),
     "which epoch is the result; both are always reported"},
    {"seed", INVAR_OPTION_INT, FIELD(seed), "1", 0, 9007199254740992.0, NULL,
     "of the held-out part, initial weights, order and views"},
    {NULL, INVAR_OPTION_INT, 0, NULL, 0, 0, NULL, NULL},
};

/* A split seen plainly, on which classifiers are measured. Plain views are embedded once: the encoder is frozen, so
 * that measuring after every epoch costs products alone. Training samples are seen anew under drawn views, and are what
 * takes the time. */
struct measured {
    struct invar_embedded embedded;
    float *scores; /* [rows][classes] */
    int64_t rows;
};

/* All that one probe works with. */
struct work {
    const struct invar_sgd_probe_work *given;
    const struct invar_sgd_probe_options *options;
    int classes, candidates;
    struct invar_view_options views;
    bool plain;
    bool *held; /* [training samples] */
    int64_t held_count;
    struct measured held_out, test;
    struct feed feed;
    struct bank bank; /* candidates on all samples, and behind them, with a held-out part, those without it */
    int64_t steps_per_epoch, total;
    float *best; /* one classifier: [classes][cols], [classes] */
    double best_top1, last_top1;
    int best_candidate, last_candidate;
    int64_t best_epoch;
};

/* Zeroed parts may be freed. */
static void measured_free(struct measured *part)
{
    invar_embedded_free(&part->embedded);
    invar_free(part->scores);
}

static void work_free(struct work *w)
{
    invar_free(w->held);
    measured_free(&w->held_out);
    measured_free(&w->test);
    feed_close(&w->feed);
    bank_free(&w->bank);
    invar_free(w->best);
}

/* ---- what is measured on ---- */

/* order NULL: the whole split. Samples without a label are dropped here, after the pass: which they are is known with
 * the data alone. */
static bool measured_create(struct work *w, struct measured *part, enum invar_split split, const int64_t *order,
                            int64_t count, const char *what, struct invar_error *err)
{
    const struct embed_work embed = {.device = w->given->device,
                                     .encoder = w->given->encoder,
                                     .dataset = w->given->dataset,
                                     .pass = {.split = split, .order = order, .count = count},
                                     .precision = INVAR_PRECISION_FLOAT32};
    struct embed_rows rows = {0};

    if (!embed_run(&embed, &rows, err))
        return false;
    part->embedded.features = rows.h[0];
    part->embedded.labels = rows.labels;
    part->embedded.index = rows.index;
    part->rows = rows.rows;
    /* The arrays have changed hands, and what is freed here must not be theirs. */
    rows.h[0] = rows.labels = rows.index = (struct invar_array){0};
    embed_rows_free(&rows);
    part->rows -= invar_embedded_keep_labelled(&part->embedded);
    part->scores = invar_alloc((size_t)part->rows, (size_t)w->classes * sizeof(float), err);
    return part->scores && labels_check(part->embedded.labels.data, part->rows, w->classes, what, false, err);
}

/* Choosing where one reports would make the result better than it is; so rate, penalty and epoch are chosen on training
 * samples that a second set of classifiers is not trained on. choose=test is there to repeat published protocols. */
static bool hold_out(struct work *w, struct invar_error *err)
{
    const int64_t count = invar_dataset_info(w->given->dataset)->count[INVAR_TRAIN];
    const struct invar_label_draw how = {.fraction = w->options->held_out, .hold_out = true, .seed = w->options->seed};
    int64_t *index = invar_alloc((size_t)count, sizeof *index, err);
    bool ok = false;

    w->held = invar_alloc((size_t)count, sizeof *w->held, err);
    if (!index || !w->held)
        goto done;
    if (w->options->choose == INVAR_PROBE_TEST) {
        /* Nothing is held out, but what invar_draw_labelled would have refused is refused all the same. */
        ok = labels_check_some(invar_dataset_labels(w->given->dataset, INVAR_TRAIN), count, w->classes,
                               "training samples", err);
        goto done;
    }
    if (!invar_draw_labelled(invar_dataset_labels(w->given->dataset, INVAR_TRAIN), count, w->classes, &how, index,
                             &w->held_count, err))
        goto done;
    for (int64_t i = 0; i < w->held_count; i++)
        w->held[index[i]] = true;
    ok = measured_create(w, &w->held_out, INVAR_TRAIN, index, w->held_count, "held-out samples", err);
done:
    invar_free(index);
    return ok;
}

/* ---- the classifiers ---- */

/* All candidates learn side by side from the same batches: the encoder's pass, by far the
 * largest cost, is shared. With a held-out part every candidate is there twice, as what is chosen must not have seen it
 * and what is reported may have. */
static bool create_bank(struct work *w, struct invar_error *err)
{
    const struct invar_sgd_probe_options *o = w->options;
    struct bank_head *head;
    const int twice = o->choose == INVAR_PROBE_TEST ? 1 : 2;
    bool ok;

    head = invar_alloc((size_t)(w->candidates * twice), sizeof *head, err);
    if (!head)
        return false;
    for (int i = 0; i < w->candidates * twice; i++)
        /* The twin of candidate i is i + candidates, of the same rate and strength: what tells the two apart is the
         * held-out part alone. */
        head[i] = (struct bank_head){.l2 = o->l2.value[i % w->candidates % o->l2.count], .partial = i >= w->candidates};
    ok = bank_create(&w->bank, w->candidates * twice, head, w->classes, w->feed.cols, w->feed.batch, (uint64_t)o->seed,
                     err);
    invar_free(head);
    w->bank.momentum = o->momentum;
    w->bank.nesterov = o->nesterov;
    if (ok)
        w->best = invar_alloc((size_t)w->classes, (size_t)(w->feed.cols + 1) * sizeof(float), err);
    return ok && w->best;
}

/* Candidates are numbered rate by rate, strengths within. */
static double candidate_rate(const struct work *w, int candidate)
{
    return w->options->lr.value[candidate / w->options->l2.count];
}

/* The peak times this. Warm-up and cosine go by the step and not by the epoch, so that runs of few epochs have a smooth
 * rate too. */
static double schedule(const struct work *w, int64_t step)
{
    const struct invar_sgd_probe_options *o = w->options;
    const int64_t warmup = o->warmup * w->steps_per_epoch, epoch = step / w->steps_per_epoch;
    double factor = 1;

    /* From 0, as the option says: the first step of a warm-up moves nothing, and the peak comes with the first step
     * after it. */
    if (step < warmup)
        return (double)step / (double)warmup;
    if (o->schedule == INVAR_PROBE_COSINE && w->total > warmup)
        return (1 + cos(acos(-1.0) * (double)(step - warmup) / (double)(w->total - warmup))) / 2;
    /* Milestones are epochs of the whole run, warm-up included: they do not move where a warm-up is added. Several that
     * have passed multiply. */
    for (int i = 0; o->schedule == INVAR_PROBE_STEP && i < o->milestones.count; i++)
        factor *= epoch >= o->milestones.value[i] ? o->gamma : 1;
    return factor;
}

/* By the batch that is really taken, which small data make smaller than asked for. */
static void set_rates(struct work *w, int64_t step)
{
    const double scale = w->options->lr_scaling == INVAR_RATE_SCALING_LINEAR ? (double)w->feed.batch / 256 : 1,
                 factor = schedule(w, step);

    for (int i = 0; i < w->bank.count; i++)
        /* A twin has the rate of its candidate at every step, since the choice that it makes is to hold for that
         * one. */
        w->bank.head[i].lr = candidate_rate(w, i % w->candidates) * scale * factor;
}

/* Percent of right answers; of equal scores the smaller class. The encoder has been run before: this is a product. */
static double top1(struct work *w, int which, struct measured *part)
{
    const int64_t *labels = part->embedded.labels.data;
    int64_t hits = 0;

    bank_scores(&w->bank, which, part->embedded.features.data, part->rows, part->scores);
    for (int64_t i = 0; i < part->rows; i++) {
        const float *score = part->scores + i * w->classes;
        int best = 0;
        for (int c = 1; c < w->classes; c++)
            best = score[c] > score[best] ? c : best;
        hits += best == labels[i];
    }
    return 100 * (double)hits / (double)part->rows;
}

/* Measures all candidates where choices are made; keeps the best of all epochs. After every epoch, since the best
 * epoch is reported beside the last. */
static void look(struct work *w, int64_t epoch)
{
    const bool test = w->options->choose == INVAR_PROBE_TEST;

    w->last_top1 = -1;
    for (int i = 0; i < w->candidates; i++) {
        const double accuracy = top1(w, test ? i : i + w->candidates, test ? &w->test : &w->held_out);
        /* Strictly: of equals the earlier stays, so that a choice does not hang on how often it is asked for. */
        if (accuracy > w->last_top1) {
            w->last_top1 = accuracy;
            w->last_candidate = i;
        }
    }
    if (w->last_top1 > w->best_top1) {
        w->best_top1 = w->last_top1;
        w->best_candidate = w->last_candidate;
        w->best_epoch = epoch;
        /* Kept is the classifier of all training samples and not the twin that was measured, which has seen
         * less. */
        bank_copy(&w->bank, w->best_candidate, w->best, false);
    }
    invar_log(INVAR_LOG_DEBUG, "sgd probe: epoch %lld: %s top-1 %.2f %% with lr %g, l2 %g", (long long)epoch,
              test ? "test" : "held-out", w->last_top1, candidate_rate(w, w->last_candidate),
              w->options->l2.value[w->last_candidate % w->options->l2.count]);
}

static bool tell(const struct work *w, int64_t step, struct invar_error *err)
{
    char best[64];
    const struct invar_progress progress = {"linear probe by SGD", "steps", step, w->total,
                                            w->best_top1 >= 0 ? best : NULL};

    snprintf(best, sizeof best, "best %.2f %%", w->best_top1);
    return invar_watch_tell(w->given->watch, &progress, err);
}

/* Held-out samples go through the encoder with the others, which keeps the batches of both sets of classifiers the
 * same; those that must not learn from them skip them in bank_step. */
static bool train_epoch(struct work *w, bool *held, int64_t epoch, struct invar_error *err)
{
    if (!feed_epoch(&w->feed, epoch, err))
        return false;
    for (int64_t i = 0; i < w->steps_per_epoch; i++) {
        const int64_t step = epoch * w->steps_per_epoch + i;
        int64_t got = 0;
        if (!feed_next(&w->feed, &got, err))
            return false;
        if (!got) /* unreadable samples */
            break;
        for (int64_t j = 0; j < got; j++)
            held[j] = w->held[w->feed.index[j]];
        set_rates(w, step);
        if (!bank_step(&w->bank, w->feed.features, w->feed.labels, held, got, err))
            return false;
        if (!tell(w, step + 1, err))
            return false;
    }
    look(w, epoch + 1);
    return true;
}

static bool train(struct work *w, struct invar_error *err)
{
    bool *held = invar_alloc((size_t)w->feed.batch, sizeof *held, err);
    bool ok = held != NULL;

    for (int64_t epoch = 0; ok && epoch < w->options->epochs; epoch++)
        ok = train_epoch(w, held, epoch, err);
    invar_free(held);
    return ok;
}

/* ---- results ---- */

/* Measured on the test split, whatever was chosen where; held_out_top1 is what the choice was made by. */
static bool describe(struct work *w, int candidate, int64_t epoch, double accuracy, struct invar_sgd_probe_state *out,
                     struct invar_error *err)
{
    const struct invar_matrix scores = {INVAR_FLOAT32, w->test.rows, w->classes, w->test.scores};

    *out = (struct invar_sgd_probe_state){.epoch = epoch,
                                          .lr = candidate_rate(w, candidate),
                                          .l2 = w->options->l2.value[candidate % w->options->l2.count],
                                          .held_out_top1 = w->held_count ? accuracy : -1};
    bank_scores(&w->bank, candidate, w->test.embedded.features.data, w->test.rows, w->test.scores);
    return invar_accuracy_measure(&scores, w->test.embedded.labels.data, &out->test, err) &&
           invar_accuracy_add_probabilities(&out->test, &scores, INVAR_SCORES_LOGITS, w->test.embedded.labels.data,
                                            err) &&
           invar_accuracy_add_index(&out->test, w->test.embedded.index.data, err);
}

/* The last state first: the best is copied into its place in the bank and would overwrite it. */
static bool finish(struct work *w, struct invar_sgd_probe_result *out, struct invar_error *err)
{
    out->train_count = w->feed.count;
    out->test_count = w->test.rows;
    out->dimensions = w->feed.cols;
    out->held_out_count = w->held_count;
    out->batch = w->feed.batch;
    out->steps = w->total;
    out->candidates = w->candidates;
    out->plain = w->plain;
    if (!describe(w, w->last_candidate, w->options->epochs, w->last_top1, &out->last, err))
        return false;
    bank_copy(&w->bank, w->best_candidate, w->best, true);
    return describe(w, w->best_candidate, w->best_epoch, w->best_top1, &out->best, err);
}

static bool check(const struct invar_sgd_probe_options *o, struct invar_error *err)
{
    if (o->lr.count < 1 || o->l2.count < 1)
        return invar_error_set(err, INVAR_ERROR_USAGE, "%s is empty; give at least one value",
                               o->lr.count < 1 ? "lr" : "l2");
    if (o->warmup >= o->epochs)
        return invar_error_set(err, INVAR_ERROR_USAGE, "warmup=%lld leaves none of %lld epochs: give fewer",
                               (long long)o->warmup, (long long)o->epochs);
    return true;
}

bool invar_sgd_probe(const struct invar_sgd_probe_work *work, const struct invar_sgd_probe_options *options,
                     struct invar_sgd_probe_result *out, struct invar_error *err)
{
    THREADS_FOR(invar_device_threads(work->device));
    const struct invar_dataset_info *info = invar_dataset_info(work->dataset);
    const double started = invar_seconds();
    struct invar_sgd_probe_result result = {0};
    struct work w = {.given = work,
                     .options = options,
                     .classes = info->classes,
                     .candidates = options->lr.count * options->l2.count,
                     .best_top1 = -1};
    bool ok = false;

    if (!check(options, err) || !invar_probe_views_resolve(&options->views, info, work->run, &w.views, &w.plain, err) ||
        !hold_out(&w, err) || !measured_create(&w, &w.test, INVAR_TEST, NULL, 0, "test samples", err) ||
        !feed_open(&w.feed, work, w.plain ? NULL : &w.views, options->batch, (uint64_t)options->seed, err))
        goto done;
    /* A last batch that is not full is left out: its gradient would be a mean over fewer samples at the same rate. */
    w.steps_per_epoch = w.feed.count / w.feed.batch;
    w.total = w.steps_per_epoch * options->epochs;
    if (!create_bank(&w, err) || !train(&w, err) || !finish(&w, &result, err))
        goto done;
    result.seconds = invar_seconds() - started;
    *out = result;
    result = (struct invar_sgd_probe_result){0};
    ok = true;
done:
    invar_sgd_probe_result_free(&result);
    work_free(&w);
    return ok;
}

void invar_sgd_probe_result_free(struct invar_sgd_probe_result *result)
{
    if (!result)
        return;
    invar_accuracy_free(&result->last.test);
    invar_accuracy_free(&result->best.test);
}
