/* SPDX-License-Identifier: Apache-2.0 */
/* A safetensors file in memory. Reading and writing it are in safetensors_read.c and safetensors_write.c. */
#include "base/safetensors.h"
#include "invar/memory.h"
#include <string.h>

static const char *const type_names[] = {
    [INVAR_FLOAT32] = "F32", [INVAR_FLOAT64] = "F64",   [INVAR_INT64] = "I64",
    [INVAR_UINT8] = "U8",    [INVAR_BFLOAT16] = "BF16", [INVAR_UINT16] = "U16",
};

const char *safetensors_type_name(enum invar_dtype dtype)
{
    return type_names[dtype];
}

bool safetensors_type_find(const char *name, enum invar_dtype *dtype)
{
    for (size_t i = 0; i < sizeof type_names / sizeof type_names[0]; i++)
        if (strcmp(type_names[i], name) == 0) {
            *dtype = (enum invar_dtype)i;
            return true;
        }
    return false;
}

struct invar_safetensors *invar_safetensors_create(struct invar_error *err)
{
    return invar_alloc(1, sizeof(struct invar_safetensors), err);
}

void invar_safetensors_free(struct invar_safetensors *file)
{
    if (!file)
        return;
    table_free(&file->tensors);
    table_free(&file->metadata);
    invar_free(file);
}

static struct table_item *insert(struct invar_safetensors *file, const char *name, struct invar_error *err)
{
    if (!table_find(&file->tensors, name) && strcmp(name, SAFETENSORS_METADATA) != 0)
        return table_insert(&file->tensors, name, err);
    invar_error_set(err, INVAR_ERROR_DATA, "the name '%s' stands twice among the arrays of one file", name);
    return NULL;
}

bool safetensors_add_pieces(struct invar_safetensors *file, const char *name, enum invar_dtype dtype, int64_t count,
                            table_give *give, void *user, int which, struct invar_error *err)
{
    struct table_item *item = insert(file, name, err);

    if (!item)
        return false;
    item->array = (struct invar_array){.dtype = dtype, .rank = 1, .shape = {count}};
    item->give = give;
    item->user = user;
    item->which = which;
    return true;
}

bool invar_safetensors_add(struct invar_safetensors *file, const char *name, const struct invar_array *array,
                           struct invar_error *err)
{
    struct invar_array copy;
    if (!invar_array_alloc(&copy, array->dtype, array->rank, array->shape, err))
        return false;
    struct table_item *item = insert(file, name, err);
    if (!item) {
        invar_array_free(&copy);
        return false;
    }
    size_t size = (size_t)invar_array_count(array) * invar_dtype_size(array->dtype);
    if (size)
        memcpy(copy.data, array->data, size);
    item->array = copy;
    return true;
}

bool invar_safetensors_set_metadata(struct invar_safetensors *file, const char *key, const char *value,
                                    struct invar_error *err)
{
    char *copy = invar_strdup(value, err);
    if (!copy)
        return false;
    struct table_item *item = table_find(&file->metadata, key);
    if (!item)
        item = table_insert(&file->metadata, key, err);
    if (!item) {
        invar_free(copy);
        return false;
    }
    invar_free(item->text);
    item->text = copy;
    return true;
}

const struct invar_array *invar_safetensors_get(const struct invar_safetensors *file, const char *name)
{
    const struct table_item *item = table_find(&file->tensors, name);
    return item ? &item->array : NULL;
}

const char *invar_safetensors_metadata(const struct invar_safetensors *file, const char *key)
{
    const struct table_item *item = table_find(&file->metadata, key);
    return item ? item->text : NULL;
}

int invar_safetensors_count(const struct invar_safetensors *file)
{
    return file->tensors.count;
}

const char *invar_safetensors_name(const struct invar_safetensors *file, int i)
{
    return i >= 0 && i < file->tensors.count ? file->tensors.items[i]->name : NULL;
}
