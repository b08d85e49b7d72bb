/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of tables share: a table in the folder of the test, its rows as numbers. */
#ifndef INVAR_TESTS_DATA_TABLE_H
#define INVAR_TESTS_DATA_TABLE_H

#include "data/make.h"
#include "folder.h"

#include <math.h>

static inline struct invar_data_options table_options(const char *text)
{
    struct invar_data_options o;
    invar_options_default(invar_data_option_table, &o);
    snprintf(o.source, sizeof o.source, "csv:%s", test_file(folder, "t.csv", text, strlen(text)));
    o.test_fraction = 0;
    return o;
}

static inline struct invar_dataset *open_as(const struct invar_data_options *o, const char *columns)
{
    struct invar_error err = {0};
    struct invar_dataset *d = invar_dataset_open_as(o, columns, &err);
    assert_ok(d != NULL, &err);
    return d;
}

static inline void set(struct invar_data_options *o, const char *assignment)
{
    struct invar_error err = {0};
    assert_ok(invar_options_set(invar_data_option_table, o, assignment, &err), &err);
}

/* The numbers of one sample; index within its split. */
static inline const float *row_of(struct invar_dataset *d, enum invar_split split, int64_t index, int64_t *label)
{
    static float numbers[64];
    struct invar_error err = {0};
    struct invar_sample sample;
    int64_t got = 0;
    struct invar_loader *loader = invar_loader_create(d, split, 1, &err);
    assert_ok(loader != NULL, &err);
    assert_ok(invar_loader_start(loader, &index, 1, &err) && invar_loader_next(loader, &sample, &got, &err), &err);
    assert_int_equal(got, 1);
    assert_int_equal(sample.dtype, INVAR_FLOAT32);
    assert_true(sample.channels <= 64);
    memcpy(numbers, sample.data, (size_t)sample.channels * sizeof(float));
    if (label)
        *label = sample.label;
    invar_loader_free(loader);
    return numbers;
}

/* The numbers of a training row against a list. */
static inline void expect_row(struct invar_dataset *d, int64_t index, const double *wanted, int count)
{
    const float *got = row_of(d, INVAR_TRAIN, index, NULL);
    assert_int_equal(invar_dataset_info(d)->channels, count);
    for (int i = 0; i < count; i++)
        assert_near(got[i], wanted[i], 1e-6);
}
#define EXPECT_ROW(d, index, ...)                                                                                      \
    expect_row(d, index, (double[]){__VA_ARGS__}, (int)(sizeof((double[]){__VA_ARGS__}) / sizeof(double)))

static inline void refused(const struct invar_data_options *o, const char *columns, enum invar_error_code code,
                           const char *says)
{
    struct invar_error err = {0};
    struct invar_dataset *d = invar_dataset_open_as(o, columns, &err);
    assert_refused(d != NULL, &err, code, says);
}

#endif
