/* SPDX-License-Identifier: Apache-2.0 */
/* Man pages: what a verb says of itself as roff. */
#include "manual/manual.h"
#include "invar/version.h"

#include <ctype.h>
#include <string.h>

/* Text of which nothing is a request or an escape. */
static void put(FILE *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if ((i == 0 || text[i - 1] == '\n') && (text[i] == '.' || text[i] == '\''))
            fputs("\\&", out);
        if (text[i] == '\\')
            fputs("\\e", out);
        else if (text[i] == '-')
            fputs("\\-", out);
        else
            fputc(text[i], out);
    }
}

static void put_line(FILE *out, const char *text, size_t length)
{
    put(out, text, length);
    fputc('\n', out);
}

static FILE *begin(const char *folder, const char *name, int section, const char *about)
{
    char path[4096], upper[64];
    size_t i = 0;

    snprintf(path, sizeof path, "%s/man%d/%s.%d", folder, section, name, section);
    for (; name[i] && i + 1 < sizeof upper; i++)
        upper[i] = (char)toupper((unsigned char)name[i]);
    upper[i] = '\0';
    FILE *out = fopen(path, "w");
    if (!out)
        return NULL;
    fprintf(out, ".TH %s %d \"\" \"invar %s\" \"%s\"\n.SH NAME\n", upper, section, INVAR_VERSION,
            section == 1 ? "User Commands" : "File Formats");
    put(out, name, strlen(name));
    fputs(" \\- ", out);
    put_line(out, about, strlen(about));
    return out;
}

static bool end(FILE *out)
{
    const bool ok = !ferror(out);

    return fclose(out) == 0 && ok;
}

/* A line "left  right" or "left  # right" as a paragraph with a tag. */
static void put_entry(FILE *out, const char *line, size_t length)
{
    const char *hash = memmem(line, length, " # ", 3), *gap = hash ? hash : memmem(line, length, "  ", 2);
    size_t left = gap ? (size_t)(gap - line) : length;

    while (left && line[left - 1] == ' ')
        left--;
    if (!gap) {
        put_line(out, line, length);
        return;
    }
    const char *right = hash ? hash + 3 : gap + strspn(gap, " ");
    fputs(".TP\n\\fB", out);
    put(out, line, left);
    fputs("\\fR\n", out);
    put_line(out, right, length - (size_t)(right - line));
}

/* Lists of options and names as help has them: a line without indentation is a heading. */
static void put_lists(FILE *out, const char *text)
{
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        const size_t length = strcspn(line, "\n"), indent = strspn(line, " ");
        const char *hash = memmem(line, length, "  # ", 4);
        const bool head = hash && hash[-1] != ' ' && indent < 4; /* a section, kind or term of recipes */
        if (!length)
            continue;
        if (indent && !head) {
            put_entry(out, line + indent, length - indent);
        } else if (indent == 0 && hash && !head) {
            put_entry(out, line, length);
        } else if (head) {
            fputs(indent ? ".SS " : ".SH ", out);
            put_line(out, line + indent, (size_t)(hash - line) - indent);
            put_line(out, hash + 4, length - (size_t)(hash + 4 - line));
        } else {
            fputs(".SS ", out);
            put_line(out, line, length);
        }
    }
}

static void put_option(FILE *out, const struct cli_option *option)
{
    fputs(".TP\n", out);
    if (option->letter)
        fprintf(out, "\\fB\\-%c\\fR, ", option->letter);
    fputs("\\fB\\-\\-", out);
    put(out, option->name, strlen(option->name));
    fputs("\\fR", out);
    if (option->argument) {
        fputs(" \\fI", out);
        put(out, option->argument, strlen(option->argument));
        fputs("\\fR", out);
    }
    fputc('\n', out);
    put_line(out, option->help, strlen(option->help));
}

static void put_synopsis(FILE *out, const struct cli_usage *usage)
{
    fputs(".SH SYNOPSIS\n\\fBinvar ", out);
    put(out, usage->verb, strlen(usage->verb));
    fputs("\\fR ", out);
    for (const char *at = usage->arguments; *at; at++)
        if (!isspace((unsigned char)*at))
            put(out, at, 1);
        else if (!isspace((unsigned char)at[1]))
            fputc(' ', out);
    fputc('\n', out);
}

static void put_status(FILE *out)
{
    fputs(".SH EXIT STATUS\n0 done, 1 failed, 2 wrong usage, 130 interrupted.\n", out);
}

bool manual_page_write(const char *folder, const struct manual_verb *verb)
{
    char name[64];

    snprintf(name, sizeof name, "invar-%s", verb->name);
    FILE *out = begin(folder, name, 1, verb->help);
    if (!out)
        return false;
    put_synopsis(out, verb->usage);
    fputs(".SH DESCRIPTION\n", out);
    put_line(out, verb->usage->purpose, strlen(verb->usage->purpose));
    fputs(".SH OPTIONS\n", out);
    for (const struct cli_option *option = verb->usage->options; option->name; option++)
        put_option(out, option);
    fputs(".TP\n\\fB\\-h\\fR, \\fB\\-\\-help\\fR\nprint what is here\n", out);
    if (*verb->more) {
        fputs(".SH ARGUMENTS\n", out);
        put_lists(out, verb->more);
    }
    fputs(".SH EXAMPLES\n.nf\n", out);
    put(out, verb->usage->example, strlen(verb->usage->example));
    fputs(".fi\n", out);
    put_status(out);
    fputs(".SH SEE ALSO\n\\fBinvar\\fR(1), \\fBinvar\\-recipe\\fR(5)\n", out);
    return end(out);
}

static bool write_command(const char *folder)
{
    FILE *out = begin(folder, "invar", 1, "representations without labels");

    if (!out)
        return false;
    fputs(".SH SYNOPSIS\n\\fBinvar\\fR \\fIVERB\\fR [\\fIARGUMENTS\\fR]\n.br\n\\fBinvar help\\fR [\\fITOPIC\\fR]\n"
          ".SH DESCRIPTION\n",
          out);
    put_line(out, CLI_PURPOSE, strlen(CLI_PURPOSE));
    fputs(".SH VERBS\n", out);
#define PUT(name, help) fputs(".TP\n\\fBinvar\\-" #name "\\fR(1)\n" help "\n", out);
    CLI_VERBS(PUT)
    fputs(".TP\n\\fBinvar help\\fR \\fITOPIC\\fR\na verb, or a section, term, encoder or option of recipes\n", out);
    put_status(out);
    fputs(".SH ENVIRONMENT\n.TP\n\\fBOMP_NUM_THREADS\\fR\nthreads where \\-\\-threads does not say how many\n.TP\n"
          "\\fBINVAR_DEBUG\\fR\n1: the library's log with its details\n"
          ".SH SEE ALSO\n\\fBinvar\\-recipe\\fR(5); documents in /usr/share/doc/invar\n",
          out);
    return end(out);
}

bool manual_overview_write(const char *folder, const char *schema)
{
    FILE *out = write_command(folder) ? begin(folder, "invar-recipe", 5, "options of recipes") : NULL;

    if (!out)
        return false;
    fputs(
        ".SH DESCRIPTION\nA recipe is a YAML file: data, views, nets, a weighted sum of terms, optimiser, length. Each "
        "option has a default;\n\\fBinvar recipes show\\fR \\fINAME\\fR prints one that ships, and "
        "SECTION.KEY=VALUE on the command line changes an option.\n",
        out);
    put_lists(out, schema);
    fputs(".SH SEE ALSO\n\\fBinvar\\-pretrain\\fR(1), \\fBinvar\\-recipes\\fR(1)\n", out);
    return end(out);
}
