/* SPDX-License-Identifier: Apache-2.0 */
/* The weighted sum of terms as a recipe gives it, and measurements of embeddings. */
#include "test.h"

#include "invar/invar.h"

TEST_COVERS("measure.deviation measure.effective_rank measure.spectrum");

static struct invar_device *device;
static struct invar_scratch *scratch;
static struct invar_array z[2];

static int open_all(void **state)
{
    (void)state;
    device = test_device_open(2, NULL);
    scratch = invar_device_scratch_create(device, NULL);
    z[0] = test_golden_as("relic_hf", "z1", INVAR_FLOAT32);
    z[1] = test_golden_as("relic_hf", "z2", INVAR_FLOAT32);
    return device && scratch ? 0 : -1;
}

static int close_all(void **state)
{
    (void)state;
    invar_array_free(&z[0]);
    invar_array_free(&z[1]);
    invar_scratch_free(scratch);
    invar_device_close(device);
    return 0;
}

static struct invar_matrix matrix_of(const struct invar_array *array)
{
    return (struct invar_matrix){
        .dtype = array->dtype, .rows = array->shape[0], .cols = array->shape[1], .data = array->data};
}

static struct invar_objective *make(const char *yaml, struct invar_error *err)
{
    struct invar_node *node = invar_node_parse(yaml, strlen(yaml), "test.yaml", err);
    struct invar_objective *objective = node ? invar_objective_create(node, err) : NULL;
    invar_node_free(node);
    return objective;
}

static struct invar_embeddings embeddings(void)
{
    struct invar_embeddings in = {.views = 2};
    in.by[INVAR_ROLE_Z][0] = matrix_of(&z[0]);
    in.by[INVAR_ROLE_Z][1] = matrix_of(&z[1]);
    return in;
}

static void a_sum_of_two_terms(void **state)
{
    struct invar_error err = {0};
    struct invar_objective *both = make("relic: {weight: 0.5, tau: 0.2}\nntxent: {weight: 2}\n", &err);
    struct invar_objective *relic = make("relic: {tau: 0.2}", &err), *ntxent = make("ntxent:\n", &err);
    struct invar_embeddings in = embeddings(), out[3];
    struct invar_term_value values[2];
    double loss[3];
    float gradient[3][2][8 * 6];

    (void)state;
    assert_true(both && relic && ntxent);
    assert_int_equal(invar_objective_count(both), 2);
    assert_string_equal(invar_objective_term(both, 1)->name, "ntxent");
    assert_int_equal(invar_objective_roles(both), INVAR_ROLE_BIT(INVAR_ROLE_Z));
    struct invar_objective *all[] = {both, relic, ntxent};
    for (int k = 0; k < 3; k++) {
        out[k] = in;
        for (int v = 0; v < 2; v++)
            out[k].by[INVAR_ROLE_Z][v].data = gradient[k][v];
        memset(gradient[k], 0x7f, sizeof gradient[k]); /* zeroed before it is filled */
        assert_ok(invar_objective_check(all[k], &in, &err), &err);
        assert_ok(invar_objective_evaluate(all[k], device, &in, &out[k], &loss[k], k ? NULL : values, &err), &err);
    }
    assert_near(loss[0], 0.5 * loss[1] + 2 * loss[2], 1e-12);
    assert_near(values[0].loss, loss[1], 1e-12);
    assert_string_equal(values[0].part[0].name, "contrast");
    for (int i = 0; i < 8 * 6; i++)
        assert_near(gradient[0][1][i], 0.5f * gradient[1][1][i] + 2 * gradient[2][1][i], 1e-6);
    assert_ok(invar_objective_evaluate(both, device, &in, NULL, &loss[1], NULL, &err), &err);
    assert_true(loss[0] == loss[1]);
    for (int k = 0; k < 3; k++)
        invar_objective_free(all[k]);
}

static void what_is_written_reads_back(void **state)
{
    struct invar_error err = {0};
    struct invar_text first = {0}, second = {0};
    struct invar_objective *objective = make("relic: {weight: 3, tau: 0.07, invariance: euclidean}", &err), *again;

    (void)state;
    assert_non_null(objective);
    assert_ok(invar_objective_write(objective, 0, &first, &err), &err);
    assert_non_null(strstr(first.data, "weight: 3"));
    again = make(first.data, &err);
    if (!again)
        fail_msg("%s", err.message);
    assert_ok(invar_objective_write(again, 0, &second, &err), &err);
    assert_string_equal(first.data, second.data);
    invar_text_free(&first);
    invar_text_free(&second);
    invar_objective_free(objective);
    invar_objective_free(again);
}

static void wrong_sections_are_refused(void **state)
{
    static const struct {
        const char *yaml, *says;
    } wrong[] = {
        {"relik: {}", "did you mean \"relic\"?"},
        {"unheard: {}", "relic, ntxent"},
        {"[relic]", "mapping"},
        {"{}", "at least one term"},
        {"relic: {tao: 0.1}", "did you mean \"tau\""},
        {"relic: {weigth: 2}", "did you mean \"weight\""},
        {"relic: {tau: 0}", "terms.relic.tau"},
        {"relic: {weight: nan}", "terms.relic.weight"},
        {"relic: 3", "terms.relic"},
        {"relic: {pairs: some}", "adjacent"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct invar_error err = {0};
        assert_refused(make(wrong[i].yaml, &err) != NULL, &err, INVAR_ERROR_USAGE, wrong[i].says);
    }
}

static void shapes_are_checked_before_data_exist(void **state)
{
    struct invar_error err = {0};
    struct invar_objective *objective = make("relic: {target: true}", &err);
    struct invar_embeddings in = {.views = 2};

    (void)state;
    assert_non_null(objective);
    for (int v = 0; v < 2; v++)
        in.by[INVAR_ROLE_Q][v] = (struct invar_matrix){.dtype = INVAR_FLOAT32, .rows = 64, .cols = 16};
    assert_refused(invar_objective_check(objective, &in, &err), &err, INVAR_ERROR_USAGE, "target network");
    in.by[INVAR_ROLE_T][0] = in.by[INVAR_ROLE_T][1] = in.by[INVAR_ROLE_Q][0];
    assert_ok(invar_objective_check(objective, &in, &err), &err);
    in.views = 1;
    assert_refused(invar_objective_check(objective, &in, &err), &err, INVAR_ERROR_USAGE, "two views");
    invar_objective_free(objective);
}

static void values_that_are_not_finite_stop(void **state)
{
    struct invar_error err = {0};
    struct invar_objective *objective = make("relic: {}", &err);
    struct invar_embeddings in = embeddings();
    float *first = z[0].data, kept = first[3];
    static const float bad[] = {NAN, INFINITY};
    double loss;

    (void)state;
    assert_non_null(objective);
    for (int k = 0; k < 2; k++) {
        first[3] = bad[k];
        assert_refused(invar_objective_evaluate(objective, device, &in, NULL, &loss, NULL, &err), &err,
                       INVAR_ERROR_NUMERIC, "contrast of the term relic");
    }
    first[3] = kept;
    assert_ok(invar_objective_evaluate(objective, device, &in, NULL, &loss, NULL, &err), &err);
    invar_objective_free(objective);
}

static void names_of_inputs(void **state)
{
    const struct invar_term_spec *relic = invar_term_find("relic", NULL);
    enum invar_role role;
    int view;

    (void)state;
    assert_true(invar_term_find_input(relic, "t3", &role, &view) && role == INVAR_ROLE_T && view == 2);
    assert_true(invar_term_find_input(relic, "z", &role, &view) && role == INVAR_ROLE_Z && view == 0);
    assert_false(invar_term_find_input(relic, "z0", &role, &view));
    assert_true(invar_term_find_input(relic, "q10", &role, &view) && role == INVAR_ROLE_Q && view == 9);
    assert_false(invar_term_find_input(relic, "z01", &role, &view));
    assert_false(invar_term_find_input(relic, "z1x", &role, &view));
    assert_false(invar_term_find_input(relic, "z99999999999999999999", &role, &view));
    assert_false(invar_term_find_input(relic, "z11", &role, &view));
    assert_false(invar_term_find_input(relic, "", &role, &view));
    assert_true(invar_term_find_input(relic, "x1", &role, &view) && role == INVAR_ROLE_X && view == 0);
    assert_false(invar_term_find_input(relic, "y1", &role, &view));
}

static void measurements_of_a_known_matrix(void **state)
{
    struct invar_error err = {0};
    /* columns of deviation 2 and 0 */
    double values[] = {-1, 5, 3, 5, 1, 5};
    const struct invar_matrix x = {.dtype = INVAR_FLOAT64, .rows = 3, .cols = 2, .data = values};
    double deviation, rank, singular[2], covariance[2];

    (void)state;
    assert_ok(invar_measure_deviation(device, scratch, &x, &deviation, &err), &err);
    assert_near(deviation, 1, 1e-14); /* mean of 2 and 0 */
    assert_ok(invar_measure_spectrum(device, scratch, &x, singular, covariance, &err), &err);
    assert_near(covariance[0], 4, 1e-13);
    assert_near(covariance[1], 0, 1e-13);
    assert_near(singular[0] * singular[0] + singular[1] * singular[1], 86, 1e-13);
    assert_ok(invar_measure_effective_rank(device, scratch, &x, &rank, &err), &err);
    const double p = singular[0] / (singular[0] + singular[1]);
    assert_near(rank, exp(-p * log(p) - (1 - p) * log(1 - p)), 1e-12);
}

static void collapsed_embeddings_have_rank_one_or_none(void **state)
{
    struct invar_error err = {0};
    float values[20 * 8];
    const struct invar_matrix x = {.dtype = INVAR_FLOAT32, .rows = 20, .cols = 8, .data = values};
    double rank, deviation;

    (void)state;
    for (int i = 0; i < 20 * 8; i++)
        values[i] = (float)(i % 8 + 1);
    assert_ok(invar_measure_effective_rank(device, scratch, &x, &rank, &err), &err);
    assert_near(rank, 1, 1e-10);
    assert_ok(invar_measure_deviation(device, scratch, &x, &deviation, &err), &err);
    assert_true(deviation == 0);
    memset(values, 0, sizeof values);
    assert_ok(invar_measure_effective_rank(device, scratch, &x, &rank, &err), &err);
    assert_true(rank == 0);
    values[5] = NAN;
    assert_refused(invar_measure_effective_rank(device, scratch, &x, &rank, &err), &err, INVAR_ERROR_NUMERIC, "NaN");
    const struct invar_matrix one = {.dtype = INVAR_FLOAT32, .rows = 1, .cols = 8, .data = values};
    assert_refused(invar_measure_deviation(device, scratch, &one, &deviation, &err), &err, INVAR_ERROR_DATA, "rows");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sum_of_two_terms),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(wrong_sections_are_refused),
        cmocka_unit_test(shapes_are_checked_before_data_exist),
        cmocka_unit_test(values_that_are_not_finite_stop),
        cmocka_unit_test(names_of_inputs),
        cmocka_unit_test(measurements_of_a_known_matrix),
        cmocka_unit_test(collapsed_embeddings_have_rank_one_or_none),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
