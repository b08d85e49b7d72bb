/* SPDX-License-Identifier: Apache-2.0 */
/* Probe and neighbours on the features of tests/eval/sklearn, with scikit-learn's numbers beside them:
 * tests/peers/sklearn_probe.py makes both. */
#include "test.h"

#include "invar/array.h"
#include "invar/eval.h"
#include "invar/expert/file.h"
#include "invar/memory.h"

#include <cjson/cJSON.h>

#define FOLDER "tests/eval/sklearn/"

struct fixture {
    struct invar_array train, train_labels, test, test_labels;
    cJSON *expected;
};

static double number(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    assert_non_null(item);
    return item->valuedouble;
}

static struct invar_matrix matrix_of(const struct invar_array *array)
{
    return (struct invar_matrix){array->dtype, array->shape[0], array->shape[1], array->data};
}

static int set_up(void **state)
{
    static struct fixture f;
    struct invar_error err = {0};
    struct invar_bytes text = {0};

    assert_ok(invar_npy_read(&f.train, FOLDER "train.npy", &err), &err);
    assert_ok(invar_npy_read(&f.train_labels, FOLDER "train_labels.npy", &err), &err);
    assert_ok(invar_npy_read(&f.test, FOLDER "test.npy", &err), &err);
    assert_ok(invar_npy_read(&f.test_labels, FOLDER "test_labels.npy", &err), &err);
    assert_ok(invar_file_read(&text, FOLDER "expected.json", 1 << 20, &err), &err);
    f.expected = cJSON_ParseWithLength((const char *)text.data, text.size);
    assert_non_null(f.expected);
    invar_bytes_free(&text);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    invar_array_free(&f->train);
    invar_array_free(&f->train_labels);
    invar_array_free(&f->test);
    invar_array_free(&f->test_labels);
    cJSON_Delete(f->expected);
    return 0;
}

static void test_linear(void **state)
{
    const struct fixture *f = *state;
    const struct invar_matrix train = matrix_of(&f->train), test = matrix_of(&f->test);
    const cJSON *expected;
    int seen = 0;

    cJSON_ArrayForEach(expected, cJSON_GetObjectItemCaseSensitive(f->expected, "logistic"))
    {
        struct invar_error err = {0};
        struct invar_probe_options options;
        struct invar_probe_result result;
        invar_options_default(invar_probe_option_table, &options);
        options.l2 = (struct invar_real_list){1, {number(expected, "l2")}};
        options.tolerance = 1e-6;
        assert_ok(invar_probe_fit(&train, f->train_labels.data, &test, f->test_labels.data,
                                  (int)number(f->expected, "classes"), &options, &result, &err),
                  &err);
        assert_true(result.fit.converged);
        assert_near(result.fit.objective, number(expected, "objective"), 1e-6);
        assert_near(result.fit.cross_entropy, number(expected, "cross_entropy"), 1e-4);
        assert_near(result.test.top1, number(expected, "top1"), 0.1);
        invar_probe_result_free(&result);
        seen++;
    }
    assert_int_equal(seen, 3);
}

static void test_neighbours(void **state)
{
    const struct fixture *f = *state;
    const struct invar_matrix train = matrix_of(&f->train), test = matrix_of(&f->test);
    const cJSON *expected;
    int seen = 0;

    cJSON_ArrayForEach(expected, cJSON_GetObjectItemCaseSensitive(f->expected, "neighbours"))
    {
        struct invar_error err = {0};
        int64_t *predictions = invar_alloc((size_t)test.rows, sizeof *predictions, &err), hits = 0;
        assert_ok(invar_neighbours(&train, f->train_labels.data, &test, (int)number(f->expected, "classes"),
                                   (int64_t)number(expected, "k"), number(expected, "temperature"), predictions, NULL,
                                   &err),
                  &err);
        for (int64_t i = 0; i < test.rows; i++)
            hits += predictions[i] == ((const int64_t *)f->test_labels.data)[i];
        assert_near(100 * (double)hits / (double)test.rows, number(expected, "top1"), 0.1);
        invar_free(predictions);
        seen++;
    }
    assert_int_equal(seen, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear),
        cmocka_unit_test(test_neighbours),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
