/* SPDX-License-Identifier: Apache-2.0 */
/* invar recipes: the recipes that ship, and every option with its default. */
#include "cli/cli.h"
#include "base/names.h"
#include "invar/agent.h"
#include "invar/train.h"

#include <string.h>

static int list(bool json)
{
    struct json_writer w = CLI_JSON;

    json_open_object(&w, NULL);
    json_open_array(&w, "recipes");
    for (const struct invar_recipe_name *recipe = invar_recipe_names(); recipe->name; recipe++) {
        json_open_object(&w, NULL);
        json_text(&w, "name", recipe->name);
        json_text(&w, "help", recipe->help);
        json_close(&w);
        if (!json)
            printf("%-28s %s\n", recipe->name, recipe->help);
    }
    json_close(&w);
    json_close(&w);
    if (json)
        return cli_print_json(&w);
    json_writer_free(&w);
    return CLI_DONE;
}

static int print_text(const char *key, const char *text, bool json)
{
    if (!json) {
        fputs(text, stdout);
        return CLI_DONE;
    }
    struct json_writer w = CLI_JSON;
    json_open_object(&w, NULL);
    json_text(&w, key, text);
    json_close(&w);
    return cli_print_json(&w);
}

static int show(const char *name, const struct cli_list *assignments, bool resolved, bool json)
{
    struct invar_error err = {0};
    struct invar_text text = {0};
    const struct invar_recipe_name *shipped;
    struct invar_recipe *recipe = NULL;
    int status;

    shipped = names_look(NAMES_ROWS("recipe", invar_agent_recipe_names()), name, strlen(name));
    if (shipped && (resolved || assignments->count)) {
        invar_error_set(&err, INVAR_ERROR_USAGE,
                        "%s: is a recipe of agents, shown as it ships alone; `invar agent %s KEY=VALUE --dry-run` "
                        "checks options",
                        name, name);
        return cli_fail(&err);
    }
    if (!resolved && !assignments->count && !shipped)
        shipped = names_look(NAMES_ROWS("recipe", invar_recipe_names()), name, strlen(name));
    if (shipped)
        return print_text("recipe", shipped->text, json);
    recipe = invar_recipe_load(name, assignments->item, assignments->count, &err);
    if (!recipe || !invar_recipe_write(recipe, &text, &err))
        status = cli_fail(&err);
    else
        status = print_text("recipe", text.data, json);
    invar_text_free(&text);
    invar_recipe_free(recipe);
    return status;
}

static int schema(bool json)
{
    struct invar_error err = {0};
    struct invar_text text = {0};
    int status = invar_recipe_schema(&text, &err) ? print_text("schema", text.data, json) : cli_fail(&err);
    invar_text_free(&text);
    return status;
}

int invar_cli_recipes(int argc, char **argv)
{
    bool json = false, resolved = false;
    struct cli_list words = {0}, assignments = {0};
    const struct cli_option options[] = {
        {"resolved", 0, NULL, "show every option, those left to their default too", CLI_FLAG, &resolved, 0, 0},
        CLI_OPTION_JSON(&json),
        CLI_OPTION_END,
    };
    const struct cli_usage usage = {
        .verb = "recipes",
        .arguments = "[list | show NAME [KEY=VALUE ...] [--resolved] | schema] [--json]",
        .purpose = "The recipes that ship (list, the default), one of them (show; with KEY=VALUE or --resolved as it "
                   "would run),\nor every option of a recipe with type, default, range and meaning (schema).",
        .options = options,
        .positionals = &words,
        .positional_maximum = 2,
        .assignments = &assignments,
        .example =
            "  invar recipes\n  invar recipes show relic-fashion-mnist training.epochs=1\n  invar recipes schema\n",
    };
    int status;

    if (!cli_parse(&usage, argc, argv, &status))
        return status;
    const char *what = words.count ? words.item[0] : "list";
    if (strcmp(what, "show") == 0) {
        if (words.count < 2)
            return cli_wrong_usage(&usage, "show needs the name of a recipe or the path of a YAML file after it");
        return show(words.item[1], &assignments, resolved, json);
    }
    if (words.count > 1 || assignments.count)
        return cli_wrong_usage(&usage, "%s takes no further argument", what);
    if (strcmp(what, "list") == 0)
        return list(json);
    if (strcmp(what, "schema") == 0)
        return schema(json);
    return cli_wrong_usage(&usage, "`%s` was given, expected list, show or schema", what);
}
