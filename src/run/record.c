/* SPDX-License-Identifier: Apache-2.0 */
/* What a training reports, written as it comes: rows of metrics.jsonl before the checkpoint that is behind them. */
#include "invar/memory.h"
#include "invar/metrics.h"

/* Pictures of views go to TensorBoard at the first logged step, and about so often in a run. */
enum { PICTURES = 8 };

struct invar_recorder {
    const struct invar_recipe *recipe;
    const struct invar_dataset *dataset;
    const char *folder;
    struct invar_trainer *trainer; /* while it runs */
    struct invar_metrics *metrics;
    int64_t samples;  /* of a batch that this process has */
    int64_t pictured; /* step of the last pictures of views; -1: none yet */
    bool (*report)(void *user, const struct invar_record *record, struct invar_error *err);
    void *user;
};

static bool write_row(struct invar_recorder *r, const struct invar_record *record, struct invar_error *err)
{
    const char *names[INVAR_MAX_METRICS];
    double values[INVAR_MAX_METRICS];

    for (int i = 0; i < record->count; i++) {
        names[i] = record->metric[i].name;
        values[i] = record->metric[i].value;
    }
    return invar_metrics_write(r->metrics, record->step, record->epoch, names, values, record->count, err);
}

/* An agent has no views to show. */
static bool write_views(struct invar_recorder *r, const struct invar_record *record, struct invar_error *err)
{
    if (!r->trainer)
        return true;
    if (r->pictured >= 0 && (record->step - r->pictured) * PICTURES < record->total_steps)
        return true;
    r->pictured = record->step;
    return invar_metrics_views(r->metrics, r->trainer, invar_dataset_info(r->dataset), r->samples, record->step, err);
}

static bool on_step(void *user, const struct invar_record *record, struct invar_error *err)
{
    struct invar_recorder *r = user;

    return (!record->count || (write_row(r, record, err) && write_views(r, record, err))) &&
           (!r->report || r->report(r->user, record, err));
}

static bool on_checkpoint(void *user, struct invar_error *err)
{
    const struct invar_recorder *r = user;

    return invar_metrics_sync(r->metrics, err);
}

static bool write_settings(const struct invar_recorder *r, struct invar_error *err)
{
    struct invar_text text = {0};
    const bool ok = invar_recipe_write(r->recipe, &text, err) && invar_metrics_settings(r->metrics, text.data, err);

    invar_text_free(&text);
    return ok;
}

struct invar_recorder *invar_recorder_create(const struct invar_recipe *recipe, const struct invar_dataset *dataset,
                                             struct invar_trainer_options *options, struct invar_error *err)
{
    struct invar_recorder *r = invar_alloc(1, sizeof *r, err);

    if (!r)
        return NULL;
    *r = (struct invar_recorder){.recipe = recipe,
                                 .dataset = dataset,
                                 .folder = options->folder,
                                 .samples = recipe ? recipe->training.batch / invar_ranks_count(options->ranks) : 0,
                                 .pictured = -1,
                                 .report = options->report,
                                 .user = options->user};
    options->report = on_step;
    options->before_checkpoint = on_checkpoint;
    options->user = r;
    return r;
}

bool invar_recorder_run(struct invar_recorder *r, struct invar_trainer *trainer, struct invar_error *err)
{
    r->trainer = trainer;
    r->metrics = invar_metrics_open(r->folder, invar_trainer_steps_done(trainer), err);
    return r->metrics && write_settings(r, err) && invar_trainer_run(trainer, err);
}

bool invar_recorder_run_agent(struct invar_recorder *r, struct invar_agent *agent, struct invar_error *err)
{
    r->metrics = invar_metrics_open(r->folder, invar_agent_steps_done(agent), err);
    return r->metrics && invar_agent_run(agent, err);
}

void invar_recorder_free(struct invar_recorder *r)
{
    if (!r)
        return;
    invar_metrics_close(r->metrics);
    invar_free(r);
}
