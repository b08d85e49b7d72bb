/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <cjson/cJSON.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

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

/* What is printed is whole, and what is parsed is all there and not too much. */
static void test_printed_and_parsed(void **state)
{
    static const char text[] = " {\"a\":[1,2,\"x,[{\\\"\"]} \n";
    static const char *const torn[] = {"", "{\"a\":", "{} {}", "x", "{}x"};
    struct invar_error err = {0};
    (void)state;
    json_begin();
    cJSON *root = json_parse(text, strlen(text), 5, "x.json", "", &err);
    assert_non_null(root);
    char *printed = json_print(root, false, "x.json", &err);
    assert_string_equal(printed, "{\"a\":[1,2,\"x,[{\\\"\"]}");
    cJSON_free(printed);
    json_lost();
    assert_null(json_print(root, false, "x.json", &err));
    assert_int_equal(err.code, INVAR_ERROR_MEMORY);
    cJSON_Delete(root);
    invar_error_clear(&err);
    json_begin();
    assert_null(json_print(NULL, false, "x.json", &err));
    invar_error_clear(&err);
    json_begin();
    assert_null(json_parse("{\"a\":[1,2,3]}", 13, 4, "x.json", ", so", &err));
    assert_string_equal(err.message, "x.json: has more than 4 values, the most that are expected here, so");
    for (size_t i = 0; i < sizeof torn / sizeof torn[0]; i++) {
        invar_error_clear(&err);
        assert_null(json_parse(torn[i], strlen(torn[i]), 9, "x.json", "", &err));
        assert_string_equal(err.message, "x.json: is torn or no JSON");
        assert_int_equal(err.code, INVAR_ERROR_FORMAT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_failed_allocation_is_remembered),
                                       cmocka_unit_test(test_printed_and_parsed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
