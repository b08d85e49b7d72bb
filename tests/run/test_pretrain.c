/* SPDX-License-Identifier: Apache-2.0 */
/* Data from memory, a whole training in one call, and a term on arrays: what a program without files asks for. */
#include "test.h"

#include "folder.h"
#include "invar/expert/objective.h"
#include "invar/run.h"

enum { ROWS = 90, COLUMNS = 4 };

static double numbers[ROWS][COLUMNS];
static int64_t labels[ROWS];

static void fill(void)
{
    for (int i = 0; i < ROWS; i++) {
        labels[i] = i % 3;
        for (int c = 0; c < COLUMNS; c++)
            numbers[i][c] = i % 3 * (c + 1) + (double)((i * 37 + c * 11) % 50) / 100;
    }
}

static void offer(const char *name, enum invar_dtype dtype, int rank, void *data)
{
    struct invar_error err = {0};
    const struct invar_array array = {.dtype = dtype, .rank = rank, .shape = {ROWS, COLUMNS}, .data = data};

    assert_ok(invar_npy_offer(name, &array, &err), &err);
}

static bool told(void *user, const struct invar_progress *progress)
{
    int *left = user;

    assert_string_equal(progress->what, "training");
    assert_int_equal(progress->total, 12);
    return (*left)-- > 0;
}

static const char *const settings[] = {"data.source=npy:memory:x.npy", "data.labels=memory:y.npy", "training.steps=12",
                                       "training.batch=16", "encoder.widths=[8, 6]"};

static void test_trains_on_memory(void **state)
{
    struct invar_error err = {0};
    struct invar_run run = {0};
    struct invar_embedded embedded = {0};
    char path[1024];
    int left = 5;
    const struct invar_watch watch = {told, &left};
    const char *const whole[] = {"test_fraction=0", "labels="};

    (void)state;
    fill();
    offer("memory:x.npy", INVAR_FLOAT64, 2, numbers);
    offer("memory:y.npy", INVAR_INT64, 1, labels);
    snprintf(path, sizeof path, "%s/run", folder);
    struct invar_pretrain_request request = {.recipe = "simclr-table",
                                             .settings = settings,
                                             .setting_count = 5,
                                             .folder = path,
                                             .threads = 1,
                                             .watch = &watch};
    assert_refused(invar_pretrain(&request, &err), &err, INVAR_ERROR_INTERRUPTED, "step 6");
    left = 100;
    request.recipe = NULL;
    request.setting_count = 0;
    request.resume = true;
    assert_ok(invar_pretrain(&request, &err), &err);
    assert_int_equal(left, 94);
    const struct invar_run_options how = {.settings = whole, .setting_count = 2, .threads = 1};
    assert_ok(invar_run_open(&run, path, &how, &err), &err);
    assert_ok(invar_run_embed(&run, run.encoder, INVAR_TRAIN, &embedded, &err), &err);
    assert_int_equal(embedded.features.shape[0], ROWS);
    assert_int_equal(embedded.features.shape[1], 6);
    invar_embedded_free(&embedded);
    invar_run_close(&run);
    invar_npy_withdraw("memory:x.npy");
    assert_refused(invar_run_open(&run, path, &how, &err), &err, INVAR_ERROR_FILE, "memory:x.npy: there is no array");
    invar_run_close(&run);
    invar_npy_withdraw("memory:y.npy");
    invar_npy_withdraw("memory:y.npy");
}

static void test_offers_are_refused(void **state)
{
    struct invar_error err = {0};
    struct invar_array array = {.dtype = INVAR_FLOAT64, .rank = 2, .shape = {ROWS, 0}, .data = numbers};

    (void)state;
    assert_refused(invar_npy_offer("memory:x.npy", &array, &err), &err, INVAR_ERROR_DATA, "empty");
    array.shape[1] = COLUMNS;
    assert_refused(invar_npy_offer("x.npy", &array, &err), &err, INVAR_ERROR_USAGE, "memory:NAME.npy");
    assert_refused(invar_npy_read(&array, "memory:x.npy", &err), &err, INVAR_ERROR_FILE, "offer them again");
}

/* d invariance / d z1 = 2 (z1 - z2) / (N d) */
static void test_loss_of_arrays(void **state)
{
    static double z[2][ROWS][COLUMNS];
    struct invar_error err = {0};
    struct invar_loss_result result;
    const char *const inputs[] = {"z1=memory:a.npy", "z2=memory:b.npy"};
    const struct invar_loss_request request = {
        .term = "invariance", .inputs = inputs, .input_count = 2, .float64 = true, .gradients = true, .threads = 1};

    (void)state;
    fill();
    memcpy(z[0], numbers, sizeof numbers);
    for (int i = 0; i < ROWS; i++)
        for (int c = 0; c < COLUMNS; c++)
            z[1][i][c] = numbers[i][c] + i;
    offer("memory:a.npy", INVAR_FLOAT64, 2, z[0]);
    offer("memory:b.npy", INVAR_FLOAT64, 2, z[1]);
    assert_ok(invar_loss(&request, &result, &err), &err);
    assert_int_equal(result.count, 2);
    assert_string_equal(result.gradient[1].name, "z2");
    for (int64_t i = 0; i < ROWS * COLUMNS; i++)
        assert_near(invar_array_at(&result.gradient[0].array, i), -2.0 * (double)(i / COLUMNS) / (ROWS * COLUMNS),
                    1e-12);
    invar_loss_result_free(&result);
    invar_npy_withdraw("memory:b.npy");
    assert_refused(invar_loss(&request, &result, &err), &err, INVAR_ERROR_FILE, "memory:b.npy");
    invar_loss_result_free(&result);
    invar_npy_withdraw("memory:a.npy");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_trains_on_memory, setup, teardown),
        cmocka_unit_test(test_offers_are_refused),
        cmocka_unit_test(test_loss_of_arrays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
