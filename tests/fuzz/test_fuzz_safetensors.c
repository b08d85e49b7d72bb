/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"
#include "invar/expert/safetensors.h"

static const char *const tokens[] = {
    "\"F64\"", "\"BF16\"", "[2,3]", "[]",      "[0]",  "9007199254740992", "-1", "1e300", "0.5", "\"__metadata__\":{}",
    "{",       "}",        ",",     "\\u0000", "null", "\"a\":",           NULL,
};

static bool read_tensors(const struct fuzz_input *input, const char *path, struct invar_error *err)
{
    struct invar_safetensors *file = NULL;
    if (!invar_safetensors_read(&file, path, err)) {
        fuzz_check(!file, "a refused file left something behind");
        return false;
    }
    size_t total = 0;
    for (int i = 0; i < invar_safetensors_count(file); i++) {
        const struct invar_array *array = invar_safetensors_get(file, invar_safetensors_name(file, i));
        fuzz_check(array != NULL, "a name leads nowhere");
        total += (size_t)invar_array_count(array) * invar_dtype_size(array->dtype);
    }
    fuzz_check(total < input->size, "tensors are larger than their file");
    invar_safetensors_free(file);
    return true;
}

static void make_seed(struct fuzz_input *seed, const char *header, size_t data_size)
{
    uint64_t length = strlen(header);
    memcpy(seed->data, &length, 8);
    memcpy(seed->data + 8, header, length);
    seed->size = 8 + length + data_size;
}

/* Most mutations change the length of the header, which alone refuses them all: where the mark '~', the first byte of
 * the data, still stands, the length is corrected. */
static bool read_repaired(const struct fuzz_input *input, const char *path, struct invar_error *err)
{
    const unsigned char *end = input->size > 8 ? memchr(input->data + 8, '~', input->size - 8) : NULL;
    if (!end)
        return read_tensors(input, path, err);
    uint64_t length = (uint64_t)(end - input->data) - 8;
    FILE *file = fopen(path, "r+b");
    fuzz_check(file && fwrite(&length, 1, 8, file) == 8, "the file in memory could not be repaired");
    fclose(file);
    return read_tensors(input, path, err);
}

int main(void)
{
    static struct fuzz_input seeds[3];
    make_seed(&seeds[0],
              "{\"__metadata__\":{\"k\":\"v\"},\"a\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[0,8]},"
              "\"b\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[8,11]}}",
              11);
    make_seed(&seeds[1], "{\"x\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,8]}}   ", 8);
    make_seed(&seeds[2],
              "{\"__metadata__\":{\"invar.crc32\":\"00000000\"},\"e\":{\"dtype\":\"F64\",\"shape\":[0,2],"
              "\"data_offsets\":[0,0]}}",
              0);
    for (int i = 0; i < 2; i++)
        seeds[i].data[8 + strlen((char *)seeds[i].data + 8)] = '~';
    return fuzz_run("safetensors", seeds, 3, tokens, read_repaired, 100000);
}
