/* SPDX-License-Identifier: Apache-2.0 */
/* invar play RUN: whole episodes with an agent, their returns into returns.json, and a GIF of the first. */
#include "cli/cli.h"
#include "invar/agent.h"
#include "invar/expert/env.h"
#include "invar/memory.h"
#include "invar/results.h"
#include "report/gif.h"
#include "run/apart.h"
#include "study/returns_results.h"

#include <string.h>

struct arguments {
    struct cli_list run, assignments;
    const char *gif, *device;
    int64_t episodes, seed, no_ops, threads;
    double epsilon;
    bool json;
};

struct session {
    const struct arguments *arguments;
    struct invar_agent_play play;
    struct report_gif *gif;
    uint8_t *picture;
    struct invar_text name;
};

/* The first picture says how large they are. */
static bool watch(void *user, struct invar_env *env, struct invar_error *err)
{
    struct session *s = user;
    const struct invar_env_info *info = invar_env_info(env);

    if (info->height == 0)
        return invar_error_set(err, INVAR_ERROR_USAGE, "%s has no picture, only numbers: leave out --gif", info->id);
    if (!s->picture) {
        s->picture = invar_alloc((size_t)info->height * (size_t)info->width + 1, 3, err);
        s->gif = s->picture
                     ? report_gif_create(s->arguments->gif, info->height, info->width, info->width < 64 ? 8 : 2, 6, err)
                     : NULL;
        if (!s->gif)
            return false;
    }
    return invar_env_picture(env, s->picture, err) && report_gif_add(s->gif, s->picture, err);
}

static void print_text(const struct invar_returns *r)
{
    printf("%s: return %.4g on average", human_name(r->environment), r->mean);
    if (r->returns.count > 1)
        printf(", deviation %.3g", r->deviation);
    printf("; %lld episode%s", (long long)r->returns.count, r->returns.count == 1 ? "" : "s");
    if (r->scale)
        printf("; %.4g %% of %s", r->score, strcmp(r->scale, "human") == 0 ? "a person's" : "what is possible");
    printf("\n");
}

static bool finished(void *user, const struct invar_env_info *info, int64_t steps, struct invar_error *err)
{
    struct session *s = user;
    const struct arguments *a = s->arguments;
    double *lengths = invar_alloc((size_t)a->episodes, sizeof *lengths, err);
    struct invar_returns r = {.name = s->name.data,
                              .steps = steps,
                              .seed = a->seed,
                              .noops = a->no_ops,
                              .epsilon = s->play.epsilon,
                              .returns = {a->episodes, s->play.returns},
                              .lengths = {a->episodes, lengths}};
    bool ok = lengths && (!s->gif || report_gif_finish(s->gif, err));

    for (int64_t i = 0; ok && i < a->episodes; i++)
        lengths[i] = (double)s->play.lengths[i];
    if (ok) {
        invar_returns_complete(&r, info);
        if (!a->json)
            print_text(&r);
        ok = invar_returns_keep(a->run.item[0], &r, err); /* what was played is told, whatever becomes of the file */
    }
    invar_free(lengths);
    return ok;
}

static int print_json(const char *folder)
{
    struct invar_error err = {0};
    struct invar_returns_results *results = invar_returns_results_read(folder, &err);
    struct invar_text text = {0};
    int status = CLI_DONE;

    if (!results || !invar_returns_results_write(results, &text, &err))
        status = cli_fail(&err);
    else
        fwrite(text.data, 1, text.size, stdout);
    invar_text_free(&text);
    invar_returns_results_free(results);
    return status;
}

/* Before anything is played: results can be added to those that are there. */
static bool may_keep(const char *folder, struct invar_error *err)
{
    invar_returns_results_free(invar_returns_results_read(folder, err));
    return err->code == INVAR_OK;
}

static int play(const struct arguments *arguments)
{
    struct invar_error err = {0};
    struct session s = {.arguments = arguments};
    struct invar_device *device = may_keep(arguments->run.item[0], &err) &&
                                          run_place_apart(arguments->run.item[0], NULL, arguments->gif, "gif", &err)
                                      ? invar_device_open(arguments->device, (int)arguments->threads, &err)
                                      : NULL;
    const size_t count = (size_t)arguments->episodes;
    int status;

    s.play = (struct invar_agent_play){.episodes = arguments->episodes,
                                       .seed = arguments->seed,
                                       .epsilon = arguments->epsilon,
                                       .no_ops = arguments->no_ops,
                                       .returns = device ? invar_alloc(count, sizeof(double), &err) : NULL,
                                       .lengths = device ? invar_alloc(count, sizeof(int64_t), &err) : NULL,
                                       .watch = arguments->gif ? watch : NULL,
                                       .finished = finished,
                                       .user = &s};
    const bool ok =
        s.play.returns && s.play.lengths &&
        study_returns_name(&s.play, arguments->assignments.item, arguments->assignments.count, &s.name, &err) &&
        invar_agent_play(arguments->run.item[0], arguments->assignments.item, arguments->assignments.count, device,
                         &s.play, &err);
    status = !ok ? cli_fail(&err) : arguments->json ? print_json(arguments->run.item[0]) : CLI_DONE;
    report_gif_free(s.gif);
    invar_text_free(&s.name);
    invar_free(s.picture);
    invar_free(s.play.returns);
    invar_free(s.play.lengths);
    invar_device_close(device);
    return status;
}

int invar_cli_play(int argc, char **argv)
{
    struct arguments arguments = {.device = "auto", .episodes = 100, .seed = RETURNS_SEED};
    const struct cli_option options[] = {
        {"episodes", 0, "N", "whole episodes (default: 100)", CLI_INTEGER, &arguments.episodes, 1, 1000000},
        {"seed", 0, "N", "of the episodes (default: 1)", CLI_INTEGER, &arguments.seed, 0, 1000000000},
        {"no-ops", 0, "N", "up to so many first actions without effect, as drawn (default: 0)", CLI_INTEGER,
         &arguments.no_ops, 0, 1000},
        {"epsilon", 0, "E", "share of actions that are random, 0 to 1 (default: 0)", CLI_NUMBER, &arguments.epsilon, 0,
         1},
        {"gif", 0, "FILE", "the first episode as an animated picture", CLI_TEXT, &arguments.gif, 0, 0},
        {"device", 0, "NAME", "where to compute: auto (default) or cpu", CLI_TEXT, &arguments.device, 0, 0},
        CLI_OPTION_THREADS(&arguments.threads),
        CLI_OPTION_JSON(&arguments.json),
        CLI_OPTION_END,
    };
    const struct cli_usage usage = {
        .verb = "play",
        .arguments = "RUN [env.KEY=VALUE ...] [options]",
        .purpose =
            "Plays whole episodes with the agent of a run and keeps their returns, by rewards as the environment\n"
            "gives them, in its returns.json. env.KEY=VALUE changes an option of the environment.",
        .options = options,
        .positionals = &arguments.run,
        .positional_minimum = 1,
        .positional_maximum = 1,
        .positional_name = "RUN",
        .assignments = &arguments.assignments,
        .example = "  invar play runs/dqn-catch-1 --episodes 200 --gif catch.gif\n"
                   "  invar play runs/relic-catch-1 env.style=test\n",
    };
    int status;

    if (!cli_parse(&usage, argc, argv, &status))
        return status;
    return play(&arguments);
}
