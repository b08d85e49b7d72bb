/* SPDX-License-Identifier: Apache-2.0 */
/* The arguments of a verb: one table gives the parser, the help text and the messages about wrong usage. */
#include "cli/cli.h"
#include "base/names.h"

#include <ctype.h>
#include <errno.h>
#include <omp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void print_option(FILE *stream, const struct cli_option *option)
{
    char left[64];
    char letter[8] = "";
    if (option->letter)
        snprintf(letter, sizeof letter, "-%c, ", option->letter);
    snprintf(left, sizeof left, "%s--%s%s%s", letter, option->name, option->argument ? " " : "",
             option->argument ? option->argument : "");
    fprintf(stream, "  %-22s %s\n", left, option->help);
}

static void print_usage(FILE *stream, const struct cli_usage *usage)
{
    fprintf(stream, "usage: invar %s %s\n\n%s\n\noptions:\n", usage->verb, usage->arguments, usage->purpose);
    for (const struct cli_option *option = usage->options; option->name; option++)
        print_option(stream, option);
    fprintf(stream, "  %-22s %s\n", "-h, --help", "this text");
    if (usage->more) {
        fputc('\n', stream);
        usage->more(stream);
    }
    fprintf(stream, "\nexample:\n%s", usage->example);
}

int cli_wrong_usage(const struct cli_usage *usage, const char *format, ...)
{
    char sentence[INVAR_ERROR_MESSAGE_SIZE];
    va_list list;
    va_start(list, format);
    vsnprintf(sentence, sizeof sentence, format, list);
    va_end(list);
    cli_message("%s: %s (`invar %s --help` explains)", usage->verb, sentence, usage->verb);
    return CLI_USAGE;
}

/** Long options match name[0..length), short ones their letter. */
static const struct cli_option *find_long(const struct cli_usage *usage, const char *name, size_t length)
{
    for (const struct cli_option *option = usage->options; option->name; option++)
        if (strlen(option->name) == length && strncmp(option->name, name, length) == 0)
            return option;
    return NULL;
}

static const struct cli_option *find_short(const struct cli_usage *usage, char letter)
{
    for (const struct cli_option *option = usage->options; option->name; option++)
        if (option->letter == letter)
            return option;
    return NULL;
}

static int unknown_option(const struct cli_usage *usage, const char *argument)
{
    char word[64], hint[NAMES_HINT_SIZE];
    const char *start = argument + strspn(argument, "-");
    snprintf(word, sizeof word, "%.*s", (int)strcspn(start, "="), start);
    names_hint(hint, NAMES_ROWS("option", usage->options), word);
    return cli_wrong_usage(usage, "there is no option %s%s", argument, hint);
}

static bool read_integer(const struct cli_usage *usage, const struct cli_option *option, const char *text)
{
    char *end = NULL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || errno || value < option->minimum || value > option->maximum) {
        cli_wrong_usage(usage, "--%s: `%s` was given, expected a whole number from %lld to %lld", option->name, text,
                        (long long)option->minimum, (long long)option->maximum);
        return false;
    }
    *(int64_t *)option->variable = value;
    return true;
}

static bool read_number(const struct cli_usage *usage, const struct cli_option *option, const char *text)
{
    char *end = NULL;
    const double value = strtod(text, &end);
    if (end == text || *end || !(value >= (double)option->minimum && value <= (double)option->maximum)) {
        cli_wrong_usage(usage, "--%s: `%s` was given, expected a number from %lld to %lld", option->name, text,
                        (long long)option->minimum, (long long)option->maximum);
        return false;
    }
    *(double *)option->variable = value;
    return true;
}

static bool list_add(const struct cli_usage *usage, struct cli_list *list, const char *text)
{
    if (list->count >= CLI_LIST_SIZE) {
        cli_wrong_usage(usage, "more than %d arguments of one kind, the first too many is `%s`", CLI_LIST_SIZE, text);
        return false;
    }
    list->item[list->count++] = text;
    return true;
}

/* Shells replace ~/ at the beginning of a word alone, not in KEY=~/x, --option=~/x or csv:~/x. NULL: it is not there;
 * the text is kept for as long as the process lives. */
static const char *at_home(const char *text)
{
    static struct kept {
        struct kept *next;
        char text[];
    } * all;
    const char *home = getenv("HOME"), *tilde = strstr(text, "~/");
    while (tilde && tilde > text && tilde[-1] != '=' && tilde[-1] != ':')
        tilde = strstr(tilde + 1, "~/");
    if (!tilde || !home || !*home)
        return NULL;
    const size_t before = (size_t)(tilde - text), size = strlen(text) + strlen(home);
    struct kept *kept = malloc(sizeof *kept + size);
    if (!kept)
        return NULL;
    snprintf(kept->text, size, "%.*s%s%s", (int)before, text, home, tilde + 1);
    kept->next = all;
    all = kept;
    return kept->text;
}

static bool store(const struct cli_usage *usage, const struct cli_option *option, const char *value)
{
    const char *home = option->kind == CLI_TEXT || option->kind == CLI_LIST ? at_home(value) : NULL;
    value = home ? home : value;
    switch (option->kind) {
    case CLI_FLAG:
        *(bool *)option->variable = true;
        return true;
    case CLI_INTEGER:
        if (!read_integer(usage, option, value))
            return false;
        if (strcmp(option->name, "threads") == 0 && *(int64_t *)option->variable > 0)
            omp_set_num_threads((int)*(int64_t *)option->variable); /* what computes without a device has it, too */
        return true;
    case CLI_NUMBER:
        return read_number(usage, option, value);
    case CLI_TEXT:
        *(const char **)option->variable = value;
        return true;
    case CLI_LIST:
        return list_add(usage, option->variable, value);
    }
    return false;
}

/** One option at argv[*at]; leaves *at on the last argument that it used. */
static bool read_option(const struct cli_usage *usage, int argc, char **argv, int *at)
{
    const char *argument = argv[*at];
    const char *value = NULL;
    const struct cli_option *option;

    if (argument[1] == '-') {
        size_t length = strcspn(argument + 2, "=");
        option = find_long(usage, argument + 2, length);
        if (option && argument[2 + length] == '=')
            value = argument + 2 + length + 1;
    } else {
        option = find_short(usage, argument[1]);
        if (option && argument[2])
            value = argument + 2;
    }
    if (!option) {
        unknown_option(usage, argument);
        return false;
    }
    if (option->kind == CLI_FLAG && value) {
        cli_wrong_usage(usage, "--%s takes no value, but `%s` was given", option->name, value);
        return false;
    }
    if (option->kind != CLI_FLAG && !value) {
        if (*at + 1 >= argc) {
            cli_wrong_usage(usage, "--%s needs %s after it", option->name, option->argument);
            return false;
        }
        value = argv[++*at];
    }
    return store(usage, option, value);
}

static bool is_assignment(const char *text)
{
    size_t length = 0;
    if (!isalpha((unsigned char)text[0]))
        return false;
    while (isalnum((unsigned char)text[length]) || text[length] == '_' || text[length] == '.')
        length++;
    return text[length] == '=';
}

static bool read_other(const struct cli_usage *usage, const char *text)
{
    const char *home = at_home(text);
    text = home ? home : text;
    if (usage->assignments && is_assignment(text)) {
        const char *value = strchr(text, '=');
        if (strcmp(value, "=null") == 0)
            cli_message("%.*s is set back to its default", (int)(value - text), text);
        return list_add(usage, usage->assignments, text);
    }
    if (!usage->positionals || usage->positionals->count >= usage->positional_maximum) {
        cli_wrong_usage(usage, "`%s` is one argument too many", text);
        return false;
    }
    return list_add(usage, usage->positionals, text);
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

bool cli_parse(const struct cli_usage *usage, int argc, char **argv, int *status)
{
    bool options_end = false;

    if (wants_help(argc, argv)) {
        print_usage(stdout, usage);
        *status = CLI_DONE;
        return false;
    }
    *status = CLI_USAGE;
    for (int i = 1; i < argc; i++) {
        if (!options_end && strcmp(argv[i], "--") == 0) {
            options_end = true;
        } else if (!options_end && argv[i][0] == '-' && argv[i][1]) {
            if (!read_option(usage, argc, argv, &i))
                return false;
        } else if (!read_other(usage, argv[i])) {
            return false;
        }
    }
    if (usage->positionals && usage->positionals->count < usage->positional_minimum) {
        cli_wrong_usage(usage, "%s is missing", usage->positional_name);
        return false;
    }
    *status = CLI_DONE;
    return true;
}
