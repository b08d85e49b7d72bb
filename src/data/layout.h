/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DATA_LAYOUT_H
#define DATA_LAYOUT_H

#include "data/list.h"
#include "data/source.h"

/** What samples are called and how their files end. */
struct data_layout {
    const char *noun, *expected; /**< "image", ".jpg, .png, .tif, .webp, ..." */
    const char *const *endings;  /**< NULL-ended */
    bool flat;                   /**< folders below train/ and test/ are no classes */
};

/**
 * Reads splits and classes out of the sorted paths of a folder or archive called root, and fills count, label, split,
 * has_test and classes of the source; training items come first, each part in the order of the list. *items becomes
 * [count], the list entry of each item (invar_free).
 *
 * With a folder train/, the items are those of train/ and of test/ (or val/); otherwise those of the root. Below that
 * the first folder is the class; samples outside of class folders have no label. Errors: no samples at all, a class
 * folder without any, samples beside class folders, a test class that is not in train.
 */
bool data_layout_read(struct data_source *source, const struct data_list *list, const char *root,
                      const struct data_layout *layout, size_t **items, struct invar_error *err);
/** Whether a path ends as samples do. */
bool data_layout_is_sample(const struct data_layout *layout, const char *path);
/** Counts what the list of a source has beside samples, and says so in the log. */
void data_beside_read(struct data_beside *out, const struct data_list *list, const char *root,
                      const struct data_layout *layout);
/** Cuts the folder that everything stands in, where there is one. */
void data_layout_strip(struct data_list *list);
/** The same of entries first .., which are all of an archive, where that folder has the archive's own name and folders
 * in it, as `tar cf set-000.tar set-000` makes it. */
void data_layout_strip_archive(struct data_list *list, size_t first, const char *archive);

#endif
