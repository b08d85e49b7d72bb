/* SPDX-License-Identifier: Apache-2.0 */
/* The .npy format of NumPy: magic, version, length of a header that is a Python dictionary literal, then the data. */
#include "invar/array.h"
#include "invar/expert/file.h"
#include "invar/memory.h"
#include "base/npy.h"
#include "base/offered.h"
#include "base/stream.h"
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "arrays are read and written as they lie in memory");

#define MAGIC "\x93NUMPY"
#define MAGIC_SIZE 6
#define HEADER_LIMIT 65536u

struct npy_type {
    const char *descr;
    enum invar_dtype dtype;
    size_t file_size; /* bytes an element takes in the file */
};

static const struct npy_type npy_types[] = {
    {"<f4", INVAR_FLOAT32, 4}, {"<f8", INVAR_FLOAT64, 8}, {"<i8", INVAR_INT64, 8},  {"<i4", INVAR_INT64, 4},
    {"|u1", INVAR_UINT8, 1},   {"|b1", INVAR_UINT8, 1},   {"<u2", INVAR_UINT16, 2},
};
#define TYPE_COUNT (sizeof npy_types / sizeof npy_types[0])

struct npy_header {
    const struct npy_type *type;
    bool fortran, has_order, has_shape;
    int rank;
    int64_t shape[INVAR_MAX_RANK];
};

struct cursor {
    const char *at;
    const char *path;
    struct invar_error *err;
};

static bool malformed(const struct cursor *cursor)
{
    return invar_error_set(cursor->err, INVAR_ERROR_FORMAT, "%s: its .npy header is malformed", cursor->path);
}

static void skip_space(struct cursor *cursor)
{
    while (*cursor->at == ' ' || *cursor->at == '\n' || *cursor->at == '\t')
        cursor->at++;
}

static bool accept(struct cursor *cursor, char c)
{
    skip_space(cursor);
    if (*cursor->at != c)
        return false;
    cursor->at++;
    return true;
}

/* A quoted string without escapes into text. */
static bool parse_string(struct cursor *cursor, char *text, size_t size)
{
    skip_space(cursor);
    char quote = *cursor->at;
    if (quote != '\'' && quote != '"')
        return malformed(cursor);
    const char *start = cursor->at + 1;
    const char *end = strchr(start, quote);
    if (!end || (size_t)(end - start) >= size)
        return malformed(cursor);
    memcpy(text, start, (size_t)(end - start));
    text[end - start] = '\0';
    cursor->at = end + 1;
    return true;
}

static bool parse_type(struct cursor *cursor, struct npy_header *header)
{
    char descr[32];
    skip_space(cursor);
    if (*cursor->at == '[')
        return invar_error_set(cursor->err, INVAR_ERROR_FORMAT,
                               "%s: holds records, expected plain numbers (<f4 <f8 <i8 <i4 <u2 |u1 |b1)", cursor->path);
    if (!parse_string(cursor, descr, sizeof descr))
        return false;
    for (size_t i = 0; i < TYPE_COUNT; i++)
        if (strcmp(descr, npy_types[i].descr) == 0)
            header->type = &npy_types[i];
    if (strchr(descr, 'O'))
        return invar_error_set(
            cursor->err, INVAR_ERROR_FORMAT,
            "%s: holds Python objects, expected plain numbers (<f4 <f8 <i8 <i4 <u2 |u1 |b1); rows of "
            "unequal length make such arrays",
            cursor->path);
    if (!header->type)
        return invar_error_set(cursor->err, INVAR_ERROR_FORMAT,
                               "%s: element type '%s' is not read here, expected one of <f4 <f8 <i8 <i4 <u2 |u1 |b1; "
                               "convert it with numpy's astype",
                               cursor->path, descr);
    return true;
}

static bool parse_order(struct cursor *cursor, struct npy_header *header)
{
    skip_space(cursor);
    header->has_order = true;
    header->fortran = strncmp(cursor->at, "True", 4) == 0;
    if (!header->fortran && strncmp(cursor->at, "False", 5) != 0)
        return malformed(cursor);
    cursor->at += header->fortran ? 4 : 5;
    return true;
}

static bool parse_dimension(struct cursor *cursor, int64_t *out)
{
    int64_t value = 0;
    if (*cursor->at < '0' || *cursor->at > '9')
        return malformed(cursor);
    for (; *cursor->at >= '0' && *cursor->at <= '9'; cursor->at++)
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *cursor->at - '0', &value))
            return invar_error_set(cursor->err, INVAR_ERROR_FORMAT, "%s: a dimension in its header is beyond 2^63",
                                   cursor->path);
    *out = value;
    return true;
}

static bool parse_shape(struct cursor *cursor, struct npy_header *header)
{
    header->has_shape = true;
    header->rank = 0;
    if (!accept(cursor, '('))
        return malformed(cursor);
    while (!accept(cursor, ')')) {
        if (header->rank == INVAR_MAX_RANK)
            return invar_error_set(cursor->err, INVAR_ERROR_FORMAT, "%s: has more than %d dimensions", cursor->path,
                                   INVAR_MAX_RANK);
        if (!parse_dimension(cursor, &header->shape[header->rank]))
            return false;
        header->rank++;
        skip_space(cursor);
        if (!accept(cursor, ',') && *cursor->at != ')')
            return malformed(cursor);
    }
    return true;
}

static bool parse_entry(struct cursor *cursor, struct npy_header *header)
{
    char key[32];
    if (!parse_string(cursor, key, sizeof key))
        return false;
    if (!accept(cursor, ':'))
        return malformed(cursor);
    if (strcmp(key, "descr") == 0)
        return parse_type(cursor, header);
    if (strcmp(key, "fortran_order") == 0)
        return parse_order(cursor, header);
    if (strcmp(key, "shape") == 0)
        return parse_shape(cursor, header);
    return malformed(cursor);
}

static bool parse_header(const char *text, struct npy_header *header, const char *path, struct invar_error *err)
{
    struct cursor cursor = {.at = text, .path = path, .err = err};
    *header = (struct npy_header){0};
    if (!accept(&cursor, '{'))
        return malformed(&cursor);
    while (!accept(&cursor, '}')) {
        if (!parse_entry(&cursor, header))
            return false;
        skip_space(&cursor);
        if (!accept(&cursor, ',') && *cursor.at != '}')
            return malformed(&cursor);
    }
    skip_space(&cursor);
    if (*cursor.at || !header->type || !header->has_order || !header->has_shape)
        return malformed(&cursor);
    if (header->fortran && header->rank > 1)
        return invar_error_set(err, INVAR_ERROR_FORMAT,
                               "%s: is in Fortran order, expected C order; save numpy.ascontiguousarray of it", path);
    return true;
}

/* The header text, NUL-terminated, from a stream at its start; *data_size becomes the bytes that follow it. */
static char *read_header_text(FILE *stream, uint64_t file_size, uint64_t *data_size, const char *path,
                              struct invar_error *err)
{
    unsigned char start[MAGIC_SIZE + 6] = {0};
    if (file_size < MAGIC_SIZE + 4 || fread(start, 1, MAGIC_SIZE + 2, stream) != MAGIC_SIZE + 2 ||
        memcmp(start, MAGIC, MAGIC_SIZE) != 0) {
        invar_error_set(err, INVAR_ERROR_FORMAT, "%s: is not a .npy file", path);
        return NULL;
    }
    unsigned major = start[MAGIC_SIZE], minor = start[MAGIC_SIZE + 1];
    if (major < 1 || major > 3 || minor != 0) {
        invar_error_set(err, INVAR_ERROR_FORMAT, "%s: is .npy version %u.%u, expected 1.0, 2.0 or 3.0", path, major,
                        minor);
        return NULL;
    }
    size_t width = major == 1 ? 2 : 4;
    uint32_t length = 0;
    if (!stream_read(stream, &length, width, path, err))
        return NULL;
    uint64_t before = MAGIC_SIZE + 2 + width;
    if (length > HEADER_LIMIT || length > file_size - before) {
        invar_error_set(err, INVAR_ERROR_FORMAT, "%s: truncated or corrupt; it claims a header of %u bytes", path,
                        (unsigned)length);
        return NULL;
    }
    *data_size = file_size - before - length;
    char *text = invar_alloc((size_t)length + 1, 1, err);
    if (text && !stream_read(stream, text, length, path, err)) {
        invar_free(text);
        return NULL;
    }
    return text;
}

static bool check_size(const struct npy_header *header, uint64_t data_size, const char *path, struct invar_error *err)
{
    size_t expected = header->type->file_size;
    for (int i = 0; i < header->rank; i++)
        if (!invar_size_multiply(expected, (size_t)header->shape[i], &expected))
            return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: its shape is larger than memory can address", path);
    if (expected != data_size)
        return invar_error_set(err, INVAR_ERROR_FORMAT,
                               "%s: holds %llu bytes of data where its header says %zu; it is %s", path,
                               (unsigned long long)data_size, expected,
                               data_size < expected ? "truncated" : "corrupt or holds more than one array");
    return true;
}

/* int32 values at the start of the buffer become int64 values that fill it; from the end, since they grow. */
static void widen(void *data, int64_t count)
{
    unsigned char *bytes = data;
    for (int64_t i = count - 1; i >= 0; i--) {
        int32_t narrow;
        memcpy(&narrow, bytes + i * 4, sizeof narrow);
        int64_t wide = narrow;
        memcpy(bytes + i * 8, &wide, sizeof wide);
    }
}

static bool read_header(struct npy_header *header, const char *path, struct invar_error *err)
{
    uint64_t file_size = 0, data_size = 0;
    FILE *stream = stream_open(path, &file_size, err);
    char *text = stream ? read_header_text(stream, file_size, &data_size, path, err) : NULL;
    const bool ok = text && parse_header(text, header, path, err) && check_size(header, data_size, path, err);

    if (stream)
        fclose(stream);
    invar_free(text);
    return ok;
}

bool npy_is_bool(const char *path)
{
    struct npy_header header;

    return strncmp(path, OFFERED_PREFIX, strlen(OFFERED_PREFIX)) != 0 && read_header(&header, path, NULL) &&
           strcmp(header.type->descr, "|b1") == 0;
}

bool invar_npy_describe(struct invar_array *out, const char *path, struct invar_error *err)
{
    struct npy_header header;

    if (strncmp(path, OFFERED_PREFIX, strlen(OFFERED_PREFIX)) == 0)
        return offered_read(out, path, false, err);
    const bool ok = read_header(&header, path, err);

    *out = (struct invar_array){0};
    if (ok) {
        out->dtype = header.type->dtype;
        out->rank = header.rank;
        memcpy(out->shape, header.shape, sizeof out->shape);
    }
    return ok;
}

bool invar_npy_read(struct invar_array *out, const char *path, struct invar_error *err)
{
    struct invar_array array = {0};
    struct npy_header header;
    char *text = NULL;
    uint64_t file_size = 0, data_size = 0;
    bool ok = false;

    if (strncmp(path, OFFERED_PREFIX, strlen(OFFERED_PREFIX)) == 0)
        return offered_read(out, path, true, err);
    FILE *stream = stream_open(path, &file_size, err);
    if (!stream)
        return false;
    text = read_header_text(stream, file_size, &data_size, path, err);
    if (!text || !parse_header(text, &header, path, err) || !check_size(&header, data_size, path, err) ||
        !invar_array_alloc(&array, header.type->dtype, header.rank, header.shape, err) ||
        !stream_read(stream, array.data, (size_t)data_size, path, err))
        goto done;
    if (header.type->file_size < invar_dtype_size(array.dtype))
        widen(array.data, invar_array_count(&array));
    *out = array;
    array.data = NULL;
    ok = true;
done:
    fclose(stream);
    invar_free(text);
    invar_array_free(&array);
    return ok;
}

/* Magic, version, length and dictionary, padded so that the data start at a multiple of 64. Returns its size. */
static size_t format_header(char *out, size_t size, const struct invar_array *array, const char *descr)
{
    const size_t before = MAGIC_SIZE + 4;
    memcpy(out, MAGIC "\x01\x00", MAGIC_SIZE + 2);
    size_t used = before;
    used += (size_t)snprintf(out + used, size - used, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
    for (int i = 0; i < array->rank; i++)
        used += (size_t)snprintf(out + used, size - used,
                                 array->rank == 1 ? "%lld,"
                                 : i              ? ", %lld"
                                                  : "%lld",
                                 (long long)array->shape[i]);
    used += (size_t)snprintf(out + used, size - used, "), }");
    size_t total = (used + 1 + 63) / 64 * 64;
    memset(out + used, ' ', total - used);
    out[total - 1] = '\n';
    uint16_t length = (uint16_t)(total - before);
    memcpy(out + MAGIC_SIZE + 2, &length, sizeof length);
    return total;
}

bool invar_npy_put(struct invar_writer *writer, const struct invar_array *array, const char *path,
                   struct invar_error *err)
{
    const char *descr = NULL;
    for (size_t i = 0; i < TYPE_COUNT && !descr; i++)
        if (npy_types[i].dtype == array->dtype)
            descr = npy_types[i].descr;
    if (!descr)
        return invar_error_set(err, INVAR_ERROR_DATA, "%s: .npy has no type for %s; write float32", path,
                               invar_dtype_name(array->dtype));
    char header[512];
    size_t header_size = format_header(header, sizeof header, array, descr);
    size_t data_size = (size_t)invar_array_count(array) * invar_dtype_size(array->dtype);
    return invar_writer_put(writer, header, header_size, err) && invar_writer_put(writer, array->data, data_size, err);
}

bool invar_npy_write(const struct invar_array *array, const char *path, struct invar_error *err)
{
    struct invar_writer *writer = invar_writer_open(path, err);
    bool ok = writer && invar_npy_put(writer, array, path, err) && invar_writer_commit(writer, err);
    invar_writer_close(writer);
    return ok;
}
