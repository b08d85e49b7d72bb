/* SPDX-License-Identifier: Apache-2.0 */
#include "base/stream.h"
#include "folder.h"
#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

static int entries(void)
{
    int count = 0;
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory))
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

static void assert_content(const char *path, const char *expected)
{
    struct invar_error err = {0};
    struct invar_bytes bytes;
    assert_ok(invar_file_read(&bytes, path, 1 << 20, &err), &err);
    assert_int_equal(bytes.size, strlen(expected));
    assert_string_equal((char *)bytes.data, expected);
    invar_bytes_free(&bytes);
}

static void reads_plain_files_up_to_a_limit(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_bytes bytes;
    const char *path = test_file(folder, "plain", "hello", 5);
    assert_content(path, "hello");
    assert_ok(invar_file_read(&bytes, path, 5, &err), &err);
    invar_bytes_free(&bytes);
    assert_refused(invar_file_read(&bytes, path, 4, &err), &err, INVAR_ERROR_FORMAT, "larger than 4 bytes");
    assert_refused(invar_file_read(&bytes, path, 0, &err), &err, INVAR_ERROR_FORMAT, "larger than 0 bytes");
    assert_ok(invar_file_read(&bytes, path, SIZE_MAX, &err), &err);
    invar_bytes_free(&bytes);
    assert_refused(invar_file_read(&bytes, "/dev/zero", 1 << 20, &err), &err, INVAR_ERROR_FORMAT, "larger than");
    assert_content(test_file(folder, "empty", "", 0), "");
    assert_refused(invar_file_read(&bytes, folder, 10, &err), &err, INVAR_ERROR_FILE, "is a folder");
    assert_refused(invar_file_read(&bytes, test_path(folder, "none"), 10, &err), &err, INVAR_ERROR_FILE,
                   "none: cannot be opened: No such file");
}

static void undoes_gzip(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_bytes bytes, packed;
    enum { SIZE = 300000 };
    unsigned char *data = malloc(SIZE);
    assert_non_null(data);
    for (size_t i = 0; i < SIZE; i++)
        data[i] = (unsigned char)(i * i >> 7);
    const char *path = test_path(folder, "a.gz");
    gzFile stream = gzopen(path, "wb");
    assert_non_null(stream);
    assert_int_equal(gzwrite(stream, data, SIZE), SIZE);
    assert_int_equal(gzclose(stream), Z_OK);
    assert_ok(invar_file_read(&bytes, path, SIZE, &err), &err);
    assert_int_equal(bytes.size, SIZE);
    assert_memory_equal(bytes.data, data, SIZE);
    invar_bytes_free(&bytes);
    assert_refused(invar_file_read(&bytes, path, SIZE - 1, &err), &err, INVAR_ERROR_FORMAT, "larger than");
    free(data);

    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    packed.data = malloc(SIZE);
    assert_non_null(packed.data);
    packed.size = fread(packed.data, 1, SIZE, file);
    fclose(file);
    for (size_t size = 2; size < packed.size; size += size < 40 || size + 40 > packed.size ? 1 : 997) {
        const char *cut = test_file(folder, "cut.gz", packed.data, size);
        assert_refused(invar_file_read(&bytes, cut, SIZE, &err), &err, INVAR_ERROR_FORMAT, "cut.gz: ");
    }
    packed.data[packed.size / 2] ^= 0xff;
    const char *damaged = test_file(folder, "damaged.gz", packed.data, packed.size);
    assert_refused(invar_file_read(&bytes, damaged, SIZE, &err), &err, INVAR_ERROR_FORMAT, "damaged gzip");
    invar_bytes_free(&packed);
}

/* What lies where the temporary file goes is not followed, and the mode of what is replaced stays. */
static void the_temporary_file_is_its_own(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct stat status;
    char path[512], temporary[600], victim[512];
    snprintf(path, sizeof path, "%s", test_path(folder, "out"));
    snprintf(victim, sizeof victim, "%s", test_path(folder, "victim"));
    snprintf(temporary, sizeof temporary, "%s.tmp-%ld", path, (long)getpid());
    test_file(folder, "victim", "mine", 4);
    test_file(folder, "out", "old", 3);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(symlink(victim, temporary), 0);
    assert_ok(invar_file_write(path, "new", 3, &err), &err);
    assert_content(path, "new");
    assert_content(victim, "mine");
    assert_int_equal(lstat(path, &status), 0);
    assert_true(S_ISREG(status.st_mode) && (status.st_mode & 0777) == 0600);
    assert_int_equal(mkfifo(temporary, 0600), 0);
    assert_ok(invar_file_write(path, "again", 5, &err), &err);
    assert_content(path, "again");
}

static void writes_beside_and_renames(void **state)
{
    (void)state;
    struct invar_error err = {0};
    const char *path = test_path(folder, "out");
    assert_ok(invar_file_write(path, "old", 3, &err), &err);
    int before = entries();
    struct invar_writer *writer = invar_writer_open(path, &err);
    assert_ok(writer != NULL, &err);
    assert_ok(invar_writer_put(writer, "new ", 4, &err), &err);
    assert_ok(invar_writer_printf(writer, &err, "%d", 42), &err);
    assert_content(path, "old");
    assert_int_equal(entries(), before + 1);
    assert_ok(invar_writer_commit(writer, &err), &err);
    invar_writer_close(writer);
    assert_content(path, "new 42");
    assert_int_equal(entries(), before);

    writer = invar_writer_open(path, &err);
    assert_ok(writer != NULL, &err);
    assert_ok(invar_writer_put(writer, "never", 5, &err), &err);
    invar_writer_close(writer);
    assert_content(path, "new 42");
    assert_int_equal(entries(), before);
    invar_writer_close(NULL);
}

static void a_link_is_followed(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct stat status;
    assert_ok(invar_file_write(test_path(folder, "real"), "1", 1, &err), &err);
    assert_int_equal(symlink("real", test_path(folder, "link")), 0);
    assert_ok(invar_file_write(test_path(folder, "link"), "2", 1, &err), &err);
    assert_content(test_path(folder, "real"), "2");
    assert_int_equal(lstat(test_path(folder, "link"), &status), 0);
    assert_true(S_ISLNK(status.st_mode));
}

static void devices_are_not_replaced(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct stat status;
    assert_ok(invar_file_write("/dev/null", "x", 1, &err), &err);
    assert_int_equal(stat("/dev/null", &status), 0);
    assert_true(S_ISCHR(status.st_mode));
    assert_refused(invar_file_write("/dev/full", "x", 1, &err), &err, INVAR_ERROR_FILE,
                   "/dev/full: cannot be written: No space left on device; free some space");
}

/* A limit on the size of files stands in for a full disk: the write fails half way. */
static void a_failed_write_keeps_what_existed(void **state)
{
    (void)state;
    struct invar_error err = {0};
    enum { SIZE = 100000 };
    char *data = calloc(1, SIZE);
    assert_non_null(data);
    const char *path = test_path(folder, "kept");
    assert_ok(invar_file_write(path, "old", 3, &err), &err);
    int before = entries();
    struct rlimit limit, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = (struct rlimit){.rlim_cur = 8192, .rlim_max = limit.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    bool written = invar_file_write(path, data, SIZE, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    signal(SIGXFSZ, handler);
    free(data);
    assert_refused(written, &err, INVAR_ERROR_FILE, "kept: cannot be written");
    assert_content(path, "old");
    assert_int_equal(entries(), before);
}

static void unwritable_places_are_named(void **state)
{
    (void)state;
    struct invar_error err = {0};
    assert_refused(invar_file_write(test_path(folder, "no/file"), "x", 1, &err), &err, INVAR_ERROR_FILE,
                   "no/file: cannot be written: No such file or directory; make the folder first");
    assert_refused(invar_file_write(folder, "x", 1, &err), &err, INVAR_ERROR_FILE, "is a folder");
    if (geteuid() == 0)
        return; /* root may write everywhere */
    const char *locked = test_path(folder, "locked");
    assert_int_equal(mkdir(locked, 0500), 0);
    assert_refused(invar_file_write(test_path(folder, "locked/file"), "x", 1, &err), &err, INVAR_ERROR_FILE,
                   "Permission denied; choose a place");
}

static void folders(void **state)
{
    (void)state;
    struct invar_error err = {0};
    const char *deep = test_path(folder, "a/b//c/");
    assert_ok(invar_folder_create(deep, &err), &err);
    assert_ok(invar_folder_create(deep, &err), &err);
    assert_true(invar_path_exists(test_path(folder, "a/b/c")));
    assert_false(invar_path_exists(test_path(folder, "a/x")));
    bool there = true;
    assert_true(invar_path_find(test_path(folder, "a/x"), &there, &err) && !there);
    assert_int_equal(symlink("loop", test_path(folder, "loop")), 0);
    assert_false(invar_path_find(test_path(folder, "loop"), &there, &err));
    assert_true(invar_path_exists(test_path(folder, "loop")));
    assert_int_equal(unlink(test_path(folder, "loop")), 0);
    err = (struct invar_error){0};
    const char *file = test_file(folder, "file", "", 0);
    assert_refused(invar_folder_create(file, &err), &err, INVAR_ERROR_FILE, "is not a folder");
    assert_refused(invar_folder_create(test_path(folder, "file/x"), &err), &err, INVAR_ERROR_FILE, "is not a folder");
    assert_refused(invar_folder_create("/proc/none/x", &err), &err, INVAR_ERROR_FILE, "/proc/none");
    assert_refused(invar_folder_create("", &err), &err, INVAR_ERROR_FILE, "cannot be made");
}

static void joins_paths(void **state)
{
    (void)state;
    struct invar_error err = {0};
    char path[8];
    assert_ok(invar_path_join(path, sizeof path, "ab", "cd", &err), &err);
    assert_string_equal(path, "ab/cd");
    assert_ok(invar_path_join(path, sizeof path, "ab/", "cd", &err), &err);
    assert_string_equal(path, "ab/cd");
    assert_ok(invar_path_join(path, sizeof path, "", "cd", &err), &err);
    assert_string_equal(path, "cd");
    assert_ok(invar_path_join(path, sizeof path, "abc", "def", &err), &err);
    assert_refused(invar_path_join(path, sizeof path, "abc", "defg", &err), &err, INVAR_ERROR_FILE, "abc/defg");
}

static void checksums(void **state)
{
    (void)state;
    assert_int_equal(invar_crc32(0, "123456789", 9), 0xcbf43926u);
    assert_int_equal(invar_crc32(invar_crc32(0, "12345", 5), "6789", 4), 0xcbf43926u);
    assert_int_equal(invar_crc32(7, NULL, 0), 7);
}

/* nobody writes to it: opened as a file is, it would hang */
static void a_pipe_is_refused_at_once(void **state)
{
    char *own = test_folder_create(), path[512];
    struct invar_error err = {0};
    uint64_t size;
    (void)state;
    snprintf(path, sizeof path, "%s/pipe", own);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_refused(stream_open(path, &size, &err), &err, INVAR_ERROR_FILE, "not a regular file");
    test_folder_remove(own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pipe_is_refused_at_once),
        cmocka_unit_test(reads_plain_files_up_to_a_limit),
        cmocka_unit_test(undoes_gzip),
        cmocka_unit_test(writes_beside_and_renames),
        cmocka_unit_test(the_temporary_file_is_its_own),
        cmocka_unit_test(a_link_is_followed),
        cmocka_unit_test(devices_are_not_replaced),
        cmocka_unit_test(a_failed_write_keeps_what_existed),
        cmocka_unit_test(unwritable_places_are_named),
        cmocka_unit_test(folders),
        cmocka_unit_test(joins_paths),
        cmocka_unit_test(checksums),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
