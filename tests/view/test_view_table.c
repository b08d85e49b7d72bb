/* SPDX-License-Identifier: Apache-2.0 */
/* Columns of tables that are corrupted, emptied and given noise: whole columns, the asked share of them, the mask. */
#include "subject.h"

#include "invar/memory.h"
#include "invar/expert/perturbation.h"

#include <omp.h>

TEST_COVERS("view.corrupt view.blank view.noise_deviation");

#define ROWS 400
#define SEED 5

static char *folder;
static struct invar_dataset *dataset;
static struct invar_sample samples[ROWS];
static int width;

/* a: 0 .. 399 in order; b: one of three; c: numbers, a third of them missing */
static int open_table(void **state)
{
    struct invar_error err = {0};
    struct invar_data_options o;
    char path[400];
    int64_t order[ROWS], got = 0;

    (void)state;
    folder = test_folder_create();
    snprintf(path, sizeof path, "%s", test_path(folder, "t.csv"));
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "a,b,c\n");
    for (int i = 0; i < ROWS; i++)
        fprintf(file, i % 3 ? "%d,%s,%d\n" : "%d,%s,\n", i, i % 7 == 0 ? "x" : i % 2 ? "y" : "z", i * i % 11);
    assert_int_equal(fclose(file), 0);
    invar_options_default(invar_data_option_table, &o);
    snprintf(o.source, sizeof o.source, "csv:%s", path);
    o.test_fraction = 0;
    dataset = invar_dataset_open(&o, &err);
    assert_ok(dataset != NULL, &err);
    struct invar_loader *loader = invar_loader_create(dataset, INVAR_TRAIN, ROWS, &err);
    for (int i = 0; i < ROWS; i++)
        order[i] = i;
    assert_ok(invar_loader_start(loader, order, ROWS, &err) && invar_loader_next(loader, samples, &got, &err), &err);
    assert_int_equal(got, ROWS);
    invar_loader_free(loader); /* the rows are the dataset's */
    width = invar_dataset_info(dataset)->channels;
    assert_int_equal(width, 1 + 5 + 2);
    return 0;
}

static int close_table(void **state)
{
    (void)state;
    invar_dataset_close(dataset);
    test_folder_remove(folder);
    return 0;
}

struct batch {
    float *views, *mask; /* [2][ROWS][width] */
    bool masked;
};

static struct batch make(const char *const *settings, uint64_t epoch)
{
    struct invar_error err = {0};
    struct invar_view_options o;
    const size_t size = (size_t)(2 * ROWS * width);
    struct batch out = {.views = calloc(size, sizeof(float)), .mask = calloc(size, sizeof(float))};

    invar_options_default(invar_view_option_table, &o);
    for (; *settings; settings++)
        assert_ok(invar_options_set(invar_view_option_table, &o, *settings, &err), &err);
    struct invar_view_maker *maker = invar_view_maker_create(&o, invar_dataset_info(dataset), &err);
    assert_ok(maker != NULL, &err);
    assert_ok(invar_view_maker_batch(maker, samples, ROWS, SEED, epoch, out.views, &err), &err);
    out.masked = invar_view_maker_drawn(maker)->mask != NULL;
    if (out.masked)
        memcpy(out.mask, invar_view_maker_drawn(maker)->mask, size * sizeof(float));
    invar_view_maker_free(maker);
    return out;
}
#define MAKE(epoch, ...) make((const char *const[]){__VA_ARGS__, NULL}, epoch)

static void done(struct batch *b)
{
    free(b->views);
    free(b->mask);
}

static const float *plain(int i)
{
    return samples[i].data;
}

static void test_corruption(void **state)
{
    const struct invar_table *table = invar_dataset_info(dataset)->table;
    struct batch b = MAKE(3, "corrupt=[0.6, 0]");
    int changed[3] = {0};
    double mean = 0;

    (void)state;
    assert_true(b.masked);
    for (int i = 0; i < ROWS; i++) {
        const float *view = b.views + i * width, *mask = b.mask + i * width;
        assert_memory_equal(b.views + (ROWS + i) * width, plain(i), (size_t)width * sizeof(float)); /* view 2 */
        for (int c = 0; c < 3; c++) {
            const struct invar_column *column = &table->column[c];
            const size_t bytes = (size_t)column->places * sizeof(float);
            const bool differs = memcmp(view + column->first, plain(i) + column->first, bytes) != 0;
            bool found = false;
            changed[c] += differs;
            for (int p = 0; p < column->places; p++)
                assert_true(mask[column->first + p] == (differs ? 1.0f : 0.0f));
            for (int r = 0; r < ROWS && !found; r++) /* a whole column of some row */
                found = memcmp(view + column->first, plain(r) + column->first, bytes) == 0;
            assert_true(found);
        }
        mean += (double)view[0] / ROWS;
    }
    /* Binomial: 0.6 of the rows, less draws of the value that was there; 5 deviations. */
    assert_near(changed[0], 0.6 * ROWS, 0.21);
    assert_true(changed[1] < changed[0] && changed[1] > 0.2 * ROWS);
    assert_near(mean, 0, 0.25); /* draws come from all rows alike */
    done(&b);
}

static void test_blank_and_noise(void **state)
{
    struct batch b = MAKE(0, "blank=[1, 0]"), n = MAKE(0, "noise_deviation=[0.5, 0]");
    double squares = 0;

    (void)state;
    for (int i = 0; i < ROWS; i++) {
        const float *noisy = n.views + i * width;
        for (int p = 0; p < width; p++)
            assert_true(b.views[i * width + p] == 0.0f);
        for (int p = 1; p < width; p++) /* the value of c has noise, one-hot places and the indicator have not */
            assert_true(p == 6 || noisy[p] == plain(i)[p]);
        squares += pow((double)(noisy[0] - plain(i)[0]), 2) / ROWS;
    }
    assert_near(sqrt(squares), 0.5, 0.1);
    assert_true(b.masked && !n.masked);
    done(&b);
    done(&n);
}

/* The same draws for any number of threads, others in another epoch, and none of an operation that another changes. */
static void test_draws(void **state)
{
    const size_t bytes = (size_t)(2 * ROWS * width) * sizeof(float);
    const int threads = omp_get_max_threads();
    struct batch one, many, other, mixed;

    (void)state;
    omp_set_num_threads(1);
    one = MAKE(1, "corrupt=0.3", "noise_deviation=0.1");
    omp_set_num_threads(3);
    many = MAKE(1, "corrupt=0.3", "noise_deviation=0.1");
    omp_set_num_threads(threads);
    other = MAKE(2, "corrupt=0.3", "noise_deviation=0.1");
    mixed = MAKE(1, "corrupt=0.3");
    assert_memory_equal(one.views, many.views, bytes);
    assert_memory_equal(one.mask, many.mask, bytes);
    assert_memory_equal(one.mask, mixed.mask, bytes);
    assert_true(memcmp(one.mask, other.mask, bytes) != 0);
    assert_true(memcmp(one.mask, one.mask + ROWS * width, bytes / 2) != 0); /* views differ */
    done(&one);
    done(&many);
    done(&other);
    done(&mixed);
}

static void test_refused(void **state)
{
    struct invar_error err = {0};
    struct invar_view_options o;
    struct invar_dataset_info info = {.source = "idx:digits", .rank = 3, .height = 8, .width = 8, .channels = 1};

    (void)state;
    info.deviation[0] = 1;
    invar_options_default(invar_view_option_table, &o);
    o.table.corrupt = (struct invar_real_list){1, {0.5}};
    assert_refused(invar_view_options_check(&o, &info, &err), &err, INVAR_ERROR_USAGE,
                   "views.corrupt: is for columns of a table, and idx:digits is none");
    o.table.corrupt = (struct invar_real_list){3, {0.5, 0.5, 0.5}};
    assert_refused(invar_view_options_check(&o, NULL, &err), &err, INVAR_ERROR_USAGE, "3 entries for 2 views");
    invar_options_default(invar_view_option_table, &o);
    o.local = 2;
    o.local_size = 1;
    assert_refused(invar_view_options_check(&o, invar_dataset_info(dataset), &err), &err, INVAR_ERROR_USAGE,
                   "local views");
}

/* What says that a value is missing or new is not for the adversary; images and tables without such places have no
 * mask. */
static void test_perturbed_places(void **state)
{
    static const uint8_t expected[] = {1, 1, 1, 1, 0, 0, 1, 0}; /* a; x, y, z, missing, new; c, missing */
    const struct invar_column number = {.kind = INVAR_COLUMN_NUMERIC, .places = 1};
    const struct invar_table numbers = {.count = 1, .column = &number};
    struct invar_dataset_info info = {.kind = INVAR_DATA_TABLE, .channels = 1, .table = &numbers};
    struct invar_error err = {0};
    uint8_t *mask = NULL;

    (void)state;
    assert_ok(invar_perturbation_mask(invar_dataset_info(dataset), &mask, &err), &err);
    assert_memory_equal(mask, expected, sizeof expected);
    invar_free(mask);
    assert_ok(invar_perturbation_mask(&info, &mask, &err), &err);
    assert_null(mask);
    info.table = NULL;
    assert_ok(invar_perturbation_mask(&info, &mask, &err), &err);
    assert_null(mask);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_corruption), cmocka_unit_test(test_blank_and_noise),  cmocka_unit_test(test_draws),
        cmocka_unit_test(test_refused),    cmocka_unit_test(test_perturbed_places),
    };
    return cmocka_run_group_tests(tests, open_table, close_table);
}
