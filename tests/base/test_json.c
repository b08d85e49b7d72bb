/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <cjson/cJSON.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* AddressSanitizer ends the process where an allocation fails, unless it is told that this is what is tested. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

/* Who builds JSON need not look at every item: one that could not be had is remembered. */
static void test_a_failed_allocation_is_remembered(void **state)
{
    struct invar_error err = {0};
    (void)state;
    json_begin();
    cJSON *root = cJSON_CreateObject();
    assert_non_null(cJSON_AddNumberToObject(root, "a", 1));
    assert_true(json_whole("x.json", &err));
    assert_null(cJSON_malloc(SIZE_MAX / 2));
    assert_non_null(cJSON_AddNumberToObject(root, "b", 2));
    assert_false(json_whole("x.json", &err));
    assert_int_equal(err.code, INVAR_ERROR_MEMORY);
    cJSON_Delete(root);
    json_begin();
    assert_true(json_whole("x.json", &err));
    json_lost();
    assert_false(json_whole("x.json", NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_failed_allocation_is_remembered)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
