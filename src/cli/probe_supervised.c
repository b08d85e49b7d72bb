/* SPDX-License-Identifier: Apache-2.0 */
/* The supervised baseline: training, which knows no evaluation, and evaluation, which knows no training, joined. */
#include "cli/probe.h"
#include "invar/file.h"
#include "invar/memory.h"
#include "invar/train.h"

#include <inttypes.h>
#include <string.h>

enum { PATH_SIZE = 4096, LOOKS = 20 /* at the held-out part */ };

/* Weights of the best state so far. */
struct kept {
    float *encoder, *encoder_statistics, *head, *head_statistics;
    int64_t step;
    double top1; /* held out; below 0: none is kept */
};

struct probe_supervised {
    struct invar_recipe *recipe;
    struct invar_trainer *trainer;
    const struct invar_encoder *encoder; /* the trainer's */
    int64_t *index;                      /* held-out training samples, then those that are trained on */
    int64_t held_out;
    struct kept kept;
    double test_top1, seconds;
};

void probe_supervised_free(struct probe_supervised *s)
{
    if (!s)
        return;
    invar_trainer_free(s->trainer);
    invar_recipe_free(s->recipe);
    invar_free(s->index);
    invar_free(s->kept.encoder);
    invar_free(s->kept.encoder_statistics);
    invar_free(s->kept.head);
    invar_free(s->kept.head_statistics);
    invar_free(s);
}

const struct invar_encoder *probe_supervised_encoder(const struct probe_supervised *s)
{
    return s->encoder;
}

/* The run's recipe with a linear head and labels in the place of its objective; values of other samples would make
 * labels wrong. */
static struct invar_recipe *load_recipe(const struct cli_run *run, struct invar_error *err)
{
    char path[PATH_SIZE], head[128];
    const char *overrides[] = {head,
                               "terms={cross_entropy: {}}",
                               "predictor=null",
                               "target=null",
                               "init=null",
                               "data.group=null",
                               "data.metadata=null",
                               "adversary=null",
                               "views.mix=null",
                               "views.corrupt=null",
                               "training.collapse_deviation=0",
                               "training.collapse_rank=0",
                               "training.measure_interval=1000000000"};

    snprintf(head, sizeof head, "projector={hidden: [], output: %d, last_bias: true}",
             invar_dataset_info(run->dataset)->classes);
    if (!invar_path_join(path, sizeof path, run->folder, "recipe.yaml", err))
        return NULL;
    return invar_recipe_load(path, overrides, sizeof overrides / sizeof *overrides, err);
}

static bool draw_held_out(struct probe_supervised *s, const struct cli_run *run, const struct probe_settings *settings,
                          struct invar_error *err)
{
    const struct invar_dataset_info *info = invar_dataset_info(run->dataset);
    const int64_t count = info->count[INVAR_TRAIN];
    const struct invar_label_draw how = {.fraction = settings->linear.held_out, .seed = settings->linear.seed};

    s->index = invar_alloc((size_t)count, sizeof *s->index, err);
    return s->index && invar_draw_labelled(invar_dataset_labels(run->dataset, INVAR_TRAIN), count, info->classes, &how,
                                           s->index, &s->held_out, err);
}

static bool start(struct probe_supervised *s, struct cli_run *run, struct invar_error *err)
{
    struct invar_trainer_options options = {.samples = s->index + s->held_out};
    struct invar_encoder *encoder;
    struct invar_head *head;

    options.sample_count = invar_dataset_info(run->dataset)->count[INVAR_TRAIN] - s->held_out;
    s->trainer = invar_trainer_create(s->recipe, run->dataset, run->device, &options, err);
    if (!s->trainer || !invar_trainer_present(s->trainer, &encoder, &head, err))
        return false;
    s->kept.encoder = invar_alloc((size_t)encoder->net->trained_count, sizeof(float), err);
    s->kept.encoder_statistics = invar_alloc((size_t)encoder->net->statistic_count + 1, sizeof(float), err);
    s->kept.head = invar_alloc((size_t)head->net->trained_count, sizeof(float), err);
    s->kept.head_statistics = invar_alloc((size_t)head->net->statistic_count + 1, sizeof(float), err);
    return s->kept.encoder && s->kept.encoder_statistics && s->kept.head && s->kept.head_statistics;
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

    for (size_t i = 0; i < sizeof parts / sizeof *parts; ++i)
        memcpy(back ? parts[i].present : parts[i].kept, back ? parts[i].kept : parts[i].present,
               (size_t)parts[i].count * sizeof(float));
}

/* Accuracy of the head's own outputs, percent. */
static bool accuracy_of(const struct cli_run *run, const struct invar_encoder *encoder, const struct invar_head *head,
                        enum invar_split split, const int64_t *order, int64_t count, double *top1,
                        struct invar_error *err)
{
    struct invar_embedded z = {0};
    struct invar_accuracy accuracy;
    bool ok = invar_embed_head(run->device, encoder, head, run->dataset, split, order, count, &z, err);

    if (ok) {
        const struct invar_matrix scores = {INVAR_FLOAT32, z.features.shape[0], z.features.shape[1], z.features.data};
        ok = invar_accuracy_measure(&scores, z.labels.data, &accuracy, err);
    }
    if (ok) {
        *top1 = accuracy.top1;
        invar_accuracy_free(&accuracy);
    }
    invar_embedded_free(&z);
    return ok;
}

/* Measures the present state on the held-out part, and keeps it where it is the best so far. */
static bool look(struct probe_supervised *s, const struct cli_run *run, int64_t step, struct invar_error *err)
{
    struct invar_encoder *encoder;
    struct invar_head *head;
    double top1;

    if (!invar_trainer_present(s->trainer, &encoder, &head, err) ||
        !accuracy_of(run, encoder, head, INVAR_TRAIN, s->index, s->held_out, &top1, err))
        return false;
    if (top1 > s->kept.top1) {
        s->kept.top1 = top1;
        s->kept.step = step;
        copy_state(&s->kept, encoder, head, false);
    }
    return true;
}

static bool train(struct probe_supervised *s, const struct cli_run *run, struct cli_progress *progress,
                  struct invar_error *err)
{
    const int64_t total = invar_trainer_steps_total(s->trainer);
    struct invar_record record;

    for (int64_t step = 1; step <= total; ++step) {
        if (cli_stop)
            return invar_error_set(err, INVAR_ERROR_INTERRUPTED,
                                   "interrupted after step %" PRId64 " of %" PRId64
                                   " of the supervised baseline, which is lost; probe.json has what was measured "
                                   "before",
                                   step - 1, total);
        if (!invar_trainer_step(s->trainer, &record, err) ||
            (step * LOOKS / total != (step - 1) * LOOKS / total && !look(s, run, step, err)))
            return false;
        if (s->kept.step > 0)
            snprintf(progress->note, sizeof progress->note, "held out %.2f %%", s->kept.top1);
        cli_progress_update(progress, step, total);
    }
    return true;
}

/* The best state into the trainer's host copies, and the test accuracy of its own head. */
static bool finish(struct probe_supervised *s, const struct cli_run *run, struct invar_error *err)
{
    struct invar_encoder *encoder;
    struct invar_head *head;

    if (!invar_trainer_present(s->trainer, &encoder, &head, err))
        return false;
    copy_state(&s->kept, encoder, head, true);
    s->encoder = encoder;
    return accuracy_of(run, encoder, head, INVAR_TEST, NULL, 0, &s->test_top1, err);
}

struct probe_supervised *probe_supervised_train(struct cli_run *run, const struct probe_settings *settings,
                                                struct invar_error *err)
{
    const double started = cli_seconds();
    struct cli_progress progress = {0};
    struct probe_supervised *s = invar_alloc(1, sizeof *s, err);
    bool ok = false;

    if (!s)
        return NULL;
    s->kept.top1 = -1;
    s->recipe = load_recipe(run, err);
    if (!s->recipe || !draw_held_out(s, run, settings, err) || !start(s, run, err))
        goto done;
    cli_catch_interrupt();
    cli_progress_start(&progress, "supervised baseline", "steps");
    ok = train(s, run, &progress, err);
    cli_progress_end(&progress);
    cli_release_interrupt();
    ok = ok && finish(s, run, err);
    s->seconds = cli_seconds() - started;
done:
    if (!ok) {
        probe_supervised_free(s);
        return NULL;
    }
    return s;
}

void probe_supervised_describe(const struct probe_supervised *s, cJSON *result)
{
    cJSON *training = cJSON_AddObjectToObject(result, "training");

    cJSON_AddNumberToObject(training, "steps", (double)invar_trainer_steps_total(s->trainer));
    cJSON_AddNumberToObject(training, "best_step", (double)s->kept.step);
    cJSON_AddNumberToObject(training, "held_out_count", (double)s->held_out);
    cJSON_AddNumberToObject(training, "held_out_top1", s->kept.top1);
    cJSON_AddNumberToObject(training, "head_top1", s->test_top1);
    cJSON_AddNumberToObject(training, "seconds", s->seconds);
}
