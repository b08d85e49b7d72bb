/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"
#include "invar/array.h"

static const char *const tokens[] = {
    "<f8", "<i4",  "|b1", "(2, 2)",  "()",   "(0,)", "9223372036854775807", "4294967296",
    "'",   "True", "{",   "'shape'", "\x03", ", ",   "\x93NUMPY",           NULL,
};

static bool read_array(const struct fuzz_input *input, const char *path, struct invar_error *err)
{
    struct invar_array array = {0};
    if (!invar_npy_read(&array, path, err)) {
        fuzz_check(!array.data, "a refused file left an array behind");
        return false;
    }
    size_t size = (size_t)invar_array_count(&array) * invar_dtype_size(array.dtype);
    fuzz_check(size <= 2 * input->size, "an array is larger than its file can hold");
    unsigned sum = 0;
    for (size_t i = 0; i < size; i++)
        sum += ((unsigned char *)array.data)[i];
    fuzz_check(size > 0 || sum == 0, "nothing sums to something");
    invar_array_free(&array);
    return true;
}

static void make_seed(struct fuzz_input *seed, unsigned char major, const char *header, size_t data_size)
{
    size_t width = major == 1 ? 2 : 4;
    uint32_t length = (uint32_t)strlen(header);
    memcpy(seed->data, "\x93NUMPY", 6);
    seed->data[6] = major;
    memcpy(seed->data + 8, &length, width);
    memcpy(seed->data + 8 + width, header, length);
    seed->size = 8 + width + length + data_size;
}

int main(void)
{
    static struct fuzz_input seeds[3];
    make_seed(&seeds[0], 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }\n", 24);
    make_seed(&seeds[1], 2, "{'descr': '<i4', 'fortran_order': False, 'shape': (5,), }\n", 20);
    make_seed(&seeds[2], 3, "{'shape': (), 'fortran_order': False, 'descr': '<f8'}\n", 8);
    return fuzz_run("npy", seeds, 3, tokens, read_array, 100000);
}
