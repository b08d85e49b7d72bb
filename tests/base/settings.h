/* SPDX-License-Identifier: Apache-2.0 */
/* A struct of options with its table, one of each kind. */
#ifndef INVAR_TESTS_SETTINGS_H
#define INVAR_TESTS_SETTINGS_H

#include "test.h"

#include "invar/options.h"

#define KINDS(CHOICE)                                                                                                  \
    CHOICE(KIND_KL, "kl") CHOICE(KIND_EUCLIDEAN, "euclidean") CHOICE(KIND_2, "2") CHOICE(KIND_NO, "no")
enum kind { KINDS(INVAR_CHOICE_CONSTANT) };

struct settings {
    int64_t steps;
    double rate;
    bool nesterov;
    char name[INVAR_TEXT_SIZE];
    enum kind kind;
    struct invar_int_list widths;
    struct invar_real_list betas;
};

static const struct invar_option table[] = {
    {"steps", INVAR_OPTION_INT, offsetof(struct settings, steps), "100", 1, 1000, NULL, "number of steps"},
    INVAR_RENAMED("iterations", "steps"),
    {"rate", INVAR_OPTION_REAL, offsetof(struct settings, rate), "0.2", 0, 10, NULL, "learning rate"},
    {"nesterov", INVAR_OPTION_BOOL, offsetof(struct settings, nesterov), "true", 0, 0, NULL, "look ahead"},
    {"name", INVAR_OPTION_TEXT, offsetof(struct settings, name), "\"\"", 0, 0, NULL, "what to call it"},
    {"kind", INVAR_OPTION_CHOICE, offsetof(struct settings, kind), "kl", 0, 0, INVAR_CHOICES(KINDS), "distance"},
    {"widths", INVAR_OPTION_INT_LIST, offsetof(struct settings, widths), "[256, 128]", 1, 4096, NULL, "layer widths"},
    {"betas", INVAR_OPTION_REAL_LIST, offsetof(struct settings, betas), "[0.9, 0.999]", 0, 1, NULL, "decay"},
    {0},
};

static inline struct settings defaults(void)
{
    struct settings settings;
    memset(&settings, 0, sizeof settings);
    invar_options_default(table, &settings);
    return settings;
}

static inline bool read_text(struct settings *settings, const char *text, const char *path, struct invar_error *err)
{
    static const char *const ignored[] = {"terms", NULL};
    struct invar_node *node = invar_node_parse(text, strlen(text), "r.yaml", err);
    bool ok = node && invar_options_read(table, settings, node, path, ignored, err);
    invar_node_free(node);
    return ok;
}

#endif
