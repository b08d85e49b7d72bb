/* SPDX-License-Identifier: Apache-2.0 */
/* A growing list of paths in one block of text. */
#include "data/list.h"

#include "invar/memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Room for `need` elements in *block, at least doubling; need comes from additions that cannot overflow here. */
static bool grow(void **block, size_t *capacity, size_t used, size_t need, size_t size, struct invar_error *err)
{
    if (need <= *capacity)
        return true;
    size_t wanted = *capacity > SIZE_MAX / 2 ? need : 2 * *capacity;
    wanted = wanted < need ? need : wanted;
    void *larger = invar_alloc(wanted, size, err);
    if (!larger)
        return false;
    if (used)
        memcpy(larger, *block, used * size);
    invar_free(*block);
    *block = larger;
    *capacity = wanted;
    return true;
}

/* Folders that an archiver, a network disk or a file system adds; hidden ones are not listed at all. */
static const char *const system_folders[] = {
    "__MACOSX", "@eaDir", "@Recycle", "#recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found", NULL};

static void keep_name(char *names, size_t room, const char *name)
{
    const size_t used = strlen(names), more = strlen(name) + (used ? 2 : 0);
    if (!strstr(names, name) && used + more < room)
        snprintf(names + used, room - used, "%s%s", used ? ", " : "", name);
}

static bool is_of_system(struct data_list *list, const char *path, size_t length)
{
    for (size_t at = 0, part; at < length; at += part + 1) {
        part = strcspn(path + at, "/");
        part = part < length - at ? part : length - at;
        for (const char *const *name = system_folders; *name; name++)
            if (strlen(*name) == part && strncasecmp(path + at, *name, part) == 0) {
                keep_name(list->system, sizeof list->system, *name);
                return true;
            }
    }
    return false;
}

void data_list_pass(struct data_list *list, const char *path, const char *why)
{
    if (list->unfollowed++ == 0)
        snprintf(list->first_unfollowed, sizeof list->first_unfollowed, "%s: %s", path, why);
}

bool data_list_add(struct data_list *list, const char *path, size_t length, bool folder, uint64_t place, uint64_t size,
                   struct invar_error *err)
{
    const char *archive = list->archive ? list->archive[list->shard] : "", *slash = strrchr(archive, '/');
    const char *before = slash ? slash + 1 : archive;
    const size_t prefix = *before ? strlen(before) + 1 : 0;
    void *entries = list->entry, *text = list->text;
    while (length > 0 && path[length - 1] == '/')
        length--;
    if (is_of_system(list, path, length))
        return true;
    bool ok = grow(&entries, &list->capacity, list->count, list->count + 1, sizeof *list->entry, err);
    list->entry = entries;
    ok = ok && grow(&text, &list->text_capacity, list->text_size, list->text_size + prefix + length + 1, 1, err);
    list->text = text;
    if (!ok)
        return false;
    if (prefix) {
        memcpy(list->text + list->text_size, before, prefix - 1);
        list->text[list->text_size + prefix - 1] = '/';
    }
    memcpy(list->text + list->text_size + prefix, path, length);
    list->text[list->text_size + prefix + length] = '\0';
    list->entry[list->count++] = (struct data_entry){list->text_size + prefix, place, size, folder, false, list->shard};
    list->text_size += prefix + length + 1;
    return true;
}

/* The text that the path ends: names stand one behind the other, each ended by NUL. */
const char *data_list_name(const struct data_list *list, size_t i)
{
    size_t at = list->entry[i].path;

    while (list->archive && at > 0 && list->text[at - 1])
        at--;
    return list->text + at;
}

/* '/' before every other byte: a folder's content stands together, right after the folder. */
static int rank(char c)
{
    return c == '\0' ? 0 : c == '/' ? 1 : 2 + (unsigned char)c;
}

static int compare(const void *left, const void *right, void *text)
{
    const struct data_entry *a = left, *b = right;
    const char *p = (const char *)text + a->path, *q = (const char *)text + b->path;
    while (*p && *p == *q) {
        p++;
        q++;
    }
    if (rank(*p) != rank(*q))
        return rank(*p) < rank(*q) ? -1 : 1;
    if (a->shard != b->shard)
        return a->shard < b->shard ? -1 : 1;
    return a->path < b->path ? -1 : a->path > b->path;
}

void data_list_sort(struct data_list *list)
{
    size_t kept = 0;
    if (list->count == 0)
        return;
    qsort_r(list->entry, list->count, sizeof *list->entry, compare, list->text);
    for (size_t i = 0; i < list->count; i++) {
        bool replaced = i + 1 < list->count && list->entry[i].shard == list->entry[i + 1].shard &&
                        strcmp(data_list_path(list, i), data_list_path(list, i + 1)) == 0;
        if (!replaced)
            list->entry[kept++] = list->entry[i];
    }
    list->count = kept;
}

void data_list_free(struct data_list *list)
{
    invar_free(list->entry);
    invar_free(list->text);
    *list = (struct data_list){0};
}
