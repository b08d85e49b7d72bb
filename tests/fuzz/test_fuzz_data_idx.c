/* SPDX-License-Identifier: Apache-2.0 */
/* Damaged idx files: images, labels, gzip. */
#include "fuzz/fuzz_data.h"

static void damaged_images(void **state)
{
    (void)state;
    char *folder = test_folder_create();
    struct bytes labels = make_idx_labels(10, 3);
    bytes_write(&labels, folder, "train-labels-idx1-ubyte");
    fuzz_part(folder, "train-images-idx3-ubyte", make_idx_images(10, 4, 4, 0), "idx", folder);
    test_folder_remove(folder);
}

static void damaged_gzip(void **state)
{
    (void)state;
    char *folder = test_folder_create();
    struct bytes images = make_idx_images(10, 4, 4, 0), packed = bytes_gzip(&images);
    bytes_done(&images);
    fuzz_part(folder, "train-images-idx3-ubyte.gz", packed, "idx", folder);
    test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(damaged_images), cmocka_unit_test(damaged_gzip)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
