/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of named things: found, not found, and how the sentence ends. covers: base/names.h */
#include "test.h"

#include "base/names.h"
#include "invar/options.h"

struct thing {
    const char *name;
    int number;
};
static const struct thing things[] = {{"resnet18", 1}, {"resnet34", 2}, {"mlp", 3}, {NULL, 4}};
static const struct thing *const pointers[] = {&things[2], &things[0], NULL};
static const char *const texts[] = {"sum", "mean", NULL};

static void test_found(void **state)
{
    struct invar_error err = {0};

    (void)state;
    assert_ptr_equal(names_find(NAMES_ROWS("thing", things), NULL, "mlp", &err), &things[2]);
    assert_ptr_equal(names_find(NAMES_POINTERS("thing", pointers), NULL, "resnet18", &err), &things[0]);
    assert_ptr_equal(names_find(NAMES_TEXTS("reduction", texts), NULL, "mean", &err), &texts[1]);
    assert_int_equal(err.code, INVAR_OK);
}

/* A name is all of a name: neither its beginning nor more than it, but the caller says how long it is. */
static void test_look(void **state)
{
    const struct names names = NAMES_ROWS("thing", things);

    (void)state;
    assert_ptr_equal(names_look(names, "mlp:widths", 3), &things[2]);
    assert_null(names_look(names, "mlp:widths", 4));
    assert_null(names_look(names, "mlp", 2));
    assert_null(names_look(names, "", 0));
    assert_null(names_look(NAMES_ROWS("thing", (const struct thing *)NULL), "mlp", 3));
}

static void test_sentence(void **state)
{
    static const char *const none[] = {NULL};
    struct invar_error err = {0};

    (void)state;
    assert_null(names_find(NAMES_ROWS("thing", things), "a.kind", "resnt34", &err));
    assert_string_equal(err.message, "a.kind: there is no thing \"resnt34\"; did you mean \"resnet34\"?");
    assert_int_equal(err.code, INVAR_ERROR_USAGE);
    invar_error_clear(&err);
    assert_null(names_find(NAMES_POINTERS("thing", pointers), NULL, "vit", &err));
    assert_string_equal(err.message, "there is no thing \"vit\"; known are: mlp, resnet18");
    invar_error_clear(&err);
    assert_null(names_find(NAMES_TEXTS("reduction", none), NULL, "x", &err));
    assert_string_equal(err.message, "there is no reduction \"x\"; known are: none");
}

/* Of more names than a sentence has room for the rest is counted, not written past its end. */
static void test_long(void **state)
{
    static char name[200][32];
    const char *names[201] = {NULL};
    char guarded[NAMES_HINT_SIZE + 1];

    (void)state;
    for (int i = 0; i < 200; i++) {
        snprintf(name[i], sizeof name[i], "name-number-%03d", i);
        names[i] = name[i];
    }
    guarded[NAMES_HINT_SIZE] = '!';
    names_hint(guarded, NAMES_TEXTS("name", names), "quite another");
    int listed = 0, left = 0;
    for (const char *at = guarded; (at = strstr(at, "name-number-")) != NULL; at += strlen("name-number-000"))
        listed++;
    assert_int_equal(sscanf(strstr(guarded, " and "), " and %d more", &left), 1);
    assert_int_equal(listed + left, 200);
    assert_true(listed > 20);
    assert_int_equal(guarded[NAMES_HINT_SIZE], '!');
    names_hint(guarded, NAMES_TEXTS("name", names), "name-number-17");
    assert_string_equal(guarded, "; did you mean \"name-number-017\"?");
    assert_null(invar_nearest_name("zz", names));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found),
        cmocka_unit_test(test_look),
        cmocka_unit_test(test_sentence),
        cmocka_unit_test(test_long),
    };
    return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
