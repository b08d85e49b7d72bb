/* SPDX-License-Identifier: Apache-2.0 */
/* Completions: for bash and for zsh a fixed function each, and the words that it completes by verb. */
#include "manual/manual.h"
#include "invar/version.h"

#include <stdlib.h>
#include <string.h>

struct manual_completion {
    FILE *bash, *zsh;
};

static FILE *open_file(const char *folder, const char *name)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return fopen(path, "w");
}

/* In quotes of the shell, without what zsh takes for the end of a description. */
static void put_quoted(FILE *out, const char *text, size_t most)
{
    for (size_t i = 0; text[i] && i < most; i++)
        if (text[i] != '\'' && text[i] != '[' && text[i] != ']' && text[i] != ':' && text[i] != '\n')
            fputc(text[i], out);
}

#define BASH_VERB(name, help) " " #name
#define ZSH_VERB(name, help) " '" #name ":" help "'"

struct manual_completion *manual_completion_open(const char *folder)
{
    struct manual_completion *c = calloc(1, sizeof *c);

    if (!c || !(c->bash = open_file(folder, "invar")) || !(c->zsh = open_file(folder, "_invar")))
        return free(c), NULL;
    fprintf(c->bash,
            "# bash completion of invar %s, made from its tables of options\n_invar_verbs='help" CLI_VERBS(
                BASH_VERB) "'\n"
                           "# VERB: sets options, files (options that take one), keys, first\n_invar_words() {\n    "
                           "case $1 in\n",
            INVAR_VERSION);
    fprintf(c->zsh,
            "#compdef invar\n# zsh completion of invar %s, made from its tables of options\n"
            "local -a verbs=(" CLI_VERBS(
                ZSH_VERB) " 'help:what a verb, or a topic of recipes, is')\n"
                          "local -a options keys first\nlocal -A values\n\n"
                          "if (( CURRENT == 2 )); then\n    _describe verb verbs\n    return\nfi\ncase $words[2] in\n",
            INVAR_VERSION);
    return c;
}

static void add_bash(FILE *out, const struct manual_verb *verb)
{
    char values[256];

    fprintf(out, "    %s)\n        options='--help", verb->name);
    for (const struct cli_option *option = verb->usage->options; option->name; option++)
        fprintf(out, " --%s", option->name);
    fputs("'\n        files='", out);
    for (const struct cli_option *option = verb->usage->options; option->name; option++)
        if (option->argument && !*manual_option_values(verb->usage, option, values, sizeof values) &&
            option->kind != CLI_INTEGER)
            fprintf(out, " --%s%s%c", option->name, option->letter ? " -" : "", option->letter ? option->letter : ' ');
    fprintf(out, " '\n        first='%s'\n        keys='", verb->first);
    fputs(strstr(verb->usage->arguments, "RUN SOURCE") ? verb->first : "", out);
    for (int i = 0; i < verb->words.count; i++)
        fprintf(out, "%s%s=", i ? " " : "", verb->words.word[i].key);
    fputs("'\n        case $2 in\n", out);
    for (const struct cli_option *option = verb->usage->options; option->name; option++)
        if (*manual_option_values(verb->usage, option, values, sizeof values))
            fprintf(out, "        --%s) values='%s' ;;\n", option->name, values);
    for (int i = 0; i < verb->words.count; i++)
        if (*verb->words.word[i].values)
            fprintf(out, "        %s) values='%s' ;;\n", verb->words.word[i].key, verb->words.word[i].values);
    fputs("        esac\n        ;;\n", out);
}

static void add_zsh_option(FILE *out, const struct manual_verb *verb, const struct cli_option *option)
{
    char values[256];

    if (option->letter)
        fprintf(out, "        '(-%c --%s)'{-%c,--%s}'[", option->letter, option->name, option->letter, option->name);
    else
        fprintf(out, "        '%s--%s[", option->kind == CLI_LIST ? "*" : "", option->name);
    put_quoted(out, option->help, 100);
    fputc(']', out);
    if (option->argument) {
        fputc(':', out);
        put_quoted(out, option->argument, 40);
        if (*manual_option_values(verb->usage, option, values, sizeof values))
            fprintf(out, ":(%s)", values);
        else
            fputs(option->kind == CLI_INTEGER ? ":" : ":_files", out);
    }
    fputs("'\n", out);
}

static void add_zsh(FILE *out, const struct manual_verb *verb)
{
    fprintf(out, "%s)\n    options=(\n", verb->name);
    for (const struct cli_option *option = verb->usage->options; option->name; option++)
        add_zsh_option(out, verb, option);
    fprintf(out, "    )\n    first=(%s)\n    keys=(", verb->first);
    for (int i = 0; i < verb->words.count; i++)
        fprintf(out, "%s%s", i ? " " : "", verb->words.word[i].key);
    fputs(")\n    values=(", out);
    for (int i = 0; i < verb->words.count; i++)
        if (*verb->words.word[i].values)
            fprintf(out, " %s '%s'", verb->words.word[i].key, verb->words.word[i].values);
    fputs(")\n    ;;\n", out);
}

void manual_completion_add(struct manual_completion *completion, const struct manual_verb *verb)
{
    add_bash(completion->bash, verb);
    add_zsh(completion->zsh, verb);
}

/* bash cuts words at = and :, and wants what stands behind the last of them. */
static const char bash_end[] =
    "    esac\n}\n\n"
    "_invar() {\n"
    "    local line=${COMP_LINE:0:COMP_POINT} current before previous verb cut options='' files='' first='' keys='' "
    "values=''\n"
    "    current=${line##*[[:space:]]}\n"
    "    before=${line%\"$current\"}\n"
    "    before=${before%\"${before##*[![:space:]]}\"}\n"
    "    previous=${before##*[[:space:]]}\n"
    "    verb=${COMP_WORDS[1]}\n"
    "    cut=${current%\"${current##*[=:]}\"}\n"
    "    COMPREPLY=()\n"
    "    if [[ $before != *[[:space:]]* ]]; then\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"$_invar_verbs\" -- \"$current\")\n"
    "        return\n"
    "    fi\n"
    "    if [[ $current == *=* ]]; then\n"
    "        _invar_words \"$verb\" \"${current%%=*}\"\n"
    "    else\n"
    "        _invar_words \"$verb\" \"$previous\"\n"
    "    fi\n"
    "    if [[ $verb == help ]]; then\n"
    "        values=$_invar_verbs\n"
    "    elif [[ $current == *=* && -n $values ]]; then\n"
    "        values=\"${current%%=*}=${values// / ${current%%=*}=}\"\n"
    "    elif [[ -z $values && $current == -* ]]; then\n"
    "        values=$options\n"
    "    elif [[ -z $values && $current != *=* && $files != *\" $previous \"* ]]; then\n"
    "        values=\"$keys\"\n"
    "        [[ $before == *[[:space:]]*[[:space:]]* ]] || values=\"$first $keys\"\n"
    "    fi\n"
    "    mapfile -t COMPREPLY < <(compgen -W \"$values\" -- \"$current\" | sort -u)\n"
    "    COMPREPLY=(\"${COMPREPLY[@]#\"$cut\"}\")\n"
    "    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=:] ]] && compopt -o nospace 2>/dev/null\n"
    "    if [[ ${#COMPREPLY[@]} -eq 0 ]]; then\n"
    "        mapfile -t COMPREPLY < <(compgen -f -- \"${current##*[=:]}\")\n"
    "        compopt -o filenames 2>/dev/null\n"
    "    fi\n"
    "    return 0\n"
    "}\n"
    "complete -F _invar invar\n";

static const char zsh_end[] =
    "help)\n    _describe verb verbs\n    return\n    ;;\n"
    "esac\n\n"
    "_invar_word() {\n"
    "    if [[ $PREFIX == *=* ]]; then\n"
    "        local key=${PREFIX%%=*}\n"
    "        compset -P '*='\n"
    "        if [[ -n ${values[$key]} ]]; then\n"
    "            compadd -- ${=values[$key]}\n"
    "        else\n"
    "            _files\n"
    "        fi\n"
    "        return\n"
    "    fi\n"
    "    compadd -- $first\n"
    "    compadd -S = -q -- $keys\n"
    "    _files\n"
    "}\n"
    "shift words\n(( CURRENT-- ))\n"
    "_arguments -s -S $options '(-h --help)'{-h,--help}'[explain the verb]' '*:argument:_invar_word'\n";

bool manual_completion_close(struct manual_completion *completion)
{
    if (!completion)
        return false;
    fputs(bash_end, completion->bash);
    fputs(zsh_end, completion->zsh);
    const bool whole = !ferror(completion->bash) && !ferror(completion->zsh);
    const bool closed = fclose(completion->bash) == 0 && fclose(completion->zsh) == 0;
    free(completion);
    return whole && closed;
}
