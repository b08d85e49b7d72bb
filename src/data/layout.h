/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DATA_LAYOUT_H
#define DATA_LAYOUT_H

#include "data/list.h"
#include "data/source.h"

/**
 * Reads splits and classes out of the sorted paths of a folder or archive called root, and fills count, label, split,
 * has_test and classes of the source; training items come first, each part in the order of the list. *items becomes
 * [count], the list entry of each item (invar_free).
 *
 * With a folder train/, the items are those of train/ and of test/ (or val/); otherwise those of the root. Below that
 * the first folder is the class; images outside of class folders have no label. Errors: no images at all, a class
 * folder without any, images beside class folders, a test class that is not in train.
 */
bool data_layout_read(struct data_source *source, const struct data_list *list, const char *root, size_t **items,
                      struct invar_error *err);
/** Cuts the folder that everything in an archive stands in, where there is one. */
void data_layout_strip(struct data_list *list);

#endif
