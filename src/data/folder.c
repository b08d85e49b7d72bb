/* SPDX-License-Identifier: Apache-2.0 */
/* Lists what is below a folder. */
#include "data/image/image.h"
#include "data/list.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* Where its name is that of a sample, it counts as one that cannot be read. */
static bool add_lost(struct data_list *list, const char *path, int number, struct invar_error *err)
{
    const size_t before = list->count;

    if (!data_list_add(list, path, strlen(path), false, 0, 0, err))
        return false;
    if (list->count > before)
        list->entry[before].lost = number;
    return true;
}

/* walk->path is that of a file or folder whose name starts at `name`. */
static bool visit(struct walk *walk, int depth, struct invar_error *err)
{
    struct stat info;
    const char *relative = walk->path + walk->root;
    if (stat(walk->path, &info) != 0) {
        const int number = errno;
        if (depth == 0 || data_is_system(number))
            return data_unreadable(walk->path, number, err);
        if (number == ENOENT && lstat(walk->path, &info) != 0)
            return true; /* it went while the folder was listed */
        return add_lost(walk->list, relative, number, err);
    }
    /* A pipe or a device that is called like a sample is one that cannot be read. */
    if (!S_ISDIR(info.st_mode))
        return data_list_add(walk->list, relative, strlen(relative), false, 0,
                             S_ISREG(info.st_mode) ? (uint64_t)info.st_size : 0, err);
    for (int i = 0; i < depth; i++)
        if (walk->parent[i].device == info.st_dev && walk->parent[i].inode == info.st_ino) {
            data_list_pass(walk->list, relative, "leads back to a folder that it lies in");
            return true;
        }
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
        data_list_pass(walk->list, walk->path + walk->root, strerror(errno));
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

static void refuse_lost(int folder, const char *path, int number, struct invar_error *err)
{
    char target[256];
    const ssize_t length = number == ENOENT ? readlinkat(folder, path, target, sizeof target) : -1;

    if (length < 0)
        data_unreadable(path, number, err);
    else
        invar_error_set(err, INVAR_ERROR_FILE, "%s: cannot be read: it is a link to %.*s, which is not there", path,
                        (int)length, target);
}

int data_folder_file(int folder, const char *path, uint64_t *size, struct invar_error *err)
{
    struct stat info;

    if (fstatat(folder, path, &info, 0) != 0) {
        refuse_lost(folder, path, errno, err);
        return -1;
    }
    if (!S_ISREG(info.st_mode)) {
        invar_error_set(err, INVAR_ERROR_FILE, "%s: cannot be read: it is no regular file", path);
        return -1;
    }
    const int file = openat(folder, path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        data_unreadable(path, errno, err);
    *size = (uint64_t)info.st_size;
    return file;
}
