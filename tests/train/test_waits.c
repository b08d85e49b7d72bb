/* SPDX-License-Identifier: Apache-2.0 */
/* One wait for the device a step, in every recipe that ships: a small encoder, but its views, terms, target network,
   adversary and optimiser. */
#include "training.h"

static bool ends_with(const char *name, const char *end)
{
    const size_t length = strlen(name), tail = strlen(end);

    return length >= tail && strcmp(name + length - tail, end) == 0;
}

static void write_table(const char *folder)
{
    char text[16384] = "a,b,c,d,kind,class\n";
    struct invar_random random = invar_random_stream(3, INVAR_RANDOM_TEST, 0, 0, 0);

    for (int i = 0; i < 120; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%.4f,%.4f,%.4f,%.4f,k%d,%d\n",
                 (double)invar_random_normal(&random), (double)invar_random_normal(&random),
                 (double)invar_random_normal(&random), (double)invar_random_normal(&random), i % 3, i % 2);
    test_file(folder, "table.csv", text, strlen(text));
}

/* A clip of noise: 16 bits, 8 kHz, a quarter of a second. */
static void write_clip(const char *folder, const char *name, int number)
{
    enum { COUNT = 2000, RATE = 8000 };
    static unsigned char wav[44 + 2 * COUNT];
    const uint32_t sizes[] = {36 + 2 * COUNT, 16, RATE, 2 * RATE, 2 * COUNT};
    const uint16_t format[] = {1, 1}, sample[] = {2, 16};
    struct invar_random random = invar_random_stream(4, INVAR_RANDOM_TEST, 0, (uint64_t)number, 0);

    memcpy(wav, "RIFF....WAVEfmt ....................data....", 44);
    memcpy(wav + 4, &sizes[0], 4);
    memcpy(wav + 16, &sizes[1], 4);
    memcpy(wav + 20, format, 4);
    memcpy(wav + 24, &sizes[2], 8);
    memcpy(wav + 32, sample, 4);
    memcpy(wav + 40, &sizes[4], 4);
    for (int i = 0; i < COUNT; i++) {
        const int16_t value = (int16_t)(8000 * invar_random_range(&random, -1, 1));
        memcpy(wav + 44 + 2 * i, &value, 2);
    }
    test_file(folder, name, wav, sizeof wav);
}

static void write_clips(const char *folder)
{
    struct invar_error err = {0};
    char path[640], name[64];

    for (int class = 0; class < 2; class ++) {
        snprintf(path, sizeof path, "%s/c%d", folder, class);
        assert_ok(invar_folder_create(path, &err), &err);
        for (int i = 0; i < 40; i++) {
            snprintf(name, sizeof name, "%d.wav", i);
            write_clip(path, name, 100 * class + i);
        }
    }
}

/* CIFAR-10's binary version, with few images, of noise. */
static void write_cifar(const char *folder)
{
    static unsigned char images[20 * 3073];
    struct invar_random random = invar_random_stream(5, INVAR_RANDOM_TEST, 0, 0, 0);
    char name[32];

    for (size_t i = 0; i < sizeof images; i++)
        images[i] = i % 3073 == 0 ? (unsigned char)(i / 3073 % 10) : (unsigned char)invar_random_below(&random, 256);
    for (int file = 1; file <= 5; file++) {
        snprintf(name, sizeof name, "data_batch_%d.bin", file);
        test_file(folder, name, images, sizeof images);
    }
    test_file(folder, "test_batch.bin", images, sizeof images);
}

static void check_recipe(const char *name, const char *folder)
{
    struct invar_error err = {0};
    struct invar_record record;
    char source[700];
    const char *overrides[] = {source,
                               strstr(name, "multicrop") ? "encoder={kind: small-resnet, widths: [4, 8]}"
                                                         : "encoder={kind: mlp, widths: [16, 8]}",
                               strstr(name, "wmse") ? "training.batch=40" : "training.batch=16", /* above z's width */
                               "training.steps=4",
                               "training.log_interval=1000",
                               "training.measure_interval=1000",
                               "training.precision=float32"};
    const struct invar_trainer_options options = {0};

    snprintf(source, sizeof source, "data.source=%s:%s/%s",
             ends_with(name, "-table")   ? "csv"
             : ends_with(name, "-audio") ? "audio"
                                         : "cifar10",
             folder,
             ends_with(name, "-table")   ? "table.csv"
             : ends_with(name, "-audio") ? "clips"
                                         : "cifar");
    struct invar_recipe *recipe = invar_recipe_load(name, overrides, sizeof overrides / sizeof *overrides, &err);
    struct invar_dataset *dataset = recipe ? invar_dataset_open(&recipe->data, &err) : NULL;
    struct invar_device *device = dataset ? test_device_open(1, &err) : NULL;
    struct invar_trainer *trainer = device ? invar_trainer_create(recipe, dataset, device, &options, &err) : NULL;
    if (!trainer)
        fail_msg("%s: %s", name, err.message);
    for (int step = 0; step < 3; step++) {
        const int64_t before = invar_device_waits(device);
        assert_ok(invar_trainer_step(trainer, &record, &err), &err);
        const int64_t waits = invar_device_waits(device) - before;
        if (step > 0 && waits != 1) /* the first is measured, and so is the last */
            fail_msg("%s: step %d waits for the device %lld times", name, step + 1, (long long)waits);
    }
    invar_trainer_free(trainer);
    invar_device_close(device);
    invar_dataset_close(dataset);
    invar_recipe_free(recipe);
}

static void one_wait_a_step(void **state)
{
    char *folder = test_folder_create();
    struct invar_error err = {0};
    char path[600];

    (void)state;
    snprintf(path, sizeof path, "%s/clips", folder);
    assert_ok(invar_folder_create(path, &err), &err);
    write_clips(path);
    snprintf(path, sizeof path, "%s/cifar", folder);
    assert_ok(invar_folder_create(path, &err), &err);
    write_cifar(path);
    write_table(folder);
    for (const struct invar_recipe_name *recipe = invar_recipe_names(); recipe->name; recipe++)
        check_recipe(recipe->name, folder);
    test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_wait_a_step)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
