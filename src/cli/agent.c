/* SPDX-License-Identifier: Apache-2.0 */
/* invar agent RECIPE: trains an agent into a run folder, or says what that would take. */
#include "cli/cli.h"
#include "cli/run.h"
#include "invar/agent.h"
#include "invar/expert/file.h"
#include "invar/metrics.h"

#include <string.h>
#include <unistd.h>

#define PATH_SIZE 4096

struct arguments {
    struct cli_list recipe, assignments;
    const char *run, *device;
    int64_t threads;
    bool resume, dry_run, profile, json;
};

struct session {
    char folder[PATH_SIZE];
    struct invar_agent_recipe *recipe;
    struct invar_device *device;
    struct invar_recorder *recorder;
    struct invar_agent *agent;
    bool made; /* folder, a new one */
    struct cli_progress progress;
    struct invar_record last; /* that held metrics */
};

static bool on_step(void *user, const struct invar_record *record, struct invar_error *err)
{
    struct session *session = user;

    session->progress.rate = record->samples_per_s;
    session->progress.remaining = record->remaining_s;
    if (record->count > 0)
        session->last = *record;
    for (int i = 0; i < record->count; i++)
        if (strcmp(record->metric[i].name, "charts/episodic_return") == 0)
            snprintf(session->progress.note, sizeof session->progress.note, "return %.4g", record->metric[i].value);
    cli_progress_update(&session->progress, record->step, record->total_steps);
    return !cli_stop || invar_error_set(err, INVAR_ERROR_INTERRUPTED, "interrupted");
}

static bool prepare(struct session *session, const struct arguments *arguments, struct invar_error *err)
{
    const struct cli_list *changed = &arguments->assignments;
    struct invar_trainer_options options = {.resume = arguments->resume, .report = on_step, .user = session};

    if (arguments->run && strlen(arguments->run) >= PATH_SIZE)
        return invar_error_set(err, INVAR_ERROR_USAGE, "--run: the path is longer than %d characters", PATH_SIZE - 1);
    snprintf(session->folder, sizeof session->folder, "%s", arguments->run ? arguments->run : "");
    session->recipe = arguments->recipe.count
                          ? invar_agent_recipe_load(arguments->recipe.item[0], changed->item, changed->count, err)
                          : invar_agent_run_recipe(arguments->run, changed->item, changed->count, err);
    session->device = session->recipe ? (arguments->dry_run ? invar_device_open_planning : invar_device_open)(
                                            arguments->device, (int)arguments->threads, err)
                                      : NULL;
    if (!session->device)
        return false;
    if (!arguments->run && !arguments->dry_run) {
        if (!cli_make_run_folder(invar_agent_recipe_name(session->recipe), session->folder, PATH_SIZE, err))
            return false;
        session->made = true;
    }
    options.folder = arguments->dry_run ? NULL : session->folder;
    if (options.folder && !(session->recorder = invar_recorder_create(NULL, NULL, &options, err)))
        return false;
    session->agent = invar_agent_create(session->recipe, session->device, &options, err);
    return session->agent != NULL;
}

/* Time by the matrix peak of this machine: at best, as acting and small products do not reach it. */
static int print_plan(const struct session *session, const struct arguments *arguments)
{
    struct invar_error err = {0};
    struct invar_agent_plan p;
    struct invar_device *device = invar_device_open(arguments->device, (int)arguments->threads, &err);
    double flops = 0;
    char text[32];

    if (!device || !invar_device_matrix_peak(device, INVAR_PRECISION_FLOAT32, 512, &flops, &err) ||
        !invar_agent_describe(session->agent, &p, &err)) {
        invar_device_close(device);
        return cli_fail(&err);
    }
    invar_device_close(device);
    const double operations = (double)p.steps * p.act_operations + (double)p.updates * p.learn_operations +
                              (double)p.auxiliary_updates * p.auxiliary_operations,
                 seconds = operations / flops, environments = (double)p.environment_bytes,
                 memory = (double)p.replay_bytes + (double)p.plan_bytes + environments;
    if (arguments->json) {
        struct json_writer w = CLI_JSON;
        json_open_object(&w, NULL);
        json_number(&w, "steps", (double)p.steps);
        json_number(&w, "updates", (double)p.updates);
        json_number(&w, "auxiliary_updates", (double)p.auxiliary_updates);
        json_number(&w, "parameters", (double)p.parameters);
        json_number(&w, "operations", operations);
        json_number(&w, "memory_bytes", memory);
        json_number(&w, "replay_bytes", (double)p.replay_bytes);
        json_number(&w, "environment_bytes", environments);
        json_number(&w, "seconds_at_least", seconds);
        json_close(&w);
        return cli_print_json(&w);
    }
    printf("device        %s\n", invar_device_describe(session->device));
    printf("parameters    %lld\n", (long long)p.parameters);
    printf("steps         %lld, %lld updates, %lld of the auxiliary objective\n", (long long)p.steps,
           (long long)p.updates, (long long)p.auxiliary_updates);
    printf("operations    %.4g GFLOP an update, %.4g of the auxiliary objective, %.4g PFLOP in all\n",
           p.learn_operations / 1e9, p.auxiliary_operations / 1e9, operations / 1e15);
    printf("memory        %s\n", human_bytes(memory, text, sizeof text));
    printf("  replay      %s, at most\n", human_bytes((double)p.replay_bytes, text, sizeof text));
    printf("  nets        %s\n", human_bytes((double)p.plan_bytes, text, sizeof text));
    if (environments > 0)
        printf("  processes   %s, of environments as they begin\n", human_bytes(environments, text, sizeof text));
    printf("time          %s at the matrix peak of this machine, without environments\n",
           human_duration(seconds, text, sizeof text));
    return CLI_DONE;
}

static void print_profile(const struct session *session)
{
    struct invar_profile_entry entries[16];
    const int count = invar_agent_profile(session->agent, entries, 16);

    for (int i = 0; i < count; i++)
        printf("  %-24s %.3f s\n", entries[i].name, entries[i].seconds);
}

static int train(struct session *session, const struct arguments *arguments, struct invar_error *err)
{
    const double started = invar_seconds();

    cli_message("%s into %s on %s", invar_agent_recipe_name(session->recipe), session->folder,
                invar_device_describe(session->device));
    cli_catch_interrupt();
    cli_progress_start(&session->progress, "training", "steps");
    const bool ok = invar_recorder_run_agent(session->recorder, session->agent, err);
    cli_progress_end(&session->progress);
    if (!ok)
        return cli_fail(err);
    const int status = cli_print_training(session->folder, invar_agent_recipe_name(session->recipe),
                                          invar_agent_steps_done(session->agent), invar_seconds() - started,
                                          &session->last, arguments->json);
    if (arguments->profile && !arguments->json)
        print_profile(session);
    return status;
}

static int run(const struct arguments *arguments)
{
    struct invar_error err = {0};
    struct session session = {0};
    int status;

    if (!prepare(&session, arguments, &err))
        status = cli_fail(&err);
    else if (arguments->dry_run)
        status = print_plan(&session, arguments);
    else
        status = train(&session, arguments, &err);
    invar_agent_free(session.agent);
    invar_recorder_free(session.recorder);
    if (session.made)
        rmdir(session.folder); /* where nothing came of it; else it is not empty */
    invar_device_close(session.device);
    invar_agent_recipe_free(session.recipe);
    return status;
}

static void list_recipes(FILE *stream)
{
    fprintf(stream, "\nrecipes:\n");
    for (const struct invar_recipe_name *r = invar_agent_recipe_names(); r->name; r++)
        fprintf(stream, "  %-24s %s\n", r->name, r->help);
}

int invar_cli_agent(int argc, char **argv)
{
    struct arguments arguments = {.device = "auto"};
    const struct cli_option options[] = {
        {"run", 0, "DIR", "the run folder (default: runs/NAME-1, or the next free number)", CLI_TEXT, &arguments.run, 0,
         0},
        {"resume", 0, NULL, "go on from the last checkpoint of --run DIR; RECIPE may be left out", CLI_FLAG,
         &arguments.resume, 0, 0},
        {"dry-run", 0, NULL, "print steps, memory and time; train nothing", CLI_FLAG, &arguments.dry_run, 0, 0},
        {"profile", 0, NULL, "print where the time went", CLI_FLAG, &arguments.profile, 0, 0},
        {"device", 0, "NAME", "where to compute: auto (default) or cpu", CLI_TEXT, &arguments.device, 0, 0},
        CLI_OPTION_THREADS(&arguments.threads),
        CLI_OPTION_JSON(&arguments.json),
        CLI_OPTION_END,
    };
    const struct cli_usage usage = {
        .verb = "agent",
        .arguments = "RECIPE [KEY=VALUE ...] [--run DIR] [options]",
        .purpose = "Trains an agent that learns the values of actions from what it sees, as the recipe says (one of\n"
                   "those below, or a YAML file), into a run folder. Ctrl-C saves a checkpoint; --resume goes on.",
        .options = options,
        .positionals = &arguments.recipe,
        .positional_maximum = 1,
        .assignments = &arguments.assignments,
        .example = "  invar agent dqn-catch --run runs/catch\n"
                   "  invar agent --resume --run runs/catch training.steps=20000\n",
        .more = list_recipes,
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
