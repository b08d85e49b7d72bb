/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DATA_DATASET_H
#define DATA_DATASET_H

#include "data/groups.h"
#include "data/source.h"

struct data_shape {
    int height, width;
    uint8_t unit; /* bytes of one number, as struct data_image has it */
};

/* Small decoded images share large blocks. */
struct data_arena {
    struct data_block *block;
    size_t left;
};

/* A bad item and why. */
struct data_left_out {
    int64_t item;
    char *why;
};

struct invar_dataset {
    struct invar_dataset_info info;
    struct invar_data_options options;
    struct data_source source;
    int workers;

    int height, width, channels; /**< of the first good sample */
    uint8_t unit;
    int64_t reference; /**< its item */

    bool *bad;            /**< [items] */
    uint8_t *noted;       /**< [items] DATA_TURNED, DATA_CONVERTED: what is known of how they are seen */
    int64_t bad_count[2]; /**< by split, of total[2] items */
    int64_t total[2];
    struct data_left_out *left_out; /**< [info.skipped], as they were met */
    int left_out_capacity;

    /* By split: the items in it, and their labels. */
    int64_t *items[2];
    int64_t *labels[2];
    double *targets[2]; /**< NULL where labels are classes */

    struct data_groups refinement; /**< by item, then by split; empty without data.group */
    int64_t *groups[2];

    struct invar_text identity; /* of the data (identity.c) */

    /* Sets in memory: pixels by item, in the arenas or in the files that the source holds. */
    const uint8_t **pixels;
    struct data_shape *shape;  /**< [items] when sizes or types vary, else NULL */
    struct data_arena *arenas; /**< [workers] */
};

/** Data to test what was fitted on own: columns as an encoder had them (NULL: no table), labels of the same kind as own
 * has, with classes of their own. NULL with err; close with invar_dataset_close. */
struct invar_dataset *data_dataset_open_test(const struct invar_dataset *own, const struct invar_data_options *options,
                                             const char *columns, struct invar_error *err);
/** Decodes an item and checks its size against the first's when data.size is not set. Reentrant. */
bool data_dataset_decode(const struct invar_dataset *dataset, int64_t item, struct data_decoder *decoder,
                         struct data_image *image, struct invar_error *err);
/** Notes a bad item, once, with its message; false when memory is short. */
bool data_dataset_note_bad(struct invar_dataset *dataset, int64_t item, const char *why, struct invar_error *err);
/** False, with their count, where more of a split are noted than bad_limit allows. After all that are looked at
 * together, so that the count is of all. */
bool data_dataset_check_bad(const struct invar_dataset *dataset, struct invar_error *err);
/** Both, for one that is found alone. */
bool data_dataset_bad(struct invar_dataset *dataset, int64_t item, const char *why, struct invar_error *err);
/** Finds channels, size and type that all samples have, and the item that they are taken from. */
bool data_find_reference(struct invar_dataset *dataset, struct invar_error *err);
/** What there is to note of an image: that it does not lie upright, that its channels become others. */
enum { DATA_TURNED = 1, DATA_CONVERTED = 2 };
uint8_t data_dataset_notes(const struct invar_dataset *dataset, const struct data_image *image);
/** Notes it of an item and counts it, once. */
void data_dataset_note(struct invar_dataset *dataset, int64_t item, const struct data_image *image);
/** The most items of a split that may be bad. */
int64_t data_dataset_bad_allowed(const struct invar_dataset *dataset, enum invar_split split);
/** Keeps why an item is bad (origin.c). */
bool data_left_out_add(struct invar_dataset *dataset, int64_t item, const char *why, struct invar_error *err);
void data_left_out_free(struct invar_dataset *dataset);
/** What samples of a set in memory look like. */
void data_dataset_sample(const struct invar_dataset *dataset, enum invar_split split, int64_t index,
                         struct invar_sample *sample);

/**
 * Calls visit for every listed item, from several threads at once and in any order, image NULL when the item is bad;
 * stops when visit fails or memory is short. thread is below dataset->workers. Bad items are then noted in their order.
 */
typedef bool data_visit(void *user, int thread, int64_t item, const struct data_image *image, struct invar_error *err);
bool data_dataset_visit(struct invar_dataset *dataset, const int64_t *items, int64_t count, data_visit *visit,
                        void *user, struct invar_error *err);

/** Decodes all items into memory where the options want it and sets info.in_memory and info.varying. */
bool data_hold(struct invar_dataset *dataset, struct invar_error *err);
void data_hold_free(struct invar_dataset *dataset);
/** A sample of that shape, without number and label. */
struct invar_sample data_dataset_describe(const struct invar_dataset *dataset, struct data_shape shape,
                                          const uint8_t *data);
/** The shape of an item of a set in memory. */
static inline struct data_shape data_dataset_shape(const struct invar_dataset *dataset, int64_t item)
{
    const struct data_shape all = {dataset->height, dataset->width, dataset->unit};
    return dataset->shape ? dataset->shape[item] : all;
}
/** info.identity, once samples are numbered. */
bool data_identity(struct invar_dataset *dataset, struct invar_error *err);
/** invar_data_identity_same of what no option of labels, groups and splits changes: names and sizes of files, contents.
 */
bool data_identity_same_samples(const char *before, const char *now, char *difference, size_t size);
/** Fills info.mean and info.deviation. */
bool data_statistics(struct invar_dataset *dataset, struct invar_error *err);
/** The same of the log-mel spectrograms of clips. */
bool data_statistics_audio(struct invar_dataset *dataset, struct invar_error *err);
/** Training items for statistics of sets that are not in memory: all, or a seeded sample, in the order of the files. */
int64_t *data_statistics_items(const struct invar_dataset *dataset, int64_t *count, struct invar_error *err);

#endif
