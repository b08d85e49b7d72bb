/* SPDX-License-Identifier: Apache-2.0 */
/* Damaged files of the binary version of CIFAR. */
#include "fuzz/fuzz_data.h"

static struct bytes records(int count)
{
    struct bytes out = {0};
    for (int i = 0; i < count; i++) {
        bytes_fill(&out, i % 20, 2);
        bytes_fill(&out, i, 3072);
    }
    return out;
}

static void damaged_records(void **state)
{
    (void)state;
    char *folder = test_folder_create();
    struct bytes test = records(2);
    bytes_write(&test, folder, "test.bin");
    fuzz_part(folder, "train.bin", records(3), "cifar100", folder);
    test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(damaged_records)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
