/* SPDX-License-Identifier: Apache-2.0 */
/* Terms of the program's own (examples/own_term.c trains with one). */
#include "test.h"

#include "invar/expert/objective.h"

static unsigned roles(const void *options)
{
    (void)options;
    return INVAR_ROLE_BIT(INVAR_ROLE_Z);
}

static bool check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    (void)options;
    return in->views == 2 || invar_error_set(err, INVAR_ERROR_USAGE, "two views");
}

static bool evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    (void)err;
    invar_term_part_of(call->sum, NULL, NULL, 0, 1, 1);
    return true;
}

static const struct invar_option table[] = {{0}};
static struct invar_term_spec own[64];
static char names[64][16];

static struct invar_term_spec *make(int i)
{
    snprintf(names[i], sizeof names[i], "own_%d", i);
    own[i] = (struct invar_term_spec){.name = names[i],
                                      .help = "of one's own",
                                      .options = table,
                                      .options_size = 1,
                                      .roles = roles,
                                      .check = check,
                                      .evaluate = evaluate};
    return &own[i];
}

static void is_found_and_listed_once(void **state)
{
    struct invar_error err = {0};
    int listed = 0;

    (void)state;
    assert_null(invar_term_find("own_0", NULL));
    assert_ok(invar_term_add(make(0), &err), &err);
    assert_ok(invar_term_add(&own[0], &err), &err);
    assert_ptr_equal(invar_term_find("own_0", &err), &own[0]);
    for (const struct invar_term_spec *const *term = invar_term_list(); *term; term++)
        listed += *term == &own[0];
    assert_int_equal(listed, 1);
}

static void is_refused(void **state)
{
    struct invar_error err = {0};
    struct invar_term_spec *term = make(1);

    (void)state;
    term->name = "relic";
    assert_false(invar_term_add(term, &err));
    assert_string_equal(err.message, "there is a term relic already: give this one another name");
    invar_error_clear(&err);
    term->evaluate = NULL;
    assert_false(invar_term_add(term, &err));
    assert_string_equal(err.message,
                        "the term relic lacks a part: give name, help, options, roles, check and evaluate");
}

static void there_is_room_for_63(void **state)
{
    struct invar_error err = {0};
    int count = 0;

    (void)state;
    for (const struct invar_term_spec *const *term = invar_term_list(); *term; term++)
        count++;
    for (int i = 1; count < 63; i++, count++)
        assert_ok(invar_term_add(make(i), &err), &err);
    assert_false(invar_term_add(make(63), &err));
    assert_non_null(strstr(err.message, "one term more than the 63"));
    assert_null(invar_term_find("own_63", NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_found_and_listed_once),
        cmocka_unit_test(is_refused),
        cmocka_unit_test(there_is_room_for_63),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
