/* SPDX-License-Identifier: Apache-2.0 */
/* Damaged tar archives; headers are sealed again half of the time, so that damage gets past the checksum. */
#include "fuzz/fuzz_data.h"

static uint64_t rounds;

static bool read_tar(const char *path, struct invar_error *err)
{
    struct invar_bytes bytes = {0};
    if (rounds++ % 2 && invar_file_read(&bytes, path, 1 << 20, err)) {
        for (size_t at = 0; at + 512 <= bytes.size; at += 512)
            if (memcmp(bytes.data + at + 257, "ustar", 5) == 0)
                tar_seal(bytes.data + at);
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(bytes.data, 1, bytes.size, file), bytes.size);
        assert_int_equal(fclose(file), 0);
        invar_bytes_free(&bytes);
    }
    invar_error_clear(err);
    return fuzz_dataset(path, err);
}

static void damaged_archive(void **state)
{
    (void)state;
    static const char pax[] = "21 path=new/name.png\n16 size=00000073\n";
    char *folder = test_folder_create();
    char place[1024];
    struct bytes tar = {0}, png = make_png(4, 4, 1, 3);
    tar_put(&tar, "a/", '5', NULL, 0);
    tar_put(&tar, "@LongLink", 'L', "a/long name.png", 16);
    tar_put(&tar, "x", '0', png.data, png.size);
    tar_put(&tar, "pax", 'x', pax, 21);
    tar_put(&tar, "x", '0', png.data, png.size);
    tar_put(&tar, "b/1.png", '0', png.data, png.size);
    tar_end(&tar);
    bytes_done(&png);
    snprintf(place, sizeof place, "%s", test_path(folder, "a.tar"));
    fuzz_options = make_options("images", place);
    fuzz_options.workers = 1;
    fuzz_options.bad_limit = 0.5;
    fuzz_file(place, tar.data, tar.size, read_tar);
    bytes_done(&tar);
    test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(damaged_archive)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
