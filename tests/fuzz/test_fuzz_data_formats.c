/* SPDX-License-Identifier: Apache-2.0 */
/* Damaged TIFF and WebP files. */
#include "data/make_formats.h"
#include "fuzz/fuzz_data.h"

static const uint8_t pixels[17 * 23 * 5 * 2] = {1, 2, 3, 200};

static void damage(const struct tiff_kind *kind)
{
    char *folder = test_folder_create();
    struct bytes good = make_read(make_tiff(folder, "a/1.tif", kind, pixels));
    fuzz_part(folder, "a/1.tif", good, "images", folder);
    test_folder_remove(folder);
}

static void damaged_strips(void **state)
{
    (void)state;
    damage(&(struct tiff_kind){.height = 17,
                               .width = 23,
                               .samples = 5,
                               .bits = 16,
                               .photometric = PHOTOMETRIC_RGB,
                               .compression = COMPRESSION_LZW});
}

static void damaged_tiles(void **state)
{
    (void)state;
    damage(&(struct tiff_kind){.height = 17,
                               .width = 23,
                               .samples = 3,
                               .bits = 8,
                               .photometric = PHOTOMETRIC_RGB,
                               .tiled = true,
                               .planes = true});
}

static void damaged_palette(void **state)
{
    (void)state;
    damage(&(struct tiff_kind){.height = 17, .width = 23, .samples = 1, .bits = 8, .photometric = PHOTOMETRIC_PALETTE});
}

static void damaged_webp(void **state)
{
    (void)state;
    char *folder = test_folder_create();
    fuzz_part(folder, "a/1.webp",
              make_webp_extended(make_webp(pixels, 17, 23, 4), 17, 23, 0x18, "EXIF", make_exif(6, false)), "images",
              folder);
    test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(damaged_strips), cmocka_unit_test(damaged_tiles),
                                       cmocka_unit_test(damaged_palette), cmocka_unit_test(damaged_webp)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
