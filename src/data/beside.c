/* SPDX-License-Identifier: Apache-2.0 */
/* What of a collection is no sample by its name: counted by ending, so that a format that is not read is noticed. */
#include "data/layout.h"

#include "invar/log.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KINDS 64 /* different endings that are told apart */
#define LONGEST 15

struct ending {
    char text[LONGEST + 1];
    int64_t count;
};

/* ".gif" in small letters; "no ending" where there is none or what follows the dot is no ending. */
static void find_ending(const char *path, char *out)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');

    if (!dot || dot == name || strlen(dot) > LONGEST || strlen(dot) < 2) {
        strcpy(out, "no ending");
        return;
    }
    for (; *dot; dot++)
        *out++ = (char)tolower((unsigned char)*dot);
    *out = '\0';
}

static int by_count(const void *left, const void *right)
{
    const struct ending *a = left, *b = right;
    return a->count != b->count ? (a->count > b->count ? -1 : 1) : strcmp(a->text, b->text);
}

/* The last kind stands for all that find no place of their own. */
static void count(struct ending *kinds, int *used, const char *path)
{
    char text[LONGEST + 1];
    int k = 0;

    find_ending(path, text);
    while (k < *used && strcmp(kinds[k].text, text) != 0)
        k++;
    if (k == KINDS)
        strcpy(kinds[k = KINDS - 1].text, "others");
    else if (k == *used)
        strcpy(kinds[(*used)++].text, text);
    kinds[k].count++;
}

/* It may have been a class. */
static void pass(struct data_beside *out, const char *path, int number)
{
    if (out->folders++ == 0)
        snprintf(out->first_folder, sizeof out->first_folder, "%s: %s", path,
                 number == ENOENT ? "leads to nothing that is there" : strerror(number));
}

void data_beside_read(struct data_beside *out, const struct data_list *list, const char *root,
                      const struct data_layout *layout)
{
    struct ending kinds[KINDS] = {0};
    int used = 0;
    size_t length = 0;

    *out = (struct data_beside){.folders = list->unfollowed};
    snprintf(out->first_folder, sizeof out->first_folder, "%s", list->first_unfollowed);
    for (size_t i = 0; i < list->count; i++) {
        if (list->entry[i].folder || data_layout_is_sample(layout, data_list_path(list, i)))
            continue;
        if (list->entry[i].lost) {
            pass(out, data_list_path(list, i), list->entry[i].lost);
            continue;
        }
        count(kinds, &used, data_list_path(list, i));
        out->files++;
    }
    qsort(kinds, (size_t)used, sizeof *kinds, by_count);
    for (int k = 0; k < used && length < sizeof out->endings; k++)
        length += (size_t)snprintf(out->endings + length, sizeof out->endings - length, "%s%lld %s", k ? ", " : "",
                                   (long long)kinds[k].count, kinds[k].text);
    snprintf(out->systems, sizeof out->systems, "%s", list->system);
    if (out->systems[0])
        invar_log(INVAR_LOG_WARNING, "%s: left out, as systems leave them behind: %s", root, out->systems);
    if (out->folders)
        invar_log(INVAR_LOG_WARNING, "%s: %lld folders or links cannot be followed and are left out, the first is %s",
                  root, (long long)out->folders, out->first_folder);
    if (out->files)
        invar_log(INVAR_LOG_INFO, "%s: %lld files that do not end in %s are left out: %s", root, (long long)out->files,
                  layout->expected, out->endings);
}

void data_beside_describe(const struct data_beside *beside, struct invar_dataset_info *info)
{
    info->other_files = beside->files;
    info->other_endings = beside->endings;
    info->closed_folders = beside->folders;
    info->first_closed = beside->first_folder;
}
