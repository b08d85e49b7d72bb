/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_FILE_H
#define INVAR_FILE_H

#include "invar/error.h"
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A whole file in memory, ending in an extra NUL that size does not count. gzip is undone when the content starts as
 * gzip does. */
struct invar_bytes {
    unsigned char *data;
    size_t size;
};

/** Refuses (one sentence) what is missing, a folder, unreadable, truncated gzip, or larger than limit bytes once
 * unpacked. */
bool invar_file_read(struct invar_bytes *out, const char *path, size_t limit, struct invar_error *err);
void invar_bytes_free(struct invar_bytes *bytes);

/** A file being written beside its place ("PATH.tmp-PID"): commit flushes, syncs and renames it; close without commit
 * removes it. Links are followed; a device or pipe (/dev/stdout) is written directly. */
struct invar_writer;
struct invar_writer *invar_writer_open(const char *path, struct invar_error *err);
/** The same to a stream that is open already and stays so, such as stdout; name is what messages call it. */
struct invar_writer *invar_writer_open_stream(FILE *stream, const char *name, struct invar_error *err);
bool invar_writer_put(struct invar_writer *writer, const void *data, size_t size, struct invar_error *err);
bool invar_writer_printf(struct invar_writer *writer, struct invar_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/** On success the file is whole and in place; on failure nothing that existed has changed. */
bool invar_writer_commit(struct invar_writer *writer, struct invar_error *err);
void invar_writer_close(struct invar_writer *writer);

/** All of it in one call. */
bool invar_file_write(const char *path, const void *data, size_t size, struct invar_error *err);

/** mkdir -p; an existing folder is fine. */
bool invar_folder_create(const char *path, struct invar_error *err);
/** *there: whether something is at path; false (with err) where that cannot be told, as on a disk that fails. */
bool invar_path_find(const char *path, bool *there, struct invar_error *err);
/** Refuses (one sentence) what is no regular file: reading a pipe that lies in a folder of files would wait for ever.
 */
bool invar_path_is_file(const char *path, struct invar_error *err);
/** false only where nothing is there. What cannot be asked about counts as there, so that who opens it next says why.
 */
bool invar_path_exists(const char *path);
/** "folder/name" into out[size]; false (with err) when it does not fit. */
bool invar_path_join(char *out, size_t size, const char *folder, const char *name, struct invar_error *err);

/** CRC-32 (zlib's) of a block, continuing from seed (0 to begin). */
uint32_t invar_crc32(uint32_t seed, const void *data, size_t size);

#ifdef __cplusplus
}
#endif

#endif
