/* SPDX-License-Identifier: Apache-2.0 */
/* What stands for the files of images where INVAR_IMAGES is off. */
#include "data/source.h"

static bool refuse(const char *what, struct invar_error *err)
{
    return invar_error_set(err, INVAR_ERROR_USAGE,
                           "%s: this invar was built without JPEG, PNG, TIFF and WebP: build it with -DINVAR_IMAGES=ON",
                           what);
}

bool data_images_open(struct data_source *source, const char *path, const struct invar_data_options *options,
                      struct invar_error *err)
{
    (void)source, (void)path;
    return refuse(options->source, err);
}

bool data_image_decode(struct data_decoder *decoder, const uint8_t *bytes, size_t size, const char *name, int channels,
                       struct data_image *image, struct invar_error *err)
{
    (void)decoder, (void)bytes, (void)size, (void)channels, (void)image;
    return refuse(name, err);
}

void data_jpeg_free(void *jpeg)
{
    (void)jpeg;
}
