/* SPDX-License-Identifier: Apache-2.0 */
#include "invar/array.h"
#include "invar/memory.h"
#include <string.h>

static const struct {
    const char *name;
    size_t size;
} types[] = {
    [INVAR_FLOAT32] = {"float32", 4}, [INVAR_FLOAT64] = {"float64", 8},   [INVAR_INT64] = {"int64", 8},
    [INVAR_UINT8] = {"uint8", 1},     [INVAR_BFLOAT16] = {"bfloat16", 2}, [INVAR_UINT16] = {"uint16", 2},
};

size_t invar_dtype_size(enum invar_dtype dtype)
{
    return types[dtype].size;
}

const char *invar_dtype_name(enum invar_dtype dtype)
{
    return types[dtype].name;
}

bool invar_array_alloc(struct invar_array *out, enum invar_dtype dtype, int rank, const int64_t *shape,
                       struct invar_error *err)
{
    struct invar_array array = {.dtype = dtype, .rank = rank};
    if (rank < 0 || rank > INVAR_MAX_RANK)
        return invar_error_set(err, INVAR_ERROR_DATA, "an array of %d dimensions, expected 0 to %d", rank,
                               INVAR_MAX_RANK);
    int64_t count = 1;
    for (int i = 0; i < rank; i++) {
        if (shape[i] < 0)
            return invar_error_set(err, INVAR_ERROR_DATA, "dimension %d of an array is negative (%lld)", i,
                                   (long long)shape[i]);
        if (__builtin_mul_overflow(count, shape[i], &count))
            return invar_error_set(err, INVAR_ERROR_MEMORY, "an array whose dimensions multiply to more than 2^63");
        array.shape[i] = shape[i];
    }
    array.data = invar_alloc((size_t)count, invar_dtype_size(dtype), err);
    if (!array.data)
        return false;
    *out = array;
    return true;
}

void invar_array_free(struct invar_array *array)
{
    invar_free(array->data);
    *array = (struct invar_array){0};
}

int64_t invar_array_count(const struct invar_array *array)
{
    int64_t count = 1;
    for (int i = 0; i < array->rank; i++)
        count *= array->shape[i];
    return count;
}

double invar_array_at(const struct invar_array *array, int64_t i)
{
    switch (array->dtype) {
    case INVAR_FLOAT32:
        return (double)((const float *)array->data)[i];
    case INVAR_FLOAT64:
        return ((const double *)array->data)[i];
    case INVAR_INT64:
        return (double)((const int64_t *)array->data)[i];
    case INVAR_UINT8:
        return (double)((const uint8_t *)array->data)[i];
    case INVAR_UINT16:
        return (double)((const uint16_t *)array->data)[i];
    case INVAR_BFLOAT16:
        break;
    }
    uint32_t bits = (uint32_t)((const uint16_t *)array->data)[i] << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return (double)value;
}

bool invar_array_convert(struct invar_array *out, const struct invar_array *in, enum invar_dtype dtype,
                         struct invar_error *err)
{
    if (dtype != INVAR_FLOAT32 && dtype != INVAR_FLOAT64)
        return invar_error_set(err, INVAR_ERROR_DATA, "an array cannot be converted to %s, only to float32 or float64",
                               invar_dtype_name(dtype));
    struct invar_array array;
    if (!invar_array_alloc(&array, dtype, in->rank, in->shape, err))
        return false;
    int64_t count = invar_array_count(in);
    for (int64_t i = 0; i < count; i++) {
        if (dtype == INVAR_FLOAT32)
            ((float *)array.data)[i] = (float)invar_array_at(in, i);
        else
            ((double *)array.data)[i] = invar_array_at(in, i);
    }
    *out = array;
    return true;
}
