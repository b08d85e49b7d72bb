/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DATA_GROUPS_H
#define DATA_GROUPS_H

#include "data/source.h"

/** Refinement groups of the items of a source, by the values of a metadata column; zeroed: none. */
struct data_groups {
    int64_t count; /**< distinct values */
    int64_t *of;   /**< [items] 0 .. count - 1 in the byte order of values; -1: a test item without a row */
    char *text;
    size_t *name; /**< [count] into text */
};

/**
 * Reads the column options->group of options->metadata, or of metadata.csv in the source's folder. Rows name items in
 * the column file_name where the source has names, and stand in the order of its training items otherwise. To be called
 * before a split is drawn: every item that the files call training needs a row.
 */
bool data_groups_read(struct data_groups *groups, const struct data_source *source,
                      const struct invar_data_options *options, struct invar_error *err);
void data_groups_free(struct data_groups *groups);
static inline const char *data_groups_name(const struct data_groups *groups, int64_t group)
{
    return groups->text + groups->name[group];
}

/** The refusal of a column with one value. Always false. */
bool data_groups_constant(const char *value, const struct invar_data_options *options, struct invar_error *err);

#endif
