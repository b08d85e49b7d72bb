/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"
#include "invar/log.h"
#include "invar/memory.h"
#include "invar/options.h"

static void the_first_error_wins(void **state)
{
    (void)state;
    struct invar_error err = {0};
    assert_false(invar_error_set(&err, INVAR_ERROR_FILE, "%s: %d", "a", 1));
    assert_false(invar_error_set(&err, INVAR_ERROR_DATA, "b"));
    assert_int_equal(err.code, INVAR_ERROR_FILE);
    assert_string_equal(err.message, "a: 1");
    invar_error_clear(&err);
    assert_int_equal(err.code, INVAR_OK);
    assert_string_equal(err.message, "");
    assert_false(invar_error_set(NULL, INVAR_ERROR_DATA, "nobody listens"));
    invar_error_clear(NULL);
    invar_error_set(&err, INVAR_ERROR_DATA, "%05000d", 1);
    assert_int_equal(strlen(err.message), INVAR_ERROR_MESSAGE_SIZE - 1);
}

struct heard {
    int count;
    enum invar_log_level level;
    char message[64];
};

static void listen(void *user, enum invar_log_level level, const char *message)
{
    struct heard *heard = user;
    heard->count++;
    heard->level = level;
    snprintf(heard->message, sizeof heard->message, "%s", message);
}

static void messages_reach_the_sink_one_by_one(void **state)
{
    (void)state;
    struct heard heard = {0};
    invar_log(INVAR_LOG_INFO, "dropped");
    invar_log_set_sink(listen, &heard);
    invar_log(INVAR_LOG_WARNING, "epoch %d", 3);
    assert_int_equal(heard.level, INVAR_LOG_WARNING);
    assert_string_equal(heard.message, "epoch 3");
#pragma omp parallel for
    for (int i = 0; i < 1000; i++)
        invar_log(INVAR_LOG_DEBUG, "%d", i);
    assert_int_equal(heard.count, 1001);
    invar_log_set_sink(NULL, NULL);
    invar_log(INVAR_LOG_INFO, "dropped");
    assert_int_equal(heard.count, 1001);
}

static void memory_is_zeroed_aligned_and_checked(void **state)
{
    (void)state;
    struct invar_error err = {0};
    for (size_t size = 0; size < 300; size += 37) {
        unsigned char *memory = invar_alloc(size, 3, &err);
        assert_ok(memory != NULL, &err);
        assert_int_equal((uintptr_t)memory % 64, 0);
        for (size_t i = 0; i < size * 3; i++)
            assert_int_equal(memory[i], 0);
        memset(memory, 0xff, size * 3);
        invar_free(memory);
    }
    assert_refused(invar_alloc(SIZE_MAX / 2, 3, &err), &err, INVAR_ERROR_MEMORY, "more than memory can address");
    assert_refused(invar_alloc(SIZE_MAX, 1, &err), &err, INVAR_ERROR_MEMORY, "more than memory can address");
    invar_free(NULL);
    size_t product = 0;
    assert_true(invar_size_multiply(SIZE_MAX / 3, 3, &product));
    assert_false(invar_size_multiply(SIZE_MAX / 3 + 1, 3, &product));
    char *copy = invar_strdup("text", &err);
    assert_string_equal(copy, "text");
    invar_free(copy);
}

static void take_round(struct invar_scratch *scratch, unsigned char *taken[20])
{
    struct invar_error err = {0};
    for (size_t i = 0; i < 20; i++) {
        size_t size = (i * 7919) % 50000;
        taken[i] = invar_scratch_take(scratch, size, 2, &err);
        assert_ok(taken[i] != NULL, &err);
        assert_int_equal((uintptr_t)taken[i] % 64, 0);
        memset(taken[i], (int)i + 1, size * 2);
    }
    for (size_t i = 0; i < 20; i++) {
        size_t size = (i * 7919) % 50000 * 2;
        if (size)
            assert_true(taken[i][0] == i + 1 && taken[i][size - 1] == i + 1);
    }
}

static void scratch_settles_after_the_first_round(void **state)
{
    (void)state;
    struct invar_error err = {0};
    unsigned char *first[20], *second[20], *third[20];
    struct invar_scratch *scratch = invar_scratch_create(&err);
    assert_ok(scratch != NULL, &err);
    invar_scratch_reset(scratch);
    take_round(scratch, first);
    invar_scratch_reset(scratch);
    take_round(scratch, second);
    invar_scratch_reset(scratch);
    take_round(scratch, third);
    assert_memory_equal(second, third, sizeof second);
    assert_refused(invar_scratch_take(scratch, SIZE_MAX, 2, &err), &err, INVAR_ERROR_MEMORY, "more than memory");
    invar_scratch_free(scratch);
    invar_scratch_free(NULL);
}

static void arrays_grow(void **state)
{
    (void)state;
    struct invar_error err = {0};
    void *items = NULL;
    int capacity = 0;
    for (int i = 0; i < 1000; i++) {
        assert_ok(invar_grow(&items, i, &capacity, sizeof(int), &err), &err);
        assert_true(capacity > i);
        ((int *)items)[i] = i;
    }
    for (int i = 0; i < 1000; i++)
        assert_int_equal(((int *)items)[i], i);
    void *before = items;
    capacity = 1000;
    assert_refused(invar_grow(&items, 1000, &capacity, SIZE_MAX, &err), &err, INVAR_ERROR_MEMORY, "more than memory");
    assert_ptr_equal(items, before);
    assert_int_equal(capacity, 1000);
    invar_free(items);
}

static void text_grows(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_text text = {0};
    for (int i = 0; i < 1000; i++)
        assert_ok(invar_text_printf(&text, &err, "%04d", i), &err);
    assert_int_equal(text.size, 4000);
    assert_int_equal(strlen(text.data), 4000);
    assert_memory_equal(text.data + 3996, "0999", 4);
    invar_text_free(&text);
    assert_null(text.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_error_wins),
        cmocka_unit_test(messages_reach_the_sink_one_by_one),
        cmocka_unit_test(memory_is_zeroed_aligned_and_checked),
        cmocka_unit_test(scratch_settles_after_the_first_round),
        cmocka_unit_test(arrays_grow),
        cmocka_unit_test(text_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
