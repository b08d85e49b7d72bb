/* SPDX-License-Identifier: Apache-2.0 */
/* Writes safetensors. The header names tensors in order of name; the data lie with the widest types first, so that
 * every tensor is aligned to its type without a hole, which the format forbids. */
#include "base/safetensors.h"
#include "base/json_write.h"
#include "invar/expert/file.h"
#include "invar/memory.h"
#include <stdio.h>
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

struct sum {
    uint32_t crc;
    uint64_t size;
};

static bool take_sum(void *to, const void *data, size_t size, struct invar_error *err)
{
    struct sum *sum = to;

    (void)err;
    sum->crc = invar_crc32(sum->crc, data, size);
    sum->size += size;
    return true;
}

static bool take_bytes(void *to, const void *data, size_t size, struct invar_error *err)
{
    return invar_writer_put(to, data, size, err);
}

static bool pass_on(const struct table_item *item, table_take *take, void *to, struct invar_error *err)
{
    return item->give ? item->give(item->user, item->which, take, to, err)
                      : take(to, item->array.data, (size_t)(item->end - item->begin), err);
}

/* Gives every tensor its place in the data, and finds the checksum of all of them. */
static bool lay_out(struct table_item **items, int count, uint32_t *crc, struct invar_error *err)
{
    struct sum sum = {0};

    for (int i = 0; i < count; i++) {
        items[i]->begin = sum.size;
        items[i]->end =
            sum.size + (uint64_t)invar_array_count(&items[i]->array) * invar_dtype_size(items[i]->array.dtype);
        if (!pass_on(items[i], take_sum, &sum, err))
            return false;
        if (sum.size != items[i]->end)
            return invar_error_set(err, INVAR_ERROR_DATA, "%s: %llu bytes were given, expected %llu", items[i]->name,
                                   (unsigned long long)(sum.size - items[i]->begin),
                                   (unsigned long long)(items[i]->end - items[i]->begin));
    }
    *crc = sum.crc;
    return true;
}

static void put_tensor(struct json_writer *w, const struct table_item *item)
{
    json_open_object(w, item->name);
    json_text(w, "dtype", safetensors_type_name(item->array.dtype));
    json_open_array(w, "shape");
    for (int i = 0; i < item->array.rank; i++)
        json_number(w, NULL, (double)item->array.shape[i]);
    json_close(w);
    json_numbers(w, "data_offsets", (double[]){(double)item->begin, (double)item->end}, 2);
    json_close(w);
}

static void put_metadata(struct json_writer *w, const struct table *metadata, uint32_t crc)
{
    char text[SAFETENSORS_CRC_SIZE];

    snprintf(text, sizeof text, "%08x", crc);
    json_open_object(w, SAFETENSORS_METADATA);
    json_text(w, SAFETENSORS_CRC_KEY, text);
    for (int i = 0; i < metadata->count; i++)
        if (strcmp(metadata->items[i]->name, SAFETENSORS_CRC_KEY) != 0)
            json_text(w, metadata->items[i]->name, metadata->items[i]->text);
    json_close(w);
}

static bool write_header(struct json_writer *w, const struct invar_safetensors *file, uint32_t crc,
                         struct invar_error *err)
{
    json_open_object(w, NULL);
    put_metadata(w, &file->metadata, crc);
    for (int i = 0; i < file->tensors.count; i++)
        put_tensor(w, file->tensors.items[i]);
    json_close(w);
    return json_written(w, "a safetensors header", err);
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
    struct json_writer header = {0};
    uint32_t crc = 0;
    bool ok = false;

    struct table_item **items = table_ordered(&file->tensors, compare_widths, err);
    if (!items)
        return false;
    if (lay_out(items, file->tensors.count, &crc, err) && write_header(&header, file, crc, err))
        writer = invar_writer_open(path, err);
    ok = writer && put_header(writer, header.text.data, err);
    for (int i = 0; ok && i < file->tensors.count; i++)
        ok = pass_on(items[i], take_bytes, writer, err);
    ok = ok && invar_writer_commit(writer, err);
    invar_writer_close(writer);
    json_writer_free(&header);
    invar_free(items);
    return ok;
}
