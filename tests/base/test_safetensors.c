/* SPDX-License-Identifier: Apache-2.0 */
#include "folder.h"

#include "base/safetensors.h"
#include "invar/expert/safetensors.h"

/* A file with that header and data_size zero bytes. */
static const char *made(const char *header, size_t data_size)
{
    unsigned char bytes[2048] = {0};
    uint64_t length = strlen(header);
    assert_true(8 + length + data_size <= sizeof bytes);
    memcpy(bytes, &length, 8);
    memcpy(bytes + 8, header, length);
    return test_file(folder, "made.safetensors", bytes, 8 + length + data_size);
}

static const struct {
    const char *name;
    enum invar_dtype dtype;
    int rank;
    int64_t shape[3];
} arrays[] = {
    {"odd", INVAR_UINT8, 1, {3}},     {"layer.weight", INVAR_FLOAT32, 3, {2, 3, 1}}, {"count", INVAR_INT64, 0, {0}},
    {"half", INVAR_BFLOAT16, 1, {5}}, {"empty", INVAR_FLOAT64, 2, {0, 4}},           {"double", INVAR_FLOAT64, 1, {2}},
};
#define ARRAY_COUNT ((int)(sizeof arrays / sizeof arrays[0]))

static size_t fill(struct invar_array *array, int i)
{
    struct invar_error err = {0};
    assert_ok(invar_array_alloc(array, arrays[i].dtype, arrays[i].rank, arrays[i].shape, &err), &err);
    size_t size = (size_t)invar_array_count(array) * invar_dtype_size(array->dtype);
    for (size_t b = 0; b < size; b++)
        ((unsigned char *)array->data)[b] = (unsigned char)(b * 31 + (size_t)i);
    return size;
}

/* The file that most tests use, with arrays added in the given order. */
static struct invar_safetensors *sample(bool backwards)
{
    struct invar_error err = {0};
    struct invar_safetensors *file = invar_safetensors_create(&err);
    assert_ok(file != NULL, &err);
    for (int k = 0; k < ARRAY_COUNT; k++) {
        int i = backwards ? ARRAY_COUNT - 1 - k : k;
        struct invar_array array;
        fill(&array, i);
        assert_ok(invar_safetensors_add(file, arrays[i].name, &array, &err), &err);
        invar_array_free(&array);
    }
    assert_ok(invar_safetensors_set_metadata(file, "architecture", "resnet18", &err), &err);
    assert_ok(invar_safetensors_set_metadata(file, "recipe", "x", &err), &err);
    assert_ok(invar_safetensors_set_metadata(file, "recipe", "a: \"1\"\n\t# \xc3\xa9\n", &err), &err);
    return file;
}

static void reads_what_it_writes(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_safetensors *file = sample(false), *again = NULL;
    const char *path = test_path(folder, "a.safetensors");
    assert_ok(invar_safetensors_write(file, path, &err), &err);
    invar_safetensors_free(file);
    assert_ok(invar_safetensors_read(&again, path, &err), &err);
    assert_int_equal(invar_safetensors_count(again), ARRAY_COUNT);
    for (int i = 1; i < ARRAY_COUNT; i++)
        assert_true(strcmp(invar_safetensors_name(again, i - 1), invar_safetensors_name(again, i)) < 0);
    assert_null(invar_safetensors_name(again, ARRAY_COUNT));
    for (int i = 0; i < ARRAY_COUNT; i++) {
        struct invar_array array;
        size_t size = fill(&array, i);
        const struct invar_array *got = invar_safetensors_get(again, arrays[i].name);
        assert_non_null(got);
        assert_int_equal(got->dtype, array.dtype);
        assert_int_equal(got->rank, array.rank);
        assert_memory_equal(got->shape, array.shape, sizeof array.shape);
        if (size)
            assert_memory_equal(got->data, array.data, size);
        invar_array_free(&array);
    }
    assert_string_equal(invar_safetensors_metadata(again, "recipe"), "a: \"1\"\n\t# \xc3\xa9\n");
    assert_non_null(invar_safetensors_metadata(again, "invar.crc32"));
    assert_null(invar_safetensors_metadata(again, "none"));
    assert_null(invar_safetensors_get(again, "none"));
    invar_safetensors_free(again);
}

static void equal_content_gives_equal_bytes(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_safetensors *first = sample(false), *second = sample(true), *third = NULL;
    struct invar_bytes a, b, c;
    assert_ok(invar_safetensors_write(first, test_path(folder, "1"), &err), &err);
    assert_ok(invar_safetensors_write(second, test_path(folder, "2"), &err), &err);
    assert_ok(invar_safetensors_read(&third, test_path(folder, "1"), &err), &err);
    assert_ok(invar_safetensors_write(third, test_path(folder, "3"), &err), &err);
    assert_ok(invar_file_read(&a, test_path(folder, "1"), 1 << 20, &err), &err);
    assert_ok(invar_file_read(&b, test_path(folder, "2"), 1 << 20, &err), &err);
    assert_ok(invar_file_read(&c, test_path(folder, "3"), 1 << 20, &err), &err);
    assert_int_equal(a.size, b.size);
    assert_int_equal(a.size, c.size);
    assert_memory_equal(a.data, b.data, a.size);
    assert_memory_equal(a.data, c.data, a.size);
    uint64_t header;
    memcpy(&header, a.data, 8);
    assert_int_equal(header % 8, 0);
    invar_bytes_free(&a);
    invar_bytes_free(&b);
    invar_bytes_free(&c);
    invar_safetensors_free(first);
    invar_safetensors_free(second);
    invar_safetensors_free(third);
}

static const double given[] = {1, 2, 3, 4, 5};

/* All but the last `which`, in two pieces. */
static bool give(void *user, int which, table_take *take, void *to, struct invar_error *err)
{
    const double *from = user;
    return take(to, from, sizeof *from, err) && take(to, from + 1, (size_t)(4 - which) * sizeof *from, err);
}

static void what_is_given_in_pieces_is_written_as_what_was_added(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_safetensors *first = sample(false), *second = sample(false);
    struct invar_array array;
    struct invar_bytes a, b;
    assert_ok(invar_array_alloc(&array, INVAR_FLOAT64, 1, (int64_t[]){5}, &err), &err);
    memcpy(array.data, given, sizeof given);
    assert_ok(invar_safetensors_add(first, "given", &array, &err), &err);
    invar_array_free(&array);
    assert_ok(safetensors_add_pieces(second, "given", INVAR_FLOAT64, 5, give, (void *)given, 0, &err), &err);
    assert_refused(safetensors_add_pieces(second, "given", INVAR_FLOAT64, 5, give, NULL, 0, &err), &err,
                   INVAR_ERROR_DATA, "'given' stands twice");
    assert_ok(invar_safetensors_write(first, test_path(folder, "1"), &err), &err);
    assert_ok(invar_safetensors_write(second, test_path(folder, "2"), &err), &err);
    assert_ok(invar_file_read(&a, test_path(folder, "1"), 1 << 20, &err), &err);
    assert_ok(invar_file_read(&b, test_path(folder, "2"), 1 << 20, &err), &err);
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.data, b.data, a.size);
    invar_bytes_free(&a);
    invar_bytes_free(&b);
    assert_ok(safetensors_add_pieces(second, "short", INVAR_FLOAT64, 5, give, (void *)given, 1, &err), &err);
    assert_refused(invar_safetensors_write(second, test_path(folder, "2"), &err), &err, INVAR_ERROR_DATA,
                   "short: 32 bytes were given, expected 40");
    invar_safetensors_free(first);
    invar_safetensors_free(second);
}

static void names_must_be_new(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_safetensors *file = sample(false);
    struct invar_array array;
    fill(&array, 0);
    const struct invar_array *kept = invar_safetensors_get(file, "odd");
    assert_refused(invar_safetensors_add(file, "odd", &array, &err), &err, INVAR_ERROR_DATA, "'odd' stands twice");
    assert_refused(invar_safetensors_add(file, "__metadata__", &array, &err), &err, INVAR_ERROR_DATA, "twice");
    for (int i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", (i * 37) % 100);
        assert_ok(invar_safetensors_add(file, name, &array, &err), &err);
    }
    assert_ptr_equal(kept, invar_safetensors_get(file, "odd"));
    assert_memory_equal(kept->data, array.data, 3);
    invar_array_free(&array);
    invar_safetensors_free(file);
}

static void refuses_every_truncation_and_every_changed_byte_of_data(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_safetensors *file = sample(false), *again = NULL;
    struct invar_bytes bytes;
    assert_ok(invar_safetensors_write(file, test_path(folder, "whole"), &err), &err);
    assert_ok(invar_file_read(&bytes, test_path(folder, "whole"), 1 << 20, &err), &err);
    invar_safetensors_free(file);
    for (size_t size = 0; size < bytes.size; size++) {
        const char *cut = test_file(folder, "cut", bytes.data, size);
        assert_refused(invar_safetensors_read(&again, cut, &err), &err, INVAR_ERROR_FORMAT, "cut");
    }
    uint64_t header;
    memcpy(&header, bytes.data, 8);
    for (size_t i = 8 + header; i < bytes.size; i++) {
        bytes.data[i] ^= 0x10;
        const char *changed = test_file(folder, "changed", bytes.data, bytes.size);
        assert_refused(invar_safetensors_read(&again, changed, &err), &err, INVAR_ERROR_FORMAT, "checksum");
        bytes.data[i] ^= 0x10;
    }
    const char *longer = test_file(folder, "longer", bytes.data, bytes.size + 1);
    assert_refused(invar_safetensors_read(&again, longer, &err), &err, INVAR_ERROR_FORMAT, "corrupt");
    assert_null(again);
    invar_bytes_free(&bytes);
}

#define T(name, dtype, shape, begin, end)                                                                              \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" #begin "," #end "]}"

static void reads_files_of_others(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_safetensors *file = NULL;
    assert_ok(invar_safetensors_read(
                  &file, made("{" T("b", "F32", "[1,2]", 4, 12) "," T("a", "F32", "[]", 0, 4) "}  ", 12), &err),
              &err);
    assert_int_equal(invar_safetensors_count(file), 2);
    assert_string_equal(invar_safetensors_name(file, 0), "a");
    assert_int_equal(invar_safetensors_get(file, "b")->shape[1], 2);
    invar_safetensors_free(file);
    assert_ok(invar_safetensors_read(&file, made("{}", 0), &err), &err);
    assert_int_equal(invar_safetensors_count(file), 0);
    invar_safetensors_free(file);
}

/* Every kind of float16: normal, subnormal, signed zero, the largest, infinite, no number. */
static void float16_is_read_as_float32(void **state)
{
    (void)state;
    static const uint16_t half[] = {0x3c00, 0xc000, 0x3555, 0x0001, 0x83ff, 0x0400,
                                    0x0000, 0x8000, 0x7bff, 0xfc00, 0x7e00};
    static const float expected[] = {1,     -2,    0.333251953125f, 0x1p-24f, -0x1.ff8p-15f, 0x1p-14f, 0,
                                     -0.0f, 65504, -INFINITY,       NAN};
    enum { COUNT = sizeof half / sizeof *half };
    static const char header[] = "{" T("a", "F16", "[11]", 0, 22) "," T("b", "U8", "[2]", 22, 24) "}";
    unsigned char bytes[8 + sizeof header - 1 + sizeof half + 2] = {sizeof header - 1};
    struct invar_error err = {0};
    struct invar_safetensors *file = NULL;

    memcpy(bytes + 8, header, sizeof header - 1);
    memcpy(bytes + 8 + sizeof header - 1, half, sizeof half);
    memcpy(bytes + sizeof bytes - 2, "\x07\x08", 2);
    assert_ok(invar_safetensors_read(&file, test_file(folder, "half", bytes, sizeof bytes), &err), &err);
    const struct invar_array *array = invar_safetensors_get(file, "a");
    assert_true(array->dtype == INVAR_FLOAT32 && array->shape[0] == COUNT);
    for (int i = 0; i < COUNT; i++) {
        const float value = ((const float *)array->data)[i];
        if (isnan(expected[i]) ? !isnan(value) : !(value == expected[i] && signbit(value) == signbit(expected[i])))
            fail_msg("%#x is read as %g, expected %g", half[i], (double)value, (double)expected[i]);
    }
    assert_int_equal(((const uint8_t *)invar_safetensors_get(file, "b")->data)[1], 8);
    invar_safetensors_free(file);
}

static void refuses_what_is_wrong(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_safetensors *file = NULL;
    static const struct {
        const char *header;
        size_t data;
        const char *message;
    } cases[] = {
        {"{" T("a", "F32", "[1]", 0, 4) "," T("b", "F32", "[1]", 2, 6) "}", 6, "'b' overlaps"},
        {"{" T("a", "F32", "[1]", 0, 4) "," T("b", "F32", "[1]", 6, 10) "}", 10, "belong to none"},
        {"{" T("a", "F32", "[1]", 4, 8) "}", 8, "belong to none"},
        {"{" T("a", "F32", "[1]", 0, 4) "}", 8, "holds 8 bytes of data where its header describes 4"},
        {"{" T("a", "F32", "[2]", 0, 8) "}", 4, "outside the file"},
        {"{" T("a", "F32", "[1]", 4, 0) "}", 4, "outside the file"},
        {"{" T("a", "F32", "[1]", 0, 18446744073709551615) "}", 4, "data_offsets"},
        {"{" T("a", "F32", "[2]", 0, 4) "}", 4, "does not match its number of bytes"},
        {"{" T("a", "F32", "[4611686018427387905]", 0, 4) "}", 4, "not a list of natural numbers"},
        {"{" T("a", "F32", "[4503599627370496, 4503599627370496]", 0, 4) "}", 4, "memory can address"},
        {"{" T("a", "F32", "[2147483648, 2147483648, 4]", 0, 0) "}", 0, "memory can address"},
        {"{" T("a", "F32", "[-1]", 0, 4) "}", 4, "natural numbers"},
        {"{" T("a", "F32", "[1.5]", 0, 6) "}", 6, "natural numbers"},
        {"{" T("a", "F32", "[1,1,1,1,1,1,1]", 0, 4) "}", 4, "dimensions"},
        {"{" T("a", "F32", "1", 0, 4) "}", 4, "no shape"},
        {"{" T("a", "F8", "[2]", 0, 2) "}", 2, "of type F8, expected F32"},
        {"{" T("a", "F16", "[2]", 0, 8) "}", 8, "does not match its number of bytes"},
        {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "no dtype"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "no data_offsets"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, "no data_offsets"},
        {"{\"a\":5}", 4, "not described by an object"},
        {"{" T("a", "U8", "[1]", 0, 1) "," T("a", "U8", "[1]", 1, 2) "}", 2, "'a' stands twice"},
        {"{\"__metadata__\":{\"k\":1}}", 0, "'k' is not a text"},
        {"{\"__metadata__\":[]}", 0, "not one object"},
        {"{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", 0, "'k' stands twice"},
        {"{\"__metadata__\":{\"invar.crc32\":\"00000001\"}," T("a", "U8", "[1]", 0, 1) "}", 1, "checksum"},
        {"[]", 0, "not valid JSON"},
        {"{\"a\":", 0, "not valid JSON"},
        {"{} {}", 0, "not valid JSON"},
        {"hello, this is something else", 0, "not valid JSON"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_refused(invar_safetensors_read(&file, made(cases[i].header, cases[i].data), &err), &err,
                       INVAR_ERROR_FORMAT, cases[i].message);
    static const char foreign[] = "\x93NUMPY\x01\x00 and so on";
    assert_refused(invar_safetensors_read(&file, test_file(folder, "foreign", foreign, sizeof foreign), &err), &err,
                   INVAR_ERROR_FORMAT, "not a safetensors file");
    assert_refused(invar_safetensors_read(&file, test_file(folder, "empty", "", 0), &err), &err, INVAR_ERROR_FORMAT,
                   "not a safetensors file");
    assert_refused(invar_safetensors_read(&file, folder, &err), &err, INVAR_ERROR_FILE, "folder");
    assert_refused(invar_safetensors_read(&file, test_path(folder, "none"), &err), &err, INVAR_ERROR_FILE, "none");
    assert_null(file);
}

static void deep_nesting_is_refused(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_safetensors *file = NULL;
    enum { DEPTH = 200000 };
    unsigned char *bytes = calloc(1, DEPTH + 8);
    assert_non_null(bytes);
    uint64_t length = DEPTH;
    memcpy(bytes, &length, 8);
    memset(bytes + 8, '[', DEPTH);
    assert_refused(invar_safetensors_read(&file, test_file(folder, "deep", bytes, DEPTH + 8), &err), &err,
                   INVAR_ERROR_FORMAT, "not valid JSON");
    free(bytes);
}

static void a_failed_write_changes_nothing(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_safetensors *file = sample(false);
    assert_refused(invar_safetensors_write(file, "/dev/full", &err), &err, INVAR_ERROR_FILE, "No space left");
    assert_refused(invar_safetensors_write(file, test_path(folder, "no/where"), &err), &err, INVAR_ERROR_FILE,
                   "make the folder first");
    invar_safetensors_free(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_it_writes),
        cmocka_unit_test(equal_content_gives_equal_bytes),
        cmocka_unit_test(what_is_given_in_pieces_is_written_as_what_was_added),
        cmocka_unit_test(names_must_be_new),
        cmocka_unit_test(refuses_every_truncation_and_every_changed_byte_of_data),
        cmocka_unit_test(reads_files_of_others),
        cmocka_unit_test(float16_is_read_as_float32),
        cmocka_unit_test(refuses_what_is_wrong),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(a_failed_write_changes_nothing),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
