/* SPDX-License-Identifier: Apache-2.0 */
/* Damaged JPEG and PNG files. */
#include "fuzz/fuzz_data.h"

static void damaged_jpeg(void **state)
{
    (void)state;
    char *folder = test_folder_create();
    fuzz_part(folder, "a/1.jpg", make_jpeg(17, 23, 3, 90), "images", folder);
    test_folder_remove(folder);
}

static void damaged_exif(void **state)
{
    (void)state;
    char *folder = test_folder_create();
    fuzz_part(folder, "a/1.jpg", make_jpeg_exif(make_jpeg(17, 23, 3, 90), make_exif(6, false)), "images", folder);
    test_folder_remove(folder);
}

/* Checksums stop most damage to a PNG; the rest of it is libspng's and zlib's. */
static void damaged_png(void **state)
{
    (void)state;
    char *folder = test_folder_create();
    fuzz_part(folder, "a/1.png", make_png(17, 23, 3, 90), "images", folder);
    test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(damaged_jpeg), cmocka_unit_test(damaged_exif),
                                       cmocka_unit_test(damaged_png)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
