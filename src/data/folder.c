/* SPDX-License-Identifier: Apache-2.0 */
/* Lists what is below a folder. */
#include "data/image/image.h"
#include "data/list.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_SIZE 4096
#define DEPTH_LIMIT 32

struct walk {
    struct data_list *list;
    char path[PATH_SIZE]; /* of the folder being read */
    size_t root;          /* length of the root in it */
    struct {
        dev_t device;
        ino_t inode;
    } parent[DEPTH_LIMIT]; /* of the folder being read, to see links that lead back */
};

static bool enter(struct walk *walk, int depth, struct invar_error *err);

/* walk->path is that of a file or folder whose name starts at `name`. */
static bool visit(struct walk *walk, int depth, struct invar_error *err)
{
    struct stat info;
    const char *relative = walk->path + walk->root;
    if (stat(walk->path, &info) != 0) {
        if (errno == ENOENT)
            return true;
        if (depth == 0 || data_is_system(errno))
            return data_unreadable(walk->path, errno, err);
        /* Where its name is that of a sample, it counts as one that cannot be read. */
        return data_list_add(walk->list, relative, strlen(relative), false, 0, 0, err);
    }
    if (S_ISREG(info.st_mode))
        return data_list_add(walk->list, relative, strlen(relative), false, 0, (uint64_t)info.st_size, err);
    if (!S_ISDIR(info.st_mode))
        return true;
    for (int i = 0; i < depth; i++)
        if (walk->parent[i].device == info.st_dev && walk->parent[i].inode == info.st_ino)
            return true;
    if (depth == DEPTH_LIMIT)
        return invar_error_set(err, INVAR_ERROR_DATA, "%s: lies %d folders deep, more than the limit", walk->path,
                               DEPTH_LIMIT);
    walk->parent[depth].device = info.st_dev;
    walk->parent[depth].inode = info.st_ino;
    return enter(walk, depth, err);
}

static bool enter(struct walk *walk, int depth, struct invar_error *err)
{
    size_t length = strlen(walk->path);
    bool ok = true;
    DIR *folder = opendir(walk->path);
    if (!folder && (depth == 0 || data_is_system(errno)))
        return data_unreadable(walk->path, errno, err);
    if (!folder) {
        if (walk->list->unlistable++ == 0)
            snprintf(walk->list->first_unlistable, sizeof walk->list->first_unlistable, "%s: %s",
                     walk->path + walk->root, strerror(errno));
        return true;
    }
    if (depth > 0)
        ok = data_list_add(walk->list, walk->path + walk->root, length - walk->root, true, 0, 0, err);
    while (ok) {
        errno = 0;
        const struct dirent *found = readdir(folder);
        if (!found && errno)
            ok = data_unreadable(walk->path, errno, err);
        if (!found)
            break;
        if (found->d_name[0] == '.')
            continue;
        if (length + 1 + strlen(found->d_name) >= PATH_SIZE)
            ok = invar_error_set(err, INVAR_ERROR_FILE, "%s/%s: the path is too long", walk->path, found->d_name);
        else
            ok = snprintf(walk->path + length, PATH_SIZE - length, "/%s", found->d_name) > 0 &&
                 visit(walk, depth + 1, err);
        walk->path[length] = '\0';
    }
    closedir(folder);
    return ok;
}

bool data_folder_list(struct data_list *list, const char *root, struct invar_error *err)
{
    struct walk walk = {.list = list};
    size_t length = strlen(root);
    while (length > 1 && root[length - 1] == '/')
        length--;
    if (length >= PATH_SIZE)
        return invar_error_set(err, INVAR_ERROR_FILE, "%s: the path is too long", root);
    memcpy(walk.path, root, length);
    walk.root = length + 1;
    if (!visit(&walk, 0, err))
        return false;
    data_list_sort(list);
    return true;
}
