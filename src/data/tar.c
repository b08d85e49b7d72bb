/* SPDX-License-Identifier: Apache-2.0 */
/* Tar archives: 512-byte headers, each followed by its file in whole blocks. Nothing is ever unpacked to disk. */
#include "data/tar.h"

#include "base/gzip.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 512
#define NAME_LIMIT 4096 /* a path, and a pax header */

struct reader {
    const struct data_tar *tar;
    const char *path;
    uint64_t place;             /* of the next header */
    char long_name[NAME_LIMIT]; /* from a pax or GNU entry, for the next file; "" when there is none */
    bool has_size;
    uint64_t size; /* from a pax entry, for the next file */
};

/* What the end of a gzip file says it unpacks to, modulo 2^32: anything where it is cut short, so never believed, but
 * a reason to count before memory is taken. */
static uint64_t stated_size(const struct data_tar *tar)
{
    uint8_t end[4] = {0};
    if (tar->size < 18 || !data_tar_read(tar, tar->size - 4, end, 4))
        return 0;
    return (uint64_t)end[3] << 24 | (uint64_t)end[2] << 16 | (uint64_t)end[1] << 8 | end[0];
}

/* Whether a gzip file of such an end stays within the limit, by unpacking it to nowhere. */
static bool check_limit(const char *path, size_t limit, struct invar_error *err)
{
    uint64_t size;

    if (!gzip_unpacked(path, limit, &size, err))
        return false;
    return size <= limit ||
           invar_error_set(err, INVAR_ERROR_DATA,
                           "%s: unpacks to more than %zu bytes; unpack it to a folder or raise data.memory_limit", path,
                           limit);
}

bool data_tar_open(struct data_tar *tar, const char *path, size_t limit, struct invar_error *err)
{
    struct stat info;
    uint8_t magic[2] = {0};

    tar->file = open(path, O_RDONLY | O_CLOEXEC);
    if (tar->file < 0 || fstat(tar->file, &info) != 0)
        return invar_error_set(err, INVAR_ERROR_FILE, "%s: cannot be opened: %s%s", path, strerror(errno),
                               errno == EMFILE ? "; every shard stays open: raise the limit (ulimit -n)" : "");
    tar->size = (uint64_t)info.st_size;
    if (!data_tar_read(tar, 0, magic, 2) || magic[0] != 0x1f || magic[1] != 0x8b)
        return true;
    if (stated_size(tar) > limit && !check_limit(path, limit, err))
        return false;
    close(tar->file);
    tar->file = -1;
    if (!invar_file_read(&tar->bytes, path, limit, err))
        return false;
    tar->size = tar->bytes.size;
    return true;
}

void data_tar_close(struct data_tar *tar)
{
    if (tar->file >= 0)
        close(tar->file);
    tar->file = -1;
    invar_bytes_free(&tar->bytes);
}

bool data_tar_read(const struct data_tar *tar, uint64_t place, void *out, size_t size)
{
    uint8_t *at = out;
    if (place > tar->size || size > tar->size - place)
        return false;
    if (tar->file < 0) {
        memcpy(out, tar->bytes.data + place, size);
        return true;
    }
    while (size > 0) {
        ssize_t got = pread(tar->file, at, size, (off_t)place);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        at += got;
        size -= (size_t)got;
        place += (uint64_t)got;
    }
    return true;
}

static bool refuse(const struct reader *reader, const char *why, struct invar_error *err)
{
    return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: %s (at byte %llu)", reader->path, why,
                           (unsigned long long)reader->place);
}

/* Octal text, or base 256 when the first bit is set. */
static bool number(const uint8_t *field, size_t width, uint64_t *out)
{
    uint64_t value = 0;
    size_t i = 0;
    if (field[0] & 0x80) {
        value = field[0] & 0x7f;
        for (i = 1; i < width; i++) {
            if (value >> 55)
                return false;
            value = value << 8 | field[i];
        }
        *out = value;
        return true;
    }
    while (i < width && field[i] == ' ')
        i++;
    for (; i < width && field[i] >= '0' && field[i] <= '7'; i++)
        value = value << 3 | (uint64_t)(field[i] - '0');
    *out = value;
    return i == width || field[i] == ' ' || field[i] == '\0';
}

static bool checksum_holds(const uint8_t *header)
{
    uint64_t sum = 0, stated;
    for (size_t i = 0; i < BLOCK; i++)
        sum += i >= 148 && i < 156 ? ' ' : header[i];
    return number(header + 148, 8, &stated) && stated == sum;
}

static bool is_zero(const uint8_t *block)
{
    for (size_t i = 0; i < BLOCK; i++)
        if (block[i])
            return false;
    return true;
}

/* One "LENGTH KEY=VALUE\n" record of a pax header; returns its length, 0 when malformed. */
static size_t pax_record(struct reader *reader, const char *record, size_t rest)
{
    size_t length = 0, at = 0;
    for (; at < rest && at < 8 && record[at] >= '0' && record[at] <= '9'; at++)
        length = 10 * length + (size_t)(record[at] - '0');
    if (at == 0 || at >= rest || record[at] != ' ' || length > rest || length < at + 3 || record[length - 1] != '\n')
        return 0;
    const char *key = record + at + 1, *end = record + length - 1;
    const char *equals = memchr(key, '=', (size_t)(end - key));
    if (!equals)
        return 0;
    size_t size = (size_t)(end - equals - 1);
    if (equals - key == 4 && memcmp(key, "path", 4) == 0) {
        memcpy(reader->long_name, equals + 1, size);
        reader->long_name[size] = '\0';
    } else if (equals - key == 4 && memcmp(key, "size", 4) == 0) {
        reader->size = 0;
        reader->has_size = true;
        for (const char *p = equals + 1; p < end; p++) {
            if (*p < '0' || *p > '9' || reader->size > UINT64_MAX / 16)
                return 0;
            reader->size = 10 * reader->size + (uint64_t)(*p - '0');
        }
    }
    return length;
}

/* The content of an 'x' or 'L' entry concerns the file that follows it. */
static bool extended(struct reader *reader, char type, uint64_t size, struct invar_error *err)
{
    char content[NAME_LIMIT];
    if (size >= NAME_LIMIT)
        return refuse(reader, "a name or pax header is longer than 4095 bytes", err);
    if (!data_tar_read(reader->tar, reader->place + BLOCK, content, (size_t)size))
        return refuse(reader, "the archive cannot be read", err);
    content[size] = '\0';
    if (type == 'L') {
        memcpy(reader->long_name, content, (size_t)size + 1);
        return true;
    }
    for (size_t at = 0; at < size;) {
        size_t length = pax_record(reader, content + at, (size_t)size - at);
        if (!length)
            return refuse(reader, "a pax header is malformed", err);
        at += length;
    }
    return true;
}

static void join_name(const uint8_t *header, char *name)
{
    size_t prefix = memcmp(header + 257, "ustar\0", 6) == 0 ? strnlen((const char *)header + 345, 155) : 0;
    size_t length = strnlen((const char *)header, 100);
    memcpy(name, header + 345, prefix);
    if (prefix)
        name[prefix++] = '/';
    memcpy(name + prefix, header, length);
    name[prefix + length] = '\0';
}

/* Cleans "./a//b" to "a/b"; false for a path that leads out of the archive. *hidden: a component starts with a dot. */
static bool clean(char *name, bool *hidden)
{
    char *out = name;
    *hidden = false;
    if (name[0] == '/')
        return false;
    for (const char *p = name; *p;) {
        size_t length = strcspn(p, "/");
        if (length == 2 && p[0] == '.' && p[1] == '.')
            return false;
        if (length > 0 && !(length == 1 && p[0] == '.')) {
            *hidden = *hidden || p[0] == '.';
            if (out != name)
                *out++ = '/';
            memmove(out, p, length);
            out += length;
        }
        p += length + (p[length] == '/');
    }
    *out = '\0';
    return true;
}

static bool take_file(struct reader *reader, const uint8_t *header, bool folder, bool link, uint64_t size,
                      struct data_list *list, struct invar_error *err)
{
    char name[NAME_LIMIT];
    bool hidden;
    if (reader->long_name[0])
        memcpy(name, reader->long_name, sizeof name);
    else
        join_name(header, name);
    size_t length = strlen(name);
    folder = folder || (length > 0 && name[length - 1] == '/');
    const bool inside = clean(name, &hidden);
    if (link) {
        if (!hidden)
            data_list_pass(list, name, "a link or a device, which is not read from an archive");
        return true;
    }
    if (!inside)
        return invar_error_set(err, INVAR_ERROR_FORMAT,
                               "%s: holds the path \"%s\", which leads out of the archive; it is refused as a whole",
                               reader->path, name);
    return hidden || !name[0] ||
           data_list_add(list, name, strlen(name), folder, reader->place + BLOCK, folder ? 0 : size, err);
}

/* One header and what it announces; *end at the end mark. */
static bool step(struct reader *reader, struct data_list *list, bool *end, struct invar_error *err)
{
    uint8_t header[BLOCK];
    uint64_t size;

    if (!data_tar_read(reader->tar, reader->place, header, BLOCK))
        return refuse(reader, reader->place == 0 ? "is not a tar archive" : "the archive is truncated", err);
    *end = is_zero(header);
    if (*end)
        return true;
    if (!checksum_holds(header) || !number(header + 124, 12, &size))
        return refuse(reader, reader->place == 0 ? "is not a tar archive" : "a header of the archive is corrupt", err);
    char type = (char)header[156];
    bool is_file = type == '0' || type == '\0' || type == '7', is_folder = type == '5';
    bool is_link = type >= '1' && type <= '6' && !is_folder;
    if ((is_file || is_folder) && reader->has_size)
        size = reader->size;
    if (is_folder || (type >= '1' && type <= '6'))
        size = 0;
    uint64_t left = reader->tar->size - reader->place - BLOCK;
    if (size > left || (size + BLOCK - 1) / BLOCK * BLOCK > left)
        return refuse(reader, "an entry is larger than what is left of the archive, which is truncated or corrupt",
                      err);
    if (type == 'x' || type == 'L') {
        if (!extended(reader, type, size, err))
            return false;
    } else if (type != 'K' && type != 'g') {
        if ((is_file || is_folder || is_link) && !take_file(reader, header, is_folder, is_link, size, list, err))
            return false;
        reader->long_name[0] = '\0';
        reader->has_size = false;
    }
    reader->place += BLOCK + (size + BLOCK - 1) / BLOCK * BLOCK;
    return true;
}

bool data_tar_list(const struct data_tar *tar, const char *path, struct data_list *list, struct invar_error *err)
{
    struct reader reader = {.tar = tar, .path = path};
    bool end = false;
    while (!end)
        if (!step(&reader, list, &end, err))
            return false;
    return true;
}
