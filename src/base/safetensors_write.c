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
    bool ok = false;

    struct table_item **items = table_ordered(&file->tensors, compare_widths, err);
    if (!items)
        return false;
    if (write_header(&header, file, lay_out(items, file->tensors.count), err))
        writer = invar_writer_open(path, err);
    ok = writer && put_header(writer, header.text.data, err);
    for (int i = 0; ok && i < file->tensors.count; i++)
        ok = invar_writer_put(writer, items[i]->array.data, (size_t)(items[i]->end - items[i]->begin), err);
    ok = ok && invar_writer_commit(writer, err);
    invar_writer_close(writer);
    json_writer_free(&header);
    invar_free(items);
    return ok;
}
