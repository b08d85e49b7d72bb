/* SPDX-License-Identifier: Apache-2.0 */
/* Source npy: images of every type, rows of numbers, labels from arrays and tables, and what is refused. */
#include "data/make.h"
#include "folder.h"

TEST_COVERS("source.npy");

static char *place(const char *name)
{
    static char path[4][4096];
    static int next;
    char *out = path[next++ % 4];

    snprintf(out, sizeof path[0], "%s/%s", folder, name);
    return out;
}

static void save(const char *name, enum invar_dtype dtype, int rank, const int64_t *shape, const void *data)
{
    struct invar_array array = {dtype, rank, {0}, (void *)(uintptr_t)data};
    struct invar_error err = {0};

    memcpy(array.shape, shape, (size_t)rank * sizeof *shape);
    assert_ok(invar_npy_write(&array, place(name), &err), &err);
}

static void write_text(const char *name, const char *text)
{
    struct invar_error err = {0};
    assert_ok(invar_file_write(place(name), text, strlen(text), &err), &err);
}

static struct invar_data_options options_of(const char *name, const char *labels)
{
    struct invar_data_options options = make_options("npy", place(name));
    if (labels)
        snprintf(options.labels, sizeof options.labels, "%s", place(labels));
    options.test_fraction = 0;
    return options;
}

static void images_of_every_type(void **state)
{
    (void)state;
    enum { N = 3, C = 3, H = 4, W = 5, ALL = N * C * H * W };
    const int64_t shape[] = {N, C, H, W};
    uint8_t bytes[ALL];
    uint16_t words[ALL];
    float floats[ALL];
    double doubles[ALL];
    const void *const data[] = {bytes, words, floats, doubles};
    static const enum invar_dtype types[] = {INVAR_UINT8, INVAR_UINT16, INVAR_FLOAT32, INVAR_FLOAT64};
    static const enum invar_dtype seen[] = {INVAR_UINT8, INVAR_UINT16, INVAR_FLOAT32, INVAR_FLOAT32};

    for (int i = 0; i < ALL; i++) {
        bytes[i] = (uint8_t)i;
        words[i] = (uint16_t)(i * 257);
        floats[i] = (float)(doubles[i] = i / 255.0);
    }
    for (int t = 0; t < 4; t++) {
        struct invar_sample samples[N];
        save("images.npy", types[t], 4, shape, data[t]);
        struct invar_data_options options = options_of("images.npy", NULL);
        enum invar_data_kind kind;
        assert_true(invar_source_kind(options.source, &kind) && kind == INVAR_DATA_IMAGE);
        struct invar_dataset *dataset = make_open(&options);
        const struct invar_dataset_info *info = invar_dataset_info(dataset);
        assert_int_equal(info->kind, INVAR_DATA_IMAGE);
        assert_true(info->count[INVAR_TRAIN] == N && info->channels == C && info->height == H && info->width == W);
        assert_int_equal(info->classes, 0);
        for (int c = 0; c < C; c++) /* values i / 255 of 3 images, each channel 20 long and 60 apart */
            assert_near(info->mean[c], (60 + 20 * c + 9.5) / 255, 1e-6);
        struct invar_loader *loader = make_load(dataset, INVAR_TRAIN, samples, N);
        for (int n = 0; n < N; n++)
            for (int c = 0; c < C; c++)
                for (int p = 0; p < H * W; p++) {
                    const int from = (n * C + c) * H * W + p, to = p * C + c;
                    assert_int_equal(samples[n].dtype, seen[t]);
                    if (seen[t] == INVAR_UINT8)
                        assert_int_equal(((const uint8_t *)samples[n].data)[to], bytes[from]);
                    else if (seen[t] == INVAR_UINT16)
                        assert_int_equal(((const uint16_t *)samples[n].data)[to], words[from]);
                    else
                        assert_true(((const float *)samples[n].data)[to] == floats[from]);
                }
        invar_loader_free(loader);
        invar_dataset_close(dataset);
    }
    save("images.npy", INVAR_UINT8, 3, (int64_t[]){N * C, H, W}, bytes);
    struct invar_data_options options = options_of("images.npy", NULL);
    struct invar_dataset *dataset = make_open(&options);
    assert_int_equal(invar_dataset_info(dataset)->count[INVAR_TRAIN], N * C);
    assert_int_equal(invar_dataset_info(dataset)->channels, 1);
    invar_dataset_close(dataset);
}

/* Rows r: 2 r + 1, constant, NaN where r is 2. */
static void save_rows(const char *name, int rows)
{
    float x[64 * 3];
    for (int r = 0; r < rows; r++) {
        x[3 * r] = (float)(2 * r + 1);
        x[3 * r + 1] = 7;
        x[3 * r + 2] = r == 2 ? NAN : (float)(r % 5);
    }
    save(name, INVAR_FLOAT32, 2, (int64_t[]){rows, 3}, x);
}

static void rows_are_a_table(void **state)
{
    (void)state;
    struct invar_sample samples[10];
    struct invar_error err = {0};
    save_rows("rows.npy", 10);
    struct invar_data_options options = options_of("rows.npy", NULL);
    struct invar_dataset *dataset = make_open(&options);
    const struct invar_table *table = invar_dataset_info(dataset)->table;
    assert_int_equal(invar_dataset_info(dataset)->channels, 3); /* x0, x2 and where x2 is missing */
    assert_int_equal(table->count, 3);
    assert_string_equal(table->column[2].name, "x2");
    assert_int_equal(table->column[1].kind, INVAR_COLUMN_CONSTANT);
    assert_int_equal(table->column[2].missing[INVAR_TRAIN], 1);
    assert_near(table->column[0].mean, 10, 1e-12);
    struct invar_loader *loader = make_load(dataset, INVAR_TRAIN, samples, 10);
    for (int r = 0; r < 10; r++) {
        const float *row = samples[r].data;
        assert_near(row[0], (2 * r + 1 - 10) / sqrt(33), 1e-6);
        assert_true(row[2] == (r == 2 ? 1.0F : 0.0F));
    }
    invar_loader_free(loader);
    /* Other rows by the columns of the first. */
    save_rows("more.npy", 4);
    options = options_of("more.npy", NULL);
    struct invar_dataset *other = invar_dataset_open_as(&options, table->schema, &err);
    assert_ok(other, &err);
    loader = make_load(other, INVAR_TRAIN, samples, 4);
    assert_near(((const float *)samples[0].data)[0], (1 - 10) / sqrt(33), 1e-6);
    invar_loader_free(loader);
    invar_dataset_close(other);
    const float wide[8] = {0};
    save("wide.npy", INVAR_FLOAT32, 2, (int64_t[]){2, 4}, wide);
    options = options_of("wide.npy", NULL);
    assert_refused(invar_dataset_open_as(&options, table->schema, &err), &err, INVAR_ERROR_DATA, "x0 to x3");
    invar_dataset_close(dataset);
    /* As they are: nothing standardised, nothing left out, nothing missing. */
    options = options_of("rows.npy", NULL);
    assert_refused(invar_dataset_open_features(&options, &err), &err, INVAR_ERROR_DATA, "number 2 of row 2 is nan");
    save_rows("rows.npy", 2);
    dataset = invar_dataset_open_features(&options, &err);
    assert_ok(dataset, &err);
    loader = make_load(dataset, INVAR_TRAIN, samples, 2);
    assert_memory_equal(samples[1].data, ((const float[]){3, 7, 1}), 3 * sizeof(float));
    invar_loader_free(loader);
    invar_dataset_close(dataset);
}

/* Ten times 0.1 do not sum to 1: equal values are constant all the same. */
static void equal_values_are_constant(void **state)
{
    (void)state;
    double x[10][2];
    for (int r = 0; r < 10; r++) {
        x[r][0] = 0.1;
        x[r][1] = r;
    }
    save("x.npy", INVAR_FLOAT64, 2, (int64_t[]){10, 2}, x);
    struct invar_data_options options = options_of("x.npy", NULL);
    struct invar_dataset *dataset = make_open(&options);
    assert_int_equal(invar_dataset_info(dataset)->table->column[0].kind, INVAR_COLUMN_CONSTANT);
    assert_int_equal(invar_dataset_info(dataset)->channels, 1);
    invar_dataset_close(dataset);
}

/* NaN is no label, nor is -1 of classes, whatever stands for a missing text. */
static void labels_of_arrays(void **state)
{
    static const char *const missing[] = {NULL, "?", ""};
    const int64_t whole[] = {4, 2, -1, 2, 9, 4};
    const double real[] = {0.25, -3.5, NAN, 1e9, 2, 1.0 / 3};

    (void)state;
    save_rows("rows.npy", 6);
    for (size_t m = 0; m < sizeof missing / sizeof *missing; m++) {
        struct invar_data_options options = options_of("rows.npy", "y.npy");
        if (missing[m])
            strcpy(options.csv.missing, missing[m]);
        save("y.npy", INVAR_INT64, 1, (int64_t[]){6}, whole);
        struct invar_dataset *dataset = make_open(&options);
        assert_int_equal(invar_dataset_info(dataset)->classes, 3);
        assert_string_equal(invar_dataset_info(dataset)->class_names[2], "9");
        const int64_t *labels = invar_dataset_labels(dataset, INVAR_TRAIN);
        assert_true(labels[0] == 1 && labels[1] == 0 && labels[2] == -1 && labels[4] == 2);
        invar_dataset_close(dataset);
        save("y.npy", INVAR_FLOAT64, 2, (int64_t[]){6, 1}, real);
        dataset = make_open(&options);
        assert_true(invar_dataset_info(dataset)->label_number);
        const double *targets = invar_dataset_targets(dataset, INVAR_TRAIN);
        for (int i = 0; i < 6; i++)
            assert_true(i == 2 ? isnan(targets[i]) : targets[i] == real[i]);
        invar_dataset_close(dataset);
    }
}

/* Whole numbers below 0: of numbers they are targets, of classes they are none. */
static void labels_below_zero(void **state)
{
    (void)state;
    enum { N = 64 };
    static const enum invar_label_kind wanted[] = {INVAR_LABEL_AUTO, INVAR_LABEL_NUMBER, INVAR_LABEL_CLASS};
    int64_t y[N];

    save_rows("rows.npy", N);
    for (int least = -30; least <= -1; least += 29) {
        for (int i = 0; i < N; i++)
            y[i] = least + i;
        save("y.npy", INVAR_INT64, 1, (int64_t[]){N}, y);
        for (int k = 0; k < 3; k++) {
            struct invar_data_options options = options_of("rows.npy", "y.npy");
            options.label_kind = wanted[k];
            struct invar_dataset *dataset = make_open(&options);
            const struct invar_dataset_info *info = invar_dataset_info(dataset);
            assert_int_equal(info->label_number, wanted[k] != INVAR_LABEL_CLASS);
            assert_int_equal(info->classes, info->label_number ? 0 : N + least);
            for (int i = 0; i < N; i++)
                assert_true(info->label_number
                                ? invar_dataset_targets(dataset, INVAR_TRAIN)[i] == (double)y[i]
                                : invar_dataset_labels(dataset, INVAR_TRAIN)[i] == (y[i] < 0 ? -1 : y[i]));
            invar_dataset_close(dataset);
        }
    }
}

/* What the test's are, the training labels say, whatever has them. */
static void test_labels_below_zero(void **state)
{
    (void)state;
    enum { N = 64 };
    const char *const trained[] = {"f.npy", "i.npy", "i.csv"};
    int64_t y[N], test[N];
    double number[N];
    char text[1024] = "y\n";

    for (int i = 0; i < N; i++) {
        test[i] = i - 20;
        number[i] = (double)(y[i] = i);
        snprintf(text + strlen(text), sizeof text - strlen(text), "%d\n", i);
    }
    save_rows("rows.npy", N);
    save("f.npy", INVAR_FLOAT64, 1, (int64_t[]){N}, number);
    save("i.npy", INVAR_INT64, 1, (int64_t[]){N}, y);
    write_text("i.csv", text);
    save("t.npy", INVAR_INT64, 1, (int64_t[]){N}, test);
    for (int k = 0; k < 3; k++) {
        struct invar_data_options options = options_of("rows.npy", trained[k]);
        snprintf(options.test, sizeof options.test, "%s", place("rows.npy"));
        snprintf(options.test_labels, sizeof options.test_labels, "%s", place("t.npy"));
        struct invar_dataset *dataset = make_open(&options);
        assert_true(invar_dataset_info(dataset)->label_number);
        for (int i = 0; i < N; i++)
            assert_true(invar_dataset_targets(dataset, INVAR_TEST)[i] == (double)test[i]);
        invar_dataset_close(dataset);
    }
}

static void labels_of_tables(void **state)
{
    (void)state;
    save_rows("rows.npy", 4);
    write_text("one.csv", "kind\nb\na\n\"\"\nb\n");
    struct invar_data_options options = options_of("rows.npy", "one.csv");
    struct invar_dataset *dataset = make_open(&options);
    assert_string_equal(invar_dataset_info(dataset)->class_names[0], "a");
    assert_int_equal(invar_dataset_labels(dataset, INVAR_TRAIN)[2], -1);
    invar_dataset_close(dataset);
    /* As `invar embed` writes it, splits with it. */
    write_text("list.csv",
               "row,split,path,line,item,label\n0,train,a,,0,x\n1,test,b,,1,y\n2,train,c,,2,y\n3,test,d,,3,x\n");
    options = options_of("rows.npy", "list.csv");
    dataset = make_open(&options);
    assert_int_equal(invar_dataset_info(dataset)->count[INVAR_TEST], 2);
    assert_int_equal(invar_dataset_origin(dataset, INVAR_TEST, 1).item, 3);
    assert_int_equal(invar_dataset_labels(dataset, INVAR_TEST)[0], 1);
    struct invar_error err = {0};
    assert_ok(invar_dataset_relabel(dataset, "path", "--label", &err), &err);
    assert_int_equal(invar_dataset_info(dataset)->classes, 4);
    invar_dataset_close(dataset);
    /* Test rows of their own. */
    save_rows("more.npy", 2);
    write_text("more.csv", "label\ny\nx\n");
    snprintf(options.test, sizeof options.test, "%s", place("more.npy"));
    snprintf(options.test_labels, sizeof options.test_labels, "%s", place("more.csv"));
    dataset = make_open(&options);
    assert_true(invar_dataset_info(dataset)->count[INVAR_TRAIN] == 4 &&
                invar_dataset_info(dataset)->count[INVAR_TEST] == 2);
    assert_int_equal(invar_dataset_labels(dataset, INVAR_TEST)[0], 1);
    invar_dataset_close(dataset);
}

static void refuse(const char *name, const char *labels, enum invar_error_code code, const char *text)
{
    struct invar_data_options options = options_of(name, labels);
    make_refused(&options, code, text);
}

static void what_is_refused(void **state)
{
    (void)state;
    const float x[] = {0, 1, INFINITY, -0.5F, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    const int64_t ones[] = {1, 1, 1, 1};
    save_rows("rows.npy", 4);
    write_text("short.csv", "label\na\nb\n");
    refuse("rows.npy", "short.csv", INVAR_ERROR_DATA, "has 2 labels for the 4 rows");
    save("short.npy", INVAR_INT64, 1, (int64_t[]){3}, ones);
    refuse("rows.npy", "short.npy", INVAR_ERROR_DATA, "has 3 labels for the 4 rows");
    save("square.npy", INVAR_INT64, 2, (int64_t[]){2, 2}, ones);
    refuse("rows.npy", "square.npy", INVAR_ERROR_DATA, "[2][2]; expected one label a row");
    write_text("names.csv", "file_name,label\na.png,x\nb.png,y\nc.png,x\nd.png,y\n");
    refuse("rows.npy", "names.csv", INVAR_ERROR_DATA, "have no names");
    write_text("two.csv", "a,b\n1,x\n2,y\n3,x\n4,y\n");
    refuse("rows.npy", "two.csv", INVAR_ERROR_USAGE, "none is called label");
    write_text("mixed.csv", "row,label\n0,x\n2,y\n1,x\n3,y\n");
    refuse("rows.npy", "mixed.csv", INVAR_ERROR_DATA, "line 3: the column row is \"2\" where 1 is expected");
    write_text("split.csv", "split,label\ntrain,x\nval,y\ntrain,x\ntest,y\n");
    refuse("rows.npy", "split.csv", INVAR_ERROR_DATA, "split is \"val\"");
    save("x.npy", INVAR_FLOAT32, 1, (int64_t[]){4}, x);
    refuse("x.npy", NULL, INVAR_ERROR_DATA, "number 0 of row 2 is inf");
    save("x.npy", INVAR_FLOAT32, 3, (int64_t[]){1, 2, 2}, x);
    refuse("x.npy", NULL, INVAR_ERROR_DATA, "1 of its values are NaN or infinite");
    save("x.npy", INVAR_FLOAT32, 3, (int64_t[]){1, 2, 2}, x + 3);
    refuse("x.npy", NULL, INVAR_ERROR_DATA, "are from -0.5 to 1");
    save("x.npy", INVAR_INT64, 3, (int64_t[]){1, 2, 2}, ones);
    refuse("x.npy", NULL, INVAR_ERROR_DATA, "astype(numpy.uint8)");
    save("x.npy", INVAR_INT64, 3, (int64_t[]){1, 2, 2}, (int64_t[]){0, 1, 4000, 7});
    refuse("x.npy", NULL, INVAR_ERROR_DATA, "from 0 to 4000; save (x / 4000).astype(numpy.float32)");
    save("x.npy", INVAR_INT64, 3, (int64_t[]){1, 2, 2}, (int64_t[]){-3, 1, 200, 7});
    refuse("x.npy", NULL, INVAR_ERROR_DATA, "save ((x + 3) / 203).astype(numpy.float32)");
    save("x.npy", INVAR_FLOAT32, 5, (int64_t[]){1, 1, 1, 2, 2}, x);
    refuse("x.npy", NULL, INVAR_ERROR_DATA, "[1][1][1][2][2]; expected");
    uint8_t last[20 * 20 * 3] = {0};
    save("x.npy", INVAR_UINT8, 4, (int64_t[]){1, 20, 20, 3}, last);
    refuse("x.npy", NULL, INVAR_ERROR_DATA, "channels first");
    static const char objects[] =
        "\x93NUMPY\x01\x00\x46\x00{'descr': '|O', 'fortran_order': False, 'shape': (2,), }      "
        "               \n";
    struct invar_error err = {0};
    assert_ok(invar_file_write(place("x.npy"), objects, sizeof objects - 1, &err), &err);
    refuse("x.npy", NULL, INVAR_ERROR_FORMAT, "Python objects");
    refuse("none.npy", NULL, INVAR_ERROR_FILE, "none.npy");
    struct invar_data_options options = options_of("rows.npy", NULL);
    snprintf(options.test_labels, sizeof options.test_labels, "%s", place("two.csv"));
    make_refused(&options, INVAR_ERROR_USAGE, "without data.test");
    write_text("t.csv", "a,b\n1,2\n3,4\n");
    options = make_options("csv", place("t.csv"));
    snprintf(options.labels, sizeof options.labels, "%s", place("two.csv"));
    make_refused(&options, INVAR_ERROR_USAGE, "data.labels: is for npy:FILE, not for");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(images_of_every_type, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_are_a_table, setup, teardown),
        cmocka_unit_test_setup_teardown(equal_values_are_constant, setup, teardown),
        cmocka_unit_test_setup_teardown(labels_of_arrays, setup, teardown),
        cmocka_unit_test_setup_teardown(labels_below_zero, setup, teardown),
        cmocka_unit_test_setup_teardown(test_labels_below_zero, setup, teardown),
        cmocka_unit_test_setup_teardown(labels_of_tables, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
