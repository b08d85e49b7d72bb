/* SPDX-License-Identifier: Apache-2.0 */
/* What lies where a source was looked for and is something else: an archive that is not read, another source's data. */
#include "data/list.h"
#include "data/source.h"
#include "base/stream.h"

#include "invar/expert/file.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define MAGIC 6

static const struct {
    const char *magic;
    size_t size;
    const char *is, *unpack;
} archives[] = {
    {"PK\003\004", 4, "a zip archive", "unzip"},
    {"\xfd"
     "7zXZ",
     5, "packed by xz", "tar -xJf or unxz"},
    {"BZh", 3, "packed by bzip2", "tar -xjf or bunzip2"},
    {"\x28\xb5\x2f\xfd", 4, "packed by zstd", "tar --zstd -xf or unzstd"},
    {"7z\xbc\xaf\x27\x1c", 6, "a 7z archive", "7z x"},
    {"Rar!\x1a", 5, "a rar archive", "unrar x"},
};

bool data_instead_archive(const char *path, struct invar_error *err)
{
    char begin[MAGIC] = "";
    const size_t got = stream_begin(path, begin, sizeof begin);

    for (size_t i = 0; i < sizeof archives / sizeof *archives; i++)
        if (got >= archives[i].size && memcmp(begin, archives[i].magic, archives[i].size) == 0 &&
            (begin[0] != 'B' || (got == sizeof begin && memcmp(begin + 4, "1A", 2) == 0))) /* a table may begin so */
            return invar_error_set(err, INVAR_ERROR_FORMAT,
                                   "%s: is %s, which is not read here; unpack it (%s) and name what it holds", path,
                                   archives[i].is, archives[i].unpack);
    return true;
}

/* Files by which the data of other sources are known. */
static const struct {
    const char *file, *source, *called;
} known[] = {
    {"data_batch_1.bin", "cifar10", "CIFAR-10"},
    {"fine_label_names.txt", "cifar100", "CIFAR-100"},
    {"data_batch_1", "", "CIFAR-10 for Python, whose binary version is read as cifar10:DIR"},
    {"train-images-idx3-ubyte", "idx", "idx files"},
    {"train-images-idx3-ubyte.gz", "idx", "idx files"},
    {"train-images.idx3-ubyte", "idx", "idx files"},
    {"train-images.idx3-ubyte.gz", "idx", "idx files"},
};

void data_instead_folder(const char *source, const char *path, struct invar_error *err)
{
    struct data_list list = {0};
    struct stat info;
    const struct invar_error before = err ? *err : (struct invar_error){0};
    bool found = false;

    if (!err || before.code == INVAR_ERROR_MEMORY || before.code == INVAR_ERROR_SYSTEM || stat(path, &info) != 0 ||
        !S_ISDIR(info.st_mode) || !data_folder_list(&list, path, NULL)) {
        data_list_free(&list);
        return;
    }
    for (size_t i = 0; !found && i < list.count; i++) {
        const char *name = data_list_path(&list, i), *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;
        const int length = slash ? (int)(slash - name) : 0;
        for (size_t k = 0; !found && k < sizeof known / sizeof *known; k++) {
            if (strcmp(base, known[k].file) != 0 || (!slash && strcmp(known[k].source, source) == 0))
                continue;
            found = true;
            invar_error_clear(err);
            if (*known[k].source)
                invar_error_set(err, before.code, "%s (it holds %s: give %s:%s%s%.*s)", before.message, known[k].called,
                                known[k].source, path, slash ? "/" : "", length, name);
            else
                invar_error_set(err, before.code, "%s (it holds %s)", before.message, known[k].called);
        }
    }
    data_list_free(&list);
}
