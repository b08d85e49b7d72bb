/* SPDX-License-Identifier: Apache-2.0 */
/* What is given for a source and is something else is named, with what to do. */
#include "data/make.h"
#include "folder.h"

static void put(const char *name, const char *content, size_t size)
{
    struct bytes bytes = {0};
    bytes_put(&bytes, content, size);
    bytes_write(&bytes, folder, name);
}

static void archives_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *content;
        size_t size;
        const char *said;
    } cases[] = {
        {"PK\003\004aaaa", 8, "is a zip archive, which is not read here; unpack it (unzip) and name what it holds"},
        {"\xfd\067zXZ\0aa", 8, "is packed by xz"},
        {"BZh91AY", 7, "is packed by bzip2"},
        {"\x28\xb5\x2f\xfd", 4, "is packed by zstd"},
        {"7z\xbc\xaf\x27\x1c", 6, "is a 7z archive"},
        {"Rar!\x1a\x07", 6, "is a rar archive"},
    };
    static const char *const sources[] = {"images", "audio", "csv", "idx", "cifar10", "npy"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t s = 0; s < sizeof sources / sizeof *sources; s++) {
            put("given", cases[i].content, cases[i].size);
            const struct invar_data_options options = make_options(sources[s], test_path(folder, "given"));
            make_refused(&options, INVAR_ERROR_FORMAT, cases[i].said);
        }
}

static void data_of_other_sources_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *source, *file, *said;
    } cases[] = {
        {"images", "a/cifar-10-batches-bin/data_batch_1.bin", "it holds CIFAR-10: give cifar10:"},
        {"cifar10", "b/x/cifar-10-batches-bin/data_batch_1.bin", "b/x/cifar-10-batches-bin)"},
        {"images", "c/data_batch_1.bin", "/c)"},
        {"audio", "d/fine_label_names.txt", "it holds CIFAR-100: give cifar100:"},
        {"images", "e/raw/train-images.idx3-ubyte", "e/raw)"},
        {"images", "f/data_batch_1", "it holds CIFAR-10 for Python"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[2] = {cases[i].file[0], 0};
        struct invar_error err = {0};
        put(cases[i].file, "x", 1);
        const struct invar_data_options options = make_options(cases[i].source, test_path(folder, name));
        assert_null(invar_dataset_open(&options, &err));
        if (!strstr(err.message, cases[i].said))
            fail_msg("%s: %s", cases[i].file, err.message);
    }
    put("g/x", "x", 1);
    const struct invar_data_options options = make_options("images", test_path(folder, "g"));
    struct invar_error err = {0};
    assert_null(invar_dataset_open(&options, &err));
    assert_null(strstr(err.message, "it holds"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(archives_are_named, setup, teardown),
        cmocka_unit_test_setup_teardown(data_of_other_sources_are_named, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
