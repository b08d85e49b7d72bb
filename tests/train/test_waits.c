/* SPDX-License-Identifier: Apache-2.0 */
/* One wait for the device a step, in every recipe that ships: a small encoder, but its views, terms, target network,
   adversary and optimiser. */
#include "shipped.h"

static void check_recipe(const char *name, const char *folder)
{
    struct invar_error err = {0};
    struct invar_record record;
    char source[700];
    const char *overrides[] = {source,
                               ends_with(name, "-table") ? "encoder={kind: mlp, widths: [16, 8]}"
                                                         : "encoder={kind: small-resnet, widths: [4, 8]}",
                               strstr(name, "wmse") ? "training.batch=40" : "training.batch=16", /* above z's width */
                               "training.steps=4",
                               "training.log_interval=1000",
                               "training.measure_interval=1000",
                               "training.precision=float32"};
    const struct invar_trainer_options options = {0};

    shipped_source(name, folder, source);
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

    (void)state;
    shipped_write_data(folder);
    for (const struct invar_recipe_name *recipe = invar_recipe_names(); recipe->name; recipe++)
        check_recipe(recipe->name, folder);
    test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_wait_a_step)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
