/* SPDX-License-Identifier: Apache-2.0 */
#include "folder.h"

/* A version 1.0 file with the given header text and data_size zero bytes. */
static const char *npy_file(const char *header, size_t data_size)
{
    unsigned char bytes[1024] = "\x93NUMPY\x01";
    uint16_t length = (uint16_t)strlen(header);
    memcpy(bytes + 8, &length, 2);
    memcpy(bytes + 10, header, length);
    return test_file(folder, "made.npy", bytes, 10u + length + data_size);
}

static void writes_what_it_reads(void **state)
{
    (void)state;
    struct invar_error err = {0};
    static const enum invar_dtype types[] = {INVAR_FLOAT32, INVAR_FLOAT64, INVAR_INT64, INVAR_UINT8};
    static const int64_t shape[] = {3, 2, 5, 1, 1, 2};
    for (size_t t = 0; t < 4; t++)
        for (int rank = 0; rank <= INVAR_MAX_RANK; rank++) {
            struct invar_array array, again = {0};
            assert_ok(invar_array_alloc(&array, types[t], rank, shape, &err), &err);
            size_t bytes = (size_t)invar_array_count(&array) * invar_dtype_size(types[t]);
            for (size_t i = 0; i < bytes; i++)
                ((unsigned char *)array.data)[i] = (unsigned char)(i * 7 + t);
            const char *path = test_path(folder, "a.npy");
            assert_ok(invar_npy_write(&array, path, &err), &err);
            assert_ok(invar_npy_read(&again, path, &err), &err);
            assert_int_equal(again.dtype, types[t]);
            assert_int_equal(again.rank, rank);
            assert_memory_equal(again.shape, array.shape, sizeof array.shape);
            assert_memory_equal(again.data, array.data, bytes);
            invar_array_free(&array);
            invar_array_free(&again);
        }
}

static void reads_golden_files(void **state)
{
    (void)state;
    struct invar_array z = test_golden("relic_hf", "z1");
    assert_int_equal(z.dtype, INVAR_FLOAT64);
    assert_int_equal(z.rank, 2);
    struct invar_array z32 = test_golden_as("relic_hf", "z1", INVAR_FLOAT32);
    for (int64_t i = 0; i < invar_array_count(&z); i++)
        assert_true((double)((float *)z32.data)[i] == ((double *)z.data)[i]);
    invar_array_free(&z);
    invar_array_free(&z32);
}

static void reads_int32_as_int64(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_array array = {0};
    static const char header[] = "{'descr': '<i4', 'fortran_order': False, 'shape': (3,), }\n";
    unsigned char bytes[256] = "\x93NUMPY\x02\x00";
    uint32_t length = sizeof header - 1;
    static const int32_t values[] = {-1, 7, INT32_MIN};
    memcpy(bytes + 8, &length, 4);
    memcpy(bytes + 12, header, length);
    memcpy(bytes + 12 + length, values, sizeof values);
    const char *path = test_file(folder, "i4.npy", bytes, 12 + length + sizeof values);
    assert_ok(invar_npy_read(&array, path, &err), &err);
    assert_int_equal(array.dtype, INVAR_INT64);
    for (int i = 0; i < 3; i++)
        assert_int_equal(((int64_t *)array.data)[i], values[i]);
    invar_array_free(&array);
}

static void refuses_every_truncation(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_array array = {0};
    struct invar_bytes bytes = {0};
    static const int64_t shape[] = {2, 3};
    assert_ok(invar_array_alloc(&array, INVAR_FLOAT32, 2, shape, &err), &err);
    const char *path = test_path(folder, "whole.npy");
    assert_ok(invar_npy_write(&array, path, &err), &err);
    invar_array_free(&array);
    assert_ok(invar_file_read(&bytes, path, 1 << 20, &err), &err);
    for (size_t size = 0; size < bytes.size; size++) {
        const char *cut = test_file(folder, "cut.npy", bytes.data, size);
        assert_refused(invar_npy_read(&array, cut, &err), &err, INVAR_ERROR_FORMAT, "cut.npy");
    }
    const char *longer = test_file(folder, "longer.npy", bytes.data, bytes.size + 1);
    assert_refused(invar_npy_read(&array, longer, &err), &err, INVAR_ERROR_FORMAT, "more than one array");
    assert_null(array.data);
    invar_bytes_free(&bytes);
}

static void refuses_what_it_does_not_read(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_array array = {0};
    static const struct {
        const char *header, *message;
    } cases[] = {
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }", "'>f4'"},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "holds Python objects"},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", "records"},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (1, 1), }", "Fortran"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 1, 1, 1, 1, 1), }", "dimensions"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296, 4), }", "memory"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387905,), }", "memory"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", "2^63"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000,), }", "truncated"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", "malformed"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1 1), }", "malformed"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': 1, }", "malformed"},
        {"{'descr': '<f4', 'fortran_order': False, }", "malformed"},
        {"{'descr': '<f4', 'fortran_order': Maybe, 'shape': (1,), }", "malformed"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}", "malformed"},
        {"{'descr': '<f4", "malformed"},
        {"", "malformed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_refused(invar_npy_read(&array, npy_file(cases[i].header, 4), &err), &err, INVAR_ERROR_FORMAT,
                       cases[i].message);
    const char *foreign = test_file(folder, "foreign.npy", "PK\3\4 something else altogether", 28);
    assert_refused(invar_npy_read(&array, foreign, &err), &err, INVAR_ERROR_FORMAT, "not a .npy");
    const char *version = test_file(folder, "v9.npy", "\x93NUMPY\x09\x00 something else", 22);
    assert_refused(invar_npy_read(&array, version, &err), &err, INVAR_ERROR_FORMAT, "version 9.0");
    assert_refused(invar_npy_read(&array, folder, &err), &err, INVAR_ERROR_FILE, "folder");
    assert_refused(invar_npy_read(&array, test_path(folder, "none.npy"), &err), &err, INVAR_ERROR_FILE, "none.npy");
    assert_refused(invar_npy_read(&array, "/dev/zero", &err), &err, INVAR_ERROR_FILE, "regular");
}

static void arrays_check_their_sizes(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_array array = {0};
    static const int64_t huge[] = {INT64_MAX, 2}, negative[] = {2, -1}, bytes[] = {INT64_MAX / 2};
    static const int64_t empty[] = {0, 5};
    assert_refused(invar_array_alloc(&array, INVAR_UINT8, 2, huge, &err), &err, INVAR_ERROR_MEMORY, "2^63");
    assert_refused(invar_array_alloc(&array, INVAR_FLOAT64, 1, bytes, &err), &err, INVAR_ERROR_MEMORY, "memory");
    assert_refused(invar_array_alloc(&array, INVAR_FLOAT64, 2, negative, &err), &err, INVAR_ERROR_DATA, "negative");
    assert_refused(invar_array_alloc(&array, INVAR_FLOAT64, 7, negative, &err), &err, INVAR_ERROR_DATA, "7");
    assert_ok(invar_array_alloc(&array, INVAR_FLOAT64, 2, empty, &err), &err);
    assert_int_equal(invar_array_count(&array), 0);
    invar_array_free(&array);
    invar_array_free(&array);
}

static void converts(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_array out;
    uint16_t bfloat[] = {0x3f80, 0xc040};
    uint8_t bytes[] = {0, 255};
    int64_t integers[] = {-3, 1ll << 40};
    struct invar_array in = {.dtype = INVAR_BFLOAT16, .rank = 1, .shape = {2}, .data = bfloat};
    assert_ok(invar_array_convert(&out, &in, INVAR_FLOAT32, &err), &err);
    assert_true(((float *)out.data)[0] == 1.0f && ((float *)out.data)[1] == -3.0f);
    invar_array_free(&out);
    in.dtype = INVAR_UINT8, in.data = bytes;
    assert_ok(invar_array_convert(&out, &in, INVAR_FLOAT64, &err), &err);
    assert_true(((double *)out.data)[1] == 255.0);
    invar_array_free(&out);
    in.dtype = INVAR_INT64, in.data = integers;
    assert_ok(invar_array_convert(&out, &in, INVAR_FLOAT64, &err), &err);
    assert_true(((double *)out.data)[0] == -3.0 && ((double *)out.data)[1] == 0x1p40);
    invar_array_free(&out);
    assert_refused(invar_array_convert(&out, &in, INVAR_UINT8, &err), &err, INVAR_ERROR_DATA, "uint8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_what_it_reads),
        cmocka_unit_test(reads_golden_files),
        cmocka_unit_test(reads_int32_as_int64),
        cmocka_unit_test(refuses_every_truncation),
        cmocka_unit_test(arrays_check_their_sizes),
        cmocka_unit_test(refuses_what_it_does_not_read),
        cmocka_unit_test(converts),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
