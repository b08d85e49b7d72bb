/* SPDX-License-Identifier: Apache-2.0 */
/* What a table of options has beside values: former names, choices, parts, and checks of a struct. */
#include "base/settings.h"

#include "invar/log.h"

static char warned[256];

static void keep_warning(void *user, enum invar_log_level level, const char *message)
{
    (void)user;
    if (level == INVAR_LOG_WARNING)
        snprintf(warned, sizeof warned, "%s", message);
}

static void former_names_are_read_with_a_warning(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct settings s = defaults();
    invar_log_set_sink(keep_warning, NULL);
    assert_ok(read_text(&s, "rate: 1\niterations: 7\n", "training", &err), &err);
    assert_int_equal(s.steps, 7);
    assert_string_equal(warned, "r.yaml:2: training.iterations is called steps now: write that, the next version does "
                                "not know the former name");
    *warned = '\0';
    assert_ok(read_text(&s, "steps: 8\n", "", &err), &err);
    assert_string_equal(warned, "");
    assert_ok(invar_options_set(table, &s, "iterations=9", &err), &err);
    assert_int_equal(s.steps, 9);
    assert_non_null(strstr(warned, "command line: iterations is called steps now"));
    assert_ok(invar_options_set(table, &s, "iterations=null", &err), &err);
    assert_int_equal(s.steps, 100);
    assert_refused(read_text(&s, "iterations: 0\n", "", &err), &err, INVAR_ERROR_USAGE,
                   "steps: expected an integer from 1 to 1000, found 0");
    invar_log_set_sink(NULL, NULL);
}

/* In one document both names are one key twice; what the command line adds to a file holds, by whichever name. */
static void both_names_at_once(void **state)
{
    (void)state;
    static const struct {
        const char *text, *override;
    } cases[] = {{"steps: 7", "iterations=8"}, {"iterations: 7", "steps=8"}, {"iterations: 7", "iterations=8"}};
    struct invar_error err = {0};
    struct settings s = defaults();
    assert_refused(read_text(&s, "iterations: 7\nrate: 1\nsteps: 8\n", "a", &err), &err, INVAR_ERROR_USAGE,
                   "r.yaml:1: a.iterations is called steps now, which is given too: leave one");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct invar_node *node = invar_node_parse(cases[i].text, strlen(cases[i].text), "r.yaml", &err);
        assert_ok(node && invar_node_override(node, cases[i].override, &err), &err);
        assert_ok(invar_options_read(table, &s, node, "", NULL, &err), &err);
        assert_int_equal(s.steps, 8);
        invar_node_free(node);
    }
}

static void former_names_are_not_shown(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_text text = {0};
    struct settings s = defaults();
    assert_ok(invar_options_write(table, &s, 0, &text, &err) && invar_options_describe(table, 0, &text, &err), &err);
    assert_null(strstr(text.data, "iterations"));
    assert_refused(read_text(&s, "x: 1\n", "", &err), &err, INVAR_ERROR_USAGE, "known are: steps, rate, ");
    assert_refused(read_text(&s, "iteration: 1\n", "", &err), &err, INVAR_ERROR_USAGE, "is not a known key; known are");
    invar_text_free(&text);
}

/* One list gives the enum, the choices of the table and the names. */
static void choices_are_an_enum(void **state)
{
    static const char *const names[] = {KINDS(INVAR_CHOICE_NAME)};

    (void)state;
    assert_string_equal(INVAR_CHOICES(KINDS), "kl|euclidean|2|no");
    assert_string_equal(names[KIND_2], "2");
    assert_int_equal(sizeof names / sizeof *names, KIND_NO + 1);
}

/* A part's options are read, written, checked and described as if they stood in the table itself. */
static void parts_stand_in_the_table(void **state)
{
    struct whole {
        int64_t before;
        struct settings own;
        double after;
    };
    static const struct invar_option parts[] = {
        {"before", INVAR_OPTION_INT, offsetof(struct whole, before), "1", 0, 9, NULL, "first"},
        INVAR_PART("settings", offsetof(struct whole, own), table),
        {"after", INVAR_OPTION_REAL, offsetof(struct whole, after), "2", 0, 0, NULL, "last"},
        {0},
    };
    struct whole w, again;
    struct invar_error err = {0};
    struct invar_text text = {0}, help = {0};

    (void)state;
    memset(&w, 0, sizeof w);
    memset(&again, 0, sizeof again);
    invar_options_default(parts, &w);
    invar_options_default(parts, &again);
    assert_int_equal(w.before, 1);
    assert_int_equal(w.own.steps, 100);
    assert_ok(invar_options_set(parts, &w, "kind=euclidean", &err), &err);
    assert_ok(invar_options_set(parts, &w, "iterations=7", &err), &err);
    assert_ok(invar_options_set(parts, &w, "after=5", &err), &err);
    assert_int_equal(w.own.kind, KIND_EUCLIDEAN);
    assert_int_equal(w.own.steps, 7);
    assert_refused(invar_options_set(parts, &w, "stepz=5", &err), &err, INVAR_ERROR_USAGE, "did you mean \"steps\"?");
    assert_ok(invar_options_write(parts, &w, 0, &text, &err), &err);
    assert_non_null(strstr(text.data, "before: 1\nsteps: 7\nrate: 0.2\n"));
    assert_null(strstr(text.data, "settings"));
    struct invar_node *node = invar_node_parse(text.data, text.size, "whole.yaml", &err);
    assert_ok(node && invar_options_read(parts, &again, node, "", NULL, &err), &err);
    assert_memory_equal(&w, &again, sizeof w);
    invar_node_free(node);
    assert_ok(invar_options_describe(parts, 0, &help, &err), &err);
    assert_non_null(strstr(help.data, "\nsteps: 100"));
    assert_null(strstr(help.data, "settings"));
    assert_ok(invar_options_check(parts, &w, "", &err), &err);
    w.own.steps = 0;
    assert_refused(invar_options_check(parts, &w, "whole", &err), &err, INVAR_ERROR_USAGE, "whole.steps: expected");
    assert_ok(invar_options_set(parts, &w, "steps=null", &err), &err);
    assert_int_equal(w.own.steps, 100);
    invar_text_free(&text);
    invar_text_free(&help);
}

/* A number of which 0 is no value may be a word. */
static void a_word_stands_for_a_number(void **state)
{
    static const struct invar_option words[] = {{"size", INVAR_OPTION_REAL, 0, "2", 0.5, 9, "auto", "how large"}, {0}};
    struct invar_error err = {0};
    struct invar_text text = {0};
    double size = 1;

    (void)state;
    assert_ok(invar_options_set(words, &size, "size=auto", &err) && invar_options_check(words, &size, "", &err), &err);
    assert_true(size == 0);
    assert_ok(invar_options_write(words, &size, 0, &text, &err) && invar_options_describe(words, 0, &text, &err), &err);
    assert_non_null(strstr(text.data, "size: auto\n"));
    assert_non_null(strstr(text.data, "# a number from 0.5 to 9 or auto; how large"));
    assert_refused(invar_options_set(words, &size, "size=0", &err), &err, INVAR_ERROR_USAGE,
                   "size: expected a number from 0.5 to 9 or auto, found 0");
    assert_refused(invar_options_set(words, &size, "size='auto'", &err), &err, INVAR_ERROR_USAGE, "found the text");
    assert_ok(invar_options_set(words, &size, "size=null", &err), &err);
    assert_true(size == 2);
    assert_refused(invar_options_set(table, &size, "rate=auto", &err), &err, INVAR_ERROR_USAGE, "found auto");
    invar_text_free(&text);
}

/* What a program sets itself is checked by the table that recipes are. */
static void a_struct_is_checked_by_its_table(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct settings s = defaults();
    assert_ok(invar_options_check(table, &s, "train", &err), &err);
    s.steps = 0;
    assert_refused(invar_options_check(table, &s, "train", &err), &err, INVAR_ERROR_USAGE,
                   "train.steps: expected an integer from 1 to 1000, found 0");
    s = defaults();
    s.rate = NAN;
    assert_refused(invar_options_check(table, &s, "", &err), &err, INVAR_ERROR_USAGE,
                   "rate: expected a number from 0 to 10, found nan");
    s = defaults();
    s.kind = (enum kind)4;
    assert_refused(invar_options_check(table, &s, "", &err), &err, INVAR_ERROR_USAGE,
                   "kind: expected one of kl, euclidean, 2, no, found choice number 4");
    s = defaults();
    s.widths.count = INVAR_LIST_SIZE + 1;
    assert_refused(invar_options_check(table, &s, "", &err), &err, INVAR_ERROR_USAGE, "widths: expected at most 16");
    s = defaults();
    s.widths.value[1] = 5000;
    assert_refused(invar_options_check(table, &s, "", &err), &err, INVAR_ERROR_USAGE, "found 5000");
    s = defaults();
    s.betas.value[0] = NAN;
    assert_refused(invar_options_check(table, &s, "", &err), &err, INVAR_ERROR_USAGE, "betas: expected at most 16");
    s = defaults();
    s.betas.count = -1;
    assert_refused(invar_options_check(table, &s, "", &err), &err, INVAR_ERROR_USAGE, "found -1");
    s = defaults();
    memset(s.name, 'x', sizeof s.name);
    assert_refused(invar_options_check(table, &s, "", &err), &err, INVAR_ERROR_USAGE, "text without an end");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(choices_are_an_enum),        cmocka_unit_test(a_struct_is_checked_by_its_table),
        cmocka_unit_test(parts_stand_in_the_table),   cmocka_unit_test(former_names_are_read_with_a_warning),
        cmocka_unit_test(both_names_at_once),         cmocka_unit_test(former_names_are_not_shown),
        cmocka_unit_test(a_word_stands_for_a_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
