/* SPDX-License-Identifier: Apache-2.0 */
/* Fine-tuning: the run's encoder and a linear head trained on labels, stages near the input more slowly. */
#include "study/study.h"
#include "run/recipe.h"
#include "study/training.h"
#include "invar/expert/file.h"
#include "invar/memory.h"
#include "base/points.h"

#include <stdio.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#define OPTIMISERS(CHOICE) CHOICE(OPTIMISER_ADAMW, "adamw") CHOICE(OPTIMISER_SGD, "sgd")
enum optimiser { OPTIMISERS(INVAR_CHOICE_CONSTANT) };
#define HEADS(CHOICE) CHOICE(HEAD_PROBE, "probe") CHOICE(HEAD_FRESH, "fresh")
enum head { HEADS(INVAR_CHOICE_CONSTANT) };

struct finetune_options {
    double epochs;
    int64_t minimum_steps; /* of few labels, whose epochs are short */
    int64_t batch;
    enum optimiser optimiser; /* sgd: with momentum 0.9 */
    double lr;                /* peak rate of the head, before scaling */
    enum invar_rate_scaling lr_scaling;
    double layer_decay, weight_decay, warmup;
    struct invar_probe_views views;
    double held_out; /* fraction of the labelled samples of every class */
    int64_t looks, patience;
    enum invar_probe_choose choose;
    enum invar_probe_report report;
    enum head head; /* what it starts as */
    int64_t seed;
};

/* Of few labels a tenth would be too few to stop by. */
#define HELD_OUT_OF_FEW 0.25

#define FIELD(name) offsetof(struct finetune_options, name)
static const struct invar_option option_table[] = {
    {"epochs", INVAR_OPTION_REAL, FIELD(epochs), "10", 1e-6, 1e6, NULL, "passes over the labelled samples"},
    {"minimum_steps", INVAR_OPTION_INT, FIELD(minimum_steps), "200", 1, 1e9, NULL,
     "at least so many steps, however few labels there are"},
    {"batch", INVAR_OPTION_INT, FIELD(batch), "128", 2, 65536, NULL, "samples a step"},
    {"optimiser", INVAR_OPTION_CHOICE, FIELD(optimiser), "adamw", 0, 0, INVAR_CHOICES(OPTIMISERS),
     "sgd: with momentum 0.9"},
    {"lr", INVAR_OPTION_REAL, FIELD(lr), "1e-3", 1e-12, 1e6, NULL, "peak rate of the head, before scaling"},
    {"lr_scaling", INVAR_OPTION_CHOICE, FIELD(lr_scaling), "none", 0, 0, INVAR_CHOICES(INVAR_RATE_SCALINGS),
     "linear: the peak is lr * batch / 256"},
    {"layer_decay", INVAR_OPTION_REAL, FIELD(layer_decay), "0.7", 1e-6, 1, NULL,
     "the k-th of the encoder's stages from its output has the rate times layer_decay^k; 1: one rate for all"},
    {"weight_decay", INVAR_OPTION_REAL, FIELD(weight_decay), "0.05", 0, 10, NULL, "as in the optimiser's options"},
    {"warmup", INVAR_OPTION_REAL, FIELD(warmup), "0.1", 0, 0.99, NULL,
     "part of the steps in which the rate rises; then a cosine takes it down"},
    {"augment", INVAR_OPTION_CHOICE, FIELD(views.augment), "auto", 0, 0, INVAR_CHOICES(INVAR_PROBE_AUGMENTS),
     "views of training samples; run: the first of the run's; auto: crop and flip of images"},
    {"crop", INVAR_OPTION_REAL_LIST, FIELD(views.crop), "[0.5, 1]", 0.0001, 1, NULL,
     "[low, high] area of the random resized crop"},
    {"flip", INVAR_OPTION_REAL, FIELD(views.flip), "0.5", 0, 1, NULL, "probability of a horizontal flip"},
    {"held_out", INVAR_OPTION_REAL, FIELD(held_out), "0.1", 0.001, 0.9, NULL,
     "fraction of the labelled samples of every class on which the best step is chosen (few labels: 0.25)"},
    {"looks", INVAR_OPTION_INT, FIELD(looks), "20", 1, 1e6, NULL, "how often that is measured"},
    {"patience", INVAR_OPTION_INT, FIELD(patience), "5", 0, 1e6, NULL,
     "looks in a row without a better one after which training stops; 0: all steps are made"},
    {"choose", INVAR_OPTION_CHOICE, FIELD(choose), "held_out", 0, 0, INVAR_CHOICES(INVAR_PROBE_CHOOSES),
     "where the best step is chosen; test makes results better than they are, and they say so"},
    {"report", INVAR_OPTION_CHOICE, FIELD(report), "best", 0, 0, INVAR_CHOICES(INVAR_PROBE_REPORTS),
     "which step is the result; both are always reported"},
    {"head", INVAR_OPTION_CHOICE, FIELD(head), "probe", 0, 0, INVAR_CHOICES(HEADS),
     "what the head starts as; probe: a linear probe of the encoder before fine-tuning"},
    {"seed", INVAR_OPTION_INT, FIELD(seed), "1", 0, 9007199254740992.0, NULL,
     "of draws of labels, the held-out part, the head's weights, order and views"},
    {NULL, INVAR_OPTION_INT, 0, NULL, 0, 0, NULL, NULL},
};

/* The run's own weights as what training starts from. */
static bool start_from_run(const struct invar_run *run, struct invar_recipe *recipe, struct invar_error *err)
{
    return invar_path_join(recipe->init, sizeof recipe->init, run->folder, "encoder.safetensors", err);
}

static bool set_views(const struct invar_run *run, struct finetune_options *o, struct invar_recipe *recipe,
                      struct invar_error *err)
{
    struct run_recipe read;
    struct invar_view_options views;
    bool plain;

    if (!run_recipe_read(run->folder, &read, err) ||
        !invar_probe_views_resolve(&o->views, invar_dataset_info(run->dataset), read.found ? &read.views : NULL, &views,
                                   &plain, err))
        return false;
    if (o->views.augment == INVAR_PROBE_AUTO)
        o->views.augment = plain ? INVAR_PROBE_NONE : INVAR_PROBE_CROP_FLIP;
    recipe->views = views;
    return true;
}

/* The recipe of one training; *o becomes what is used. count: labelled samples. */
static struct invar_recipe *make_recipe(const struct invar_run *run, bool random, int64_t count,
                                        struct finetune_options *o, struct invar_error *err)
{
    static const char *const optimisers[] = {OPTIMISERS(INVAR_CHOICE_NAME)};
    static const char *const scalings[] = {INVAR_RATE_SCALINGS(INVAR_CHOICE_NAME)};
    NUMBERS_HAVE_POINTS();
    char lr[64], decay[64], kind[64], extra[64];
    const char *overrides[] = {kind, lr, decay, extra};
    struct invar_recipe *recipe;
    struct invar_training_options *training;

    snprintf(kind, sizeof kind, "optimiser={kind: %s}", optimisers[o->optimiser]);
    snprintf(lr, sizeof lr, "optimiser.lr=%.17g", o->lr);
    snprintf(decay, sizeof decay, "optimiser.weight_decay=%.17g", o->weight_decay);
    snprintf(extra, sizeof extra, "optimiser.lr_scaling=%s", scalings[o->lr_scaling]);
    recipe = study_training_recipe(run, overrides, sizeof overrides / sizeof *overrides, err);
    if (!recipe)
        return NULL;
    training = &recipe->training;
    o->batch = o->batch < count ? o->batch : count;
    training->batch = o->batch;
    training->steps = llround(o->epochs * (double)count / (double)o->batch);
    training->steps = training->steps > o->minimum_steps ? training->steps : o->minimum_steps;
    training->warmup = o->warmup;
    training->start_ratio = training->final_ratio = 0;
    training->rate_interval = INVAR_RATE_EACH_STEP;
    training->clip = 0;
    training->log_interval = 1000000000;
    /* Initial weights of the random baseline are those that the run started from. */
    if (!random)
        training->seed = o->seed;
    if (!set_views(run, o, recipe, err) || (!random && !start_from_run(run, recipe, err))) {
        invar_recipe_free(recipe);
        return NULL;
    }
    return recipe;
}

static struct study_training *train(struct invar_run *run, bool random, struct finetune_options *o,
                                    const int64_t *samples, int64_t count, struct invar_error *err)
{
    const struct study_training_plan plan = {.what = "fine-tuning",
                                             .samples = samples,
                                             .count = count,
                                             .held_out = o->held_out,
                                             .on_test = o->choose == INVAR_PROBE_TEST,
                                             .seed = o->seed,
                                             .looks = o->looks,
                                             .patience = o->patience,
                                             .layer_decay = o->layer_decay,
                                             .probe_head = o->head == HEAD_PROBE};
    const int64_t all = invar_run_labelled(run->dataset, INVAR_TRAIN);
    struct invar_recipe *recipe = make_recipe(run, random, samples ? count : all, o, err);

    return recipe ? study_training_run(run, recipe, &plan, err) : NULL;
}

static const struct study_training_state *reported(const struct study_training *s, const struct finetune_options *o)
{
    return o->report == INVAR_PROBE_BEST ? &s->best : &s->last;
}

static const struct invar_probed_state *keep_state(const struct study_subject *subject,
                                                   const struct study_training_state *state, bool on_test)
{
    struct invar_probed_state *out = json_room_take(subject->room, 1, sizeof *out);

    if (out)
        *out = (struct invar_probed_state){.epoch = -1,
                                           .step = state->step,
                                           .top1 = state->test.top1,
                                           .interval = {state->test.low, state->test.high},
                                           .top5 = state->test.top5,
                                           .held_out_top1 = on_test ? (double)NAN : state->held_out_top1,
                                           .lr = (double)NAN,
                                           .l2 = (double)NAN};
    return out;
}

static void put_data(const struct study_subject *subject, int64_t train_count, struct invar_probed *out)
{
    const struct invar_run *run = subject->run;

    out->precision = invar_precision_name(run->trained_in);
    study_put_data(subject, train_count, invar_run_labelled(run->dataset, INVAR_TEST), invar_run_width(run), out);
}

static bool measure_all(const struct study_subject *subject, struct finetune_options *o, struct invar_probed *out,
                        struct invar_error *err)
{
    const bool on_test = o->choose == INVAR_PROBE_TEST;
    struct study_training *s = train(subject->run, subject->baseline, o, NULL, 0, err);
    const struct invar_accuracy *accuracy = s ? &reported(s, o)->test : NULL;
    const bool ok = s && study_put_groups(subject, accuracy, accuracy->index, out, err);

    if (ok) {
        study_put_accuracy(subject, accuracy, out);
        out->best = keep_state(subject, &s->best, on_test);
        out->last = keep_state(subject, &s->last, on_test);
        out->steps = invar_trainer_steps_total(s->trainer);
        if (s->held_out)
            out->held_out_count = s->held_out;
        out->seconds = s->seconds;
        put_data(subject, invar_run_labelled(subject->run->dataset, INVAR_TRAIN), out);
        study_put_classes(subject, out);
        study_put_protocol(subject, o, out);
    }
    study_training_free(s);
    return ok;
}

/* Trains on every draw; top1 and last [draws], of the reported and of the last step. */
static bool train_draws(const struct study_subject *subject, const struct study_labels *few,
                        const struct finetune_options *options, struct finetune_options *used, int64_t *index,
                        double *top1, double *last, struct invar_probed *out, struct invar_error *err)
{
    const struct invar_run *run = subject->run;
    const struct invar_dataset_info *info = invar_dataset_info(run->dataset);
    const int64_t draws = subject->settings->draws;

    for (int64_t draw = 0; draw < draws; draw++) {
        const struct invar_label_draw how = {
            .per_class = few->per_class, .fraction = few->fraction, .seed = options->seed, .draw = 1 + draw};
        struct study_training *s;
        int64_t drawn = 0;
        *used = *options;
        if (!subject->settings->held_out_given)
            used->held_out = HELD_OUT_OF_FEW;
        if (!invar_draw_labelled(invar_dataset_labels(run->dataset, INVAR_TRAIN), info->count[INVAR_TRAIN],
                                 info->classes, &how, index, &drawn, err))
            return false;
        s = train(subject->run, subject->baseline, used, index, drawn, err);
        if (!s)
            return false;
        top1[draw] = reported(s, used)->test.top1;
        last[draw] = s->last.test.top1;
        study_put_share(&reported(s, used)->test, draw, draws, out);
        put_data(subject, drawn, out);
        study_training_free(s);
    }
    return true;
}

static bool measure_few(const struct study_subject *subject, const struct study_labels *labels,
                        const struct finetune_options *options, struct invar_probed *out, struct invar_error *err)
{
    const struct invar_run *run = subject->run;
    const double started = invar_seconds();
    const int64_t draws = subject->settings->draws;
    struct finetune_options used = *options;
    double *top1 = invar_alloc((size_t)draws, sizeof *top1, err);
    double *last = invar_alloc((size_t)draws, sizeof *last, err);
    int64_t *index = invar_alloc((size_t)invar_dataset_info(run->dataset)->count[INVAR_TRAIN], sizeof *index, err);
    const bool ok = top1 && last && index && train_draws(subject, labels, options, &used, index, top1, last, out, err);

    if (ok) {
        out->top1 = study_mean_of(top1, draws, 0, 100, out->interval);
        study_put_auroc(out->auroc, out);
        out->labels = json_room_text(subject->room, labels->text);
        out->top1_by_draw = study_keep_numbers(subject, top1, draws);
        out->last_top1_by_draw = study_keep_numbers(subject, last, draws);
        out->seconds = invar_seconds() - started;
        out->drawn_from = invar_run_labelled(run->dataset, INVAR_TRAIN);
        study_put_protocol(subject, &used, out);
    }
    invar_free(top1);
    invar_free(last);
    invar_free(index);
    return ok;
}

static bool measure(const struct study_subject *subject, const struct study_labels *labels, struct invar_probed *out,
                    struct invar_error *err)
{
    struct finetune_options own = *(const struct finetune_options *)subject->options;

    if (subject->baseline) /* nothing was learned that later layers should keep */
        own.layer_decay = 1;
    return study_is_few(labels) ? measure_few(subject, labels, &own, out, err) : measure_all(subject, &own, out, err);
}

static const char *chosen_on(const void *options, bool *on_test)
{
    *on_test = ((const struct finetune_options *)options)->choose == INVAR_PROBE_TEST;
    return *on_test ? "the test split: best step; chosen there, it is better than it is"
                    : "held-out training samples: best step, and when to stop";
}

static const char *const baselines[] = {"random", NULL};
const struct study_method_spec study_method_finetune = {.name = "finetune",
                                                        .help = "encoder and a linear head trained on the labels",
                                                        .options = option_table,
                                                        .size = sizeof(struct finetune_options),
                                                        .baselines = baselines,
                                                        .labels = STUDY_CLASSES,
                                                        .few_labels = true,
                                                        .chosen_on = chosen_on,
                                                        .measure = measure};
