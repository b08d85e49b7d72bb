/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DATA_LIST_H
#define DATA_LIST_H

#include "invar/error.h"
#include <stddef.h>
#include <stdint.h>

/** One file or folder below a root, with where its bytes are when the root is an archive. */
struct data_entry {
    size_t path;    /**< offset into text: "train/cat/7.png" */
    uint64_t place; /**< first byte in the archive */
    uint64_t size;
    bool folder;
    int lost;  /**< errno of a link that leads nowhere and of what cannot be looked at, a file or a folder; else 0 */
    int shard; /**< number of its archive, where there are several */
};

/** What a folder or an archive holds; zero-initialise, free with data_list_free. */
struct data_list {
    struct data_entry *entry;
    size_t count, capacity;
    char *text;
    size_t text_size, text_capacity;
    char *const *archive; /**< borrowed: the archives that entries are of, by their number; NULL: one, or none */
    int shard;            /**< of what is added now */
    char system[128];     /**< names of the folders of systems that were met and left out, with ", " between them */
    long long unfollowed; /**< folders that cannot be listed and links that cannot be followed, left out */
    char first_unfollowed[256];
};

/** Adds a copy of path[length]; a trailing '/' is left out. What lies in a folder that systems leave behind, such as
 * __MACOSX, is passed over and its name kept. */
bool data_list_add(struct data_list *list, const char *path, size_t length, bool folder, uint64_t place, uint64_t size,
                   struct invar_error *err);
static inline const char *data_list_path(const struct data_list *list, size_t i)
{
    return list->text + list->entry[i].path;
}
/** What an entry is called for people: of several archives with the name of its own, "set-003.tar/cat/7.png". */
const char *data_list_name(const struct data_list *list, size_t i);
/** Counts a folder or a link that is left out, and keeps path and reason of the first. */
void data_list_pass(struct data_list *list, const char *path, const char *why);
/** The archive that an entry is of, or where there is but one, root. */
static inline const char *data_list_root(const struct data_list *list, size_t i, const char *root)
{
    return list->archive ? list->archive[list->entry[i].shard] : root;
}
/** Sorts bytewise by path component and keeps the last of equal paths of one archive, as unpacking would. */
void data_list_sort(struct data_list *list);
void data_list_free(struct data_list *list);

/** A copy of text[length] in Unicode's form C, so that names that look alike are equal; bytes that are no UTF-8 stay.
 * Freed by invar_free; NULL: memory is short. */
char *data_nfc(const char *text, size_t length, struct invar_error *err);

/** Everything below a folder, hidden files left out, links followed. */
bool data_folder_list(struct data_list *list, const char *root, struct invar_error *err);
/** Opens a file of such a folder, whose descriptor is given, for reading and says how many bytes it has. -1 with err:
 * it is missing, a link that leads nowhere, or no regular file, which is not opened, as a pipe would be waited for. */
int data_folder_file(int folder, const char *path, uint64_t *size, struct invar_error *err);

#endif
