/* SPDX-License-Identifier: Apache-2.0 */
/* Reads safetensors: eight bytes header length, a JSON header, then the data. Nothing in the file is believed before it
 * is checked against the size of the file. */
#include "base/safetensors.h"
#include "base/json.h"
#include "base/stream.h"
#include "invar/expert/file.h"
#include "invar/memory.h"
#include <cJSON.h>
#include <math.h>
#include <string.h>

#define HEADER_LIMIT ((uint64_t)16 << 20)
#define HEADER_VALUES ((size_t)1 << 21)
#define LARGEST_EXACT_INTEGER 0x1p53

static bool refuse(const char *path, const char *name, const char *what, struct invar_error *err)
{
    return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: tensor '%.100s' %s", path, name, what);
}

static bool natural(const cJSON *json, uint64_t *out)
{
    if (!cJSON_IsNumber(json) || !(json->valuedouble >= 0 && json->valuedouble <= LARGEST_EXACT_INTEGER) ||
        json->valuedouble != floor(json->valuedouble))
        return false;
    *out = (uint64_t)json->valuedouble;
    return true;
}

static bool parse_type(struct table_item *item, const cJSON *json, const char *path, struct invar_error *err)
{
    const char *type = cJSON_GetStringValue(json);
    if (!type)
        return refuse(path, item->name, "has no dtype", err);
    item->half = strcmp(type, "F16") == 0;
    return item->half || safetensors_type_find(type, &item->array.dtype) ||
           invar_error_set(
               err, INVAR_ERROR_FORMAT,
               "%s: tensor '%.100s' is of type %.20s, expected F32, F64, I64, U8, F16 or BF16; convert it to F32", path,
               item->name, type);
}

static bool parse_shape(struct invar_array *array, const cJSON *json, const char *name, const char *path,
                        struct invar_error *err)
{
    if (!cJSON_IsArray(json))
        return refuse(path, name, "has no shape", err);
    const cJSON *element;
    cJSON_ArrayForEach(element, json)
    {
        uint64_t dimension;
        if (array->rank == INVAR_MAX_RANK)
            return refuse(path, name, "has more dimensions than are read here", err);
        if (!natural(element, &dimension))
            return refuse(path, name, "has a shape that is not a list of natural numbers", err);
        array->shape[array->rank++] = (int64_t)dimension;
    }
    return true;
}

static bool parse_offsets(struct table_item *item, const cJSON *json, uint64_t data_size, const char *path,
                          struct invar_error *err)
{
    size_t size = item->half ? sizeof(uint16_t) : invar_dtype_size(item->array.dtype);
    if (!cJSON_IsArray(json) || cJSON_GetArraySize(json) != 2 || !natural(cJSON_GetArrayItem(json, 0), &item->begin) ||
        !natural(cJSON_GetArrayItem(json, 1), &item->end))
        return refuse(path, item->name, "has no data_offsets of two natural numbers", err);
    if (item->begin > item->end || item->end > data_size)
        return refuse(path, item->name, "lies outside the file; the file is truncated or corrupt", err);
    for (int i = 0; i < item->array.rank; i++)
        if (!invar_size_multiply(size, (size_t)item->array.shape[i], &size))
            return refuse(path, item->name, "has a shape larger than memory can address", err);
    if (size != item->end - item->begin)
        return refuse(path, item->name, "has a shape that does not match its number of bytes", err);
    return true;
}

static bool parse_tensor(struct invar_safetensors *file, const cJSON *json, uint64_t data_size, const char *path,
                         struct invar_error *err)
{
    if (!cJSON_IsObject(json))
        return refuse(path, json->string, "is not described by an object", err);
    struct table_item *item = table_append(&file->tensors, json->string, err);
    return item && parse_type(item, cJSON_GetObjectItemCaseSensitive(json, "dtype"), path, err) &&
           parse_shape(&item->array, cJSON_GetObjectItemCaseSensitive(json, "shape"), item->name, path, err) &&
           parse_offsets(item, cJSON_GetObjectItemCaseSensitive(json, "data_offsets"), data_size, path, err);
}

static bool parse_metadata(struct invar_safetensors *file, const cJSON *json, const char *path, struct invar_error *err)
{
    const cJSON *entry;
    if (!cJSON_IsObject(json) || file->metadata.count)
        return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: its " SAFETENSORS_METADATA " is not one object", path);
    cJSON_ArrayForEach(entry, json)
    {
        const char *text = cJSON_GetStringValue(entry);
        if (!text)
            return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: its metadata '%.100s' is not a text", path,
                                   entry->string);
        struct table_item *item = table_append(&file->metadata, entry->string, err);
        if (!item)
            return false;
        item->text = invar_strdup(text, err);
        if (!item->text)
            return false;
    }
    return true;
}

static bool parse_header(struct invar_safetensors *file, const cJSON *root, uint64_t data_size, const char *path,
                         struct invar_error *err)
{
    const cJSON *entry;
    if (!cJSON_IsObject(root))
        return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: its safetensors header is not valid JSON", path);
    cJSON_ArrayForEach(entry, root)
    {
        bool ok = strcmp(entry->string, SAFETENSORS_METADATA) == 0 ? parse_metadata(file, entry, path, err)
                                                                   : parse_tensor(file, entry, data_size, path, err);
        if (!ok)
            return false;
    }
    const char *twice = table_sort(&file->tensors);
    if (!twice)
        twice = table_sort(&file->metadata);
    if (twice)
        return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: the name '%.100s' stands twice in its header", path,
                               twice);
    return true;
}

/* The header, parsed; *data_size becomes the bytes that follow it. Delete with cJSON_Delete. */
static cJSON *read_header(FILE *stream, uint64_t file_size, uint64_t *data_size, const char *path,
                          struct invar_error *err)
{
    uint64_t length = 0;
    if (file_size < sizeof length + 2) {
        invar_error_set(err, INVAR_ERROR_FORMAT, "%s: is not a safetensors file; it has only %llu bytes", path,
                        (unsigned long long)file_size);
        return NULL;
    }
    if (!stream_read(stream, &length, sizeof length, path, err))
        return NULL;
    if (length < 2 || length > HEADER_LIMIT || length > file_size - sizeof length) {
        invar_error_set(err, INVAR_ERROR_FORMAT,
                        "%s: is not a safetensors file, or truncated; it claims a header of %llu bytes", path,
                        (unsigned long long)length);
        return NULL;
    }
    *data_size = file_size - sizeof length - length;
    char *text = invar_alloc((size_t)length + 1, 1, err);
    if (!text || !stream_read(stream, text, (size_t)length, path, err)) {
        invar_free(text);
        return NULL;
    }
    struct invar_error why = {0};
    cJSON *root = json_parse(text, (size_t)length, HEADER_VALUES, path, "", &why);
    if (!root && why.code == INVAR_ERROR_MEMORY)
        invar_error_set(err, why.code, "%s", why.message);
    else if (!root)
        invar_error_set(err, INVAR_ERROR_FORMAT, "%s: its safetensors header is not valid JSON", path);
    invar_free(text);
    return root;
}

static int compare_places(const void *a, const void *b)
{
    const struct table_item *const *left = a, *const *right = b;
    if ((*left)->begin != (*right)->begin)
        return (*left)->begin < (*right)->begin ? -1 : 1;
    if ((*left)->end != (*right)->end)
        return (*left)->end < (*right)->end ? -1 : 1;
    return 0;
}

static bool check_places(struct table_item *const *items, int count, uint64_t data_size, const char *path,
                         struct invar_error *err)
{
    uint64_t end = 0;
    for (int i = 0; i < count; i++) {
        if (items[i]->begin != end)
            return refuse(path, items[i]->name,
                          items[i]->begin < end ? "overlaps another" : "is preceded by bytes that belong to none", err);
        end = items[i]->end;
    }
    if (end != data_size)
        return invar_error_set(err, INVAR_ERROR_FORMAT,
                               "%s: holds %llu bytes of data where its header describes %llu; it is corrupt", path,
                               (unsigned long long)data_size, (unsigned long long)end);
    return true;
}

static float widen(uint16_t half)
{
    const int exponent = (half >> 10) & 31, fraction = half & 1023;
    const float size = exponent == 31 ? (fraction ? NAN : INFINITY)
                       : exponent     ? ldexpf((float)(1024 + fraction), exponent - 25)
                                      : ldexpf((float)fraction, -24);

    return half & 0x8000 ? -size : size;
}

/* The numbers of size bytes of float16 at the end of the array's memory, from the first on: none is overwritten before
 * it is read, since two bytes become four. */
static void widen_all(struct invar_array *array, size_t size)
{
    const size_t count = size / sizeof(uint16_t);
    unsigned char *bytes = array->data;

    for (size_t i = 0; i < count; i++) {
        uint16_t half;
        memcpy(&half, bytes + size + i * sizeof half, sizeof half);
        const float value = widen(half);
        memcpy(bytes + i * sizeof value, &value, sizeof value);
    }
}

/* Reads the data in the order in which they lie; *crc becomes that of all of them. */
static bool read_data(struct table_item *const *items, int count, FILE *stream, uint32_t *crc, const char *path,
                      struct invar_error *err)
{
    *crc = 0;
    for (int i = 0; i < count; i++) {
        struct invar_array header = items[i]->array, *array = &items[i]->array;
        size_t size = (size_t)(items[i]->end - items[i]->begin);
        if (!invar_array_alloc(array, header.dtype, header.rank, header.shape, err))
            return false;
        unsigned char *data = (unsigned char *)array->data + (items[i]->half ? size : 0);
        if (!stream_read(stream, data, size, path, err))
            return false;
        *crc = invar_crc32(*crc, data, size);
        if (items[i]->half)
            widen_all(array, size);
    }
    return true;
}

static bool check_crc(const struct invar_safetensors *file, uint32_t crc, const char *path, struct invar_error *err)
{
    char text[SAFETENSORS_CRC_SIZE];
    const char *expected = invar_safetensors_metadata(file, SAFETENSORS_CRC_KEY);
    snprintf(text, sizeof text, "%08x", crc);
    return !expected || strcmp(expected, text) == 0 ||
           invar_error_set(err, INVAR_ERROR_FORMAT, "%s: its data do not match their checksum; the file is damaged",
                           path);
}

bool invar_safetensors_read(struct invar_safetensors **out, const char *path, struct invar_error *err)
{
    struct invar_safetensors *file = NULL;
    struct table_item **items = NULL;
    cJSON *root = NULL;
    uint64_t file_size = 0, data_size = 0;
    uint32_t crc = 0;
    bool ok = false;

    FILE *stream = stream_open(path, &file_size, err);
    if (!stream)
        return false;
    file = invar_safetensors_create(err);
    root = file ? read_header(stream, file_size, &data_size, path, err) : NULL;
    if (!root || !parse_header(file, root, data_size, path, err))
        goto done;
    items = table_ordered(&file->tensors, compare_places, err);
    if (!items || !check_places(items, file->tensors.count, data_size, path, err) ||
        !read_data(items, file->tensors.count, stream, &crc, path, err) || !check_crc(file, crc, path, err))
        goto done;
    *out = file;
    file = NULL;
    ok = true;
done:
    fclose(stream);
    cJSON_Delete(root);
    invar_free(items);
    invar_safetensors_free(file);
    return ok;
}

bool safetensors_read_metadata(struct invar_safetensors **out, const char *path, struct invar_error *err)
{
    uint64_t file_size = 0, data_size = 0;
    FILE *stream = stream_open(path, &file_size, err);

    if (!stream)
        return false;
    cJSON *root = read_header(stream, file_size, &data_size, path, err);
    const cJSON *metadata = cJSON_GetObjectItemCaseSensitive(root, SAFETENSORS_METADATA);
    struct invar_safetensors *file = root ? invar_safetensors_create(err) : NULL;
    bool ok = file && (!metadata || parse_metadata(file, metadata, path, err));
    if (ok)
        table_sort(&file->metadata);
    if (ok)
        *out = file;
    else
        invar_safetensors_free(file);
    fclose(stream);
    cJSON_Delete(root);
    return ok;
}
