/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DATA_TAR_H
#define DATA_TAR_H

#include "data/list.h"
#include "invar/expert/file.h"

/** A tar file: read in place by position, or unpacked in memory when it is gzipped. */
struct data_tar {
    int file; /**< -1 when in memory */
    uint64_t size;
    struct invar_bytes bytes;
};

/** Zeroed and with file = -1 is closed. limit bounds what a gzipped archive may unpack to. */
bool data_tar_open(struct data_tar *tar, const char *path, size_t limit, struct invar_error *err);
void data_tar_close(struct data_tar *tar);
/**
 * Adds the regular files and folders (ustar, pax and GNU long names) in the order of the archive; links and devices are
 * left out and counted. Paths that are
 * absolute or climb out by "..", sizes beyond the end, wrong checksums and a missing end mark are errors.
 */
bool data_tar_list(const struct data_tar *tar, const char *path, struct data_list *list, struct invar_error *err);
/** Reads size bytes at place; false (without an error) when the file has become shorter. Reentrant. */
bool data_tar_read(const struct data_tar *tar, uint64_t place, void *out, size_t size);

#endif
