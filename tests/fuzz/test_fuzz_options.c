/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"
#include "invar/options.h"
#include <stddef.h>

struct settings {
    int64_t steps;
    double rate;
    bool nesterov;
    char name[INVAR_TEXT_SIZE];
    int kind;
    struct invar_int_list widths;
    struct invar_real_list betas;
};

static const struct invar_option table[] = {
    {"steps", INVAR_OPTION_INT, offsetof(struct settings, steps), "100", 1, 1000, NULL, "steps"},
    {"rate", INVAR_OPTION_REAL, offsetof(struct settings, rate), "0.2", 0, 10, NULL, "rate"},
    {"nesterov", INVAR_OPTION_BOOL, offsetof(struct settings, nesterov), "true", 0, 0, NULL, "look ahead"},
    {"name", INVAR_OPTION_TEXT, offsetof(struct settings, name), "\"\"", 0, 0, NULL, "name"},
    {"kind", INVAR_OPTION_CHOICE, offsetof(struct settings, kind), "kl", 0, 0, "kl|euclidean|2", "kind"},
    {"widths", INVAR_OPTION_INT_LIST, offsetof(struct settings, widths), "[256, 128]", 1, 4096, NULL, "widths"},
    {"betas", INVAR_OPTION_REAL_LIST, offsetof(struct settings, betas), "[0.9, 0.999]", 0, 1, NULL, "betas"},
    {0},
};

static const char *const tokens[] = {
    "steps: ",
    "rate: ",
    "[",
    "]",
    "{",
    "}",
    "- ",
    "\n  ",
    "&a ",
    "*a",
    "!!int ",
    "\"\\x00\"",
    "? ",
    "| \n",
    "1e999",
    ".nan",
    "-0",
    "~",
    "'x",
    "null",
    "---",
    "%YAML 1.1\n",
    "\xc3\xa9",
    "\xff",
    "99999999999999999999",
    "\xe2\x80\xa8",
    "\"\\ufeff\"",
    "\"\\x85\"",
    NULL,
};

/* What was read must be in range, and must read back the same when written. */
static void check_settings(const struct settings *settings)
{
    struct settings again;
    memset(&again, 0, sizeof again);
    invar_options_default(table, &again);
    fuzz_check(settings->steps >= 1 && settings->steps <= 1000, "steps out of range");
    fuzz_check(settings->rate >= 0 && settings->rate <= 10, "rate out of range");
    fuzz_check(settings->kind >= 0 && settings->kind <= 2, "kind out of range");
    fuzz_check(settings->widths.count <= INVAR_LIST_SIZE && settings->betas.count <= INVAR_LIST_SIZE, "long list");
    struct invar_text text = {0};
    struct invar_error err = {0};
    fuzz_check(invar_options_write(table, settings, 2, &text, &err), err.message);
    struct invar_node *node = invar_node_parse(text.data, text.size, "written", &err);
    fuzz_check(node != NULL, err.message);
    fuzz_check(invar_options_read(table, &again, node, "", NULL, &err), err.message);
    fuzz_check(again.steps == settings->steps && again.rate == settings->rate && again.kind == settings->kind &&
                   again.nesterov == settings->nesterov && strcmp(again.name, settings->name) == 0 &&
                   again.betas.count == settings->betas.count && again.widths.count == settings->widths.count,
               "what was written reads back different");
    invar_node_free(node);
    invar_text_free(&text);
}

static bool read_settings(const struct fuzz_input *input, const char *path, struct invar_error *err)
{
    struct settings settings;
    memset(&settings, 0, sizeof settings);
    invar_options_default(table, &settings);
    struct invar_node *node = invar_node_read(path, err);
    if (!node)
        return false;
    bool ok = invar_options_read(table, &settings, node, "train", NULL, err);
    if (ok)
        check_settings(&settings);
    /* The same bytes as an assignment; any answer will do that is not a crash. */
    struct invar_error ignored = {0};
    bool set = invar_node_override(node, (const char *)input->data, &ignored);
    fuzz_check(set == (ignored.code == INVAR_OK), "an override failed without saying so");
    invar_node_free(node);
    return ok;
}

int main(void)
{
    static const char *const texts[] = {
        "steps: 10\nrate: 0.5\nnesterov: no\nname: some text\n",
        "{\"kind\": \"euclidean\", \"widths\": [1, 2, 3], \"betas\": 0.5}",
        "# comment\nname: >-\n  folded\n  text\nwidths:\n- 5\n- 6\n",
        "name=\"a.b\": 1",
        "steps: 7",
    };
    enum { COUNT = sizeof texts / sizeof texts[0] };
    static struct fuzz_input seeds[COUNT];
    for (int i = 0; i < COUNT; i++) {
        seeds[i].size = strlen(texts[i]);
        memcpy(seeds[i].data, texts[i], seeds[i].size);
    }
    return fuzz_run("options", seeds, COUNT, tokens, read_settings, 100000);
}
