/* SPDX-License-Identifier: Apache-2.0 */
/* manual FOLDER: runs every verb with a cli_parse of its own, which writes down the usage instead of reading arguments.
 */
#include "manual/manual.h"
#include "invar/agent.h"
#include "invar/data.h"
#include "invar/memory.h"
#include "invar/expert/objective.h"
#include "invar/train.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
    const char *folder, *name, *help, *schema;
    struct manual_completion *completion;
    bool ok;
} making;

/* Verbs whose KEY=VALUE are those of recipes. */
static bool takes_recipe(const struct cli_usage *usage)
{
    return strcmp(usage->verb, "recipes") == 0 || strncmp(usage->arguments, "RECIPE", 6) == 0 ||
           strncmp(usage->arguments, "[RECIPE]", 8) == 0;
}

static bool is_agent(const struct cli_usage *usage)
{
    return strcmp(usage->verb, "agent") == 0;
}

/* Sections of recipes of agents; encoder and optimiser are those of recipes of representations. */
static void read_agent_words(struct manual_words *words)
{
    static const char *const shared[] = {"\nencoder:", "\noptimiser:"};
    struct invar_text schema = {0};

    making.ok = making.ok && invar_agent_recipe_schema(&schema, NULL);
    for (size_t i = 0; i < sizeof shared / sizeof *shared; i++) {
        const char *at = strstr(making.schema, shared[i]), *end = at ? strstr(at + 1, "\n\n") : NULL;
        if (at)
            invar_text_printf(&schema, NULL, "%.*s\n", end ? (int)(end - at) : -1, at);
    }
    manual_words_read(words, schema.data ? schema.data : "", true);
    invar_text_free(&schema);
}

/* Words, from malloc, that the first argument may be. */
static char *first_words(const struct cli_usage *usage)
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);

    if (strcmp(usage->verb, "recipes") == 0)
        fputs("list show schema ", stream);
    const struct invar_recipe_name *recipes = is_agent(usage) ? invar_agent_recipe_names() : invar_recipe_names();
    for (const struct invar_recipe_name *recipe = recipes; takes_recipe(usage) && recipe->name; recipe++)
        fprintf(stream, "%s ", recipe->name);
    if (strcmp(usage->verb, "loss") == 0)
        for (const struct invar_term_spec *const *term = invar_term_list(); *term; term++)
            fprintf(stream, "%s ", (*term)->name);
    if (strstr(usage->arguments, "SOURCE"))
        for (const struct invar_source_name *source = invar_source_names(); source->name; source++)
            fprintf(stream, "%s%s ", source->name, strcmp(source->name, "fashion-mnist") == 0 ? "" : ":");
    fclose(stream);
    return text;
}

bool cli_parse(const struct cli_usage *usage, int argc, char **argv, int *status)
{
    char *more = NULL, *first = first_words(usage);
    size_t size;
    FILE *stream = open_memstream(&more, &size);

    (void)argc, (void)argv;
    if (usage->more)
        usage->more(stream);
    fclose(stream);
    struct manual_verb verb = {making.name, making.help, usage, more, {0}, first};
    if (is_agent(usage))
        read_agent_words(&verb.words);
    else if (usage->assignments && takes_recipe(usage))
        manual_words_read(&verb.words, making.schema, true);
    else if (usage->assignments)
        manual_words_read(&verb.words, more, false);
    making.ok = making.ok && manual_page_write(making.folder, &verb);
    manual_completion_add(making.completion, &verb);
    manual_words_free(&verb.words);
    free(more);
    free(first);
    *status = CLI_DONE;
    return false;
}

int cli_wrong_usage(const struct cli_usage *usage, const char *format, ...)
{
    (void)usage, (void)format;
    return CLI_USAGE;
}

static bool make_folder(const char *folder, const char *name)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return mkdir(path, 0777) == 0 || access(path, W_OK) == 0;
}

int main(int argc, char **argv)
{
    struct invar_text schema = {0};

    if (argc != 2 || !make_folder(argv[1], "") || !make_folder(argv[1], "man1") || !make_folder(argv[1], "man5") ||
        !invar_recipe_schema(&schema, NULL))
        return 1;
    making.folder = argv[1];
    making.schema = schema.data;
    making.completion = manual_completion_open(argv[1]);
    making.ok = making.completion && manual_overview_write(argv[1], schema.data);
#define MAKE(verb_name, verb_help)                                                                                     \
    making.name = #verb_name;                                                                                          \
    making.help = verb_help;                                                                                           \
    invar_cli_##verb_name(1, (char *[]){(char[]){#verb_name}, NULL});
    if (making.completion) {
        CLI_VERBS(MAKE)
    }
    making.ok = manual_completion_close(making.completion) && making.ok;
    invar_text_free(&schema);
    return making.ok ? 0 : 1;
}
