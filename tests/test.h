/* SPDX-License-Identifier: Apache-2.0 */
/* What every test may use: include it first; it brings cmocka with what cmocka needs before it. */
#ifndef INVAR_TESTS_TEST_H
#define INVAR_TESTS_TEST_H

#include <ftw.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "open_device.h"

#include "invar/array.h"
#include "invar/error.h"
#include "invar/expert/file.h"

/** Once in a test program: the components that it tests, as "source.csv source.npy". scripts/check-components reads
 * them from the program and compares them with the tables of the library (docs/adding.md). */
#define TEST_COVERS(names) __attribute__((used, section(".covers"))) static const char test_covers[] = names

/** A call that must succeed; on failure the test fails with its message. */
#define assert_ok(call, err)                                                                                           \
    do {                                                                                                               \
        if (!(call))                                                                                                   \
            fail_msg("%s: %s", #call, (err)->message);                                                                 \
    } while (0)

/** A call that must fail with that code and a message that contains the text. Clears err. */
#define assert_refused(call, err, expected_code, text)                                                                 \
    do {                                                                                                               \
        if (call)                                                                                                      \
            fail_msg("%s: accepted, expected a refusal", #call);                                                       \
        if ((err)->code != (expected_code) || !strstr((err)->message, text))                                           \
            fail_msg("%s: code %d, message \"%s\"; expected code %d and \"%s\"", #call, (int)(err)->code,              \
                     (err)->message, (int)(expected_code), text);                                                      \
        invar_error_clear(err);                                                                                        \
    } while (0)

/** |got - expected| <= tolerance * max(|expected|, 1); NaN fails. */
#define assert_near(got, expected, tolerance)                                                                          \
    test_assert_near((double)(got), (double)(expected), (double)(tolerance), #got, __FILE__, __LINE__)

static inline void test_assert_near(double got, double expected, double tolerance, const char *what, const char *file,
                                    int line)
{
    if (!(fabs(got - expected) <= tolerance * fmax(fabs(expected), 1.0))) {
        print_error("%s = %.9g, expected %.9g within %.3g\n", what, got, expected, tolerance);
        _fail(file, line);
    }
}

/** |got - expected| / max(|expected|, floor) with Euclidean norms of count numbers; NaN where any number is. */
static inline double test_error_f64(const double *got, const double *expected, int64_t count, double floor_value)
{
    double difference = 0, norm = 0;
    for (int64_t i = 0; i < count; i++) {
        difference += (got[i] - expected[i]) * (got[i] - expected[i]);
        norm += expected[i] * expected[i];
    }
    return sqrt(difference) / fmax(sqrt(norm), floor_value);
}

static inline double test_error_f32(const float *got, const double *expected, int64_t count, double floor_value)
{
    double difference = 0, norm = 0;
    for (int64_t i = 0; i < count; i++) {
        double d = (double)got[i] - expected[i];
        difference += d * d;
        norm += expected[i] * expected[i];
    }
    return sqrt(difference) / fmax(sqrt(norm), floor_value);
}

/** tests/golden/CASE/NAME.npy as it is stored (tests run in the root of the source tree). Free with invar_array_free.
 */
static inline struct invar_array test_golden(const char *golden_case, const char *name)
{
    struct invar_error err = {0};
    struct invar_array array = {0};
    char path[1024];
    snprintf(path, sizeof path, "tests/golden/%s/%s.npy", golden_case, name);
    assert_ok(invar_npy_read(&array, path, &err), &err);
    return array;
}

/** The same, converted to float32 or float64. */
static inline struct invar_array test_golden_as(const char *golden_case, const char *name, enum invar_dtype dtype)
{
    struct invar_error err = {0};
    struct invar_array stored = test_golden(golden_case, name), array = {0};
    assert_ok(invar_array_convert(&array, &stored, dtype, &err), &err);
    invar_array_free(&stored);
    return array;
}

/** A new empty folder; remove it with test_folder_remove, which frees the name too. */
static inline char *test_folder_create(void)
{
    const char *parent = getenv("TMPDIR");
    char *path = malloc(1024);
    assert_non_null(path);
    snprintf(path, 1024, "%s/invar-test-XXXXXX", parent && *parent ? parent : "/tmp");
    assert_non_null(mkdtemp(path));
    return path;
}

static inline int test_remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status, (void)kind, (void)place;
    return remove(path);
}

static inline void test_folder_remove(char *path)
{
    assert_int_equal(nftw(path, test_remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
    free(path);
}

/** FOLDER/NAME in one of eight static buffers in turn. */
static inline const char *test_path(const char *folder, const char *name)
{
    static char buffers[8][1024];
    static unsigned turn;
    char *buffer = buffers[turn++ % 8];
    snprintf(buffer, sizeof buffers[0], "%s/%s", folder, name);
    return buffer;
}

/** Writes a whole file (without waiting for the disk, as invar_file_write would). */
static inline const char *test_file(const char *folder, const char *name, const void *data, size_t size)
{
    const char *path = test_path(folder, name);
    FILE *stream = fopen(path, "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(data, 1, size, stream), size);
    assert_int_equal(fclose(stream), 0);
    return path;
}

#endif
