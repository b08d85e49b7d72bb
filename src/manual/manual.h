/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MANUAL_MANUAL_H
#define MANUAL_MANUAL_H

#include "cli/cli.h"

/*
 * manual FOLDER makes man pages and completions from the tables of the verbs: it is the verbs of src/cli with another
 * cli_parse, which writes down what a verb says of itself. Built and run by the build (src/CMakeLists.txt).
 */

/** A word that may be completed: an option KEY of a recipe or a verb, and the values that it may have. */
struct manual_word {
    char *key;    /**< "encoder.kind" */
    char *values; /**< "resnet18 mlp"; empty: any */
    char *help;
};
struct manual_words {
    int count;
    struct manual_word *word;
};
/** Reads what invar_options_describe wrote, with other text around it; sections: what invar_recipe_schema wrote, whose
 * keys are SECTION.KEY and terms.TERM.KEY. */
void manual_words_read(struct manual_words *words, const char *text, bool sections);
void manual_words_free(struct manual_words *words);

/** One verb, as it says of itself. */
struct manual_verb {
    const char *name, *help;
    const struct cli_usage *usage;
    const char *more;          /**< what usage->more prints; "" where there is none */
    struct manual_words words; /**< KEY=VALUE */
    const char *first;         /**< what the first argument may be, besides files: words, or "" */
};
/** The values that `--NAME a|b` in the usage, or its help "a, b or c", allow; "" where it takes anything. */
const char *manual_option_values(const struct cli_usage *usage, const struct cli_option *option, char *out,
                                 size_t size);

/** Folder/man1/invar-VERB.1, and invar.1 and invar-recipe.5; bool: written. */
bool manual_page_write(const char *folder, const struct manual_verb *verb);
bool manual_overview_write(const char *folder, const char *schema);

/** Completions of bash (folder/invar) and zsh (folder/_invar). */
struct manual_completion;
struct manual_completion *manual_completion_open(const char *folder);
void manual_completion_add(struct manual_completion *completion, const struct manual_verb *verb);
bool manual_completion_close(struct manual_completion *completion);

#endif
