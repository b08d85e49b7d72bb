/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DATA_SHARDS_H
#define DATA_SHARDS_H

#include "invar/error.h"
#include <stdint.h>

/** The files that are one data set, in natural order (part-9 before part-10); free with data_shards_free. */
struct data_shards {
    char **path;
    int count, capacity;
};

/**
 * What a path names: itself, where it exists as it is written or is no pattern (whoever reads it says what is wrong);
 * else every file that fits. A range {000..127} stands for numbers, all of which must be there, and is padded as its
 * ends are; *, ? and [..] are those of the shell. Refused: no match, a missing number, a range that is none or runs
 * backwards, more than 100000 files, an archive that is not read here.
 */
bool data_shards_find(struct data_shards *shards, const char *path, struct invar_error *err);
void data_shards_free(struct data_shards *shards);

/** A file that samples stand in, from one of them on. */
struct data_part {
    const char *path; /**< borrowed */
    int64_t first;
};
/** The file of a sample: of parts[count] the last that begins at it or before. */
const char *data_part_of(const struct data_part *parts, int count, int64_t sample);

#endif
