/* SPDX-License-Identifier: Apache-2.0 */
/* Writes safetensors. The header names tensors in order of name; the data lie with the widest types first, so that
 * every tensor is aligned to its type without a hole, which the format forbids. */
#include "base/safetensors.h"
#include "base/json.h"
#include "invar/expert/file.h"
#include "invar/memory.h"
#include <cJSON.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 8u

static int compare_widths(const void *a, const void *b)
{
    const struct table_item *const *left = a, *const *right = b;
    size_t left_size = invar_dtype_size((*left)->array.dtype), right_size = invar_dtype_size((*right)->array.dtype);
    if (left_size != right_size)
        return left_size > right_size ? -1 : 1;
    return strcmp((*left)->name, (*right)->name);
}

/* Gives every tensor its place in the data; returns the checksum of all of them. */
static uint32_t lay_out(struct table_item **items, int count)
{
    uint64_t at = 0;
    uint32_t crc = 0;
    for (int i = 0; i < count; i++) {
        size_t size = (size_t)invar_array_count(&items[i]->array) * invar_dtype_size(items[i]->array.dtype);
        items[i]->begin = at;
        items[i]->end = at += size;
        crc = invar_crc32(crc, items[i]->array.data, size);
    }
    return crc;
}

static bool add_number(cJSON *list, double value)
{
    cJSON *number = cJSON_CreateNumber(value);
    return number && cJSON_AddItemToArray(list, number);
}

static bool describe_tensor(cJSON *root, const struct table_item *item)
{
    cJSON *tensor = cJSON_AddObjectToObject(root, item->name);
    bool ok = cJSON_AddStringToObject(tensor, "dtype", safetensors_type_name(item->array.dtype)) != NULL;
    cJSON *shape = cJSON_AddArrayToObject(tensor, "shape");
    for (int i = 0; i < item->array.rank; i++)
        ok = ok && shape && add_number(shape, (double)item->array.shape[i]);
    cJSON *offsets = cJSON_AddArrayToObject(tensor, "data_offsets");
    return ok && offsets && add_number(offsets, (double)item->begin) && add_number(offsets, (double)item->end);
}

static bool describe_metadata(cJSON *root, const struct table *metadata, const char *crc)
{
    cJSON *object = cJSON_AddObjectToObject(root, SAFETENSORS_METADATA);
    bool ok = cJSON_AddStringToObject(object, SAFETENSORS_CRC_KEY, crc) != NULL;
    for (int i = 0; ok && i < metadata->count; i++)
        if (strcmp(metadata->items[i]->name, SAFETENSORS_CRC_KEY) != 0)
            ok = cJSON_AddStringToObject(object, metadata->items[i]->name, metadata->items[i]->text) != NULL;
    return ok;
}

/* The header as JSON text, freed with cJSON_free. */
static char *format_header(const struct invar_safetensors *file, uint32_t crc, struct invar_error *err)
{
    char crc_text[SAFETENSORS_CRC_SIZE];
    snprintf(crc_text, sizeof crc_text, "%08x", crc);
    cJSON *root = cJSON_CreateObject();
    bool ok = root && describe_metadata(root, &file->metadata, crc_text);
    for (int i = 0; ok && i < file->tensors.count; i++)
        ok = describe_tensor(root, file->tensors.items[i]);
    char *text = ok ? json_print(root, false, "a safetensors header", err) : NULL;
    cJSON_Delete(root);
    if (!ok)
        invar_error_set(err, INVAR_ERROR_MEMORY, "memory for a safetensors header could not be had");
    return text;
}

static bool put_header(struct invar_writer *writer, const char *text, struct invar_error *err)
{
    static const char spaces[ALIGNMENT + 1] = "        ";
    uint64_t size = strlen(text), padded = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return invar_writer_put(writer, &padded, sizeof padded, err) && invar_writer_put(writer, text, size, err) &&
           invar_writer_put(writer, spaces, padded - size, err);
}

bool invar_safetensors_write(const struct invar_safetensors *file, const char *path, struct invar_error *err)
{
    struct invar_writer *writer = NULL;
    char *header = NULL;
    bool ok = false;

    struct table_item **items = table_ordered(&file->tensors, compare_widths, err);
    if (!items)
        return false;
    header = format_header(file, lay_out(items, file->tensors.count), err);
    writer = header ? invar_writer_open(path, err) : NULL;
    ok = writer && put_header(writer, header, err);
    for (int i = 0; ok && i < file->tensors.count; i++)
        ok = invar_writer_put(writer, items[i]->array.data, (size_t)(items[i]->end - items[i]->begin), err);
    ok = ok && invar_writer_commit(writer, err);
    invar_writer_close(writer);
    cJSON_free(header);
    invar_free(items);
    return ok;
}
