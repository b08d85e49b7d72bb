/* SPDX-License-Identifier: Apache-2.0 */
/* invar pretrain RECIPE: trains an encoder into a run folder, or says what that would take. */
#include "cli/cli.h"
#include "cli/run.h"
#include "invar/expert/file.h"
#include "invar/metrics.h"
#include "invar/run.h"
#include "study/demand.h"
#include "train/ranks.h"
#include "train/recipe.h"

#include <string.h>
#include <unistd.h>

#define PATH_SIZE 4096
#define MAX_SHOWN_METRICS 4

struct arguments {
    struct cli_list recipe, assignments;
    const char *run, *device;
    int64_t threads;
    int64_t rank_timeout;
    bool resume, accept_data, dry_run, json;
};

/** All that a run borrows, in the order of creation. */
struct session {
    char folder[PATH_SIZE];
    struct invar_ranks *ranks;
    struct invar_recipe *recipe;
    struct invar_device *device;
    struct invar_dataset *dataset;
    struct invar_trainer *trainer;
    struct invar_recorder *recorder;
    bool made; /* folder, a new one */
    struct cli_progress progress;
    struct invar_record last; /* the last record that held metrics */
};

static void keep_record(struct session *session, const struct invar_record *record)
{
    struct cli_progress *progress = &session->progress;
    size_t used = 0;
    session->last = *record;
    for (int i = 0; i < record->count && i < MAX_SHOWN_METRICS; i++) {
        int written = snprintf(progress->note + used, sizeof progress->note - used, "%s%s %.4g", i ? "  " : "",
                               record->metric[i].name, record->metric[i].value);
        if (written < 0 || (size_t)written >= sizeof progress->note - used)
            break;
        used += (size_t)written;
    }
}

static bool on_step(void *user, const struct invar_record *record, struct invar_error *err)
{
    struct session *session = user;
    session->progress.rate = record->samples_per_s;
    session->progress.remaining = record->remaining_s;
    if (record->count)
        keep_record(session, record);
    cli_progress_update(&session->progress, record->step, record->total_steps);
    return !cli_stop || invar_error_set(err, INVAR_ERROR_INTERRUPTED, "interrupted");
}

static struct invar_recipe *read_recipe(const struct arguments *arguments, struct invar_error *err)
{
    const struct cli_list *changed = &arguments->assignments;

    return arguments->recipe.count ? invar_recipe_load(arguments->recipe.item[0], changed->item, changed->count, err)
                                   : invar_run_recipe(arguments->run, changed->item, changed->count, err);
}

/* Of several processes the first reads it, and hands it on: others may have neither its file nor the run's folder. */
static bool load_recipe(struct session *session, const struct arguments *arguments, struct invar_error *err)
{
    const bool leads = ranks_leads(session->ranks);
    struct invar_text text = {0};

    session->recipe = leads ? read_recipe(arguments, err) : NULL;
    if (session->ranks) {
        const bool ok = !leads || (session->recipe && invar_recipe_write(session->recipe, &text, err));
        if (ranks_agree(session->ranks, ok, err) && ranks_broadcast_text(session->ranks, &text, err) && !leads)
            session->recipe = recipe_parse(text.data, "the recipe of process 1", err);
        invar_text_free(&text);
    }
    if (!session->recipe)
        return false;
    if (!arguments->run)
        return true;
    if (strlen(arguments->run) >= PATH_SIZE)
        return invar_error_set(err, INVAR_ERROR_USAGE, "--run: the path is longer than %d characters", PATH_SIZE - 1);
    strcpy(session->folder, arguments->run);
    return true;
}

static bool open_all(struct session *session, const struct arguments *arguments, struct invar_trainer_options *options,
                     struct invar_error *err)
{
    const bool leads = ranks_leads(session->ranks);

    options->folder = arguments->dry_run || !leads ? NULL : session->folder;
    session->device = (arguments->dry_run ? invar_device_open_planning
                                          : invar_device_open)(arguments->device, (int)arguments->threads, err);
    if (!session->device)
        return false;
    session->dataset = (arguments->dry_run ? invar_dataset_survey : invar_dataset_open)(&session->recipe->data, err);
    if (!session->dataset && !arguments->recipe.count)
        invar_source_explain(session->recipe->data.source, err);
    if (!session->dataset || (!arguments->dry_run && !invar_recipe_settle(session->recipe, session->dataset, err)))
        return false;
    if (!arguments->run && options->folder) {
        if (!cli_make_run_folder(session->recipe->name, session->folder, PATH_SIZE, err))
            return false;
        session->made = true;
    }
    return !options->folder ||
           (session->recorder = invar_recorder_create(session->recipe, session->dataset, options, err));
}

static bool prepare(struct session *session, const struct arguments *arguments, struct invar_error *err)
{
    struct invar_trainer_options options = {.resume = arguments->resume,
                                            .accept_data = arguments->accept_data,
                                            .report = on_step,
                                            .user = session,
                                            .ranks = session->ranks};

    if (!load_recipe(session, arguments, err) ||
        !ranks_agree(session->ranks, open_all(session, arguments, &options, err), err))
        return false;
    session->trainer = invar_trainer_create(session->recipe, session->dataset, session->device, &options, err);
    return session->trainer != NULL;
}

static void print_fit(const struct study_demand *d)
{
    char text[32];
    if (d->available <= 0)
        return;
    printf("available     %s: it %s\n", human_bytes(d->available, text, sizeof text),
           d->total <= d->available ? "fits" : "does not fit");
    if (d->largest >= 2)
        printf("largest batch %.0f samples\n", d->largest);
    else
        printf("largest batch none: a smaller encoder or a larger machine is needed\n");
}

static int print_plan(const struct session *session, bool json)
{
    struct invar_error err = {0};
    struct study_demand d;
    char text[32];

    if (!study_demand_measure(session->recipe, session->dataset, session->trainer, &d, &err))
        return cli_fail(&err);
    if (json) {
        struct invar_results *results = study_demand_results(&d, &err);
        const int status = results ? cli_print_results(results) : cli_fail(&err);
        invar_results_free(results);
        return status;
    }
    printf("device        %s\n", invar_device_describe(session->device));
    printf("data          %lld samples of %d x %d x %d%s\n", (long long)d.info->count[INVAR_TRAIN], d.info->channels,
           d.info->height, d.info->width, d.info->assumed ? ", assumed: the source is not there" : "");
    printf("parameters    %lld, encoder %lld\n", (long long)d.plan.parameters, (long long)d.plan.encoder_parameters);
    printf("steps         %lld of %.0f samples x %.0f views\n", (long long)d.steps, d.batch, d.views);
    printf("operations    %.5g GFLOP a sample, %.5g GFLOP a step; encoder %.4g G multiply-adds a view, forward\n",
           d.plan.operations_per_step / d.batch / 1e9, d.plan.operations_per_step / 1e9,
           d.plan.encoder_operations / 1e9);
    printf("memory        %s\n", human_bytes(d.total, text, sizeof text));
    printf("  workspace   %s\n", human_bytes((double)d.plan.workspace_bytes, text, sizeof text));
    printf("  terms       %s\n", human_bytes((double)d.plan.term_bytes, text, sizeof text));
    printf("  inputs      %s\n", human_bytes((double)d.plan.input_bytes, text, sizeof text));
    printf("  weights     %s\n", human_bytes((double)d.plan.weight_bytes, text, sizeof text));
    printf("  optimiser   %s\n", human_bytes((double)d.plan.state_bytes, text, sizeof text));
    print_fit(&d);
    return CLI_DONE;
}

static int train(struct session *session, const struct arguments *arguments, struct invar_error *err)
{
    const double started = invar_seconds();
    bool ok;

    if (session->ranks)
        cli_message("%s into %s by %d processes, each on %s", session->recipe->name, session->folder,
                    invar_ranks_count(session->ranks), invar_device_describe(session->device));
    else
        cli_message("%s into %s on %s", session->recipe->name, session->folder, invar_device_describe(session->device));
    cli_catch_interrupt();
    cli_progress_start(&session->progress, "training", "samples");
    ok = session->recorder ? invar_recorder_run(session->recorder, session->trainer, err)
                           : invar_trainer_run(session->trainer, err);
    ok = ranks_agree(session->ranks, ok, err);
    cli_progress_end(&session->progress);
    return ok ? cli_print_training(session->folder, session->recipe->name, invar_trainer_steps_done(session->trainer),
                                   invar_seconds() - started, &session->last, arguments->json)
              : cli_ranks_fail(session->ranks, err);
}

static int run(const struct arguments *arguments)
{
    struct invar_error err = {0};
    struct session session = {0};
    int status;

    if ((!arguments->dry_run && !cli_ranks_open(&session.ranks, "pretrain", arguments->rank_timeout, &err)) ||
        !prepare(&session, arguments, &err))
        status = cli_ranks_fail(session.ranks, &err);
    else if (arguments->dry_run)
        status = print_plan(&session, arguments->json);
    else
        status = train(&session, arguments, &err);
    invar_trainer_free(session.trainer);
    invar_recorder_free(session.recorder);
    if (session.made)
        rmdir(session.folder); /* where nothing came of it; else it is not empty */
    invar_dataset_close(session.dataset);
    invar_device_close(session.device);
    invar_recipe_free(session.recipe);
    invar_ranks_close(session.ranks);
    return status;
}

int invar_cli_pretrain(int argc, char **argv)
{
    struct arguments arguments = {.device = "auto", .rank_timeout = 600};
    const struct cli_option options[] = {
        {"run", 0, "DIR", "the run folder (default: runs/NAME-1, or the next free number)", CLI_TEXT, &arguments.run, 0,
         0},
        {"resume", 0, NULL, "go on from the last checkpoint of --run DIR; RECIPE may be left out", CLI_FLAG,
         &arguments.resume, 0, 0},
        {"accept-data", 0, NULL, "with --resume: go on though the data are not those that the run went on so far",
         CLI_FLAG, &arguments.accept_data, 0, 0},
        {"dry-run", 0, NULL, "print memory, operations and the largest batch; train nothing", CLI_FLAG,
         &arguments.dry_run, 0, 0},
        {"device", 0, "NAME", "where to compute: auto (default) or cpu", CLI_TEXT, &arguments.device, 0, 0},
        CLI_OPTION_THREADS(&arguments.threads),
        CLI_OPTION_RANK_TIMEOUT(&arguments.rank_timeout),
        CLI_OPTION_JSON(&arguments.json),
        CLI_OPTION_END,
    };
    const struct cli_usage usage = {
        .verb = "pretrain",
        .arguments = "RECIPE [KEY=VALUE ...] [--run DIR] [options]",
        .purpose =
            "Trains an encoder as the recipe says (a name that `invar recipes` lists, or a YAML file) into a run\n"
            "folder. KEY=VALUE changes an option of the recipe. Ctrl-C saves a checkpoint; --resume goes on.",
        .options = options,
        .positionals = &arguments.recipe,
        .positional_maximum = 1,
        .assignments = &arguments.assignments,
        .example = "  invar pretrain relic-fashion-mnist training.epochs=1 --run runs/first\n"
                   "  invar pretrain --resume --run runs/first\n"
                   "  invar pretrain --resume --run runs/first training.epochs=6\n",
    };
    int status;

    if (!cli_parse(&usage, argc, argv, &status))
        return status;
    if (!arguments.recipe.count && !(arguments.resume && arguments.run))
        return cli_wrong_usage(&usage, "RECIPE is missing (only --resume with --run DIR can do without)");
    if (arguments.resume && !arguments.run)
        return cli_wrong_usage(&usage, "--resume needs --run DIR, the folder to go on in");
    return run(&arguments);
}
