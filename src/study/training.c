/* SPDX-License-Identifier: Apache-2.0 */
/* Training on labels with a look at a held-out part now and then: training, which knows no evaluation, and evaluation,
 * which knows no training, joined. */
#include "study/training.h"
#include "invar/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_OVERRIDES = 32 };

/* The penalty of a fitted head where there is nothing to choose it by. */
#define SINGLE_L2 0.01

/* Weights of the best state so far. */
struct kept {
    float *encoder, *encoder_statistics, *head, *head_statistics;
};

void study_training_free(struct study_training *s)
{
    if (!s)
        return;
    invar_trainer_free(s->trainer);
    invar_recipe_free(s->recipe);
    invar_free(s->index);
    invar_accuracy_free(&s->best.test);
    invar_accuracy_free(&s->last.test);
    invar_free(s);
}

static void kept_free(struct kept *kept)
{
    invar_free(kept->encoder);
    invar_free(kept->encoder_statistics);
    invar_free(kept->head);
    invar_free(kept->head_statistics);
}

/* Values of other samples would make labels wrong. */
struct invar_recipe *study_training_recipe(const struct invar_run *run, const char *const *overrides, int count,
                                           struct invar_error *err)
{
    char head[128];
    const char *all[MAX_OVERRIDES] = {head,
                                      "terms={cross_entropy: {}}",
                                      "predictor=null",
                                      "target=null",
                                      "init=null",
                                      "data.group=null",
                                      "data.metadata=null",
                                      "adversary=null",
                                      "classifier=null",
                                      "views.mix=null",
                                      "views.corrupt=null",
                                      "training.collapse_deviation=0",
                                      "training.collapse_rank=0",
                                      "training.measure_interval=1000000000"};
    int used = 0;

    snprintf(head, sizeof head, "projector={hidden: [], output: %d, last_bias: true}",
             invar_dataset_info(run->dataset)->classes);
    while (all[used])
        used++;
    for (int i = 0; i < count; i++)
        all[used++] = overrides[i];
    return invar_run_recipe(run->folder, all, used, err);
}

/* Which of the samples are held out and which are trained on. */
static bool draw_held_out(struct study_training *s, const struct invar_run *run, struct invar_error *err)
{
    const struct invar_dataset_info *info = invar_dataset_info(run->dataset);
    const int64_t *all = invar_dataset_labels(run->dataset, INVAR_TRAIN), *samples = s->plan.samples;
    const int64_t given = samples ? s->plan.count : info->count[INVAR_TRAIN];
    const struct invar_label_draw how = {.fraction = s->plan.held_out, .hold_out = true, .seed = s->plan.seed};
    int64_t *labels = invar_alloc((size_t)given + 1, sizeof *labels, err), count = 0;
    int64_t *labelled = invar_alloc((size_t)given + 1, sizeof *labelled, err);
    bool ok = false;

    s->index = invar_alloc((size_t)given + 1, sizeof *s->index, err);
    if (!labels || !labelled || !s->index)
        goto done;
    for (int64_t i = 0; i < given; i++) {
        const int64_t sample = samples ? samples[i] : i;
        if (all[sample] < 0)
            continue;
        labels[count] = all[sample];
        labelled[count] = sample;
        s->index[count] = count;
        count++;
    }
    if (!s->plan.on_test && !invar_draw_labelled(labels, count, info->classes, &how, s->index, &s->held_out, err))
        goto done;
    for (int64_t i = 0; i < count; i++)
        s->index[i] = labelled[s->index[i]];
    s->trained_on = count - s->held_out;
    ok = (s->trained_on > 1 && (s->held_out > 0 || s->plan.on_test)) ||
         invar_error_set(err, INVAR_ERROR_DATA,
                         "of %lld labelled samples %lld would be held out, which leaves too little to train on or to "
                         "choose by: give more labels a "
                         "class, or another held_out",
                         (long long)count, (long long)s->held_out);
done:
    invar_free(labels);
    invar_free(labelled);
    return ok;
}

/* Strengths of the penalty: as the linear probe chooses them, but where less than one sample a class would be held out
 * there may be none to choose by. */
static struct invar_probe_options head_options(const struct study_training *s, int classes)
{
    struct invar_probe_options options;

    invar_options_default(invar_probe_option_table, &options);
    options.seed = s->plan.seed;
    options.held_out = s->plan.held_out;
    if (s->plan.held_out * (double)s->trained_on < classes) {
        options.l2.count = 1;
        options.l2.value[0] = SINGLE_L2;
    }
    return options;
}

/* The linear probe of the encoder as it is, of the samples that are trained on, becomes the head. */
static bool fit_head(struct study_training *s, const struct invar_run *run, const struct invar_encoder *encoder,
                     struct invar_head *head, struct invar_error *err)
{
    const int classes = invar_dataset_info(run->dataset)->classes;
    const struct invar_probe_options options = head_options(s, classes);
    struct invar_embedded h = {0};
    struct invar_probe_result probe = {0};
    bool ok = invar_embed_head(run->device, encoder, NULL, run->dataset, INVAR_TRAIN, s->index + s->held_out,
                               s->trained_on, &h, err);

    if (ok) {
        const struct invar_matrix features = {INVAR_FLOAT32, h.features.shape[0], h.features.shape[1], h.features.data};
        ok = invar_probe_fit(&features, h.labels.data, NULL, NULL, classes, &options, &probe, err);
    }
    if (ok) { /* a linear head has its weight [classes][width], then its bias */
        const int64_t weights = classes * probe.dimensions;
        for (int64_t i = 0; i < weights; i++)
            head->parameters[i] = (float)probe.weight[i];
        for (int c = 0; c < classes; c++)
            head->parameters[weights + c] = (float)probe.bias[c];
        invar_trainer_replace(s->trainer);
    }
    invar_probe_result_free(&probe);
    invar_embedded_free(&h);
    return ok;
}

static bool start(struct study_training *s, struct kept *kept, struct invar_run *run, struct invar_error *err)
{
    const struct invar_trainer_options options = {
        .samples = s->index + s->held_out, .sample_count = s->trained_on, .layer_decay = s->plan.layer_decay};
    struct invar_encoder *encoder;
    struct invar_head *head;

    s->trainer = invar_trainer_create(s->recipe, run->dataset, run->device, &options, err);
    if (!s->trainer || !invar_trainer_present(s->trainer, &encoder, &head, err))
        return false;
    kept->encoder = invar_alloc((size_t)encoder->net->trained_count, sizeof(float), err);
    kept->encoder_statistics = invar_alloc((size_t)encoder->net->statistic_count + 1, sizeof(float), err);
    kept->head = invar_alloc((size_t)head->net->trained_count, sizeof(float), err);
    kept->head_statistics = invar_alloc((size_t)head->net->statistic_count + 1, sizeof(float), err);
    return kept->encoder && kept->encoder_statistics && kept->head && kept->head_statistics &&
           (!s->plan.probe_head || fit_head(s, run, encoder, head, err));
}

/* One way or the other between the best state and the trainer's host copies. */
static void copy_state(struct kept *kept, struct invar_encoder *encoder, struct invar_head *head, bool back)
{
    const struct {
        float *kept, *present;
        int64_t count;
    } parts[] = {{kept->encoder, encoder->parameters, encoder->net->trained_count},
                 {kept->encoder_statistics, encoder->statistics, encoder->net->statistic_count},
                 {kept->head, head->parameters, head->net->trained_count},
                 {kept->head_statistics, head->statistics, head->net->statistic_count}};

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        memcpy(back ? parts[i].present : parts[i].kept, back ? parts[i].kept : parts[i].present,
               (size_t)parts[i].count * sizeof(float));
}

bool study_accuracy_of(const struct invar_run *run, const struct invar_encoder *encoder, const struct invar_head *head,
                       enum invar_split split, const int64_t *order, int64_t count, struct invar_accuracy *out,
                       struct invar_error *err)
{
    struct invar_embedded z = {0};
    bool ok = invar_embed_head(run->device, encoder, head, run->dataset, split, order, count, &z, err);

    if (ok) {
        invar_embedded_keep_labelled(&z);
        const struct invar_matrix scores = {INVAR_FLOAT32, z.features.shape[0], z.features.shape[1], z.features.data};
        ok = invar_accuracy_measure(&scores, z.labels.data, out, err) &&
             (split != INVAR_TEST ||
              (invar_accuracy_add_probabilities(out, &scores, INVAR_SCORES_LOGITS, z.labels.data, err) &&
               invar_accuracy_add_index(out, z.index.data, err)));
    }
    invar_embedded_free(&z);
    return ok;
}

/* Measures the present state where the choice is made, and keeps it where it is the best so far. */
static bool look(struct study_training *s, struct kept *kept, const struct invar_run *run, int64_t step,
                 struct invar_error *err)
{
    const bool test = s->plan.on_test;
    struct invar_encoder *encoder;
    struct invar_head *head;
    struct invar_accuracy accuracy;

    if (!invar_trainer_present(s->trainer, &encoder, &head, err) ||
        !study_accuracy_of(run, encoder, head, test ? INVAR_TEST : INVAR_TRAIN, test ? NULL : s->index, s->held_out,
                           &accuracy, err))
        return false;
    s->last.step = step;
    s->last.held_out_top1 = accuracy.top1;
    invar_accuracy_free(&accuracy);
    if (s->last.held_out_top1 > s->best.held_out_top1) {
        s->best.step = step;
        s->best.held_out_top1 = s->last.held_out_top1;
        copy_state(kept, encoder, head, false);
    }
    return true;
}

static bool tell(const struct study_training *s, const struct invar_run *run, int64_t step, int64_t total,
                 struct invar_error *err)
{
    char best[64];
    const struct invar_progress progress = {s->plan.what, "steps", step, total,
                                            s->best.held_out_top1 >= 0 ? best : NULL};

    snprintf(best, sizeof best, "%s %.2f %%", s->plan.on_test ? "test" : "held out", s->best.held_out_top1);
    return invar_watch_tell(run->watch, &progress, err);
}

static bool train(struct study_training *s, struct kept *kept, const struct invar_run *run, struct invar_error *err)
{
    const int64_t total = invar_trainer_steps_total(s->trainer);
    const int64_t looks = s->plan.looks < total ? s->plan.looks : total;
    struct invar_record record;
    int64_t worse = 0;

    /* A fresh head says nothing; one that was fitted is the state to do better than. */
    if (s->plan.probe_head && !look(s, kept, run, 0, err))
        return false;
    for (int64_t step = 1; step <= total && (!s->plan.patience || worse < s->plan.patience); step++) {
        if (!invar_trainer_step(s->trainer, &record, err))
            return false;
        if (step * looks / total != (step - 1) * looks / total) {
            if (!look(s, kept, run, step, err))
                return false;
            worse = s->best.step == step ? 0 : worse + 1;
        }
        if (!tell(s, run, step, total, err))
            return false;
    }
    return true;
}

/* On the test split, where there is one: a probe may be measured on other data. */
static bool test_head(const struct invar_run *run, const struct invar_encoder *encoder, const struct invar_head *head,
                      struct invar_accuracy *out, struct invar_error *err)
{
    out->top1 = (double)NAN;
    return invar_dataset_info(run->dataset)->count[INVAR_TEST] == 0 ||
           study_accuracy_of(run, encoder, head, INVAR_TEST, NULL, 0, out, err);
}

/* Both states on the test split; the best one stays in the trainer's host copies. */
static bool finish(struct study_training *s, struct kept *kept, const struct invar_run *run, struct invar_error *err)
{
    struct invar_encoder *encoder;
    struct invar_head *head;

    if (!invar_trainer_present(s->trainer, &encoder, &head, err) || !test_head(run, encoder, head, &s->last.test, err))
        return false;
    copy_state(kept, encoder, head, true);
    s->encoder = encoder;
    return test_head(run, encoder, head, &s->best.test, err);
}

struct study_training *study_training_run(struct invar_run *run, struct invar_recipe *recipe,
                                          const struct study_training_plan *plan, struct invar_error *err)
{
    const double started = invar_seconds();
    struct kept kept = {0};
    struct study_training *s = invar_alloc(1, sizeof *s, err);
    bool ok = false;

    if (!s) {
        invar_recipe_free(recipe);
        return NULL;
    }
    s->plan = *plan;
    s->recipe = recipe;
    s->best.held_out_top1 = -1;
    if (!draw_held_out(s, run, err) ||
        !invar_device_precision(run->device, recipe->training.precision, &run->trained_in, err))
        goto done;
    if (recipe->training.batch > s->trained_on)
        recipe->training.batch = s->trained_on;
    if (!start(s, &kept, run, err))
        goto done;
    ok = train(s, &kept, run, err);
    ok = ok && finish(s, &kept, run, err);
    s->seconds = invar_seconds() - started;
done:
    kept_free(&kept);
    if (!ok) {
        study_training_free(s);
        return NULL;
    }
    return s;
}
