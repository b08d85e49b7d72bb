/* SPDX-License-Identifier: Apache-2.0 */
#include "count_allocations.h"
#include "base/settings.h"

static void defaults_come_from_the_table(void **state)
{
    (void)state;
    struct settings s = defaults();
    assert_int_equal(s.steps, 100);
    assert_true(s.rate == 0.2);
    assert_true(s.nesterov);
    assert_string_equal(s.name, "");
    assert_int_equal(s.kind, KIND_KL);
    assert_int_equal(s.widths.count, 2);
    assert_int_equal(s.widths.value[1], 128);
    assert_true(s.betas.value[1] == 0.999);
}

static void reads_what_a_mapping_names(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct settings s = defaults();
    assert_ok(read_text(&s,
                        "steps: 7.0\nrate: 1\nnesterov: no\nname: 'true'\nkind: euclidean\nwidths: 64\n"
                        "betas: [0.5, 1]\nterms: {anything: [1, 2]}\n",
                        "train", &err),
              &err);
    assert_int_equal(s.steps, 7);
    assert_true(s.rate == 1.0);
    assert_false(s.nesterov);
    assert_string_equal(s.name, "true");
    assert_int_equal(s.kind, KIND_EUCLIDEAN);
    assert_int_equal(s.widths.count, 1);
    assert_int_equal(s.widths.value[0], 64);
    assert_true(s.betas.count == 2 && s.betas.value[1] == 1.0);

    assert_ok(read_text(&s, "{\"steps\": 9, \"name\": \"a \\u00e9\", \"kind\": 2.0}", NULL, &err), &err);
    assert_int_equal(s.steps, 9);
    assert_string_equal(s.name, "a \xc3\xa9");
    assert_int_equal(s.kind, 2);
    assert_ok(invar_options_read(table, &s, NULL, "x", NULL, &err), &err);
    assert_ok(read_text(&s, "", NULL, &err), &err);
    assert_int_equal(s.steps, 9);
}

static void errors_name_line_key_and_what_was_expected(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *message;
    } cases[] = {
        {"\nstep: 5\n", "r.yaml:2: train.step is not a known key; did you mean \"steps\"?"},
        {"\n\nzzzzzzzzzz:\n  5\n", "r.yaml:3: train.zzzzzzzzzz is not a known key; known are: steps, rate,"},
        {"term: 5\n", "did you mean \"terms\"?"},
        {"steps: 1.5\n", "r.yaml:1: train.steps: expected an integer from 1 to 1000, found 1.5"},
        {"steps: 0\n", "from 1 to 1000, found 0"},
        {"steps: 1001\n", "found 1001"},
        {"steps: 99999999999999999999\n", "found 99999999999999999999"},
        {"steps: 0x10\n", "found 0x10"},
        {"steps: '5'\n", "found the text \"5\""},
        {"steps: [5]\n", "found a list of 1"},
        {"steps: {a: 5}\n", "found a section"},
        {"steps:\n", "found nothing"},
        {"rate: -0.1\n", "train.rate: expected a number from 0 to 10, found -0.1"},
        {"rate: .nan\n", "found .nan"},
        {"rate: nan\n", "found nan"},
        {"rate: 1e999\n", "found 1e999"},
        {"rate: fast\n", "found fast"},
        {"rate: 1 2\n", "found 1 2"},
        {"nesterov: 1\n", "expected true or false, found 1"},
        {"nesterov: 'true'\n", "found the text \"true\""},
        {"kind: kll\n", "expected one of kl, euclidean, 2, no, found kll"},
        {"name: [a]\n", "expected text"},
        {"widths: [1, 2.5]\n", "expected at most 16 integers from 1 to 4096"},
        {"widths: [1, [2]]\n", "expected at most 16 integers"},
        {"widths: [1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]\n", "found a list of 17"},
        {"widths: [1, -3, x]\n", "found [1, -3, x]"},
        {"betas: [0.9, 1.1]\n", "at most 16 numbers from 0 to 1"},
        {"[1, 2]\n", "train: expected a section of keys and values, found a list of 2"},
        {"hello\n", "expected a section of keys and values, found hello"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct invar_error err = {0};
        struct settings s = defaults(), before = s;
        assert_refused(read_text(&s, cases[i].yaml, "train", &err), &err, INVAR_ERROR_USAGE, cases[i].message);
        assert_memory_equal(&s, &before, sizeof s);
    }
}

static void text_must_fit(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct settings s = defaults();
    char yaml[INVAR_TEXT_SIZE + 16];
    snprintf(yaml, sizeof yaml, "name: %0*d", INVAR_TEXT_SIZE - 1, 1);
    assert_ok(read_text(&s, yaml, "", &err), &err);
    assert_int_equal(strlen(s.name), INVAR_TEXT_SIZE - 1);
    snprintf(yaml, sizeof yaml, "name: %0*d", INVAR_TEXT_SIZE, 1);
    assert_refused(read_text(&s, yaml, "", &err), &err, INVAR_ERROR_USAGE, "at most 511 bytes");
}

static void bad_documents_are_refused(void **state)
{
    (void)state;
    char deep[512];
    memset(deep, '[', 256);
    memset(deep + 256, ']', 255);
    deep[511] = '\0';
    const struct {
        const char *yaml, *message;
    } cases[] = {
        {"a: 1\nb: 2\na: 3\n", "r.yaml:3: this key stands twice; keep one: a"},
        {"a: &x [1]\nb: *x\n", "r.yaml:2: aliases are not read"},
        {"a: [1, 2\n", "not valid YAML"},
        {"a: 1\n\tb: 2\n", "r.yaml:2: not valid YAML"},
        {"a: 'x\n", "not valid YAML"},
        {"a: \xff\n", "not valid YAML"},
        {"a: \"\\0\"\n", "NUL"},
        {"[a, b]: 1\n", "r.yaml:1: a key must be"},
        {"a: 1\n---\nb: 2\n", "second document"},
        {deep, "nested too deeply"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct invar_error err = {0};
        assert_refused(invar_node_parse(cases[i].yaml, strlen(cases[i].yaml), "r.yaml", &err), &err, INVAR_ERROR_FORMAT,
                       cases[i].message);
    }
}

static void files_that_are_not_settings_are_refused(void **state)
{
    (void)state;
    struct invar_error err = {0};
    char *folder = test_folder_create();
    static const unsigned char binary[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 0, 0, 0, 13};
    assert_refused(invar_node_read(test_path(folder, "none.yaml"), &err), &err, INVAR_ERROR_FILE, "none.yaml");
    assert_refused(invar_node_read(folder, &err), &err, INVAR_ERROR_FILE, "folder");
    assert_refused(invar_node_read(test_file(folder, "empty.yaml", "", 0), &err), &err, INVAR_ERROR_FORMAT,
                   "empty.yaml: holds no settings");
    assert_refused(invar_node_read(test_file(folder, "p.yaml", binary, sizeof binary), &err), &err, INVAR_ERROR_FORMAT,
                   "p.yaml:1: not valid YAML");
    assert_refused(invar_node_read("/dev/zero", &err), &err, INVAR_ERROR_FORMAT, "larger than");

    char *many = calloc(40001, 1);
    assert_non_null(many);
    for (int i = 0; i < 20000; i++)
        memcpy(many + 2 * i, "-\n", 2);
    assert_refused(invar_node_read(test_file(folder, "many.yaml", many, 40000), &err), &err, INVAR_ERROR_FORMAT,
                   "more values");
    free(many);

    struct invar_node *node = invar_node_read(test_file(folder, "ok.yaml", "a:\n  b: 1\n", 10), &err);
    assert_ok(node != NULL, &err);
    assert_int_equal(invar_node_line(invar_node_get(invar_node_get(node, "a"), "b")), 2);
    assert_string_equal(invar_node_origin(node), test_path(folder, "ok.yaml"));
    invar_node_free(node);
    test_folder_remove(folder);
}

static struct invar_node *parse(const char *text)
{
    struct invar_error err = {0};
    struct invar_node *node = invar_node_parse(text, strlen(text), "r.yaml", &err);
    assert_ok(node != NULL, &err);
    return node;
}

static void a_document_is_a_tree(void **state)
{
    (void)state;
    struct invar_node *root = parse("a: 1\nlist:\n- x\n- {y: z}\nempty:\n");
    assert_true(invar_node_is_mapping(root));
    assert_int_equal(invar_node_count(root), 3);
    assert_string_equal(invar_node_key(root, 1), "list");
    assert_null(invar_node_key(root, 3));
    const struct invar_node *list = invar_node_child(root, 1);
    assert_false(invar_node_is_mapping(list));
    assert_int_equal(invar_node_count(list), 2);
    assert_null(invar_node_key(list, 0));
    assert_null(invar_node_text(list));
    assert_string_equal(invar_node_text(invar_node_child(list, 0)), "x");
    assert_string_equal(invar_node_text(invar_node_get(invar_node_child(list, 1), "y")), "z");
    assert_int_equal(invar_node_line(invar_node_child(list, 1)), 4);
    assert_null(invar_node_child(list, 2));
    assert_null(invar_node_get(list, "y"));
    assert_null(invar_node_get(NULL, "y"));
    assert_string_equal(invar_node_text(invar_node_get(root, "empty")), "");
    invar_node_free(root);
}

static void overrides_change_the_tree(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_node *root = parse("train: {lr: 1}\nterms: [{tau: 1}, {tau: 2}]\nnone:\n");
    static const char *const good[] = {
        "train.lr=0.5", "train.new.deeper=[1, 2]", "terms.1.tau=3",  "none.x=y",     "text=a=b.c",     "gone=1",
        "gone=null",    "quoted='null'",           "whole={k: [v]}", "terms.0=null", "never.was=null",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_ok(invar_node_override(root, good[i], &err), &err);
    const struct invar_node *train = invar_node_get(root, "train");
    assert_string_equal(invar_node_text(invar_node_get(train, "lr")), "0.5");
    assert_string_equal(invar_node_origin(invar_node_get(train, "lr")), "command line");
    assert_int_equal(invar_node_line(invar_node_get(train, "lr")), 0);
    assert_int_equal(invar_node_count(invar_node_get(invar_node_get(train, "new"), "deeper")), 2);
    assert_int_equal(invar_node_count(invar_node_get(root, "terms")), 1);
    assert_string_equal(invar_node_text(invar_node_get(invar_node_child(invar_node_get(root, "terms"), 0), "tau")),
                        "3");
    assert_string_equal(invar_node_text(invar_node_get(invar_node_get(root, "none"), "x")), "y");
    assert_string_equal(invar_node_text(invar_node_get(root, "text")), "a=b.c");
    assert_null(invar_node_get(root, "gone"));
    assert_string_equal(invar_node_text(invar_node_get(root, "quoted")), "'null'");

    static const struct {
        const char *assignment, *message;
    } bad[] = {
        {"train.lr", "KEY=VALUE"},
        {"=5", "KEY=VALUE"},
        {".a=5", "KEY=VALUE"},
        {"a.=5", "KEY=VALUE"},
        {"a..b=5", "KEY=VALUE"},
        {"train.lr.x=5", "the single value '0.5'"},
        {"terms.5.tau=1", "elements 0 to 0"},
        {"terms.tau=1", "none called tau"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refused(invar_node_override(root, bad[i].assignment, &err), &err, INVAR_ERROR_USAGE, bad[i].message);
    assert_int_equal(invar_node_count(invar_node_get(root, "terms")), 1);
    invar_node_free(root);
}

static void command_line_sets_one_field(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct settings s = defaults();
    assert_ok(invar_options_set(table, &s, "rate=0.25", &err), &err);
    assert_true(s.rate == 0.25);
    assert_ok(invar_options_set(table, &s, "name=", &err), &err);
    assert_refused(invar_options_set(table, &s, "rat=1", &err), &err, INVAR_ERROR_USAGE,
                   "command line: rat is not a known key; did you mean \"rate\"?");
    assert_refused(invar_options_set(table, &s, "rate=x", &err), &err, INVAR_ERROR_USAGE,
                   "command line: rate: expected a number from 0 to 10, found x");
    assert_refused(invar_options_set(table, &s, "rate", &err), &err, INVAR_ERROR_USAGE, "KEY=VALUE");
}

/* An option of text takes what is typed, to the letter, and what is written of it reads back; the others keep YAML. */
static void text_is_taken_as_typed(void **state)
{
    (void)state;
    struct invar_error err = {0};
    static const char *const texts[] = {
        "",      "a #b",  "#b",    "a: b", "a:",  "\"q\"", "'q'",     "\"\"",        "[1, 2]", "[1",
        "{a}_b", "{a: 1", "~",     "Null", " a ", "a=b",   "- a",     "&a",          "*a",     "!x",
        "%x",    "@x",    "5",     "1e3",  "yes", "|",     ">",       "a, b, \"c\"", "?",      "a\tb",
        "a\nb",  "`",     "--- x", "...",  "\\n", "a\\",   "x: [y]}", "key: value",  "<<: a",  "2024-01-02",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct settings s = defaults(), again = defaults();
        struct invar_text out = {0};
        char assignment[64];
        snprintf(assignment, sizeof assignment, "name=%s", texts[i]);
        assert_ok(invar_options_set(table, &s, assignment, &err), &err);
        assert_string_equal(s.name, texts[i]);
        assert_ok(invar_options_write(table, &s, 0, &out, &err), &err);
        assert_ok(read_text(&again, out.data, "", &err), &err);
        assert_string_equal(again.name, texts[i]);
        invar_text_free(&out);
    }
    struct settings s = defaults();
    assert_ok(invar_options_set(table, &s, "name=some", &err), &err);
    assert_ok(invar_options_set(table, &s, "rate=7", &err), &err);
    assert_ok(invar_options_set(table, &s, "widths=[3]", &err), &err);
    assert_ok(invar_options_set(table, &s, "name=null", &err), &err);
    assert_ok(invar_options_set(table, &s, "rate=null", &err), &err);
    assert_ok(invar_options_set(table, &s, "widths=null", &err), &err);
    const struct settings untouched = defaults();
    assert_memory_equal(&s, &untouched, offsetof(struct settings, name));
    assert_string_equal(s.name, "");
    assert_int_equal(s.widths.count, 2);
    assert_refused(invar_options_set(table, &s, "rate=", &err), &err, INVAR_ERROR_USAGE, "found nothing");
    assert_refused(invar_options_set(table, &s, "widths=[1", &err), &err, INVAR_ERROR_USAGE, "found [1");
}

/* Defaults that no memory could be had for would be zeros that nobody chose. */
static void defaults_take_no_memory(void **state)
{
    (void)state;
    const long before = allocations_own;
    struct settings s = defaults();
    assert_true(allocations_own == before);
    assert_int_equal(s.steps, 100);
}

static void what_is_written_reads_back_equal(void **state)
{
    (void)state;
    struct invar_error err = {0};
    static const char *const names[] = {"",
                                        "plain",
                                        "true",
                                        "No",
                                        "null",
                                        "5",
                                        "1e3",
                                        "a: b",
                                        "#x",
                                        "- a",
                                        "~",
                                        " a ",
                                        "a\nb",
                                        "\"q\"",
                                        "back\\slash",
                                        "\x01",
                                        "a/b.c-d",
                                        "{a}",
                                        "*a",
                                        "on",
                                        "'",
                                        "a\tb",
                                        "\xc3\xa9",
                                        "a\xe2\x80\xa8 b",
                                        "\xc2\x85",
                                        "\xef\xbb\xbf x",
                                        "\xf0\x9f\x98\x80",
                                        "%x",
                                        "@"};
    static const double rates[] = {0, 0.1, 7, 1.0 / 3.0, 1e-300, 5e-324, 9.999999999999998, 10, 0.30000000000000004};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct settings s = defaults(), again = defaults();
        strcpy(s.name, names[i]);
        s.rate = rates[i % 9];
        s.betas.value[0] = rates[i % 2];
        s.steps = (int64_t)i + 1;
        s.nesterov = i % 2;
        s.kind = (enum kind)(i % 4);
        s.widths.count = (int)(i % 3);
        s.widths.value[1] = i % 3 > 1 ? 77 : 0;
        s.widths.value[0] = i % 3 > 0 ? 5 : 0;
        struct invar_text text = {0};
        assert_ok(invar_options_write(table, &s, 2, &text, &err), &err);
        assert_ok(read_text(&again, text.data, "", &err), &err);
        assert_memory_equal(&s, &again, offsetof(struct settings, name));
        assert_string_equal(s.name, again.name);
        assert_int_equal(s.kind, again.kind);
        assert_memory_equal(&s.widths, &again.widths, sizeof s.widths);
        assert_memory_equal(&s.betas, &again.betas, sizeof s.betas);
        invar_text_free(&text);
    }
}

static void numbers_take_the_fewest_digits(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct settings s = defaults();
    struct invar_text text = {0};
    assert_ok(invar_options_write(table, &s, 0, &text, &err), &err);
    assert_string_equal(text.data, "steps: 100\nrate: 0.2\nnesterov: true\nname: \"\"\nkind: kl\nwidths: [256, 128]\n"
                                   "betas: [0.9, 0.999]\n");
    invar_text_free(&text);
    s.rate = (double)NAN;
    assert_refused(invar_options_write(table, &s, 0, &text, &err), &err, INVAR_ERROR_USAGE, "rate");
    s = defaults();
    strcpy(s.name, "caf\xe9");
    assert_refused(invar_options_write(table, &s, 0, &text, &err), &err, INVAR_ERROR_USAGE, "not UTF-8");
    invar_text_free(&text);
}

static void the_table_describes_itself(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_text text = {0};
    assert_ok(invar_options_describe(table, 2, &text, &err), &err);
    assert_non_null(strstr(text.data, "  rate: 0.2 "));
    assert_non_null(strstr(text.data, " # a number from 0 to 10; learning rate\n"));
    assert_non_null(strstr(text.data, " # one of kl, euclidean, 2, no; distance\n"));
    struct settings s = {0}, expected = defaults();
    assert_ok(read_text(&s, text.data, "", &err), &err);
    assert_memory_equal(&s.widths, &expected.widths, sizeof s.widths);
    invar_text_free(&text);
}

static void nearest_names(void **state)
{
    (void)state;
    static const char *const names[] = {"momentum", "lr", "weight_decay", "temperature", NULL};
    static const char *const none[] = {NULL};
    assert_string_equal(invar_nearest_name("momentun", names), "momentum");
    assert_string_equal(invar_nearest_name("lrr", names), "lr");
    assert_string_equal(invar_nearest_name("wieght_decay", names), "weight_decay");
    assert_null(invar_nearest_name("xx", names));
    assert_null(invar_nearest_name("", names));
    assert_null(invar_nearest_name("tempera", names));
    assert_null(invar_nearest_name("lr", none));
    char huge[5000];
    memset(huge, 'm', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    assert_null(invar_nearest_name(huge, names));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_come_from_the_table),
        cmocka_unit_test(reads_what_a_mapping_names),
        cmocka_unit_test(errors_name_line_key_and_what_was_expected),
        cmocka_unit_test(text_must_fit),
        cmocka_unit_test(bad_documents_are_refused),
        cmocka_unit_test(files_that_are_not_settings_are_refused),
        cmocka_unit_test(a_document_is_a_tree),
        cmocka_unit_test(overrides_change_the_tree),
        cmocka_unit_test(text_is_taken_as_typed),
        cmocka_unit_test(defaults_take_no_memory),
        cmocka_unit_test(command_line_sets_one_field),
        cmocka_unit_test(what_is_written_reads_back_equal),
        cmocka_unit_test(numbers_take_the_fewest_digits),
        cmocka_unit_test(the_table_describes_itself),
        cmocka_unit_test(nearest_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
