/* SPDX-License-Identifier: Apache-2.0 */
/* invar env ID: what an environment is, what playing at random gives, how fast it is. */
#include "cli/cli.h"
#include "env/survey.h"
#include "invar/expert/env.h"

#include <math.h>
#include <string.h>

struct arguments {
    bool json;
    int64_t episodes, seed;
    struct cli_list ids, assignments;
};

static void print_kinds(FILE *stream)
{
    fprintf(stream, "environments:\n");
    for (const struct invar_env_kind *kind = invar_env_kinds(); kind->name; kind++) {
        char id[64];
        snprintf(id, sizeof id, "%s%s%s", kind->name, kind->argument[0] ? ":" : "", kind->argument);
        fprintf(stream, "  %-22s %s\n", id, kind->help);
    }
    for (const struct invar_env_kind *kind = invar_env_kinds(); kind->name; kind++) {
        struct invar_text text = {0};
        if (invar_options_describe(kind->options, 2, &text, NULL))
            fprintf(stream, "\nKEY=VALUE of %s:\n%s", kind->name, text.data);
        invar_text_free(&text);
    }
}

static int print_text(const struct invar_env_info *info, const struct invar_env_survey *survey)
{
    printf("environment %s (%s)\nobservation %lld", human_name(info->id), human_name(info->version),
           (long long)info->shape[0]);
    for (int i = 1; i < info->rank; i++)
        printf(" x %lld", (long long)info->shape[i]);
    printf(", %s of %s", info->rank == 3 ? "images" : "numbers", invar_dtype_name(info->dtype));
    if (info->stack > 1)
        printf(", the newest %d frames", info->stack);
    if (info->note)
        printf(", %s", info->note);
    printf("\nactions     %d:", info->actions);
    for (int i = 0; i < info->actions && i < 18; i++)
        printf(" %s%s", human_name(info->names[i]), i + 1 < info->actions ? "," : "");
    printf("%s\n", info->actions > 18 ? " ..." : "");
    printf("episode     ");
    if (info->limit)
        printf("at most %lld steps, ", (long long)info->limit);
    if (info->lives)
        printf("%d lives, ", info->lives);
    printf("%d frame%s an action; %s\n", info->skip, info->skip == 1 ? "" : "s",
           info->saves ? "states can be saved" : "states cannot be saved: a run that is resumed begins episodes anew");
    printf("random play return %.4g on average, ", survey->mean);
    if (survey->episodes > 1)
        printf("deviation %.3g, from %g to %g, ", survey->deviation, survey->least, survey->most);
    printf("%.4g steps; %lld episode%s\n", survey->length, (long long)survey->episodes,
           survey->episodes == 1 ? "" : "s");
    if (info->score)
        printf("published   random %g, human %g\n", info->score->random, info->score->human);
    printf("rate        %.0f steps/s", survey->steps_per_s);
    if (info->skip > 1)
        printf(", %.0f frames/s", survey->frames_per_s);
    printf("\n");
    return CLI_DONE;
}

static int print_json(const struct invar_env_info *info, const struct invar_env_survey *survey)
{
    struct json_writer w = CLI_JSON;

    json_open_object(&w, NULL);
    env_survey_put(info, survey, &w);
    json_close(&w);
    return cli_print_json(&w);
}

/* KEY=VALUE as a section of a recipe has them. */
static struct invar_node *settings_of(const struct cli_list *assignments, struct invar_error *err)
{
    struct invar_node *node = invar_node_parse("{}", 2, "command line", err);
    bool ok = node != NULL;

    for (int i = 0; ok && i < assignments->count; i++) {
        const char *given = assignments->item[i];
        ok = invar_node_override(node, strncmp(given, "env.", 4) == 0 ? given + 4 : given, err);
    }
    if (ok)
        return node;
    invar_node_free(node);
    return NULL;
}

static int survey(const struct arguments *arguments)
{
    struct cli_progress progress = {0};
    const struct invar_watch watch = {cli_told, &progress};
    struct invar_error err = {0};
    struct invar_env_survey found;
    struct invar_node *settings = settings_of(&arguments->assignments, &err);
    struct invar_env *env = settings ? invar_env_create(arguments->ids.item[0], settings, &err) : NULL;

    cli_catch_interrupt();
    const bool ok = env && invar_env_survey(env, (uint64_t)arguments->seed, arguments->episodes, &watch, &found, &err);
    cli_progress_end(&progress);
    const int status = !ok               ? cli_fail(&err)
                       : arguments->json ? print_json(invar_env_info(env), &found)
                                         : print_text(invar_env_info(env), &found);
    invar_env_free(env);
    invar_node_free(settings);
    return status;
}

int invar_cli_env(int argc, char **argv)
{
    struct arguments arguments = {.episodes = 10};
    const struct cli_option options[] = {
        {"episodes", 0, "N", "episodes that are played at random (default: 10)", CLI_INTEGER, &arguments.episodes, 1,
         1000000},
        {"seed", 0, "N", "of what happens in them (default: 0)", CLI_INTEGER, &arguments.seed, 0, INT64_MAX},
        CLI_OPTION_JSON(&arguments.json),
        CLI_OPTION_END,
    };
    const struct cli_usage usage = {
        .verb = "env",
        .arguments = "ID [KEY=VALUE ..] [--episodes N] [--json]",
        .purpose = "What an environment is that agents act in: its observations and actions, what playing at random\n"
                   "gives, and how many steps it makes a second. gym:ID is any environment of Gymnasium with numbered\n"
                   "actions, which a Python of yours runs: python3 -m venv gym, gym/bin/pip install ale-py gymnasium,\n"
                   "and INVAR_PYTHON=gym/bin/python3 in the environment. The games' ROMs come with ale-py.",
        .options = options,
        .positionals = &arguments.ids,
        .positional_minimum = 1,
        .positional_maximum = 1,
        .positional_name = "ID",
        .assignments = &arguments.assignments,
        .example = "  invar env catch style=train\n"
                   "  invar env gym:ALE/Pong-v5 --episodes 2\n",
        .more = print_kinds,
    };
    int status;

    if (!cli_parse(&usage, argc, argv, &status))
        return status;
    return survey(&arguments);
}
